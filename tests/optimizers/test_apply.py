"""Steps of an optimizer in training loops of one's own: ``apply`` and ``apply_gradients``."""

import copy

import numpy as np
import pytest

import fastmlp
from fastmlp import layers, models, optimizers
from fastmlp.errors import NonFiniteWeightsError, UnsupportedError

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 5)).astype("float32"), rng.normal(size=(40, 2)).astype("float32")

OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "decay": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "clipped": lambda: optimizers.RMSprop(0.01, global_clipnorm=0.1),
    "average": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    "accumulated": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "schedule": lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
    "schedule free": lambda: optimizers.ScheduleFreeAdamW(0.01),
    "muon": lambda: optimizers.Muon(0.01),
    "ftrl": lambda: optimizers.Ftrl(0.05),
    "adafactor": lambda: optimizers.Adafactor(0.01),
}


def network(**options):
    model = models.Sequential(
        [
            layers.Dense(8, activation="tanh", input_shape=(5,), kernel_regularizer="l2", **options),
            layers.Dropout(0.3),
            layers.Dense(2, kernel_constraint="max_norm"),
        ]
    )
    model.seed = 3
    weights = np.random.default_rng(1)
    model.set_weights([weights.uniform(-0.5, 0.5, one.shape) for one in model.weights])
    return model


def compiled(optimizer, engine="native", loss="mse", **options):
    model = network(**options)
    model.compile(optimizer, loss, engine=engine)
    return model


def same_weights(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_own_loop_and_fit_continue_each_other_with_the_same_bits(make, engine):
    fitted, own = compiled(make(), engine), compiled(make(), engine)
    for step in range(5):
        fitted.train_on_batch(X, Y)
        if step == 2:
            own.train_on_batch(X, Y)
        else:
            own.optimizer.apply_gradients(zip(own.gradients(X, Y), own.trainable_variables, strict=True))
    assert same_weights(fitted, own)
    assert own.optimizer.iterations == fitted.optimizer.iterations
    assert float(own.optimizer.learning_rate) == float(fitted.optimizer.learning_rate)
    for one, other in zip(fitted.optimizer.variables, own.optimizer.variables, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_variables_of_no_compiled_model_move_like_those_of_one(make):
    reference, own, optimizer = compiled(make(), kernel_constraint="non_neg"), network(kernel_constraint="non_neg"), make()
    for step in range(4):
        gradients = [np.full(one.shape, 0.1 * (step + 1), np.float32) for one in own.trainable_variables]
        reference.optimizer.apply(gradients)
        optimizer.apply(gradients, own.trainable_variables)
    assert same_weights(reference, own)
    assert optimizer.iterations == reference.optimizer.iterations
    slots = [one.numpy() for one in optimizer.variables if isinstance(one, fastmlp.Variable)]
    expected = [one.numpy() for one in reference.optimizer.variables if isinstance(one, fastmlp.Variable)]
    assert all(np.array_equal(a, b) for a, b in zip(slots, expected, strict=True))


def test_a_model_compiled_without_a_loss_can_be_trained_by_gradients_and_saved(tmp_path):
    model, with_loss = compiled("adam", loss=None), compiled("adam")
    for one in (model, with_loss):
        one.optimizer.apply([np.ones(w.shape) for w in one.trainable_variables])
    assert same_weights(model, with_loss)
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors")
    copied = copy.deepcopy(model)
    for one in (model, loaded, copied):
        one.optimizer.apply([np.ones(w.shape) for w in one.trainable_variables], one.trainable_variables)
    assert same_weights(model, loaded)
    assert same_weights(model, copied)
    assert loaded.optimizer.iterations == 2


def test_numbers_of_any_shape_are_updated():
    scalar, cube = fastmlp.Variable(1.0), fastmlp.Variable(np.ones((2, 3, 4)), dtype="float64")
    optimizer = optimizers.SGD(0.5)
    optimizer.apply_gradients([(1.0, scalar), (np.full((2, 3, 4), 2.0), cube)])
    assert float(scalar) == 0.5
    assert cube.dtype == np.float64
    assert np.all(cube.numpy() == 0)
    assert optimizer.apply_gradients([(1.0, scalar)]) == 2


def test_variables_without_a_gradient_stay():
    first, second = fastmlp.Variable([1.0]), fastmlp.Variable([1.0], name="second")
    optimizer = optimizers.Adam(0.1)
    optimizer.build([first, second])
    optimizer.apply([[1.0]], [first])
    assert second.numpy() == 1
    with pytest.warns(UserWarning, match="no gradients for second, which stay"):
        optimizer.apply([[1.0], None])
    assert second.numpy() == 1
    assert optimizer.iterations == 2
    optimizer.apply([], [])
    assert optimizer.iterations == 2


def test_settings_can_change_between_steps():
    changed, variable = optimizers.SGD(0.1, momentum=0.9), fastmlp.Variable([1.0])
    changed.apply([[1.0]], [variable])
    changed.learning_rate = 1.0
    changed.weight_decay = 0.5
    assert changed.iterations == 1
    before = float(variable)
    changed.apply([[0.0]], [variable])
    assert float(variable) == pytest.approx(before - 0.5 * before - 0.9 * 0.1)


def test_an_optimizer_is_copied_without_its_own_variables():
    optimizer, variable = optimizers.Adam(0.1), fastmlp.Variable([1.0])
    optimizer.apply([[1.0]], [variable])
    other = copy.deepcopy(optimizer)
    assert (other.iterations, optimizer.iterations) == (0, 1)


def test_weights_are_not_regularized_by_apply():
    model = compiled(optimizers.SGD(1.0))
    before = model.get_weights()
    model.optimizer.apply([np.zeros(one.shape) for one in model.trainable_variables])
    assert np.array_equal(before[0], model.get_weights()[0])


def test_constraints_that_are_functions_are_applied():
    model = compiled(optimizers.SGD(1.0), kernel_constraint=lambda w: np.clip(w, -0.25, 0.25))
    model.optimizer.apply([np.ones(one.shape) for one in model.trainable_variables])
    assert model.get_weights()[0].min() == -0.25
    with pytest.raises(UnsupportedError, match="a function; compile its model"):
        optimizers.SGD().apply([np.ones((5, 8))], network(kernel_constraint=lambda w: w).trainable_variables[:1])


def test_mistakes_change_nothing():
    model = compiled("adam")
    before, kernel = model.get_weights(), model.trainable_variables[0]
    good = np.ones((5, 8))
    cases = [
        ([good, good], [kernel], "2 gradients for 1 variables"),
        ([good[:2]], [kernel], r"the gradient of .*dense.*/kernel has shape \(2, 8\), but the variable has \(5, 8\)"),
        ([good * np.nan], [kernel], "NaN or infinite"),
        (["a"], [kernel], "must be an array of numbers"),
        ([good, good], [kernel, kernel], "twice"),
        ([good], [fastmlp.Variable(good, name="other")], "other is not among the variables .* the trainable weights of the model"),
        ([None], [kernel], "none of the variables has a gradient"),
    ]
    for gradients, variables, message in cases:
        with pytest.raises(ValueError, match=message):
            model.optimizer.apply(gradients, variables)
    assert model.optimizer.iterations == 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.raises(ValueError, match="apply needs the variables"):
        optimizers.Adam().apply([good])
    with pytest.raises(ValueError, match="is not trainable"):
        optimizers.Adam().apply([good], [fastmlp.Variable(good, trainable=False)])
    with pytest.raises(TypeError, match="only floating-point numbers"):
        optimizers.Adam().apply([1], [fastmlp.Variable(1)])
    with pytest.raises(TypeError, match="optimizers update variables"):
        optimizers.Adam().apply([good], [good])
    with pytest.raises(UnsupportedError, match="LBFGS searches"):
        compiled("lbfgs").optimizer.apply([good], [kernel])


def test_frozen_weights_have_no_gradient():
    model = network()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match="not among the variables that this optimizer updates, the trainable weights"):
        model.optimizer.apply([np.ones((5, 8))], [model.weights[0]])
    gradients = model.gradients(X, Y)
    assert [one.shape for one in gradients] == [(8, 2), (2,)]
    model.optimizer.apply(gradients, model.trainable_variables)
    model.layers[0].trainable = True
    with pytest.raises(RuntimeError, match="call compile again"):
        model.optimizer.apply(gradients, model.trainable_variables[2:])


def test_a_step_that_overflows_says_so():
    model = compiled(optimizers.SGD(1e30))
    with pytest.raises(NonFiniteWeightsError, match="weights became NaN or infinite in this step"):
        model.optimizer.apply([np.full(one.shape, 1e30) for one in model.trainable_variables])
    variable = fastmlp.Variable([1.0])
    with pytest.raises(NonFiniteWeightsError):
        optimizers.SGD(1e30).apply([[1e30]], [variable])
    assert float(variable) == 1


def test_apply_in_a_callback_is_refused():
    from fastmlp.callbacks import LambdaCallback

    model = compiled("adam")
    gradients = model.gradients(X, Y)
    with pytest.raises(RuntimeError, match="from one of its callbacks"):
        model.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: model.optimizer.apply(gradients))])
