"""Short trainings whose numbers were taken from Keras once: every optimizer with every option, every regularizer and constraint.

Written so that they run on Keras and on fastmlp alike: ``api`` is the module to run on.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

ROWS, STEPS, WIDTHS = 12, 12, (5, 6, 3)

RULES = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.005, "rho": 0.8, "momentum": 0.7}),
    "rmsprop_centered": ("RMSprop", {"learning_rate": 0.005, "centered": True}),
    "rmsprop_centered_momentum": ("RMSprop", {"learning_rate": 0.002, "momentum": 0.7, "centered": True}),
    "rmsprop_epsilon": ("RMSprop", {"learning_rate": 0.01, "epsilon": 0.02}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "adam_epsilon": ("Adam", {"learning_rate": 0.02, "beta_1": 0.7, "epsilon": 0.03}),
    "amsgrad": ("Adam", {"learning_rate": 0.03, "beta_2": 0.5, "amsgrad": True}),
    "adamw": ("AdamW", {"learning_rate": 0.01}),
    "adamw_amsgrad": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.5, "beta_2": 0.6, "amsgrad": True}),
    "adamw_epsilon": ("AdamW", {"learning_rate": 0.02, "beta_1": 0.7, "epsilon": 0.03}),
    "adagrad": ("Adagrad", {"learning_rate": 0.05}),
    "adagrad_from_one": ("Adagrad", {"learning_rate": 0.05, "initial_accumulator_value": 1.0, "epsilon": 1e-3}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "adadelta_rho": ("Adadelta", {"learning_rate": 3.0, "rho": 0.7, "epsilon": 1e-4}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "adamax_fast": ("Adamax", {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.7}),
    "adamax_epsilon": ("Adamax", {"learning_rate": 0.02, "epsilon": 0.03}),
    "nadam": ("Nadam", {"learning_rate": 0.01}),
    "nadam_fast": ("Nadam", {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.7}),
    "nadam_epsilon": ("Nadam", {"learning_rate": 0.02, "epsilon": 0.03}),
    "lion": ("Lion", {"learning_rate": 0.003}),
    "lion_fast": ("Lion", {"learning_rate": 0.003, "beta_1": 0.5, "beta_2": 0.7}),
    "ftrl": ("Ftrl", {"learning_rate": 0.3}),
    "ftrl_power": ("Ftrl", {"learning_rate": 0.3, "learning_rate_power": -0.7, "beta": 0.4}),
    "ftrl_fixed_rate": ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": 0.0}),
    "ftrl_regularized": (
        "Ftrl",
        {
            "learning_rate": 0.5,
            "initial_accumulator_value": 0.01,
            "l1_regularization_strength": 0.02,
            "l2_regularization_strength": 0.03,
            "l2_shrinkage_regularization_strength": 0.04,
        },
    ),
    "schedule_free": ("ScheduleFreeAdamW", {"learning_rate": 0.02}),
    "schedule_free_warmup": (
        "ScheduleFreeAdamW",
        {"learning_rate": 0.05, "beta_1": 0.6, "beta_2": 0.8, "epsilon": 1e-3, "warmup_steps": 5},
    ),
    "lamb": ("Lamb", {"learning_rate": 0.03}),
    "lamb_fast": ("Lamb", {"learning_rate": 0.05, "beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.01}),
    "adafactor": ("Adafactor", {"learning_rate": 0.1}),
    "adafactor_given_rate": ("Adafactor", {"learning_rate": 0.5, "relative_step": False, "epsilon_2": 0.5}),
    "adafactor_long": ("Adafactor", {"learning_rate": 0.05, "beta_2_decay": -0.5, "epsilon_1": 1e-3, "clip_threshold": 3.0}),
    "muon": ("Muon", {"learning_rate": 0.05}),
    "muon_excluding": (
        "Muon",
        {
            "learning_rate": 0.05,
            "exclude_layers": ["hidden"],
            "exclude_embeddings": False,
            "adam_lr_ratio": 0.5,
            "adam_weight_decay": 0.2,
            "weight_decay": 0.5,
        },
    ),
    "muon_adam": ("Muon", {"learning_rate": 0.03, "adam_beta_1": 0.6, "adam_beta_2": 0.9, "epsilon": 0.01, "adam_weight_decay": None}),
    "muon_polynomial": (
        "Muon",
        {
            "learning_rate": 0.02,
            "muon_a": 2.0,
            "muon_b": -1.5,
            "muon_c": 0.5,
            "ns_steps": 3,
            "momentum": 0.5,
            "nesterov": False,
            "rms_rate": None,
            "exclude_embeddings": False,
        },
    ),
}

WITH_OPTIONS = (
    "sgd",
    "nesterov",
    "rmsprop",
    "rmsprop_centered_momentum",
    "amsgrad",
    "adamw",
    "adagrad",
    "adadelta",
    "adamax",
    "nadam",
    "lion",
    "ftrl",
    "schedule_free",
    "lamb",
    "adafactor",
    "muon",
)
"""The rules that every option is tried with."""

OPTIONS = {
    "plain": {},
    "weight_decay": {"weight_decay": 0.2},
    "clipnorm": {"clipnorm": 0.05},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "clipvalue": {"clipvalue": 0.02},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "ema_overwritten": {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "all": {
        "weight_decay": 0.1,
        "global_clipnorm": 0.1,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 2,
    },
}

# Arguments of the Dense layers, as strings or as (module, class, arguments).
WEIGHTS = {
    "l1": {"kernel_regularizer": ("regularizers", "L1", {"l1": 0.003})},
    "l2": {"kernel_regularizer": "l2", "bias_regularizer": ("regularizers", "L2", {"l2": 0.05})},
    "l1_l2": {"kernel_regularizer": ("regularizers", "L1L2", {"l1": 0.002, "l2": 0.01}), "bias_regularizer": "l1"},
    "orthogonal_rows": {"kernel_regularizer": ("regularizers", "OrthogonalRegularizer", {"factor": 0.3})},
    "orthogonal_columns": {"kernel_regularizer": ("regularizers", "OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"})},
    "max_norm": {"kernel_constraint": ("constraints", "MaxNorm", {"max_value": 0.6}), "bias_constraint": "max_norm"},
    "max_norm_inputs": {"kernel_constraint": ("constraints", "MaxNorm", {"max_value": 0.6, "axis": 1})},
    "max_norm_all": {"kernel_constraint": ("constraints", "MaxNorm", {"max_value": 1.5, "axis": [0, 1]})},
    "min_max_norm": {"kernel_constraint": ("constraints", "MinMaxNorm", {"min_value": 0.9, "max_value": 1.0, "rate": 0.5})},
    "min_max_norm_inputs": {"kernel_constraint": ("constraints", "MinMaxNorm", {"min_value": 0.5, "max_value": 0.7, "axis": -1})},
    "non_neg": {"kernel_constraint": "non_neg", "bias_constraint": "non_neg"},
    "unit_norm": {"kernel_constraint": "unit_norm", "bias_constraint": ("constraints", "UnitNorm", {})},
    "unit_norm_inputs": {"kernel_constraint": ("constraints", "UnitNorm", {"axis": 1})},
    "activity_l1": {"activity_regularizer": ("regularizers", "L1", {"l1": 0.05})},
    "activity": {"activity_regularizer": ("regularizers", "L1L2", {"l1": 0.02, "l2": 0.1}), "kernel_regularizer": "l2"},
    "all": {
        "kernel_regularizer": ("regularizers", "L1L2", {"l1": 0.002, "l2": 0.01}),
        "kernel_constraint": ("constraints", "MaxNorm", {"max_value": 0.7}),
    },
}


def cases() -> dict[str, tuple[str, str, str | None]]:
    """``name: (rule, option, weights)``."""
    found: dict[str, tuple[str, str, str | None]] = {
        f"{rule} {option}": (rule, option, None)
        for rule in RULES
        for option in (OPTIONS if rule in WITH_OPTIONS else ["plain"])
        if not (rule.startswith("adamw") and option == "weight_decay")
    }
    found |= {f"{name} {rule}": (rule, "plain", name) for name in WEIGHTS for rule in ("sgd", "adam")}
    return found | {f"{name} with all options": ("momentum", "all", name) for name in WEIGHTS}


def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(11)
    x, y = random.normal(size=(ROWS, WIDTHS[0])), random.normal(size=(ROWS, WIDTHS[-1]))
    return x.astype(np.float32), y.astype(np.float32)


def initial_weights() -> list[np.ndarray]:
    random = np.random.RandomState(12)
    weights = []
    for fan_in, units in pairwise(WIDTHS):
        weights += [random.normal(scale=fan_in**-0.5, size=(fan_in, units)), random.normal(scale=0.1, size=units)]
    return [weight.astype(np.float32) for weight in weights]


def network(api, rule: str, option: str, weights: str | None, **compile_options):
    """A compiled network with the initial weights in place."""

    def made(value):
        return value if isinstance(value, str) else getattr(getattr(api, value[0]), value[1])(**value[2])

    arguments = {name: made(value) for name, value in WEIGHTS[weights].items()} if weights else {}
    model = api.Sequential([api.layers.Input(shape=WIDTHS[:1])])
    model.add(api.layers.Dense(WIDTHS[1], activation="tanh", name="hidden", **arguments))
    model.add(api.layers.Dense(WIDTHS[2], name="output_embedding", **arguments))  # which Muon leaves to Adam
    name, given = RULES[rule]
    given = {**given, **OPTIONS[option]}
    model.compile(optimizer=getattr(api.optimizers, name)(**given), loss="mse", **compile_options)
    model.set_weights(initial_weights())
    return model


def trajectory(api, rule: str, option: str, weights: str | None, **compile_options):
    """Twelve steps on two halves of the data in turn, then two epochs of ``fit``.

    Returns:
        The loss of each step and of an evaluation at the end, and the final weights.
    """
    model = network(api, rule, option, weights, **compile_options)
    x, y = data()
    losses = []
    for step in range(STEPS):
        half = slice(step % 2, None, 2)
        losses.append(np.ravel(model.train_on_batch(x[half], y[half]))[0])
    model.fit(x, y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    losses.append(np.ravel(model.evaluate(x, y, batch_size=6, verbose=0))[0])
    return np.array(losses, np.float64), np.concatenate([np.ravel(value) for value in model.get_weights()])
