"""Optimizers, their options, the running average of weights, and L-BFGS, through the public interface."""

import copy
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks, layers, models, optimizers, utils
from fastmlp.errors import NonFiniteLossError, UnsupportedError
from fastmlp.optimizers.minimizer import Minimizer, line_search

SHARED = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "gradient_accumulation_steps": None,
}
MOMENTS = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
DEFAULTS = {
    "SGD": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
    "RMSprop": {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
    "Adam": {**MOMENTS, "amsgrad": False},
    "AdamW": {**MOMENTS, "amsgrad": False, "weight_decay": 0.004},
    "Adagrad": {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
    "Adadelta": {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7},
    "Adamax": MOMENTS,
    "Nadam": MOMENTS,
    "Lion": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99},
    "Ftrl": {
        "learning_rate": 0.001,
        "learning_rate_power": -0.5,
        "initial_accumulator_value": 0.1,
        "l1_regularization_strength": 0.0,
        "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0,
        "beta": 0.0,
    },
    "Lamb": MOMENTS,
    "Muon": {
        "learning_rate": 0.001,
        "adam_beta_1": 0.9,
        "adam_beta_2": 0.999,
        "adam_weight_decay": 0.004,
        "epsilon": 1e-7,
        "weight_decay": 0.004,
        "exclude_layers": [],
        "exclude_embeddings": True,
        "muon_a": 3.4445,
        "muon_b": -4.775,
        "muon_c": 2.0315,
        "adam_lr_ratio": 1,
        "momentum": 0.95,
        "ns_steps": 5,
        "nesterov": True,
        "rms_rate": 0.2,
    },
    "Adafactor": {
        "learning_rate": 0.001,
        "beta_2_decay": -0.8,
        "epsilon_1": 1e-30,
        "epsilon_2": 0.001,
        "clip_threshold": 1.0,
        "relative_step": True,
    },
    "ScheduleFreeAdamW": {"learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "warmup_steps": 0},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    return x, np.stack([np.sin(x[:, 0]) + x[:, 1], x[:, 2] * 0.3], axis=1).astype(np.float32)


def make(optimizer, engine="native", **dense):
    utils.set_random_seed(3)
    model = models.Sequential([layers.Input((4,)), layers.Dense(8, activation="tanh", **dense), layers.Dense(2, **dense)])
    model.compile(optimizer=optimizer, loss="mse", metrics=["mae"], engine=engine)
    return model


NAMES = {"ScheduleFreeAdamW": "schedule_free_adam_w"}
"""Where Keras calls them by more than their class."""


@pytest.mark.parametrize("name", DEFAULTS)
def test_optimizers_have_the_defaults_of_keras(name):
    config = optimizers.get(name).get_config()
    config.pop("catch_up", None)
    assert config == {"name": NAMES.get(name, name.lower()), **SHARED, **DEFAULTS[name]}


@pytest.mark.parametrize("name", DEFAULTS)
def test_configurations_make_the_same_optimizer(name):
    optimizer = getattr(optimizers, name)(learning_rate=0.02, weight_decay=0.1, clipnorm=0.5, use_ema=True, ema_overwrite_frequency=7)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    again = optimizers.registry.deserialize(optimizers.registry.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    parameters = make("sgd").plan.parameters
    assert again.update(parameters) == optimizer.update(parameters)
    assert again.update(parameters).undecayed == (1, 3)


@pytest.mark.parametrize(
    ("make_it", "error", "message"),
    [
        (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=0.5), ValueError, "only one of clipnorm, clipvalue and global_clipnorm can be"),
        (lambda: optimizers.Adam(clipnorm=-1), ValueError, "clipnorm must be a number ≥ 0, got -1"),
        (lambda: optimizers.SGD(weight_decay="a"), TypeError, "weight_decay must be a number, got 'a'"),
        (lambda: optimizers.AdamW(weight_decay=None), ValueError, "AdamW needs a weight_decay; use Adam for none"),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=1.5), ValueError, "ema_momentum must be a number ≥ 0 and ≤ 1, got 1.5"),
        (lambda: optimizers.SGD(ema_overwrite_frequency=0), ValueError, "ema_overwrite_frequency must be an integer ≥ 1, got 0"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), ValueError, "gradient_accumulation_steps must be an integer ≥ 2, got 1"),
        (lambda: optimizers.Lion(beta_1=0.0), ValueError, "beta_1 must be > 0, got 0"),
        (lambda: optimizers.Adadelta(rho=1.0), ValueError, "rho must be a number ≥ 0 and < 1, got 1"),
        (lambda: optimizers.Adagrad(initial_accumulator_value=-1), ValueError, "initial_accumulator_value must be a number ≥ 0, got -1"),
        (lambda: optimizers.RMSprop(centered=1), TypeError, "centered must be True or False, got 1"),
        (lambda: optimizers.SGD().exclude_from_weight_decay(var_names="bias"), TypeError, "var_names must be a list of names, got 'bias'"),
        (lambda: optimizers.SGD().exclude_from_weight_decay(var_names=["("]), ValueError, "'(', which is not a valid regular expression"),
        (lambda: optimizers.SGD().exclude_from_weight_decay([1]), UnsupportedError, "use names: var_names=['bias']"),
        (lambda: optimizers.Muon(exclude_layers="output"), TypeError, "exclude_layers must be a list of names, got 'output'"),
        (lambda: optimizers.Muon(ns_steps=-1), ValueError, "ns_steps must be an integer ≥ 0, got -1"),
        (lambda: optimizers.Muon(rms_rate=-1), ValueError, "rms_rate must be a number ≥ 0, got -1"),
        (lambda: optimizers.LossScaleOptimizer(), UnsupportedError, "everything is float32, so no loss needs a scale"),
        (lambda: optimizers.ScheduleFreeAdamW(beta_1=0), ValueError, "beta_1 must be > 0, got 0"),
        (lambda: optimizers.ScheduleFreeAdamW(warmup_steps=-1), ValueError, "warmup_steps must be an integer ≥ 0, got -1"),
        (lambda: optimizers.Adafactor(beta_2_decay=0.5), ValueError, "beta_2_decay must be a number ≥ -100 and ≤ 0, got 0.5"),
        (lambda: optimizers.Adafactor(epsilon_1=0), ValueError, "epsilon_1 must be a number ≥ 1.2e-38"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), ValueError, "learning_rate_power must be a number ≥ -100 and ≤ 0, got 0.5"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1), ValueError, "l1_regularization_strength must be a number ≥ 0, got -1"),
        (lambda: optimizers.LBFGS(weight_decay=0.1), UnsupportedError, "LBFGS(weight_decay=...) is not in fastmlp"),
        (lambda: optimizers.LBFGS(history=0), ValueError, "history must be an integer ≥ 1, got 0"),
    ],
)
def test_bad_arguments_are_told(make_it, error, message):
    with pytest.raises(error) as caught:
        make_it()
    assert message in str(caught.value)


def test_a_name_nobody_has_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'adams'"):
        _ = optimizers.adams


def test_excluded_weights_do_not_decay(data):
    x = np.zeros_like(data[0])  # only biases get a gradient
    ends = []
    for excluded in ([], ["kernel"]):
        optimizer = optimizers.SGD(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=excluded)
        model = make(optimizer)
        begin = model.layers[0].kernel.numpy()
        model.train_on_batch(x, data[1])
        ends.append(model.layers[0].kernel / begin)
    np.testing.assert_allclose(ends[0], 0.95, rtol=1e-6)
    np.testing.assert_allclose(ends[1], 1.0, rtol=0)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_accumulated_batches_step_like_one_large_batch(engine, data):
    together, apart = make(optimizers.SGD(0.1), engine), make(optimizers.SGD(0.1, gradient_accumulation_steps=3), engine)
    together.fit(*data, batch_size=60, epochs=4, shuffle=False, verbose=0)
    apart.fit(*data, batch_size=20, epochs=4, shuffle=False, verbose=0)
    for a, b in zip(together.get_weights(), apart.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# The running average


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_fit_ends_with_the_average_of_the_weights(engine, data):
    model = make(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), engine)
    model.train_on_batch(*data)
    first = model.get_weights()
    np.testing.assert_array_equal(model.network.get_slot("average", 0), first[0])
    model.fit(*data, batch_size=60, verbose=0)
    np.testing.assert_array_equal(model.network.get_slot("average", 0), model.get_weights()[0])
    assert not np.array_equal(first[0], model.get_weights()[0])


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_averages_and_sums_of_gradients_are_saved(engine, data, tmp_path):
    options = {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4, "gradient_accumulation_steps": 3}
    straight, stopped = (make(optimizers.Nadam(0.01, **options), engine) for _ in range(2))
    for model, steps in ((straight, 20), (stopped, 7)):
        for _ in range(steps):
            model.train_on_batch(*data)
    stopped.save(tmp_path / "model.safetensors")
    resumed = fastmlp.load_model(tmp_path / "model.safetensors")
    assert resumed.network.slot_names == ("momentum", "velocity", "average", "gradient_accumulator")
    for _ in range(13):
        resumed.train_on_batch(*data)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True))


class Watch(callbacks.Callback):
    def __init__(self):
        self.at_epoch_end, self.in_validation = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.at_epoch_end.append(self.model.get_weights()[0])

    def on_test_end(self, logs=None):
        self.in_validation.append(self.model.get_weights()[0])


def test_validation_can_use_the_average(data):
    plain, swapping = (make(optimizers.SGD(0.2, use_ema=True, ema_momentum=0.8)) for _ in range(2))
    for model, extra in ((plain, []), (swapping, [callbacks.SwapEMAWeights()])):
        model.watch = Watch()
        model.fit(*data, batch_size=20, epochs=3, verbose=0, validation_data=data, callbacks=[model.watch, *extra])
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), swapping.get_weights(), strict=True))
    # `Watch` comes first, so it sees the average that validation used.
    assert not np.array_equal(plain.watch.in_validation[0], swapping.watch.in_validation[0])
    assert np.array_equal(plain.watch.at_epoch_end[0], swapping.watch.at_epoch_end[0])
    assert plain.history.history["loss"] == swapping.history.history["loss"]
    assert plain.history.history["val_loss"] != swapping.history.history["val_loss"]


def test_the_average_can_stay_until_the_next_epoch(data):
    plain, swapping = (make(optimizers.SGD(0.2, use_ema=True, ema_momentum=0.8)) for _ in range(2))
    watch = Watch()
    plain.fit(*data, batch_size=20, epochs=3, verbose=0)
    swapping.fit(*data, batch_size=20, epochs=3, verbose=0, callbacks=[callbacks.SwapEMAWeights(swap_on_epoch=True), watch])
    assert plain.history.history == swapping.history.history
    assert np.array_equal(watch.at_epoch_end[-1], swapping.get_weights()[0])
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), swapping.get_weights(), strict=True))


class StopAfterTwo(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def test_a_training_that_is_stopped_ends_with_the_average_too(data):
    plain, swapping = (make(optimizers.SGD(0.2, use_ema=True, ema_momentum=0.8)) for _ in range(2))
    plain.fit(*data, batch_size=20, epochs=2, verbose=0)
    swapping.fit(*data, batch_size=20, epochs=9, verbose=0, callbacks=[callbacks.SwapEMAWeights(swap_on_epoch=True), StopAfterTwo()])
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), swapping.get_weights(), strict=True))
    assert np.array_equal(swapping.network.get_slot("average", 0), swapping.get_weights()[0])


def test_swapping_needs_an_average(data):
    with pytest.raises(ValueError, match=r"needs an optimizer that keeps an EMA: SGD\(use_ema=True\)"):
        make("sgd").evaluate(*data, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


# L-BFGS


def rosenbrock(v):
    x, y = v
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def test_a_bent_valley_is_followed_to_its_end():
    x = np.array([-1.2, 1.0])
    value, gradient = rosenbrock(x)
    minimizer = Minimizer(rosenbrock, 10, 1.0)
    for _ in range(60):
        stepped = minimizer.step(x, value, gradient)
        if stepped is None:
            break
        assert stepped[1] < value
        x, value, gradient = stepped
    np.testing.assert_allclose(x, [1, 1], rtol=1e-6)


@pytest.mark.parametrize("start", [1e-3, 0.1, 1.0, 30.0, 1e4])
def test_step_lengths_meet_the_strong_wolfe_conditions(start):
    x = np.array([-1.2, 1.0])
    value, gradient = rosenbrock(x)
    direction = -gradient
    slope = gradient @ direction
    t, reached, there = line_search(lambda t: rosenbrock(x + t * direction), direction, value, slope, start / np.linalg.norm(gradient))
    assert reached <= value + 1e-4 * t * slope
    assert abs(there @ direction) <= 0.9 * abs(slope)


def test_a_line_search_goes_around_infinity_and_refuses_to_climb():
    def wall(t):
        return (np.inf, np.array([np.nan])) if t > 0.5 else ((t - 0.4) ** 2, np.array([2 * (t - 0.4)]))

    t, _, _ = line_search(wall, np.ones(1), 0.16, -0.8, 1.0)
    assert 0 < t <= 0.5
    assert line_search(wall, np.ones(1), 0.16, 0.8, 1.0) is None


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_lbfgs_needs_far_fewer_epochs_than_adam(engine, data):
    ends = {}
    for name in ("lbfgs", "adam"):
        model = make(name, engine)
        ends[name] = model.fit(*data, epochs=60, verbose=0).history["loss"]
    assert ends["lbfgs"][-1] < 0.05 * ends["adam"][-1]
    assert all(b <= a * (1 + 1e-5) for a, b in zip(ends["lbfgs"], ends["lbfgs"][1:], strict=False))


def test_lbfgs_minimizes_penalties_too(data):
    model = make(optimizers.LBFGS(), kernel_regularizer="l2")
    losses = model.fit(*data, epochs=80, verbose=0).history["loss"]
    assert model.evaluate(*data, verbose=0)[0] == pytest.approx(losses[-1], rel=1e-3)
    start = model.get_weights()
    model.fit(*data, epochs=5, verbose=0)
    assert all(np.allclose(a, b, atol=0.02) for a, b in zip(start, model.get_weights(), strict=True))  # it stays where it arrived


def test_lbfgs_wants_all_rows_and_no_constraints(data):
    with pytest.raises(ValueError, match="LBFGS needs all 60 rows in one batch, but a batch has 20; let one batch have all of them"):
        make("lbfgs").fit(*data, batch_size=20, verbose=0)
    with pytest.raises(ValueError, match=r"LBFGS knows no constraints, but dense.*/kernel has one"):
        make("lbfgs", kernel_constraint="non_neg").fit(*data, verbose=0)


def test_lbfgs_stops_at_a_loss_that_is_not_finite(data):
    model = make("lbfgs")
    model.set_weights([np.full_like(weight, 3e38) for weight in model.get_weights()])
    with pytest.raises(NonFiniteLossError):
        model.fit(*data, verbose=0)


def test_lbfgs_warns_and_stops_where_rounding_hides_every_step():
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = x[:, 0] * 2e12
    utils.set_random_seed(0)
    model = models.Sequential([layers.Input((3,)), layers.Dense(6, activation="tanh"), layers.Dense(1)])
    model.compile(optimizers.LBFGS(), "mse")
    with pytest.warns(UserWarning, match=r"LBFGS can't take another step: .* y = \(y - y.mean\(\)\) / y.std\(\)") as warned:
        losses = model.fit(x, y, epochs=40, verbose=0).history["loss"]
    assert len(losses) < 40
    assert len(warned) == 1
    with pytest.warns(UserWarning, match="LBFGS can't take another step"):
        model.train_on_batch(x, y)


def test_lbfgs_goes_on_with_longer_steps_where_short_ones_change_nothing(data):
    x, _ = data
    model = models.Sequential([layers.Dense(1, input_shape=(x.shape[1],))])
    model.compile(optimizers.LBFGS(), "mse")
    losses = model.fit(x, x[:, :1] + 1e9, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 1e-6 * losses[0]


def test_lbfgs_at_a_minimum_says_nothing(data):
    model = make(optimizers.LBFGS(), kernel_regularizer="l2")
    model.fit(*data, epochs=80, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(model.fit(*data, epochs=20, verbose=0).history["loss"]) == 20


def test_a_new_learning_rate_reaches_lbfgs(data):
    changed, made_so, left = make(optimizers.LBFGS()), make(optimizers.LBFGS(1e-3)), make(optimizers.LBFGS())
    changed.optimizer.learning_rate = 1e-3
    losses = [model.fit(*data, epochs=2, verbose=0).history["loss"][1] for model in (changed, made_so, left)]
    assert losses[0] == losses[1] != losses[2]


def test_models_with_lbfgs_can_be_copied_saved_and_trained_on(data, tmp_path):
    model = make("lbfgs")
    model.fit(*data, epochs=5, verbose=0)
    model.save(tmp_path / "model.safetensors")
    for again in (copy.deepcopy(model), fastmlp.load_model(tmp_path / "model.safetensors")):
        before = again.evaluate(*data, verbose=0)[0]
        again.fit(*data, epochs=5, verbose=0)
        assert again.evaluate(*data, verbose=0)[0] < before


@pytest.mark.parametrize("epsilon", [0, 0.0, 1e-40, -1e-7])
@pytest.mark.parametrize("name", ["RMSprop", "Adagrad", "Adadelta", "Adam", "AdamW", "Adamax", "Nadam"])
def test_an_epsilon_that_leaves_a_division_by_zero_is_refused(name, epsilon):
    cls = getattr(optimizers, name)
    with pytest.raises(ValueError, match="epsilon must be a number ≥"):
        cls(epsilon=epsilon)
    cls(epsilon=1e-37)


def test_muon_takes_hidden_kernels_as_matrices():
    model = models.Sequential(
        [layers.Input((3,)), layers.Embedding(9, 4), layers.Flatten(), layers.Dense(5, name="hidden"), layers.Dense(2, name="output")]
    )
    names = [one.name for one in model.plan.parameters]

    def moved(**arguments):
        return [names[index] for index in optimizers.Muon(**arguments).update(model.plan.parameters).matrices]

    assert moved(exclude_layers=["^out"]) == ["hidden/kernel"]
    assert moved() == ["hidden/kernel", "output/kernel"]
    assert moved(exclude_embeddings=False, exclude_layers=["out", "dd.n/"]) == [names[0]]
