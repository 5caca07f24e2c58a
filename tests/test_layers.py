"""What layers accept, the shapes they give, and their own weights."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import activations, initializers, layers, models
from fastmlp.errors import UnsupportedError


def test_dense_has_a_glorot_kernel_and_a_zero_bias():
    layer = layers.Dense(512)
    layer.build((784,))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (784, 512)
    assert kernel.dtype == np.float32
    assert np.abs(kernel).max() <= np.sqrt(6 / (784 + 512))
    assert not bias.any()
    assert layer.count_params() == 401_920


def test_dense_without_bias_has_one_array():
    layer = layers.Dense(2, use_bias=False)
    layer.build((3,))
    assert [array.shape for array in layer.get_weights()] == [(3, 2)]
    assert layer.bias is None


@pytest.mark.parametrize(
    ("layer", "kind", "alpha"),
    [
        (layers.LeakyReLU(), "leaky_relu", 0.3),
        (layers.LeakyReLU(alpha=0.1), "leaky_relu", 0.1),
        (layers.Activation("leaky_relu"), "leaky_relu", 0.2),
        (layers.ReLU(), "relu", 0.0),
        (layers.ReLU(negative_slope=0.5), "leaky_relu", 0.5),
        (layers.Softmax(), "softmax", 0.0),
        (layers.ELU(), "elu", 1.0),
        (layers.ELU(0.5), "elu", 0.5),
        (layers.ReLU(6.0), "relu6", 0.0),
        (layers.Activation("celu"), "celu", 1.0),
        (layers.Activation("swish"), "silu", 0.0),
        (layers.Dense(1, activation=layers.LeakyReLU(0.4)), "leaky_relu", 0.4),
        (layers.Dense(1, activation=activations.tanh), "tanh", 0.0),
        (layers.Dense(1), "linear", 0.0),
    ],
)
def test_slopes_and_names_are_those_of_keras(layer, kind, alpha):
    assert layer.activation == activations.Activation(kind, alpha)


@pytest.mark.parametrize("given", [{"input_shape": (3,)}, {"input_dim": 3}, {"batch_input_shape": (None, 3)}, {"input_shape": 3}])
def test_the_first_layer_can_say_what_a_row_looks_like(given):
    assert models.Sequential([layers.Dense(2, **given)]).input_shape == (None, 3)


@pytest.mark.parametrize("head", [layers.Input(shape=(3,)), layers.Input((3,)), layers.InputLayer(batch_shape=(None, 3)), layers.Input(3)])
def test_input_says_what_a_row_looks_like(head):
    assert models.Sequential([head, layers.Dense(2)]).input_shape == (None, 3)


def test_flatten_turns_images_into_vectors():
    model = models.Sequential([layers.Flatten(input_shape=(28, 28)), layers.Dense(10)])
    assert model.layers[0].output_shape == (784,)
    assert model.get_weights()[0].shape == (784, 10)


def test_automatic_names_count_per_class_over_the_process():
    from fastmlp import utils

    utils.clear_session()
    made = [layers.Dense(1), layers.LeakyReLU(), layers.Dense(1), layers.Input((1,)), models.Sequential(), models.Sequential()]
    assert [item.name for item in made] == ["dense", "leaky_re_lu", "dense_1", "input_layer", "sequential", "sequential_1"]


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(3, "relu", use_bias=False, kernel_initializer="he_normal", name="hidden"),
        layers.Dense(3, activation=layers.LeakyReLU(0.7), bias_initializer=initializers.Constant(0.5)),
        layers.Activation("tanh"),
        layers.ReLU(negative_slope=0.25),
        layers.LeakyReLU(0.1),
        layers.Softmax(),
        layers.Dropout(0.4, seed=3),
        layers.Flatten(),
        layers.InputLayer((28, 28)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_comes_back_from_its_configuration(layer):
    import json

    stored = json.loads(json.dumps(layers.registry.serialize(layer)))
    again = layers.registry.deserialize(stored)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert again.operations() == layer.operations()


def test_set_weights_of_a_layer_reaches_the_network(engine):
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    model.predict(np.zeros((1, 2)), verbose=0)
    model.layers[0].set_weights([[[2.0], [3.0]], [1.0]])
    np.testing.assert_array_equal(model(np.array([[1.0, 1.0]])), [[6.0]])
    np.testing.assert_array_equal(model.layers[0].kernel, [[2.0], [3.0]])
    np.testing.assert_array_equal(model.layers[0].bias, [1.0])


def test_what_get_weights_returns_is_a_copy(engine):
    model = models.Sequential([layers.Dense(1, input_shape=(2,), kernel_initializer="ones")])
    for _ in range(2):  # before and after the network is made
        model.layers[0].get_weights()[0][:] = 9
        assert (model.layers[0].kernel == 1).all()
        model.predict(np.zeros((1, 2)), verbose=0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Dense(0), ValueError, "units must be at least 1, got 0"),
        (lambda: layers.Dense(-3), ValueError, "units must be at least 1, got -3"),
        (lambda: layers.Dense(2.5), TypeError, "units must be a whole number of at least 1, got 2.5"),
        (lambda: layers.Dense("8"), TypeError, "units must be a whole number of at least 1, got '8'"),
        (lambda: layers.Dense(True), TypeError, "units must be a whole number of at least 1, got True"),
        (lambda: layers.Dense(2, activation="rely"), ValueError, "unknown activation 'rely'; there are linear, relu"),
        (lambda: layers.Dense(2, activation="squareplus"), UnsupportedError, "'squareplus' is not in fastmlp yet; use 'softplus'"),
        (lambda: layers.Dense(2, activation=np.tanh), TypeError, "a function of your own needs its derivative as well"),
        (
            lambda: layers.Dense(2, kernel_regularizer="l2"),
            UnsupportedError,
            "Dense(kernel_regularizer=...) is not in fastmlp yet; use Dropout",
        ),
        (lambda: layers.Dense(2, kernel_constraint="max_norm"), UnsupportedError, "project the weights yourself in a callback"),
        (lambda: layers.Dense(2, trainable=False), UnsupportedError, "trainable=False) is not in fastmlp yet"),
        (lambda: layers.Dense(2, dtype="float64"), UnsupportedError, "everything is computed in float32, so leave dtype out"),
        (lambda: layers.Dense(2, actvation="relu"), TypeError, "Dense has no argument 'actvation'"),
        (lambda: layers.Dense(2, use_bias="no"), TypeError, "use_bias must be True or False, got 'no'"),
        (lambda: layers.Dense(2, name=""), TypeError, "name must be a non-empty string"),
        (lambda: layers.Dense(2, input_dim=3, input_shape=(3,)), ValueError, "give one of input_shape and input_dim, not both"),
        (lambda: layers.Dense(2, input_dim=0), ValueError, "input_dim must be at least 1, got 0"),
        (lambda: layers.Dense(2, input_shape=(-3,)), ValueError, "a size in input_shape must be at least 1, got -3"),
        (lambda: layers.Dense(2, input_shape="3"), TypeError, "input_shape must be a tuple of whole numbers such as (784,), got '3'"),
        (lambda: layers.Input(), ValueError, "Input needs shape=, the shape of one row"),
        (lambda: layers.Input((None,)), ValueError, "leaves a size open; a network needs the exact shape of a row"),
        (lambda: layers.Input((3,), sparse=True), UnsupportedError, "inputs are dense arrays"),
        (lambda: layers.Dropout(1.0), ValueError, "rate must be at least 0 and below 1, got 1"),
        (lambda: layers.Dropout(-0.1), ValueError, "rate must be at least 0 and below 1, got -0.1"),
        (lambda: layers.Dropout("0.5"), TypeError, "rate must be a number, got '0.5'"),
        (lambda: layers.Dropout(0.5, noise_shape=(1, 3)), UnsupportedError, "every element is dropped independently"),
        (lambda: layers.LeakyReLU(-1), ValueError, "negative_slope must be at least 0, got -1"),
        (lambda: layers.LeakyReLU(float("nan")), ValueError, "negative_slope must be finite, got nan"),
        (lambda: layers.ReLU(max_value=-6), ValueError, "max_value must be at least 0, got -6"),
        (lambda: layers.ReLU(threshold=-1), ValueError, "threshold must be at least 0, got -1"),
        (lambda: layers.ELU(alpha=-1), ValueError, "alpha must be at least 0, got -1"),
        (lambda: layers.Softmax(axis=0), UnsupportedError, "rows are vectors, so the axis is -1"),
        (lambda: layers.Flatten("channels_first"), UnsupportedError, "transpose the data to channels last"),
    ],
)
def test_bad_arguments_are_told(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


def test_dense_after_images_asks_for_flatten():
    with pytest.raises(ValueError, match=r"rows that are vectors, but gets rows of shape \(28, 28\); put a Flatten\(\) before it"):
        models.Sequential([layers.Dense(3, input_shape=(28, 28))])
    with pytest.raises(ValueError, match=r"put a Flatten\(\) before it"):
        models.Sequential([layers.Input((28, 28)), layers.Softmax()])


def test_freezing_a_layer_is_told_to_be_missing():
    with pytest.raises(UnsupportedError, match="freezing layers is not in fastmlp yet"):
        layers.Dense(2).trainable = False


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.zeros((2, 3))], r"layer 'd' has 2 arrays \(kernel \(2, 3\), bias \(3,\)\), got 1"),
        ([np.zeros((3, 2)), np.zeros(3)], r"the kernel of layer 'd' has shape \(2, 3\), got \(3, 2\)"),
        ([np.zeros((2, 3)), np.zeros((3, 1))], r"the bias of layer 'd' has shape \(3,\), got \(3, 1\)"),
        ([np.full((2, 3), np.nan), np.zeros(3)], r"the kernel of layer 'd' can't hold NaN or Inf: element \[0, 0\]"),
        ([np.zeros((2, 3)), ["a", "b", "c"]], r"the bias of layer 'd' must be an array of numbers"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(weights, message):
    layer = layers.Dense(3, name="d", kernel_initializer="ones")
    layer.build((2,))
    with pytest.raises(ValueError, match=message):
        layer.set_weights(weights)
    assert (layer.kernel == 1).all()


def test_a_layer_that_is_not_built_says_so():
    layer = layers.Dense(3, name="d")
    assert layer.get_weights() == []
    for use in (layer.count_params, lambda: layer.kernel, lambda: layer.set_weights([])):
        with pytest.raises(ValueError, match=r"layer 'd' .* input shape.* give input_shape=, or build the model"):
            use()
