"""Layers called on arrays compute at once."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import layers, models
from fastmlp.errors import UnsupportedError

X = np.random.default_rng(0).normal(2, 3, (50, 3)).astype(np.float32)


def test_a_layer_called_on_an_array_is_built_and_gives_what_a_model_of_it_gives():
    for layer in (layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.LayerNormalization(), layers.PReLU(), layers.Softmax()):
        result = layer(X)
        assert layer.built
        assert np.array_equal(result, models.Sequential([layer]).predict(X, verbose=0)), layer
    assert np.array_equal(layers.Dense(2, kernel_initializer="ones")([[1.0, 2.0]]), [[3, 3]])


def test_an_adapted_normalization_is_called_on_data():
    normalizer = layers.Normalization()
    normalizer.adapt(X)
    assert np.allclose(normalizer(X), (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-5)
    of_numbers = layers.Normalization(axis=None, mean=1.0, variance=4.0)
    assert of_numbers(np.array([1.0, 3.0])).tolist() == [0, 1]


def test_calling_a_layer_of_a_model_leaves_the_model_as_it_was():
    model = models.Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, 0], verbose=0)
    before = model(X)
    assert np.allclose(model.layers[1](model.layers[0](X)), before, rtol=1e-6)
    assert not model._shares_weights
    model.fit(X, X[:, 0], verbose=0)
    assert np.allclose(model.layers[1](model.layers[0](X)), model(X), rtol=1e-6)


def test_training_switches_on_dropout_and_the_statistics_of_the_rows():
    ones = np.ones((200, 5), np.float32)
    dropout = layers.Dropout(0.5)
    assert np.array_equal(dropout(ones), ones)
    assert np.array_equal(dropout(ones, training=False), ones)
    assert set(np.unique(dropout(ones, training=True))) == {0, 2}
    assert not np.array_equal(dropout(ones, training=True), dropout(ones, training=True))
    normalization = layers.BatchNormalization(epsilon=0)
    assert np.allclose(normalization(X), X)
    assert np.allclose(normalization(X, training=True).mean(axis=0), 0, atol=1e-5)


def test_layers_without_arithmetic_only_change_the_shape():
    images = np.arange(24.0).reshape(2, 3, 4)
    assert layers.Flatten()(images).tolist() == images.reshape(2, 12).tolist()
    assert layers.Reshape((2, 6))(images).shape == (2, 2, 6)
    assert layers.Activation(None)(np.array([-1.0, 2.0])).tolist() == [-1, 2]
    assert layers.Rescaling(2.0)(images).tolist() == (2 * images).tolist()


def test_layers_that_merge_take_several_arrays():
    a, b = X, 2 * X
    assert np.allclose(layers.Add()([a, b]), 3 * X)
    assert layers.Concatenate()([a, b[:, :1]]).shape == (50, 4)
    assert np.allclose(layers.subtract([a, b]), -X)


def test_layers_of_integers_take_them():
    assert layers.Embedding(5, 2)(np.array([[1, 4]])).shape == (1, 2, 2)
    assert layers.CategoryEncoding(3, output_mode="one_hot")(np.array([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match="reads integers from 0 to 4"):
        layers.Embedding(5, 2)(np.array([[5]]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Dense(2)("text"), TypeError, "must be an array of numbers, got 'text'"),
        (lambda: layers.Dense(2)(3.0), ValueError, "must be an array whose first axis is that of the samples"),
        (lambda: layers.Dense(2)(X, mask=X), UnsupportedError, "with mask= is not in fastmlp"),
        (lambda: layers.Dense(2)(X, axis=1), TypeError, "axis"),
        (lambda: layers.Add()([X, X[:2]]), ValueError, "must have the same number of samples, got 50, 2"),
        (lambda: layers.Add()([X, X[:, :2]]), ValueError, "(3,)"),
    ],
)
def test_misuse_is_told(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


def test_a_layer_refuses_rows_of_another_shape_than_it_was_built_for():
    layer = layers.Dense(2)
    layer(X)
    with pytest.raises(ValueError, match=r"has weights for samples of shape \(3,\), got \(2,\)"):
        layer(X[:, :2])
