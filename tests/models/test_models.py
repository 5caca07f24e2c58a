"""Building, changing, describing and copying models."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import weakref

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks, layers, models, optimizers
from fastmlp.errors import UnsupportedError

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)
Y = X[:, :2] * 2


def two_layers(**first):
    return models.Sequential([layers.Dense(4, activation="relu", **(first or {"input_shape": (3,)})), layers.Dense(2)])


def trained(engine, **arguments):
    model = two_layers()
    model.compile(optimizer="adam", loss="mse", engine=engine, **arguments)
    model.fit(X, Y, epochs=2, batch_size=4, verbose=0)
    return model


# Building


def test_a_model_is_built_as_soon_as_the_input_is_known():
    model = models.Sequential()
    model.add(layers.Dense(512, activation="relu", input_shape=(28 * 28,)))
    assert model.built
    model.add(layers.Dense(10, activation="softmax"))
    assert model.count_params() == 407_050
    assert (model.input_shape, model.output_shape) == ((None, 784), (None, 10))
    assert [layer.name for layer in model.layers] == [layer.name for layer in model._layers[1:]]


@pytest.mark.parametrize("build", [lambda m: m.build((None, 3)), lambda m: m.build(3), lambda m: m(X), lambda m: m.predict(X, verbose=0)])
def test_a_model_without_input_shape_is_built_later(engine, build):
    model = models.Sequential([layers.Dense(4), layers.Dense(2)])
    assert not model.built
    assert model.get_weights() == []
    assert model.network is None
    build(model)
    assert [array.shape for array in model.get_weights()] == [(3, 4), (4,), (4, 2), (2,)]


def test_adding_a_layer_keeps_the_weights_of_the_others(engine):
    model = trained(engine)
    before = model.get_weights()
    model.add(layers.Dense(1))
    for old, new in zip(before, model.get_weights(), strict=False):
        np.testing.assert_array_equal(old, new)
    assert model(X).shape == (8, 1)


def test_pop_takes_the_last_layer_away_with_its_weights(engine):
    model = trained(engine)
    expected = model.layers[-1].get_weights()
    layer = model.pop()
    assert model.output_shape == (None, 4)
    assert model.predict(X, verbose=0).shape == (8, 4)
    for old, new in zip(expected, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.add(layer)
    np.testing.assert_array_equal(model.get_weights()[-2], expected[0])


def test_a_layer_that_does_not_fit_is_not_added():
    model = models.Sequential([layers.Dropout(0.5, input_shape=(2, 3))])
    with pytest.raises(ValueError, match="put a Flatten"):
        model.add(layers.RepeatVector(2))
    assert len(model.layers) == 1
    model.add(layers.Flatten())
    model.add(layers.Dense(3))
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda m: m.add(layers.Dense), TypeError, "add takes a layer, got the class Dense; create a layer: Dense(...)"),
        (lambda m: m.add("dense"), TypeError, "add takes a layer such as layers.Dense(10), or a model, got 'dense'"),
        (lambda m: m.add(two_layers()), ValueError, "takes samples of shape (3,), but is called on (2,)"),
        (lambda m: m.add(m), ValueError, "a model can't be a layer of itself"),
        (lambda m: m.add(layers.Input((3,))), ValueError, "Input must be the first layer of a model"),
        (lambda m: m.add(layers.Dense(2, name=m.layers[0].name)), ValueError, "already; pass another name= to the new one"),
        (lambda m: m.build((None, 4)), ValueError, "built for samples of shape (3,), so it can't be built for (4,)"),
        (lambda m: models.Sequential([layers.Dense(2)]).build((None, None)), ValueError, "must have every size but the batch axis"),
        (
            lambda m: models.Sequential([layers.Dense(2)]).build((3,)),
            ValueError,
            "input_shape must include the batch axis, such as (None, 784)",
        ),
        (lambda m: models.Sequential([layers.Dense(2)]).build(), ValueError, "the model is not built: it does not know its input shape"),
        (lambda m: models.Sequential().build((None, 3)), ValueError, "the model has no layers; add some"),
        (lambda m: models.Sequential().pop(), ValueError, "the model has no layers to remove"),
        (lambda m: models.Sequential().predict(X), ValueError, "the model has no layers; add some"),
        (lambda m: models.Sequential([layers.Flatten(input_shape=(3,))]).predict(X), ValueError, "no layer that computes anything"),
        (lambda m: m.get_layer("nothing"), ValueError, "there is no layer 'nothing'; there are dense"),
        (lambda m: m.get_layer(index=9), ValueError, "there is no layer 9; the model has 2"),
        (lambda m: m.get_layer(), ValueError, "pass either a name or an index"),
        (lambda m: models.Sequential([layers.Dense(2)]).count_params(), ValueError, "the model is not built"),
        (lambda m: models.Sequential([layers.Dense(2)]).set_weights([]), ValueError, "the model is not built"),
        (
            lambda m: m.set_weights([np.zeros((3, 4))]),
            ValueError,
            "has 4 arrays (kernel (3, 4), bias (4,), kernel (4, 2), bias (2,)), got 1",
        ),
        (lambda m: m.compile(loss="mse", engine="gpu"), ValueError, "engine must be 'native' or 'reference', got 'gpu'"),
        (lambda m: m.compile(los="mse"), TypeError, "compile has no argument 'los'"),
        (lambda m: m.compile(loss=["mse", "mae"]), UnsupportedError, "several loss values are for models with several outputs"),
        (lambda m: m.compile(loss="mse", loss_weights=[1, 2]), UnsupportedError, "several loss_weights values are for models with several"),
        (lambda m: m.optimizer, RuntimeError, "the model must be compiled before"),
    ],
)
def test_misuse_is_told(use, error, message):
    with pytest.raises(error) as caught:
        use(two_layers())
    assert message in str(caught.value)


def test_layers_of_a_model_that_could_not_be_made_are_free_for_another():
    first = layers.Dense(2, input_shape=(3,))
    with pytest.raises(TypeError) as caught:
        models.Sequential([first, "dense"])
    assert caught.value is not None  # the traceback keeps the failed model alive
    assert models.Sequential([first]).count_params() == 8


# Predicting


def test_predict_works_before_compile_and_does_not_squeeze(engine):
    model = models.Sequential([layers.Dense(1, input_shape=(3,), kernel_initializer="ones")])
    out = model.predict(X, verbose=0)
    assert out.shape == (8, 1)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[:, 0], X.sum(axis=1), rtol=1e-6, atol=1e-6)


def test_calling_the_model_gives_what_predict_gives(engine):
    model = two_layers()
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(model(X), expected, rtol=1e-6)
    np.testing.assert_allclose(model(X[2]), expected[2:3], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model(X[2].tolist()), expected[2:3], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.predict_on_batch(X), expected, rtol=1e-6)


def test_no_rows_give_no_predictions(engine):
    assert two_layers().predict(np.empty((0, 3)), verbose=0).shape == (0, 2)


def test_calling_an_image_model_flattens_the_rows(engine):
    model = models.Sequential([layers.Flatten(input_shape=(2, 2)), layers.Dense(1, kernel_initializer="ones")])
    np.testing.assert_allclose(model(np.ones((3, 2, 2))), np.full((3, 1), 4.0))


def test_one_input_takes_a_vector_of_rows(engine):
    model = models.Sequential([layers.Dense(1, input_shape=(1,), kernel_initializer="ones")])
    np.testing.assert_array_equal(model(np.array([1.0, 2.0])), [[1.0], [2.0]])
    np.testing.assert_array_equal(model.predict(np.array([1.0, 2.0]), verbose=0), [[1.0], [2.0]])


def test_dropout_works_only_in_training(engine, seeded):
    model = models.Sequential([layers.Input((1000,)), layers.Dropout(0.25)])
    x = np.ones((4, 1000))
    np.testing.assert_array_equal(model(x), x)
    dropped = model(x, training=True)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert 0.7 < (dropped > 0).mean() < 0.8


def test_nan_in_a_called_model_gives_nan_out(engine):
    assert np.isnan(two_layers()(np.full((1, 3), np.nan))).all()


# Engines


def test_weights_survive_a_change_of_engine():
    model = trained("reference")
    expected, before = model.predict(X, verbose=0), model.get_weights()
    model.compile(loss="mse", engine="native")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_compiling_again_keeps_weights_and_starts_the_optimizer_anew(engine):
    model = trained(engine)
    before = model.get_weights()
    assert model.training_state()["iterations"] == 4
    model.compile(optimizer="adam", loss="mae", engine=engine)
    assert model.network.iterations == 0
    assert not model.network.get_slot("momentum", 0).any()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_compiling_again_with_the_same_optimizer_object_keeps_its_state(engine):
    model = trained(engine)
    slot = model.network.get_slot("velocity", 0)
    assert slot.any()
    model.compile(optimizer=model.optimizer, loss="mse", metrics=["mae"], engine=engine)
    assert model.network.iterations == 4
    np.testing.assert_array_equal(model.network.get_slot("velocity", 0), slot)


# State, configuration and copies


def test_a_model_comes_back_from_its_configurations(engine):
    model = trained(engine, metrics=["mae", fastmlp.metrics.BinaryAccuracy(threshold=0.25)], weighted_metrics=["accuracy"])
    config = json.loads(json.dumps(model.get_config()))
    compiled = json.loads(json.dumps(model.get_compile_config()))
    again = models.Sequential.from_config(config)
    again.compile_from_config(compiled)
    assert again.get_config() == model.get_config()
    assert again.get_compile_config() == model.get_compile_config()
    assert again.plan == model.plan
    assert again.metrics_names == model.metrics_names
    assert config["layers"][0] == {
        "class": "InputLayer",
        "config": {"name": config["layers"][0]["config"]["name"], "batch_shape": [None, 3]},
    }


def test_a_described_model_allocates_nothing():
    config = {
        "name": "huge",
        "layers": [
            {"class": "InputLayer", "config": {"name": "i", "batch_shape": [None, 10**9]}},
            {"class": "Dense", "config": {"name": "d", "units": 10**9}},
        ],
    }
    model = models.Sequential.from_config(config)
    assert model.plan.parameters[0].shape == (10**9, 10**9)


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {},
        {"name": "m"},
        {"name": "m", "layers": {}},
        {"name": 3, "layers": []},
        {"name": "m", "layers": [], "more": 1},
        {"name": "m", "layers": [{"class": "Lambda", "config": {}}]},
        {"name": "m", "layers": [{"class": "Dense", "config": {"units": -1}}]},
        {"name": "m", "layers": [{"class": "Dense", "config": {"units": "x"}}]},
        {"name": "m", "layers": [{"class": "Dense", "config": {"units": 2, "kernel_initializer": {"class": "System", "config": {}}}}]},
        {"name": "m", "layers": [{"class": "Dense", "config": {"units": 2, "activation": {"class": "relu", "config": {}}}}]},
        {"name": "m", "layers": [{"class": "InputLayer", "config": {"batch_shape": "abc"}}]},
        {"name": "m", "layers": [{"class": "Dense", "config": {"units": 2, "name": "a"}}] * 2},
    ],
)
def test_a_malformed_configuration_is_a_value_error(config):
    with pytest.raises(ValueError, match=r"."):
        models.Sequential.from_config(config)


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"optimizer": "adam", "lambda": 1},
        {"optimizer": {"class": "Adam", "config": {"beta_1": 7}}},
        {"optimizer": "adam", "loss": 3},
        {"optimizer": "adam", "metrics": [{"class": "Nothing", "config": {}}]},
        {"optimizer": "adam", "engine": "other"},
    ],
)
def test_a_malformed_compile_configuration_is_a_value_error(config):
    with pytest.raises(ValueError, match=r"."):
        two_layers().compile_from_config(config)


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"])
def test_a_copy_goes_on_training_exactly_like_the_original(engine, make_copy):
    model = trained(engine, metrics=["mae"])
    again = make_copy(model)
    assert again.history.history == model.history.history
    for one in (model, again):
        one.fit(X, Y, epochs=3, batch_size=3, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_unbuilt_model_can_be_copied():
    model = models.Sequential([layers.Dense(2)])
    model.compile(optimizer=optimizers.SGD(0.5), loss="crossentropy")
    again = copy.deepcopy(model)
    assert not again.built
    assert again.optimizer.learning_rate == 0.5


def test_training_state_goes_to_another_model(engine):
    model, other = trained(engine), two_layers()
    other.set_weights(model.get_weights())
    other.compile_from_config(model.get_compile_config())
    other.restore_training_state(model.training_state())
    for name in model.network.slot_names:
        for index in range(4):
            other.network.set_slot(name, index, model.network.get_slot(name, index))
    assert other.training_state() == model.training_state() == {"iterations": 4, "epochs": 2, "seed": model.seed}
    for one in (model, other):
        one.fit(X, Y, epochs=2, batch_size=3, verbose=0)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "the training state lacks epochs, iterations, seed"),
        ({"iterations": -1, "epochs": 0, "seed": 0}, "iterations must be an integer ≥ 0, got -1"),
        ({"iterations": 0, "epochs": 0, "seed": 2**64}, r"must be integers < 2\*\*64"),
    ],
)
def test_a_malformed_training_state_is_a_value_error(state, message):
    with pytest.raises(ValueError, match=message):
        two_layers().restore_training_state(state)


def test_a_model_is_freed_when_it_is_dropped(engine):
    model = trained(engine)
    model.fit(X, Y, callbacks=[callbacks.EarlyStopping("loss")], verbose=0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_the_package_offers_what_keras_offers():
    assert fastmlp.Sequential is models.Sequential
    assert fastmlp.Input is layers.Input
    assert fastmlp.callbacks.EarlyStopping is callbacks.EarlyStopping
    assert "Sequential" in dir(fastmlp)
    with pytest.raises(AttributeError, match="module 'fastmlp' has no attribute 'nothing'"):
        _ = fastmlp.nothing
    assert repr(two_layers()).startswith("<Sequential name=sequential")


def test_a_model_shows_its_size_and_in_notebooks_its_summary():
    model = two_layers()
    assert repr(model) == f"<Sequential name={model.name}, built=True: {model.count_params():,} parameters in {len(model.layers)} layers>"
    page = model._repr_html_()
    assert page.startswith("<pre>")
    assert "Output Shape" in page
    assert "Total params" in page
    assert models.Sequential(name="a<b")._repr_html_() == "<pre>&lt;Sequential name=a&lt;b, built=False&gt;</pre>"
