"""Models as parts of a Sequential, and layers that several models share."""

from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest

from fastmlp import Model, activations, layers, losses, models, saving, utils

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def classifier():
    utils.set_random_seed(1)
    model = models.Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def functional():
    x = layers.Input((3,))
    return Model(x, layers.Dense(2)(layers.Dense(4, "relu")(x)))


@pytest.mark.parametrize("make", [classifier, functional])
def test_a_model_is_a_layer_of_a_sequential(make):
    model = make()
    probabilities = models.Sequential([model, layers.Softmax()])
    assert probabilities.built
    assert np.allclose(probabilities.predict(X, verbose=0), activations.softmax(model.predict(X, verbose=0)), atol=1e-6)
    assert probabilities.layers[0] is model
    assert probabilities.count_params() == model.count_params()
    probabilities.compile("adam", "sparse_categorical_crossentropy")
    probabilities.fit(X, Y, verbose=0)
    assert np.allclose(probabilities.predict(X, verbose=0), activations.softmax(model.predict(X, verbose=0)), atol=1e-6)


def test_a_chain_of_an_encoder_and_a_decoder_is_an_autoencoder():
    encoder = models.Sequential([layers.Input((8,)), layers.Dense(3, "relu")])
    decoder = models.Sequential([layers.Input((3,)), layers.Dense(8), layers.Reshape((2, 4))])
    autoencoder = models.Sequential([encoder, decoder])
    assert autoencoder.output_shape == (None, 2, 4)
    autoencoder.compile("adam", "mse")
    autoencoder.fit(np.ones((8, 8)), np.ones((8, 2, 4)), verbose=0)
    predictions = autoencoder.predict(np.ones((5, 8)), verbose=0)
    assert np.array_equal(predictions, decoder.predict(encoder.predict(np.ones((5, 8)), verbose=0), verbose=0))


def test_models_inside_are_built_with_the_model_around_them(capsys):
    model = models.Sequential([models.Sequential([layers.Dense(3)]), layers.Dense(1)])
    model.summary()
    assert "0 (unbuilt)" in capsys.readouterr().out
    assert model.trainable_weights == []
    model.build((None, 4))
    assert model.count_params() == 4 * 3 + 3 + 3 + 1
    model.summary(expand_nested=True)
    assert "└ dense" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_a_sequential_with_a_model_inside_is_saved_and_copied(tmp_path, suffix):
    model = models.Sequential([layers.Input((3,)), functional(), classifier_head(), layers.Softmax()])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / f"model{suffix}")
    copies = [saving.load_model(tmp_path / f"model{suffix}"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.fit(X, Y, verbose=0)
    for one in copies:
        assert isinstance(one, models.Sequential)
        one.fit(X, Y, verbose=0)
        assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), model.get_weights(), strict=True))


def classifier_head():
    return models.Sequential([layers.Dense(5, "tanh"), models.Sequential([layers.Dense(2)])])


def test_a_model_with_several_outputs_is_no_layer_of_a_chain():
    x = layers.Input((3,))
    model = Model(x, [layers.Dense(1)(x), layers.Dense(2)(x)])
    with pytest.raises(ValueError, match="has 2 outputs, which a chain of layers can't go on from"):
        models.Sequential([model])


def test_a_new_model_of_another_models_layers_shares_them():
    model = classifier()
    model.fit(X, Y, verbose=0)
    features = models.Sequential(model.layers[:-1])
    assert features.built
    assert features.predict(X, verbose=0).shape == (40, 4)
    features.add(layers.Dense(1))
    features.compile("sgd", "mse")
    features.fit(X, Y, verbose=0)
    assert np.array_equal(features.get_weights()[0], model.get_weights()[0])
    model.fit(X, Y, verbose=0)
    assert np.array_equal(features.get_weights()[0], model.get_weights()[0])
    features.pop()
    assert features.output_shape == (None, 4)
    with pytest.raises(ValueError, match="was called 2 times, so it has no single input and output"):
        _ = model.layers[0].output
    del features
    gc.collect()
    assert model.layers[0].output.shape == (None, 4)


def test_layers_of_functional_models_are_shared_with_a_sequential():
    model = functional()
    features = models.Sequential(model.layers[:-1])
    assert np.allclose(features.predict(X, verbose=0), np.maximum(X @ model.get_weights()[0] + model.get_weights()[1], 0), atol=1e-5)


def test_two_models_begin_with_the_same_adapted_normalization():
    normalization = layers.Normalization()
    normalization.adapt(X)
    one, other = models.Sequential([normalization, layers.Dense(1)]), models.Sequential([normalization, layers.Dense(2)])
    for model in (one, other):
        model.compile("sgd", "mse")
    one.fit(X, X[:, :1], verbose=0)
    other.fit(X, X[:, :2], verbose=0)
    assert np.array_equal(one.get_weights()[0], other.get_weights()[0])
    assert np.allclose(one.get_weights()[0].ravel(), X.mean(axis=0), atol=1e-5)


def test_layers_of_a_model_that_could_not_be_made_are_good_for_another():
    shared = layers.Dense(4, input_shape=(3,))
    with pytest.raises(ValueError, match="already"):
        models.Sequential([shared, layers.Dense(1, name=shared.name)])
    model = models.Sequential([shared, layers.Dense(1)])
    assert model.layers[0].output.shape == (None, 4)
