"""Parts of models as parts of others: the tensors that layers were called on and gave, models called in models, and what Keras orders."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import Model, Sequential, layers, models
from fastmlp.errors import UnsupportedError

rng = np.random.default_rng(5)
X = rng.normal(size=(40, 6)).astype(np.float32)
KIND = rng.integers(0, 3, 40)


def functional():
    x = layers.Input((6,), name="x")
    h = layers.Dense(4, activation="tanh", name="features")(layers.Dense(5, activation="relu", name="first")(x))
    return Model(x, layers.Dense(1, name="last")(h))


def sequential():
    return Sequential(
        [
            layers.Input((6,)),
            layers.Dense(5, activation="relu", name="first"),
            layers.Dense(4, activation="tanh", name="features"),
            layers.Dense(1, name="last"),
        ]
    )


@pytest.mark.parametrize("make", [functional, sequential])
def test_a_trained_model_is_cut_frozen_and_given_a_new_head(make):
    trained = make()
    trained.compile("sgd", "mse")
    trained.fit(X, X[:, :1], verbose=0)
    base = Model(trained.input, trained.get_layer("features").output, name="base")
    base.trainable = False
    x = layers.Input((6,))
    model = Model(x, layers.Dense(3, activation="softmax")(base(x)))
    before = base.get_weights()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, KIND, epochs=2, verbose=0)
    for kept, array in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, array)
    base.trainable = True
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, KIND, verbose=0)
    assert not np.array_equal(before[0], trained.get_layer("first").get_weights()[0])  # one set of weights, whoever trains it


@pytest.mark.parametrize("make", [functional, sequential])
def test_what_every_layer_gives_can_be_looked_at(make):
    model = make()
    features = Model(inputs=model.inputs, outputs=[model.get_layer(name).output for name in ("first", "features", "last")])
    first, middle, last = features.predict(X, verbose=0)
    assert (first.shape, middle.shape) == ((40, 5), (40, 4))
    np.testing.assert_allclose(last, model.predict(X, verbose=0), rtol=1e-6, atol=1e-7)
    assert (model.get_layer("features").input.shape, model.output.shape, model.outputs[0].shape) == ((None, 5), (None, 1), (None, 1))


def test_a_merge_was_called_on_a_list():
    a, b = layers.Input((2,)), layers.Input((2,))
    total = layers.Add()
    with pytest.raises(ValueError, match="has not been called in a model yet"):
        assert total.input
    y = total([a, b])
    assert total.input == [a, b]
    assert total.output is y
    assert a.call.layer.output is a


def test_a_layer_that_was_called_twice_has_no_single_output():
    x = layers.Input((3,))
    layer = layers.Dense(3, name="shared")
    y = layer(layer(x))
    with pytest.raises(ValueError, match=r"layer 'shared' was called 2 times, so it has no single .* use the return value of the call"):
        assert layer.output
    assert y.shape == (None, 3)


def test_a_sequential_in_a_model_gives_what_it_gave_there():
    inner = sequential()
    own = inner.output
    x = layers.Input((6,))
    model = Model(x, layers.Dense(2)(inner(x)))
    assert inner.output is not own
    np.testing.assert_allclose(Model(model.input, inner.output).predict(X, verbose=0), inner.predict(X, verbose=0), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("form", [list, lambda tensors: {tensor.name: tensor for tensor in tensors}])
def test_a_model_called_on_a_dict_finds_its_inputs_by_their_names(form):
    minuend, subtrahend = layers.Input((6,), name="minuend"), layers.Input((6,), name="a_subtrahend")
    difference = Model(form([minuend, subtrahend]), layers.Subtract()([minuend, subtrahend]))
    x = layers.Input((6,))
    model = Model(x, difference({"a_subtrahend": layers.Rescaling(2.0)(x), "minuend": x}))
    np.testing.assert_allclose(model.predict(X, verbose=0), -X, rtol=1e-6)
    with pytest.raises(ValueError, match="has 'left'"):
        difference({"left": x, "minuend": x})


def test_a_list_of_one_output_is_predicted_as_one_array():
    x = layers.Input((6,))
    model = Model([x], [layers.Dense(2)(x)])
    assert model.predict([X], verbose=0).shape == (40, 2)
    assert model(X).shape == (40, 2)


def test_model_reads_the_configuration_of_functional_models():
    assert [layer.name for layer in Model.from_config(functional().get_config()).layers] == ["x", "first", "features", "last"]
    with pytest.raises(ValueError, match="the configuration of a model must have"):
        Model.from_config(models.Sequential([layers.Input((2,)), layers.Dense(1)]).get_config())


def test_evaluate_names_values_in_the_order_of_their_names():
    model = functional()
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["accuracy"])
    assert list(model.evaluate(X, X[:, :1], verbose=0, return_dict=True)) == ["accuracy", "loss", "mae"]


def test_training_false_in_a_call_is_what_keras_makes_of_it():
    x = layers.Input((6,))
    normalized = layers.BatchNormalization(momentum=0.5)
    with pytest.warns(UserWarning, match=r"training=False in the call of 'batch_norm.* has no effect: as in Keras 3"):
        model = Model(x, layers.Dense(1)(normalized(x, training=False)))
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], batch_size=40, verbose=0)
    np.testing.assert_allclose(normalized.get_weights()[2], X.mean(axis=0) / 2, rtol=1e-5, atol=1e-6)
    with pytest.warns(UserWarning, match="call of 'functional"):
        model(x, training=False)
    with pytest.raises(TypeError, match="no argument 'axis'"):
        model.get_layer(index=1)(x, axis=1)


def test_tensors_are_added_subtracted_and_multiplied():
    x = layers.Input((6,))
    model = Model(x, [x + x * x, x - x * 3, 2 - x, 0.5 * x + 1, -x - 1])
    assert [type(layer).__name__ for layer in model.layers[:2]] == ["InputLayer", "Multiply"]
    expected = [X + X * X, -2 * X, 2 - X, 0.5 * X + 1, -X - 1]
    for given, wanted in zip(model.predict(X, verbose=0), expected, strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-6, atol=1e-6)
    for operand in ("1", None, True, [1.0]):
        with pytest.raises(TypeError, match="unsupported operand"):
            x + operand
    with pytest.raises(ValueError, match="that broadcast to each other"):
        x + layers.Dense(2)(x)


def test_a_model_with_a_call_of_its_own_is_refused_when_it_is_defined():
    with pytest.raises(UnsupportedError, match=r"Mine has a call of its own, .* connect its layers, Model\(inputs, outputs\)"):

        class Mine(Model):
            def call(self, x):
                return x


@pytest.mark.parametrize("base", [Model, models.Functional])
def test_a_subclass_without_a_call_is_a_functional_model(base):
    class Named(base):
        def features(self):
            return self.input_shape[1]

    x = layers.Input((6,))
    model = Named(x, layers.Dense(1)(x))
    assert model.features() == 6
    assert isinstance(model, models.Functional)
