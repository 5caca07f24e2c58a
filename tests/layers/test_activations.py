"""Activations through the public API: names, arguments, values of arrays, functions of one's own, and the numbers of Keras."""

from __future__ import annotations

import copy
import functools
import json

import numpy as np
import pytest
from folders import GOLDEN
from golden import activation_programs as programs

from fastmlp import activations, layers, models, saving
from fastmlp.errors import ModelFileError, UnsupportedError
from fastmlp.reference import Network as ReferenceNetwork

KERAS = json.loads((GOLDEN / "activations.json").read_text(encoding="utf-8"))
Z = np.linspace(-4, 4, 33, dtype=np.float32)


# The numbers of Keras


def assert_like_keras(expected, activation, engine):
    """The value, and the gradient that gets through: the loss is mse, and its targets are such that the gradient of the output is known."""
    z, above = programs.inputs(), programs.weights()
    columns = z.shape[1]
    model = models.Sequential([layers.Dense(columns, kernel_initializer="zeros", input_shape=(columns,)), activation])
    model.compile(optimizer={"class": "SGD", "config": {"learning_rate": 1.0}}, loss="mse", engine=engine)
    model.set_weights([np.eye(columns), np.zeros(columns)])
    value = model.predict(z, verbose=0)
    np.testing.assert_allclose(value[0], expected["value"], rtol=1e-5, atol=3e-7)
    above = above[:, : value.shape[1]]
    model.train_on_batch(z, value - above * (value.shape[1] / 2))
    # Where a function has reached its limit, 1 − a² and its like have only the digits that float32 left them.
    np.testing.assert_allclose(-model.get_weights()[1], expected["gradient"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("key", programs.FUNCTIONS)
def test_functions_have_the_values_and_gradients_of_keras(engine, key):
    name, options = programs.FUNCTIONS[key]
    function = getattr(activations, name)
    expected = KERAS["functions"][key]
    np.testing.assert_allclose(function(programs.inputs(), **options)[0], expected["value"], rtol=1e-5, atol=3e-7)
    meant = activations.make(name, **options) if options else function
    assert_like_keras(expected, layers.Activation(meant), engine)


@pytest.mark.parametrize("key", programs.LAYERS)
def test_layers_have_the_values_and_gradients_of_keras(engine, key):
    name, options = programs.LAYERS[key]
    assert_like_keras(KERAS["layers"][key], getattr(layers, name)(**options), engine)


# Names, arguments, configurations

NAMES = sorted(name for name, options in programs.FUNCTIONS.values() if not options)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_and_the_function_of_that_name_are_the_same(name):
    function = getattr(activations, name)
    assert activations.get(name) is function
    assert activations.get(function) is function
    assert activations.get(activations.serialize(function)) == function
    assert layers.Dense(2, activation=name).activation is function
    assert name in activations.__all__


@pytest.mark.parametrize("key", [key for key, (_, options) in programs.FUNCTIONS.items() if options])
def test_arguments_survive_a_configuration_and_every_way_to_give_them(key):
    name, options = programs.FUNCTIONS[key]
    made = activations.make(name, **options)
    stored = json.loads(json.dumps(activations.serialize(made)))
    assert activations.get(stored) == made
    function = getattr(activations, name)
    assert activations.get(functools.partial(function, **options)) == made
    assert activations.get(lambda x: function(x, **options)) == made
    layer = layers.Dense(2, activation=made)
    assert layers.registry.deserialize(layers.registry.serialize(layer)).activation == made


@pytest.mark.parametrize("layer", [layers.ReLU(3.0, 0.25, 1.5), layers.ReLU(6.0), layers.ELU(0.5), layers.LeakyReLU(0.1), layers.Softmax()])
def test_layers_survive_their_configuration(layer):
    again = layers.registry.deserialize(json.loads(json.dumps(layers.registry.serialize(layer))))
    assert again.activation == layer.activation
    assert again.get_config() == layer.get_config()


def test_arguments_may_be_given_by_position():
    assert activations.leaky_relu([-1.0], 0.5) == [-0.5]
    assert activations.relu([-1.0, 9.0], 0.5, 3.0).tolist() == [-0.5, 3.0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: activations.tanh(Z, alpha=1.0), TypeError, "tanh has no arguments other than x"),
        (
            lambda: activations.gelu(Z, aproximate=True),
            TypeError,
            "gelu: got an unexpected keyword argument 'aproximate'; its arguments are approximate",
        ),
        (lambda: activations.gelu(Z, approximate="yes"), TypeError, "approximate must be True or False"),
        (lambda: activations.celu(Z, alpha=0.0), ValueError, "alpha of celu must be greater than 0"),
        (lambda: activations.relu(Z, max_value=-1.0), ValueError, "max_value must be a number ≥ 0"),
        (lambda: activations.relu(["a"]), TypeError, "x must hold real numbers"),
        (lambda: activations.get("prelu"), UnsupportedError, "'prelu' is not in fastmlp; use the layer PReLU"),
        (lambda: activations.soft_shrink(Z, -1.0), ValueError, "threshold must be a number ≥ 0"),
        (lambda: activations.squareplus(Z, b=-1.0), ValueError, "b must be a number ≥ 0"),
        (
            lambda: activations.threshold(Z),
            TypeError,
            "missing a required argument: 'threshold'; its arguments are threshold, default_value",
        ),
        (lambda: activations.get("threshold"), TypeError, "threshold has two required arguments; use activation=lambda x: "),
        (lambda: layers.Dense(2, activations.threshold), TypeError, "threshold has two required arguments"),
        (lambda: activations.glu(Z), ValueError, "glu splits the features into two halves, so their number must be even, got 33"),
        (lambda: layers.Dense(3, "glu"), ValueError, "so their number must be even, got 3"),
        (lambda: models.Sequential([layers.Input((5,)), layers.Activation("glu")]), ValueError, "so their number must be even, got 5"),
        (lambda: activations.get("swoosh"), ValueError, "unknown activation 'swoosh'; there are linear, relu, relu6"),
        (lambda: activations.get(3), TypeError, "or a pair of functions (value, derivative), got 3"),
        (lambda: activations.get({"class": "elu", "config": {"slope": 1}}), ValueError, "the configuration of an activation is not valid"),
        (lambda: activations.get({"class": ["elu"], "config": {}}), ValueError, "the configuration of an activation is not valid"),
        (lambda: activations.get(lambda x: x if x > 0 else 0), TypeError, "Python's if"),
        (lambda: activations.custom(np.tanh, 1.0), TypeError, "derivative must be a function of an array, got 1.0"),
    ],
)
def test_what_makes_no_sense_is_told(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


# Arrays


@pytest.mark.parametrize("name", ["relu", "gelu", "hard_silu", "linear"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (5,), (2, 3, 4)])
def test_arrays_of_any_shape_keep_it(name, shape):
    x = np.random.default_rng(0).normal(size=shape)
    result = getattr(activations, name)(x)
    assert result.shape == shape
    assert result.dtype == np.float32
    flat = getattr(activations, name)(x.reshape(-1))
    np.testing.assert_array_equal(result.reshape(-1), flat)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_softmax_goes_along_any_axis(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    e = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(activations.softmax(x, axis=axis), e / e.sum(axis=axis, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(activations.log_softmax(x, axis=axis), np.log(e / e.sum(axis=axis, keepdims=True)), rtol=1e-5)


def test_sparsemax_and_glu_go_along_any_axis():
    x = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    for axis in (0, 1, 2, -1):
        a, b = np.split(x, 2, axis=axis)
        np.testing.assert_allclose(activations.glu(x, axis=axis), a / (1 + np.exp(-b)), rtol=1e-6)
        np.testing.assert_allclose(activations.sparsemax(x, axis=axis).sum(axis=axis), 1, rtol=1e-6)


def test_sparsemax_is_the_nearest_distribution():
    np.testing.assert_allclose(activations.sparsemax([[1.0, 2.0, 2.5], [0.0, 0.0, 5.0]]), [[0, 0.25, 0.75], [0, 0, 1]], rtol=1e-6)


def test_glu_leaves_half_the_columns(engine):
    model = models.Sequential([layers.Dense(10, "glu", input_shape=(3,)), layers.Dense(8), layers.Activation("glu"), layers.Dense(1)])
    model.compile("sgd", "mse", engine=engine)
    assert [layer.output_shape for layer in model.layers] == [(None, 5), (None, 8), (None, 4), (None, 1)]
    assert [weight.shape for weight in model.get_weights()] == [(3, 10), (10,), (5, 8), (8,), (4, 1), (1,)]
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    losses = model.fit(x, x[:, :1] * x[:, 1:2], epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    a, b = np.split(x @ model.layers[0].kernel + model.layers[0].bias, 2, axis=1)
    first = models.Sequential(model.layers[:1])
    np.testing.assert_allclose(first.predict(x, verbose=0), a / (1 + np.exp(-b)), rtol=1e-5, atol=1e-6)


def test_the_input_of_a_function_is_left_alone():
    x = Z.copy()
    activations.linear(x)[:] = 7
    activations.elu(x)
    np.testing.assert_array_equal(x, Z)


# Functions of one's own


def arctan(z):
    return np.arctan(z)


def arctan_slope(z):
    return 1 / (1 + z * z)


def fitted(activation, engine="native", epochs=5):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(64, 3)).astype(np.float32)
    model = models.Sequential([layers.Dense(8, activation=activation, input_shape=(3,), kernel_initializer="ones"), layers.Dense(1)])
    model.layers[1].build((8,))
    model.compile(optimizer="sgd", loss="mse", engine=engine)
    weights = [rng.normal(size=array.shape) for array in model.get_weights()]
    model.set_weights(weights)
    model.fit(x, np.sin(x[:, :1]), epochs=epochs, shuffle=False, verbose=0)
    return model, x


@pytest.mark.parametrize("activation", [(arctan, arctan_slope), activations.custom(arctan, arctan_slope)])
def test_a_pair_of_functions_trains_on_either_engine(engine, activation):
    model, x = fitted(activation, engine)
    assert isinstance(model.network, ReferenceNetwork)
    hidden = np.arctan(x @ model.layers[0].kernel + model.layers[0].bias)
    np.testing.assert_allclose(model.predict(x, verbose=0), hidden @ model.layers[1].kernel + model.layers[1].bias, rtol=1e-5, atol=1e-7)


def test_a_pair_of_functions_trains_like_the_activation_it_imitates():
    own, _ = fitted((np.tanh, lambda z: 1 - np.tanh(z) ** 2))
    builtin, _ = fitted("tanh", "reference")
    for left, right in zip(own.get_weights(), builtin.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


def test_a_pair_of_functions_may_have_kinks_and_be_a_layer():
    bent = (lambda z: np.abs(z), lambda z: np.sign(z))
    assert activations.custom(*bent)(Z).tolist() == np.abs(Z).tolist()
    model = models.Sequential([layers.Dense(4, input_shape=(3,)), layers.Activation(bent), layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(np.ones((8, 3)), np.ones(8), verbose=0)


@pytest.mark.parametrize(
    ("activation", "error", "message"),
    [
        ((arctan, lambda z: 1 / (1 + z)), ValueError, "is not the derivative of 'arctan': at z = "),
        ((arctan, lambda z: np.full_like(z, np.nan)), ValueError, "it returns nan, but the slope there is "),
        ((arctan, lambda z: 1.0), ValueError, "returned shape () for an array of shape (64, 1)"),
        ((lambda z: z[:, :1], arctan_slope), ValueError, "returned shape (32, 1) for an array of shape (32, 8)"),
        ((lambda z: z + 1j, arctan_slope), TypeError, "returned complex64 instead of real numbers"),
        ((lambda z: np.negative(z, out=z), arctan_slope), ValueError, "read-only"),
    ],
)
def test_functions_that_do_not_fit_are_told_when_first_used(activation, error, message):
    with pytest.raises(error) as caught:
        fitted(activation)
    assert message.replace("(64, 1)", "(256, 1)") in str(caught.value)


def test_a_derivative_is_checked_once(monkeypatch):
    calls = []

    def slope(z):
        calls.append(z.dtype)
        return arctan_slope(z)

    fitted((arctan, slope), epochs=2)
    assert calls == [np.float64, *[np.float32] * 4]  # the check, then two batches in each of two epochs


def test_a_model_with_functions_of_ones_own_is_copied_and_stored_without_them(tmp_path):
    model, _ = fitted((arctan, arctan_slope))
    x = np.linspace(-1, 1, 5 * model.input_shape[1]).reshape(5, -1)
    assert np.array_equal(copy.deepcopy(model).predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.warns(UserWarning, match="does not hold arctan, because files hold no Python code"):
        model.save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match=r"activation 'arctan'.* pass it as custom_objects={'arctan': \.\.\.}"):
        saving.load_model(tmp_path / "m.safetensors")
    again = saving.load_model(tmp_path / "m.safetensors", custom_objects={"arctan": (arctan, arctan_slope)})
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
