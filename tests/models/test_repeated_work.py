"""Work that building, compiling and calling a model must not do twice, or for nothing: calls are counted, not timed."""

from __future__ import annotations

import difflib
import gc

import numpy as np
import pytest

from fastmlp import Sequential, layers, optimizers
from fastmlp._graph import lowering
from fastmlp._graph.weights import Weight
from fastmlp.callbacks import Callback, CallbackList

rng = np.random.default_rng(4)
X, Y = rng.normal(size=(32, 5)).astype(np.float32), rng.normal(size=(32, 2)).astype(np.float32)


def build():
    return Sequential([layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(2)])


def compiled(model=None):
    model = build() if model is None else model
    model.compile(optimizer=optimizers.Adam(1e-3), loss="mse")
    return model


@pytest.fixture
def counted(monkeypatch):
    """Counts the calls of a function: ``calls = counted(module, "name")``."""

    def count(owner, name):
        calls = []
        function = getattr(owner, name)

        def call(*args, **options):
            calls.append(args)
            return function(*args, **options)

        monkeypatch.setattr(owner, name, call)
        return calls

    return count


def test_names_that_were_set_before_are_not_searched_for_spelling_errors(counted):
    compiled().fit(X, Y, verbose=0)
    searches = counted(difflib, "get_close_matches")
    compiled().fit(X, Y, verbose=0)
    assert not searches


def test_a_misspelled_attribute_is_found_every_time():
    for _ in range(2):
        with pytest.raises(AttributeError, match="did you mean 'optimizer'"):
            build().optimiser = "adam"


def test_a_model_is_lowered_once(counted):
    plans = counted(lowering, "make_plan")
    compiled().fit(X, Y, verbose=0)
    assert len(plans) == 1


def test_compile_lowers_a_model_again_if_layers_were_frozen_after_training(counted):
    model = compiled()
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    plans = counted(lowering, "make_plan")
    compiled(model)
    assert len(plans) >= 1
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    changed = [not np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]


def test_compile_follows_a_model_inside_that_was_extended():
    inner = Sequential([layers.Input((5,)), layers.Dense(4, name="kept")])
    outer = compiled(Sequential([layers.Input((5,)), inner, layers.Dense(2)]))
    inner.add(layers.Dense(4, name="added"))
    compiled(outer)
    assert [weight.path.split("/")[-2] for weight in outer.weights if weight.name == "kernel"][:2] == ["kept", "added"]
    outer.fit(X, Y, verbose=0)


def test_a_batch_copies_no_weights(counted):
    model = compiled()
    model.train_on_batch(X, Y)
    lent = counted(Weight, "lend")
    model.train_on_batch(X, Y)
    assert not lent


def test_only_callbacks_with_batch_methods_are_called_for_batches(monkeypatch):
    called = []

    class Watching(Callback):
        def on_train_batch_end(self, batch, logs=None):
            called.append(("end", batch, logs["loss"]))

    class Old(Callback):
        def on_batch_begin(self, batch, logs=None):
            called.append(("begin", batch, logs))

    monkeypatch.setattr(Callback, "on_epoch_begin", lambda *_: None)  # unrelated methods may be replaced
    listeners = CallbackList([Watching(), Old(), Callback()], add_history=True)
    assert len(listeners.batch_methods("train", "begin")) == len(listeners.batch_methods("train", "end")) == 1
    assert not listeners.batch_methods("test", "end")
    history = compiled().fit(X, Y, batch_size=16, callbacks=[Watching(), Old()], verbose=0)
    assert [(moment, batch) for moment, batch, _ in called] == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    assert called[0][2] == {}
    assert called[-1][2] == history.history["loss"][0]


def test_weights_of_a_model_that_no_longer_exists_are_trained_in_the_new_one():
    first = compiled()
    first.fit(X, Y, verbose=0)
    layer = first.layers[0]
    del first
    gc.collect()
    second = compiled(Sequential([layers.Input((5,)), layer, layers.Dense(2)]))
    before = layer.get_weights()[0]
    second.train_on_batch(X, Y)
    assert not np.array_equal(before, layer.get_weights()[0])
    np.testing.assert_array_equal(layer.get_weights()[0], second.get_weights()[0])
