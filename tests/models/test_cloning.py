"""clone_model: new layers, new weights, compiled as the model is."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import Model, layers, models

X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


def chain():
    model = models.Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def graph():
    x = layers.Input((3,))
    hidden = layers.Dense(4, name="hidden")(x)
    return Model(x, [layers.Dense(1, name="a")(hidden), layers.Dense(2, name="b")(hidden)])


def test_a_clone_of_a_compiled_model_is_compiled_with_an_optimizer_of_its_own():
    model = chain()
    model.fit(X, Y, verbose=0)
    clone = models.clone_model(model)
    assert clone.compiled
    assert clone.optimizer is not model.optimizer
    assert clone.optimizer.iterations == 0
    assert clone.metrics_names == model.metrics_names
    weights = model.get_weights()
    clone.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    assert not models.clone_model(graph()).compiled


def test_a_clone_of_a_model_with_a_custom_loss_has_it_too():
    def squares(y_true, y_pred):
        error = y_pred - y_true
        return (error**2).mean(axis=1), 2 * error / error.shape[1]

    model = chain()
    model.compile("sgd", squares)
    clone = models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert clone.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_a_clone_function_makes_or_keeps_the_layers():
    def renamed(layer):
        config = layer.get_config()
        return layer.__class__.from_config({**config, "name": f"my_{config['name']}"})

    for model in (chain(), graph()):
        clone = models.clone_model(model, clone_function=renamed)
        inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
        others = [layer for layer in clone.layers if not isinstance(layer, layers.InputLayer)]
        assert [layer.name for layer in others] == [f"my_{layer.name}" for layer in inner]
        shared = models.clone_model(model, clone_function=lambda layer: layer)
        assert all(layer in shared.layers for layer in inner)
        assert np.array_equal(
            np.concatenate([w.ravel() for w in shared.get_weights()]), np.concatenate([w.ravel() for w in model.get_weights()])
        )


def test_a_call_function_may_put_layers_between():
    def with_dropout(layer, *args, **kwargs):
        result = layer(*args, **kwargs)
        return layers.Dropout(0.5)(result) if layer.name == "hidden" else result

    clone = models.clone_model(graph(), call_function=with_dropout)
    assert [type(layer).__name__ for layer in clone.layers] == ["InputLayer", "Dense", "Dropout", "Dense", "Dense"]
    with pytest.raises(ValueError, match="call_function is for functional models"):
        models.clone_model(chain(), call_function=with_dropout)


def test_input_tensors_become_the_inputs_of_the_clone():
    x = layers.Input((3,), name="another")
    for model in (chain(), graph()):
        for given in (x, [x]):
            clone = models.clone_model(model, input_tensors=given)
            assert clone.inputs[0].name == "another"
            assert len(clone.get_weights()) == len(model.get_weights())
    with pytest.raises(ValueError, match="has 1 inputs, but input_tensors has 2"):
        models.clone_model(graph(), input_tensors=[x, layers.Input((3,))])


def test_shared_layers_stay_shared_and_models_inside_are_cloned():
    inner = chain()
    x = layers.Input((3,))
    y = layers.Input((3,))
    model = Model([x, y], layers.add([inner(x), inner(y)]))
    for options in ({}, {"recursive": True}, {"recursive": True, "clone_function": lambda layer: layer}):
        clone = models.clone_model(model, **options)
        assert clone.count_params() == inner.count_params()
        clone.set_weights(model.get_weights())
        assert np.array_equal(clone.predict([X, X], verbose=0), model.predict([X, X], verbose=0))
