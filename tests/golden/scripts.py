"""The schedules and the scripts of epochs whose outcome was taken from Keras once, for tests and for ``make_schedules_golden.py``."""

from __future__ import annotations

import numpy as np

STEPS = (*range(12), 19, 20, 21, 29, 30, 31, 49, 50, 51, 69, 70, 71, 99, 100, 101, 149, 150, 151, 299, 1000, 12345)

# name: (class, arguments)
SCHEDULES = {
    "exponential": ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 50, "decay_rate": 0.9}),
    "exponential staircase": ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.96, "staircase": True}),
    "inverse time": ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.5}),
    "inverse time staircase": ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 2, "staircase": True}),
    "polynomial": ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 100, "end_learning_rate": 0.01, "power": 2.0}),
    "polynomial line": ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 70}),
    "polynomial cycle": ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "power": 0.5, "cycle": True}),
    "piecewise": ("PiecewiseConstantDecay", {"boundaries": [4, 9, 100], "values": [0.1, 0.02, 0.05, 0.01]}),
    "cosine": ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 100}),
    "cosine floor": ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 70, "alpha": 0.1}),
    "cosine warm-up": (
        "CosineDecay",
        {"initial_learning_rate": 0.0, "decay_steps": 100, "alpha": 0.01, "warmup_target": 0.2, "warmup_steps": 20},
    ),
    "cosine target without steps": ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 100, "warmup_target": 0.2}),
    "restarts": ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10}),
    "restarts of one length": ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 30, "t_mul": 1.0, "m_mul": 0.8}),
    "restarts growing": (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 25, "t_mul": 1.5, "m_mul": 0.9, "alpha": 0.05},
    ),
}

# name: arguments of PyTorch's OneCycleLR
ONE_CYCLES = {
    "one cycle": {"total_steps": 100},
    "one cycle linear": {"total_steps": 100, "anneal_strategy": "linear", "pct_start": 0.25},
    "one cycle in three phases": {"total_steps": 200, "three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
    "one cycle of odd length": {"total_steps": 77, "pct_start": 0.4},
}


# name: (optimizer, its arguments, a key of SCHEDULES)
SCHEDULED_FITS = {
    "sgd piecewise": ("SGD", {"momentum": 0.9}, "piecewise"),
    "adam staircase": ("Adam", {}, "exponential staircase"),
    "rmsprop warm-up": ("RMSprop", {}, "cosine warm-up"),
}


def scheduled_fit(api, name: str, **compile_options) -> list[float]:
    """The weights of a small network after four epochs of three batches under a schedule."""
    optimizer, options, schedule = SCHEDULED_FITS[name]
    kind, arguments = SCHEDULES[schedule]
    model = api.Sequential([api.layers.Input(shape=(3,)), api.layers.Dense(2, activation="tanh"), api.layers.Dense(1)])
    random = np.random.RandomState(6)
    model.set_weights([random.normal(scale=0.5, size=shape).astype(np.float32) for shape in ((3, 2), (2,), (2, 1), (1,))])
    x, y = random.normal(size=(24, 3)).astype(np.float32), random.normal(size=(24, 1)).astype(np.float32)
    rate = getattr(api.optimizers.schedules, kind)(**arguments)
    model.compile(optimizer=getattr(api.optimizers, optimizer)(learning_rate=rate, **options), loss="mse", **compile_options)
    model.fit(x, y, epochs=4, batch_size=8, shuffle=False, verbose=0)
    return np.concatenate([weight.ravel() for weight in model.get_weights()]).tolist()


def watched() -> dict[str, list[float]]:
    """Numbers of 60 epochs: falling, noisy, stuck, rising, with a NaN."""
    random = np.random.RandomState(5)
    falling = 2.0 / (1 + np.arange(60)) + random.normal(scale=0.02, size=60)
    return {
        "falling": falling.tolist(),
        "stuck": [1.0] * 60,
        "rising": (1 - falling / 2).tolist(),
        "steps": np.repeat([3.0, 2.0, 2.5, 1.0, 0.99995, 0.5], 10).tolist(),
        "with a gap": [*falling[:10].tolist(), float("nan"), *falling[10:59].tolist()],
    }


PLATEAUS = {
    "default": {},
    "quick": {"factor": 0.5, "patience": 3},
    "min_delta": {"factor": 0.2, "patience": 2, "min_delta": 0.05},
    "cooldown": {"factor": 0.5, "patience": 2, "cooldown": 4},
    "min_lr": {"factor": 0.1, "patience": 1, "min_lr": 0.004},
    "impatient": {"factor": 0.9, "patience": 0},
}

STOPPERS = {
    "default": {},
    "patient": {"patience": 5},
    "min_delta": {"patience": 3, "min_delta": 0.05},
    "baseline": {"patience": 4, "baseline": 0.8},
    "late": {"patience": 2, "start_from_epoch": 7},
}


def rates_on_plateaus(callback, optimizer, values) -> list[list[float]]:
    """The epochs after which the learning rate is another one, and which."""

    class Model:
        metrics = ()
        stop_training = False

    model = Model()
    model.optimizer = optimizer
    callback.set_model(model)
    callback.on_train_begin()
    changes = []
    before = float(np.asarray(optimizer.learning_rate))
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"number": value})
        after = float(np.asarray(optimizer.learning_rate))
        if after != before:
            changes.append([epoch, after])
        before = after
    return changes


def epochs_run(callback, values) -> list[int]:
    """The last epoch that is run, and the best one."""

    class Model:
        metrics = ()
        stop_training = False

        def get_weights(self):
            return []

    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    epoch = 0
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"number": value})
        if model.stop_training:
            break
    return [epoch, callback.best_epoch]
