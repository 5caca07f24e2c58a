"""Learning rate schedules: their values, agreement with Keras and PyTorch, and training with them."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from folders import GOLDEN
from golden import scripts
from networks import same_bits

import fastmlp
from fastmlp import callbacks, layers, models, optimizers
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers import schedules

KERAS = json.loads((GOLDEN / "schedules.json").read_text(encoding="utf-8"))

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32)


def make(name):
    kind, arguments = scripts.SCHEDULES[name]
    return getattr(schedules, kind)(**arguments)


def compiled(rate, optimizer="SGD", **options):
    fastmlp.utils.set_random_seed(3)
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(3,)), layers.Dropout(0.2), layers.Dense(1)])
    model.compile(optimizer=getattr(optimizers, optimizer)(learning_rate=rate), loss="mse", **options)
    return model


# Values


@pytest.mark.parametrize("name", scripts.SCHEDULES)
def test_schedules_give_the_rates_of_keras(name):
    expected = np.array(KERAS["schedules"][name])
    rounding = np.finfo(np.float32).eps * expected.max() if "cos" in name or "restarts" in name else 0  # Keras' cosine is a float32
    np.testing.assert_allclose(make(name)(np.array(scripts.STEPS)), expected, rtol=1e-5, atol=rounding)


@pytest.mark.parametrize("name", scripts.ONE_CYCLES)
def test_one_cycle_gives_the_rates_of_pytorch(name):
    schedule = schedules.OneCycle(0.5, **scripts.ONE_CYCLES[name])
    np.testing.assert_allclose(schedule(np.arange(schedule.total_steps)), KERAS["one cycles"][name], rtol=1e-9)


def test_one_cycle_holds_its_last_rate():
    schedule = schedules.OneCycle(0.5, total_steps=10)
    assert schedule(10**6) == schedule(9) == pytest.approx(0.5 / 25 / 1e4)


@pytest.mark.parametrize("name", scripts.SCHEDULES)
def test_many_steps_at_once_give_what_one_by_one_gives(name):
    schedule = make(name)
    steps = np.array(scripts.STEPS).reshape(3, -1)
    rates = schedule(steps)
    assert rates.shape == steps.shape
    assert rates.dtype == np.float64
    assert rates.ravel().tolist() == [schedule(step) for step in scripts.STEPS]
    assert schedule.rates(steps.ravel()).tolist() == rates.ravel().tolist()


@pytest.mark.parametrize("t_mul", [2.0, 3.0, 1.5, 1.1])
def test_every_restart_begins_at_the_full_rate(t_mul):
    schedule = schedules.CosineDecayRestarts(1.0, 1000, t_mul=t_mul)
    begins = [1000 * sum(t_mul**i for i in range(n)) for n in range(12)]
    np.testing.assert_allclose(schedule(np.array(begins)), 1.0)
    np.testing.assert_allclose(schedule(np.array(begins[1:]) - 1e-3), 0.0, atol=1e-10)


@pytest.mark.parametrize("name", [*scripts.SCHEDULES, "one cycle"])
def test_a_schedule_comes_back_from_its_configuration(name):
    schedule = schedules.OneCycle(0.1, 100, three_phase=True) if name == "one cycle" else make(name)
    stored = json.loads(json.dumps(schedules.serialize(schedule)))
    again = schedules.deserialize(stored)
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config()
    assert repr(again) == repr(schedule)


def test_keras_names_the_arguments():
    assert set(schedules.CosineDecay(0.1, 10).get_config()) == {
        "initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.9), ValueError, "decay_steps must be a number > 0, got 0"),
        (lambda: schedules.ExponentialDecay(-0.1, 10, 0.9), ValueError, "initial_learning_rate must be a number ≥ 0, got -0.1"),
        (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), ValueError, "t_mul must be a number ≥ 1, got 0.5"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]), ValueError, "got 2 values and 2 boundaries"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [1, 2, 3]), ValueError, "boundaries must be in ascending order, got [2.0, 1.0]"),
        (lambda: schedules.OneCycle(0.1, 10, anneal_strategy="cosine"), ValueError, "anneal_strategy must be 'cos' or 'linear'"),
        (lambda: schedules.LearningRateSchedule()(0), NotImplementedError, "LearningRateSchedule must define __call__(self, step)"),
        (lambda: schedules.deserialize({"class": "Noam", "config": {}}), ValueError, "unknown learning rate schedule class 'Noam'"),
    ],
)
def test_schedules_refuse_what_makes_no_sense(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


# Optimizers


def test_the_namespace_is_that_of_keras():
    from fastmlp.optimizers.schedules import ExponentialDecay

    assert ExponentialDecay is optimizers.schedules.ExponentialDecay is schedules.ExponentialDecay


def test_the_learning_rate_reads_as_that_of_the_next_update(engine):
    schedule = schedules.ExponentialDecay(0.1, 10, 0.5)
    model = compiled(schedule)
    assert model.optimizer.learning_rate == 0.1
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    assert model.optimizer.iterations == 12
    assert model.optimizer.learning_rate == schedule(12)
    model.train_on_batch(X, Y)
    assert model.optimizer.learning_rate == model.optimizer.lr == schedule(13)


def test_the_learning_rate_of_a_schedule_can_not_be_set():
    optimizer = optimizers.Adam(schedules.CosineDecay(0.1, 10))
    with pytest.raises(
        TypeError, match=r"follows a schedule, CosineDecay, so its learning rate can't be set; .* Adam\(learning_rate=0.001\)"
    ):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = schedules.ExponentialDecay(0.2, 10, 0.5)
    assert optimizer.learning_rate == 0.2


@pytest.mark.parametrize("callback", [callbacks.LearningRateScheduler(lambda epoch: 0.1), callbacks.ReduceLROnPlateau("loss", patience=0)])
def test_callbacks_can_not_set_the_rate_of_a_schedule_either(callback):
    model = compiled(schedules.ExponentialDecay(1e-9, 10, 0.5))
    with pytest.raises(TypeError, match="follows a schedule, ExponentialDecay"):
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[callback])


def test_a_function_is_not_a_schedule():
    with pytest.raises(UnsupportedError, match=r"a schedule of fastmlp.optimizers.schedules, got <function .* derive a class from"):
        optimizers.SGD(learning_rate=lambda: 0.1)


def test_the_representation_shows_the_schedule():
    assert repr(optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.5))).startswith(
        "SGD(learning_rate=ExponentialDecay(initial_learning_rate=0.1"
    )


def test_an_optimizer_with_a_schedule_can_be_copied():
    model = compiled(schedules.ExponentialDecay(0.1, 10, 0.5))
    model.fit(X, Y, verbose=0)
    for again in (copy.deepcopy(model.optimizer), pickle.loads(pickle.dumps(model.optimizer))):
        assert again.get_config() == model.optimizer.get_config()
        assert again.iterations == 0  # it belongs to no model


# Training


@pytest.mark.parametrize("name", scripts.SCHEDULED_FITS)
def test_training_with_a_schedule_ends_where_keras_ends(engine, name):
    # Keras' Adam takes 1 − β₂ᵗ in float32, which has lost four digits at first; a rate of 0.1 makes that visible (float64 here).
    tolerance = {"rtol": 5e-5, "atol": 1e-5} if name.startswith("adam") else {"rtol": 1e-5, "atol": 3e-6}
    np.testing.assert_allclose(scripts.scheduled_fit(fastmlp, name, engine=engine), KERAS["fits"][name], **tolerance)


def test_every_batch_has_the_rate_of_its_iteration(engine):
    """The same as setting the rate by hand before each batch."""
    schedule = schedules.PolynomialDecay(0.2, 20)

    class ByHand(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = schedule(self.model.optimizer.iterations)

    scheduled, by_hand = compiled(schedule, "Adam"), compiled(0.2, "Adam")
    scheduled.fit(X, Y, batch_size=16, epochs=4, verbose=0)
    by_hand.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=[ByHand()])
    assert same_bits(scheduled.get_weights(), by_hand.get_weights())


def test_a_schedule_does_not_make_training_go_batch_by_batch(monkeypatch):
    model = compiled(schedules.CosineDecay(0.1, 100))
    model.build()
    calls = []

    class Counting:
        def __init__(self, network):
            self.__dict__["_real"] = network

        def __getattr__(self, name):
            return getattr(self._real, name)

        def __setattr__(self, name, value):
            setattr(self._real, name, value)

        def train(self, batches, first, *rest):
            calls.append(first)
            return self._real.train(batches, first, *rest)

    network = model._configured_network()
    monkeypatch.setattr(model, "_configured_network", lambda: Counting(network))
    model.fit(X, Y, batch_size=1, epochs=3, verbose=0)
    assert len(calls) < 3 * 60 / 4


def test_a_schedule_of_one_s_own(engine):
    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 if step < 4 else 0.05  # not for arrays

    ours = schedules.PiecewiseConstantDecay([3], [0.1, 0.05])
    one, other = compiled(Halving()), compiled(ours)
    for model in (one, other):
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert same_bits(one.get_weights(), other.get_weights())
    assert repr(one.optimizer) == "SGD(learning_rate=Halving(), ...)"


@pytest.mark.parametrize("rate", [float("nan"), -0.1])
def test_a_schedule_that_gives_nonsense_is_an_error_before_anything_is_trained(rate):
    class Bad(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 if step < 2 else rate

    model = compiled(Bad())
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"Bad returns the learning rate {rate:g} at step 2; it must be ≥ 0"):
        model.fit(X, Y, batch_size=16, verbose=0)
    assert same_bits(before, model.get_weights())


def test_epochs_shorter_than_the_data_go_on_in_the_schedule(engine):
    schedule = schedules.InverseTimeDecay(0.1, 5, 1.0)
    whole, parts = compiled(schedule), compiled(schedule)
    whole.fit(X, Y, batch_size=5, epochs=1, shuffle=False, verbose=0)
    parts.fit(X, Y, batch_size=5, epochs=3, steps_per_epoch=4, shuffle=False, verbose=0)
    assert same_bits(whole.get_weights(), parts.get_weights())


def test_a_saved_model_goes_on_in_its_schedule(engine, tmp_path):
    schedule = schedules.CosineDecay(0.1, 20, warmup_target=0.2, warmup_steps=5)
    whole = compiled(schedule, "RMSprop")
    whole.fit(X, Y, batch_size=10, epochs=4, verbose=0)
    first = compiled(schedule, "RMSprop")
    first.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    first.save(tmp_path / "half.safetensors")
    second = fastmlp.load_model(tmp_path / "half.safetensors")
    assert second.optimizer.learning_rate == schedule(12)
    second.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    assert same_bits(whole.get_weights(), second.get_weights())
    assert pickle.loads(pickle.dumps(second)).optimizer.learning_rate == schedule(24)
