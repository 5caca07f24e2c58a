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
    assert model.layers[0].output_shape == (None, 784)
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
        layers.Dense(2, trainable=False),
        layers.PReLU(initializers.Constant(0.25)),
        layers.AlphaDropout(0.1, seed=1),
        layers.GaussianDropout(0.1),
        layers.GaussianNoise(0.1),
        layers.Reshape((2, -1)),
        layers.BatchNormalization(momentum=0.5, epsilon=0.1, center=False, moving_mean_initializer="ones"),
        layers.BatchNormalization(trainable=False),
        layers.LayerNormalization(epsilon=0.1, scale=False),
        layers.RMSNormalization(epsilon=0.1),
        layers.Rescaling([1, 2], offset=0.5),
        layers.Normalization(),
        layers.Normalization(axis=None, mean=1.0, variance=2.0, invert=True),
        layers.CategoryEncoding(4, "count"),
        layers.Embedding(4, 3, "ones"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_comes_back_from_its_configuration(layer):
    import json

    stored = json.loads(json.dumps(layers.registry.serialize(layer)))
    again = layers.registry.deserialize(stored)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    for item in (layer, again):
        if not item.built:
            item.build((2,))
    assert again.operations((2,)) == layer.operations((2,))


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
        (lambda: layers.Dense(0), ValueError, "units must be an integer ≥ 1, got 0"),
        (lambda: layers.Dense(-3), ValueError, "units must be an integer ≥ 1, got -3"),
        (lambda: layers.Dense(2.5), TypeError, "units must be an integer ≥ 1, got 2.5"),
        (lambda: layers.Dense("8"), TypeError, "units must be an integer ≥ 1, got '8'"),
        (lambda: layers.Dense(True), TypeError, "units must be an integer ≥ 1, got True"),
        (lambda: layers.Dense(2, activation="rely"), ValueError, "unknown activation 'rely'; there are linear, relu"),
        (lambda: layers.Dense(2, activation=np.sort), TypeError, "np.sort of a symbolic value is not supported"),
        (
            lambda: layers.ReLU(activity_regularizer="l2"),
            UnsupportedError,
            "ReLU(activity_regularizer=...) is not in fastmlp; only Dense has it",
        ),
        (lambda: layers.Dense(2, kernel_constraint="max_form"), ValueError, "unknown constraint 'max_form'; did you mean MaxNorm?"),
        (lambda: layers.Dense(2, kernel_regularizer="l3"), ValueError, "unknown regularizer 'l3'; there are L1, L2"),
        (lambda: layers.Dense(2, trainable="no"), TypeError, "trainable must be True or False, got 'no'"),
        (lambda: layers.BatchNormalization(axis=0), UnsupportedError, "axis=0 is not in fastmlp; use the last axis"),
        (lambda: layers.BatchNormalization(momentum=1.5), ValueError, "momentum must be a number ≥ 0 and ≤ 1, got 1.5"),
        (lambda: layers.BatchNormalization(epsilon=-1), ValueError, "epsilon must be a number ≥ 0, got -1"),
        (lambda: layers.BatchNormalization(renorm=True), UnsupportedError, "use larger batches, or LayerNormalization()"),
        (lambda: layers.BatchNormalization(synchronized=True), UnsupportedError, "which uses one device; remove the argument"),
        (lambda: layers.BatchNormalization(gamma_constraint="nonnegg"), ValueError, "unknown constraint 'nonnegg'; did you mean NonNeg?"),
        (lambda: layers.LayerNormalization(axis=(1, 2)), UnsupportedError, "axis=(1, 2) is not in fastmlp"),
        (lambda: layers.LayerNormalization(rms_scaling=True), UnsupportedError, "use RMSNormalization()"),
        (lambda: layers.LayerNormalization(scale=1), TypeError, "scale must be True or False, got 1"),
        (lambda: layers.RMSNormalization(axis=0), UnsupportedError, "axis=0 is not in fastmlp"),
        (lambda: layers.AlphaDropout(1.0), ValueError, "rate must be a number ≥ 0 and < 1, got 1"),
        (lambda: layers.AlphaDropout(0.5, noise_shape=(1, 3)), UnsupportedError, "every element is dropped independently"),
        (lambda: layers.GaussianDropout(1.0), ValueError, "rate must be a number ≥ 0 and < 1, got 1"),
        (lambda: layers.GaussianNoise(2.0), ValueError, "stddev must be a number ≥ 0 and ≤ 1, got 2"),
        (lambda: layers.PReLU(shared_axes=[-1]), ValueError, "shared_axes must be axes of a sample, counted from 1, or None, got [-1]"),
        (lambda: layers.PReLU(shared_axes="1"), ValueError, "shared_axes must be axes of a sample, counted from 1, or None, got '1'"),
        (lambda: layers.Reshape(4), TypeError, "target_shape must be a tuple of sizes such as (28, 28), got 4"),
        (lambda: layers.Reshape((-1, -1)), ValueError, "target_shape can have only one size of -1, got (-1, -1)"),
        (lambda: layers.Reshape((0, 3)), ValueError, "a size in target_shape must be an integer ≥ 1, got 0"),
        (lambda: layers.Rescaling("a"), TypeError, "scale must be a number or an array of numbers, got 'a'"),
        (lambda: layers.Rescaling(1.0, np.nan), ValueError, "offset must be finite, got nan"),
        (lambda: layers.Normalization(mean=1.0), ValueError, "give both mean and variance, or neither"),
        (
            lambda: layers.Normalization(axis=None).build((None, 3)),
            ValueError,
            "has no mean and variance yet",
        ),
        (lambda: layers.Normalization(axis=0), UnsupportedError, "the axis is -1, or None"),
        (lambda: layers.Normalization(mean=[1, 2], variance=[1]), ValueError, "mean has shape (2,), but variance (1,)"),
        (lambda: layers.Normalization(mean=1, variance=-1), ValueError, "variance must not be negative, got -1"),
        (lambda: layers.CategoryEncoding(), ValueError, "CategoryEncoding needs num_tokens=, the maximum integer plus one"),
        (lambda: layers.CategoryEncoding(0), ValueError, "num_tokens must be an integer ≥ 1 and ≤ 16777216, got 0"),
        (lambda: layers.CategoryEncoding(2**25), ValueError, "num_tokens must be an integer ≥ 1 and ≤ 16777216"),
        (lambda: layers.CategoryEncoding(3, "int"), ValueError, "output_mode must be 'one_hot', 'multi_hot' or 'count', got 'int'"),
        (lambda: layers.CategoryEncoding(3, sparse=True), UnsupportedError, "pass x as a scipy.sparse matrix instead"),
        (lambda: layers.Embedding(0, 4), ValueError, "input_dim must be an integer ≥ 1 and ≤ 16777216, got 0"),
        (lambda: layers.Embedding(2**25, 4), ValueError, "input_dim must be an integer ≥ 1 and ≤ 16777216"),
        (lambda: layers.Embedding(4, 2.5), TypeError, "output_dim must be an integer ≥ 1, got 2.5"),
        (lambda: layers.Embedding(4, 2, mask_zero=True), UnsupportedError, "use a separate integer for padding"),
        (lambda: layers.Embedding(4, 2, embeddings_regularizer="l3"), ValueError, "unknown regularizer 'l3'"),
        (lambda: layers.Embedding(4, 2, weights=np.zeros((2, 4))), ValueError, "has shape (4, 2), got (2, 4)"),
        (lambda: layers.Input((3,), dtype="float64"), UnsupportedError, "which computes in float32"),
        (lambda: layers.Conv2D(8, 3), UnsupportedError, "layers.Conv2D is not in fastmlp; all networks are of Dense layers"),
        (lambda: layers.TextVectorization(), UnsupportedError, "make word counts (scipy.sparse matrices are welcome) before fit"),
        (lambda: layers.Dnese, AttributeError, "module 'fastmlp.layers' has no attribute 'Dnese'"),
        (lambda: layers.Dense(2, dtype="float64"), UnsupportedError, "which computes in float32; omit dtype"),
        (lambda: layers.Dense(2, actvation="relu"), TypeError, "Dense has no argument 'actvation'"),
        (lambda: layers.Dense(2, use_bias="no"), TypeError, "use_bias must be True or False, got 'no'"),
        (lambda: layers.Dense(2, name=""), TypeError, "name must be a non-empty string"),
        (
            lambda: layers.Dense(2, input_dim=3, input_shape=(3,)),
            ValueError,
            "input_shape and input_dim mean the same; pass only one of them",
        ),
        (lambda: layers.Dense(2, input_dim=0), ValueError, "input_dim must be an integer ≥ 1, got 0"),
        (lambda: layers.Dense(2, input_shape=(-3,)), ValueError, "a size in input_shape must be an integer ≥ 1, got -3"),
        (lambda: layers.Dense(2, input_shape="3"), TypeError, "input_shape must be a tuple of integers such as (784,), got '3'"),
        (lambda: layers.Input(), ValueError, "Input needs shape=, the shape of one sample"),
        (lambda: layers.Input((None,)), ValueError, "has an unknown size; a network needs the exact shape of a sample"),
        (lambda: layers.Input((3,), sparse=True), UnsupportedError, "inputs are dense arrays"),
        (lambda: layers.Dropout(1.0), ValueError, "rate must be a number ≥ 0 and < 1, got 1"),
        (lambda: layers.Dropout(-0.1), ValueError, "rate must be a number ≥ 0 and < 1, got -0.1"),
        (lambda: layers.Dropout("0.5"), TypeError, "rate must be a number, got '0.5'"),
        (lambda: layers.Dropout(0.5, noise_shape=(1, 3)), UnsupportedError, "every element is dropped independently"),
        (lambda: layers.LeakyReLU(-1), ValueError, "negative_slope must be a number ≥ 0, got -1"),
        (lambda: layers.LeakyReLU(float("nan")), ValueError, "negative_slope must be finite, got nan"),
        (lambda: layers.ReLU(max_value=-6), ValueError, "max_value must be a number ≥ 0, got -6"),
        (lambda: layers.ReLU(threshold=-1), ValueError, "threshold must be a number ≥ 0, got -1"),
        (lambda: layers.ELU(alpha=-1), ValueError, "alpha must be a number ≥ 0, got -1"),
        (lambda: layers.Softmax(axis=0), UnsupportedError, "axis=0 is not in fastmlp; use the last axis"),
        (lambda: layers.Flatten("channels_first"), UnsupportedError, "transpose the data to channels last"),
    ],
)
def test_bad_arguments_are_told(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


def test_dense_after_images_acts_on_each_of_their_rows():
    model = models.Sequential([layers.Input((28, 28)), layers.Dense(10)])
    assert (model.output_shape, model.count_params()) == ((None, 28, 10), 290)


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
        with pytest.raises((ValueError, AttributeError), match=r"layer 'd' .*; pass input_shape=, or build the model"):
            use()


def test_a_star_import_has_the_public_names_and_no_others():
    names: dict[str, object] = {}
    exec("from fastmlp.layers import *", names)
    assert {"Dense", "Input", "Layer", "StringLookup", "add", "deserialize", "serialize"} <= names.keys()
    assert not {"Any", "keras_names", "names_from", "np", "dense"} & names.keys()
