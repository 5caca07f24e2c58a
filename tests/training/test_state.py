"""The state of a training: captured and restored, it continues with the same bits, whichever way it takes."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks, layers, models, optimizers
from fastmlp._training.state import OptimizerState, TensorNames, TrainingState

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = X[:, :1] - X[:, 1:2]
SCHEDULE = optimizers.schedules.CosineDecay(0.1, 50)


def make(optimizer, engine="native"):
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(3,)), layers.Dropout(0.3), layers.Dense(1)])
    model.compile(optimizer, "mse", engine=engine)
    return model


def bits(model):
    return [weight.tobytes() for weight in model.get_weights()]


def through_tensors(model):
    """Another model with the state of this one, written as JSON and arrays."""
    names = TensorNames([f"w{index}" for index in range(4)], [str(index) for index in range(4)], "o")
    state = TrainingState.capture(model)
    read = TrainingState.read(names, json.loads(json.dumps(state.document())), state.tensors(names))
    other = make(type(model.optimizer).from_config(model.optimizer.get_config()))
    read.restore(other)
    return other


def through_a_file(model, path):
    model.save(path)
    return fastmlp.load_model(path)


COPIES = {
    "tensors": lambda model, folder: through_tensors(model),
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "safetensors": lambda model, folder: through_a_file(model, folder / "m.safetensors"),
    "keras": lambda model, folder: through_a_file(model, folder / "m.keras"),
    "h5": lambda model, folder: through_a_file(model, folder / "m.h5"),
}


@pytest.mark.parametrize("rate", [0.01, SCHEDULE], ids=["number", "schedule"])
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_continues_with_the_same_bits(way, rate, tmp_path):
    model = make(optimizers.Adam(rate))
    model.fit(X, Y, batch_size=7, epochs=2, verbose=0)
    other = COPIES[way](model, tmp_path)
    assert other.training_state() == model.training_state()
    for one in (model, other):
        one.fit(X, Y, batch_size=7, epochs=2, verbose=0)
    assert bits(model) == bits(other)


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_model_that_was_compiled_anew_starts_its_optimizer_anew_too(way, tmp_path):
    model = make(optimizers.Adam(0.01))
    model.fit(X, Y, epochs=2, verbose=0)
    model.compile(optimizers.Adam(0.01), "mse")
    assert model.optimizer.iterations == 0
    other = COPIES[way](model, tmp_path)
    for one in (model, other):
        one.fit(X, Y, verbose=0)
    assert model.training_state() == other.training_state()
    assert bits(model) == bits(other)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_restoring_takes_back_what_training_did(engine):
    model = make(optimizers.SGD(0.01, momentum=0.9), engine)
    model.fit(X, Y, verbose=0)
    before = TrainingState.capture(model)
    model.fit(X, Y, verbose=0)
    model.optimizer.learning_rate = 0.5
    straight = bits(model)
    before.restore(model)
    assert model.optimizer.learning_rate == 0.01
    model.fit(X, Y, verbose=0)
    assert bits(model) == straight


def test_a_number_does_not_replace_a_schedule_but_a_schedule_comes_back():
    model = make(optimizers.SGD(SCHEDULE))
    state = TrainingState.capture(model)
    model.optimizer.rate_source = 0.5
    state.restore(model)
    assert model.optimizer.rate_source is SCHEDULE
    TrainingState.capture(make(optimizers.SGD(0.25))).restore_learning_rate(model)
    assert model.optimizer.rate_source is SCHEDULE


def test_the_state_of_another_optimizer_is_refused():
    model, other = make(optimizers.Adam()), make(optimizers.SGD(momentum=0.9))
    model.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"the optimizer's state should be momentum, got momentum, velocity"):
        TrainingState.capture(model).restore(other)


def test_a_model_that_is_not_compiled_has_no_state_of_an_optimizer():
    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    assert OptimizerState.capture(model) is None
    assert TrainingState.capture(model).learning_rate is None
    assert TrainingState.capture(model, fit=True).position is None


def test_inside_fit_the_state_has_the_position_and_what_callbacks_remember():
    class Look(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.seen = TrainingState.capture(self.model, fit=True).document()

    look, stopper = Look(), callbacks.EarlyStopping("loss", patience=3)
    make(optimizers.Adam()).fit(X, Y, epochs=2, batch_size=20, verbose=0, callbacks=[stopper, look])
    assert (look.seen["progress"]["epoch"], look.seen["progress"]["batches"]) == (1, 3)
    assert look.seen["callbacks"]["EarlyStopping/0"]["numbers"]["wait"] == 0
    assert look.seen["training"]["iterations"] == 6
