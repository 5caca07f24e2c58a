"""Weights as users see them: variables that follow training, and that write where the network reads."""

import copy
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import layers, models

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def made(*inner, engine="native"):
    model = models.Sequential([layers.Input((3,)), layers.Dense(2), *inner, layers.Dense(1)])
    model.compile("adam", "mse", engine=engine)
    return model


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_kernel_that_is_held_follows_training(engine):
    model = made(engine=engine)
    kernel = model.layers[0].kernel
    before = kernel.numpy()
    model.fit(X, X[:, 0], verbose=0)
    assert (kernel != before).any()
    assert (kernel == model.get_weights()[0]).all()


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("connected", [False, True])
def test_assigning_writes_through_to_the_network(engine, connected):
    model = made(engine=engine)
    if connected:
        model.predict(X, verbose=0)
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    model.layers[1].bias.assign_add([3.0]).assign_sub(1.0)
    assert (model.predict(X, verbose=0) == 2).all()
    assert (model(X) == 2).all()


def test_a_held_weight_is_the_same_object_everywhere():
    model = made()
    first = model.layers[0]
    assert model.weights[0] is first.kernel is first.weights[0] is model.trainable_variables[0] is first.trainable_weights[0]
    assert isinstance(first.kernel, fastmlp.Variable)
    assert model.variables == model.weights


def test_layers_name_their_weights_as_keras_does():
    model = made(layers.BatchNormalization(center=False), layers.PReLU(), layers.RMSNormalization())
    _, normalization, prelu, rms, _ = model.layers
    assert [variable.path.partition("/")[2] for variable in normalization.weights] == [
        f"{normalization.name}/{name}" for name in ("gamma", "moving_mean", "moving_variance")
    ]
    assert normalization.beta is None
    assert normalization.gamma is normalization.trainable_weights[0]
    assert [normalization.moving_mean, normalization.moving_variance] == normalization.non_trainable_variables
    assert (prelu.alpha is prelu.weights[0], rms.scale is rms.weights[0]) == (True, True)
    embedding = layers.Embedding(3, 2)
    assert embedding.embeddings.shape == (3, 2)
    assert model.weights[0].path == f"{model.name}/{model.layers[0].name}/kernel"
    assert model.layers[0].path == f"{model.name}/{model.layers[0].name}"


def test_attributes_of_a_variable_are_those_of_keras():
    kernel = made().layers[0].kernel
    assert (kernel.name, kernel.shape, kernel.ndim, kernel.size, len(kernel)) == ("kernel", (3, 2), 2, 6, 3)
    assert (kernel.dtype, kernel.dtype) == (np.float32, "float32")
    assert kernel.trainable
    kernel.assign(np.ones((3, 2)))
    assert repr(kernel).startswith(f"<Variable path={kernel.path}, shape=(3, 2), dtype=float32, value=[[1. 1.]\n")
    assert (float(fastmlp.Variable(2.5)), int(fastmlp.Variable(3)), f"{fastmlp.Variable(0.25):.1f}") == (2.5, 3, "0.2")
    assert [0, 1, 2][fastmlp.Variable(1)] == 1


def test_variables_compute_with_arrays_from_both_sides():
    kernel = made().layers[0].kernel
    value = kernel.numpy()
    other = np.full((3, 2), 2, np.float32)
    for result, wanted in [
        (kernel + other, value + other),
        (other - kernel, other - value),
        (2 * kernel, 2 * value),
        (kernel / 2, value / 2),
        (-kernel, -value),
        (abs(kernel), abs(value)),
        (kernel**2, value**2),
        (X @ kernel, X @ value),
        (kernel > 0, value > 0),
        (other <= kernel, other <= value),
        (np.sum(kernel), value.sum()),
        (kernel.T, value.T),
        (kernel.mean(axis=0), value.mean(axis=0)),
        (np.concatenate([kernel, kernel]), np.concatenate([value, value])),
        (round(kernel, 1), value.round(1)),
    ]:
        assert type(result) is not fastmlp.Variable
        np.testing.assert_array_equal(result, wanted)
    assert (kernel + other).dtype == np.float32
    assert np.asarray(kernel, np.float64).dtype == np.float64


def test_what_is_read_is_a_copy_that_can_be_written_or_refuses():
    model = made()
    kernel = model.layers[0].kernel
    before = kernel.numpy()
    for independent in (kernel.numpy(), np.array(kernel), model.get_weights()[0], model.layers[0].get_weights()[0]):
        independent[:] = 7
    for read_only in (kernel.value, kernel[0], np.asarray(kernel), next(iter(kernel)), kernel.T):
        with pytest.raises(ValueError, match="read-only"):
            read_only[:] = 7
    with pytest.raises(ValueError, match="without a copy"):
        kernel.__array__(copy=False)
    assert (kernel == before).all()


@pytest.mark.parametrize("get", [lambda m: m.layers[0].kernel, lambda m: m.layers[0].weights[0], lambda m: m.trainable_weights[0]])
def test_writing_into_a_weight_is_refused_with_what_to_do(get):
    variable = get(made())
    with pytest.raises(TypeError, match=r"can't be assigned one by one.*variable\.assign\(value\)"):
        variable[:] = 0
    with pytest.raises(TypeError, match="can't be changed in place; use assign, assign_add"):
        variable += 1
    with pytest.raises(TypeError, match="can't be changed in place"):
        np.add(variable, 1, out=variable)
    with pytest.raises(TypeError, match="can't be changed in place"):
        np.add.at(variable, 0, 1)


def test_setting_the_attribute_of_a_weight_is_refused_with_what_to_do():
    layer = made().layers[0]
    with pytest.raises(AttributeError, match=r"change it with layer\.kernel\.assign\(value\)"):
        layer.kernel = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(6), r"the kernel of layer 'd' has shape \(3, 2\), got \(6,\)"),
        (0.0, r"has shape \(3, 2\), got \(\)"),
        (np.full((3, 2), np.nan), "can't hold NaN or Inf"),
        (np.full((3, 2), 1e39), "can't hold NaN or Inf"),
        ([["a"] * 2] * 3, "must be an array of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_value_that_does_not_fit_is_refused(value, message):
    layer = layers.Dense(2, name="d", input_shape=(3,))
    layer.build((None, 3))
    before = layer.kernel.numpy()
    with pytest.raises(ValueError, match=message):
        layer.kernel.assign(value)
    assert (layer.kernel == before).all()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda variable: pickle.loads(pickle.dumps(variable))])
def test_copies_of_a_weight_belong_to_no_layer(duplicate):
    kernel = made().layers[0].kernel
    detached = duplicate(kernel)
    assert (detached == kernel).all()
    detached.assign(np.zeros((3, 2)))
    assert (kernel != 0).any()
    assert (detached.name, type(detached)) == ("kernel", fastmlp.Variable)


def test_a_frozen_layer_has_weights_that_are_not_trainable():
    model = made(layers.BatchNormalization())
    model.layers[0].trainable = False
    assert [variable.trainable for variable in model.weights] == [False, False, True, True, False, False, True, True]
    assert model.trainable_variables == [variable for variable in model.weights if variable.trainable]


def test_shared_weights_are_assigned_for_every_model_that_has_them():
    x = layers.Input((3,))
    hidden = layers.Dense(2)
    one, other = models.Model(x, layers.Dense(1)(hidden(x))), models.Model(x, hidden(x))
    one.predict(X, verbose=0), other.predict(X, verbose=0)
    hidden.kernel.assign(np.zeros((3, 2)))
    assert (other.predict(X, verbose=0) == 0).all()
    assert (one(X) == one.layers[-1].bias).all()


def test_a_variable_of_ones_own_starts_from_a_value_or_an_initializer():
    assert fastmlp.Variable(1.5).dtype == np.float32
    assert (fastmlp.Variable("ones", shape=(2,)) == [1, 1]).all()
    counter = fastmlp.Variable(np.array(0, np.int64), name="counter", trainable=False)
    counter.assign_add(2)
    assert (counter.dtype, int(counter), counter.trainable, counter.path) == (np.int64, 2, False, "counter")
    with pytest.raises(ValueError, match="needs shape="):
        fastmlp.Variable("zeros")
    with pytest.raises(ValueError, match=r"has shape \(\), got \(2,\)"):
        counter.assign([1, 2])
    with pytest.raises(TypeError, match="holds numbers"):
        fastmlp.Variable(["a"])
    with pytest.raises(ValueError, match="without '/'"):
        fastmlp.Variable(1.0, name="a/b")


def test_attributes_that_a_variable_has_not_are_missing():
    kernel = made().layers[0].kernel
    assert not hasattr(kernel, "shapes")
    assert not hasattr(layers.Dense(2), "kernel")
