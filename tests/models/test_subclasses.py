"""Models and layers of the user's own classes, and copies of what is not a model."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastmlp import Model, callbacks, layers, losses, metrics, models, optimizers, saving
from fastmlp.errors import UnsupportedError

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = X[:, :1]


class Regressor(models.Functional):
    def __init__(self, units, note="none"):
        x = layers.Input((3,))
        self.hidden = layers.Dense(units, "tanh")
        self.parts = [self.hidden]
        super().__init__(inputs=x, outputs=layers.Dense(1)(self.hidden(x)))
        self.note = note


class OfModel(Model):
    def __init__(self, units):
        x = layers.Input((3,))
        super().__init__(inputs=x, outputs=layers.Dense(1)(layers.Dense(units)(x)), name="mine")
        self.units = units


class Chain(models.Sequential):
    def __init__(self, units):
        super().__init__([layers.Input((3,)), layers.Dense(units), layers.Dense(1)])
        self.units = units


COPIES = [copy.deepcopy, lambda item: pickle.loads(pickle.dumps(item))]


@pytest.mark.parametrize("make", [lambda: Regressor(4, note="kept"), lambda: OfModel(4), lambda: Chain(4)])
@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle"])
def test_a_model_of_a_subclass_is_trained_copied_cloned_and_saved(tmp_path, make, copied):
    model = make()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    other = copied(model)
    assert type(other) is type(model)
    model.fit(X, Y, verbose=0)
    other.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
    assert type(models.clone_model(model)) is type(model)
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(saving.load_model(tmp_path / "model.safetensors").predict(X, verbose=0), model.predict(X, verbose=0))


def test_attributes_of_a_subclass_are_copied_and_layers_are_those_of_the_copy():
    model = Regressor(4, note="kept")
    other = copy.deepcopy(model)
    assert other.note == "kept"
    assert other.hidden is other.layers[1]
    assert other.hidden is not model.hidden
    assert other.parts == [other.hidden]


def test_a_subclass_of_model_is_a_functional_model_and_may_not_have_a_call():
    assert issubclass(OfModel, models.Functional)
    with pytest.raises(UnsupportedError, match="has a call of its own"):
        type("Own", (Model,), {"call": lambda self, x: x})


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle"])
def test_layers_are_copied_with_their_weights(copied):
    adapted = layers.Normalization()
    adapted.adapt(X)
    built = [layers.Dense(2, "relu", kernel_regularizer="l2"), layers.BatchNormalization(), layers.PReLU(), layers.Dropout(0.5)]
    model = models.Sequential([layers.Input((3,)), adapted, *built])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :2], verbose=0)
    for layer in model.layers:
        other = copied(layer)
        assert (other.name, other.built, other.get_config()) == (layer.name, True, layer.get_config())
        assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), layer.get_weights(), strict=True))
        rows = np.ones((2, *layer.input_row), np.float32)
        assert np.array_equal(other(rows), layer(rows))
    unbuilt = copied(layers.Dense(4, name="new"))
    assert (unbuilt.name, unbuilt.built) == ("new", False)
    frozen = copied(layers.Dense(4, trainable=False))
    assert not frozen.trainable


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle"])
def test_what_a_model_is_compiled_with_is_copied(copied):
    for item in (
        optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 10)),
        losses.Huber(0.5),
        metrics.AUC(),
        callbacks.EarlyStopping(patience=3),
        callbacks.ModelCheckpoint("m.safetensors"),
        callbacks.ReduceLROnPlateau(),
    ):
        other = copied(item)
        assert type(other) is type(item)
        if hasattr(item, "get_config"):
            assert other.get_config() == item.get_config()


class Hooks(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.called = []

    def on_predict_begin(self, logs=None):
        self.called.append("begin")

    def on_predict_batch_end(self, batch, logs=None):
        self.called.append(len(logs["outputs"]))

    def on_predict_end(self, logs=None):
        self.called.append("end")


def test_predict_begins_and_ends_once_however_the_data_come():
    model = OfModel(2)
    hooks = Hooks()
    predictions = model.predict(iter([X[:8], X[8:16], X[16:]]), verbose=0, callbacks=hooks)
    assert hooks.called == ["begin", 8, 8, 4, "end"]
    assert np.array_equal(predictions, model.predict(X, verbose=0))
    hooks = Hooks()
    model.predict(X, batch_size=8, verbose=0, callbacks=hooks)
    assert hooks.called == ["begin", 8, 8, 4, "end"]


def test_predict_of_no_batches_is_told():
    with pytest.raises(ValueError, match="x has no batches: it is empty or already exhausted"):
        OfModel(2).predict(iter([]), verbose=0)
