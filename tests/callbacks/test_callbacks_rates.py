"""Callbacks about learning rates, LambdaCallback, TerminateOnNaN; decisions as Keras makes them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from folders import GOLDEN
from golden import scripts

import fastmlp
from fastmlp import callbacks, layers, models, optimizers
from fastmlp.errors import NonFiniteLossError

KERAS = json.loads((GOLDEN / "schedules.json").read_text(encoding="utf-8"))
WATCHED = scripts.watched()

X = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32)


def compiled(optimizer="sgd", **options):
    fastmlp.utils.set_random_seed(3)
    model = models.Sequential([layers.Dense(8, activation="tanh", input_shape=(3,)), layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse", **options)
    return model


# ReduceLROnPlateau and EarlyStopping


@pytest.mark.parametrize("case", KERAS["plateaus"])
def test_plateaus_lower_the_rate_when_keras_does(case):
    name, mode, script = case.split(maxsplit=2)
    callback = callbacks.ReduceLROnPlateau(monitor="number", mode=mode, **scripts.PLATEAUS[name])
    changes = scripts.rates_on_plateaus(callback, optimizers.SGD(0.1), WATCHED[script])
    expected = KERAS["plateaus"][case]
    assert [epoch for epoch, _ in changes] == [epoch for epoch, _ in expected]
    np.testing.assert_allclose([rate for _, rate in changes], [rate for _, rate in expected], rtol=1e-5)


def test_nan_is_no_improvement_on_a_plateau_and_hides_none_after_it():
    callback = callbacks.ReduceLROnPlateau(monitor="number", mode="min", patience=2)
    nan = float("nan")
    changes = scripts.rates_on_plateaus(callback, optimizers.SGD(0.1), [nan, 3.0, nan, 2.0, nan, 1.0, nan, nan])
    assert [epoch for epoch, _ in changes] == [7]


@pytest.mark.parametrize("case", KERAS["stoppers"])
def test_early_stopping_stops_when_keras_does(case):
    name, mode, script = case.split(maxsplit=2)
    callback = callbacks.EarlyStopping(monitor="number", mode=mode, **scripts.STOPPERS[name])
    assert scripts.epochs_run(callback, WATCHED[script]) == KERAS["stoppers"][case]


def test_the_history_has_the_rates_on_plateaus(engine, capsys):
    model = compiled(optimizers.SGD(0.1))
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100, verbose=1)
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[plateau]).history
    assert history["learning_rate"] == [0.1, 0.1, 0.05]
    assert model.optimizer.learning_rate == 0.025
    assert capsys.readouterr().out.startswith("\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.05.\n")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"factor": 1.0}, ValueError, "factor must be a number < 1, so that the learning rate falls, got 1"),
        ({"patience": -1}, ValueError, "patience must be an integer ≥ 0, got -1"),
        ({"epsilon": 0.1}, TypeError, "ReduceLROnPlateau has no argument 'epsilon'"),
    ],
)
def test_plateaus_refuse_what_makes_no_sense(arguments, error, message):
    with pytest.raises(error, match=message):
        callbacks.ReduceLROnPlateau(**arguments)


# LearningRateScheduler


def test_a_scheduler_sets_the_rate_of_every_epoch(engine, capsys):
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch < 1 else np.float32(rate / 2), verbose=1)
    history = compiled(optimizers.SGD(0.5)).fit(X, Y, epochs=3, verbose=0, callbacks=[scheduler]).history
    assert history["learning_rate"] == [0.5, 0.25, 0.125]
    assert "\nEpoch 2: LearningRateScheduler setting learning rate to 0.25.\n" in capsys.readouterr().out


def test_a_scheduler_may_take_the_epoch_alone():
    scheduler = callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch))
    assert compiled().fit(X, Y, epochs=2, verbose=0, callbacks=[scheduler]).history["learning_rate"] == [0.1, 0.05]


def test_a_schedule_of_the_optimizers_counts_epochs_when_given_to_the_scheduler():
    decay = optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    history = compiled().fit(X, Y, epochs=3, verbose=0, callbacks=[callbacks.LearningRateScheduler(decay)]).history
    assert history["learning_rate"] == [0.1, 0.05, 0.025]


def test_what_a_scheduler_gives_must_be_a_float():
    with pytest.raises(ValueError, match="the schedule must return a float, got 1 for epoch 0"):
        compiled().fit(X, Y, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch, rate: 1)])
    with pytest.raises(TypeError, match=r"schedule must be a function of the epoch, got 0.1"):
        callbacks.LearningRateScheduler(0.1)


# LambdaCallback


def test_functions_become_the_hooks_of_a_callback(engine):
    calls = []
    names = ("on_epoch_begin", "on_test_end", "on_train_end")
    hooks = {name: lambda *args, name=name: calls.append((name, *args[:-1])) for name in names}
    compiled().fit(X, Y, epochs=2, validation_data=(X, Y), verbose=0, callbacks=[callbacks.LambdaCallback(**hooks)])
    assert calls == [("on_epoch_begin", 0), ("on_test_end",), ("on_epoch_begin", 1), ("on_test_end",), ("on_train_end",)]


def test_only_functions_for_batches_make_training_go_batch_by_batch():
    def listens(**hooks):
        return callbacks.CallbackList([callbacks.LambdaCallback(**hooks)]).listens_to_batches("train")

    assert listens(on_train_batch_end=print)
    assert not listens(on_epoch_end=print)
    assert not listens(on_train_batch_end=None)


def test_a_hook_that_does_not_exist_is_an_error():
    with pytest.raises(TypeError, match="callbacks have no method 'on_step_end'; choose from on_batch_begin, "):
        callbacks.LambdaCallback(on_step_end=print)


# TerminateOnNaN


def diverging(*listeners, **options):
    model = compiled(optimizers.SGD(1e25))
    return model, model.fit(X, Y, **{"batch_size": 100, "epochs": 5, "verbose": 0, "callbacks": list(listeners), **options})


def test_a_loss_that_is_not_finite_ends_training_with_whole_weights(engine, capsys):
    hooks = []
    watcher = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: hooks.append(epoch), on_train_end=lambda logs: hooks.append(np.isnan(logs["loss"]))
    )
    model, history = diverging(callbacks.TerminateOnNaN(), watcher)
    assert capsys.readouterr().out == f"Batch {model.network.iterations}: Invalid loss, terminating training\n"
    assert np.isnan(history.history["loss"]).tolist() == [True]
    assert hooks == [0, True]
    assert model.stop_training
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    with pytest.raises(NonFiniteLossError):
        diverging()


def test_it_may_raise_instead_as_in_keras(engine):
    with pytest.raises(RuntimeError, match=r"NaN or Inf loss encountered at batch \d+; the weights are those before it"):
        diverging(callbacks.TerminateOnNaN(raise_error=True))


def test_other_callbacks_end_training_properly_too(tmp_path):
    stopper = callbacks.EarlyStopping("loss", restore_best_weights=True, patience=9)
    diverging(callbacks.TerminateOnNaN(), stopper, callbacks.BackupAndRestore(tmp_path / "b"), callbacks.CSVLogger(tmp_path / "log.csv"))
    assert not (tmp_path / "b").exists()
    assert "nan" in (tmp_path / "log.csv").read_text()


# LearningRateFinder


def found(model, *, epochs=5, **arguments):
    finder = callbacks.LearningRateFinder(**arguments)
    history = model.fit(X, Y, batch_size=20, epochs=epochs, verbose=0, callbacks=[finder])
    return finder, history


@pytest.mark.parametrize("rate", [0.1, optimizers.schedules.CosineDecay(0.1, 100)])
def test_a_range_test_leaves_everything_as_it_was(engine, rate):
    model, other = compiled(optimizers.Adam(rate)), compiled(optimizers.Adam(rate))
    for each in (model, other):
        each.fit(X, Y, epochs=2, verbose=0)
    found(model)
    assert model.training_state() == other.training_state()
    assert model.optimizer.get_config() == other.optimizer.get_config()
    for each in (model, other):
        each.fit(X, Y, epochs=2, verbose=0)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_range_test_leaves_everything_as_it_was_after_an_exception():
    class Breaking(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("disk full")

    model = compiled(optimizers.SGD(0.1))
    before = model.get_weights()
    with pytest.raises(OSError, match="disk full"):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.LearningRateFinder(), Breaking()])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert (model.optimizer.learning_rate, model.network.iterations) == (0.1, 0)


def test_the_rates_of_a_range_test_grow_evenly(engine):
    finder, _ = found(compiled(), min_rate=1e-6, max_rate=1e-2, steps=41)
    np.testing.assert_allclose(finder.rates, np.geomspace(1e-6, 1e-2, 41))
    assert len(finder.losses) == 41


def test_the_losses_of_a_range_test_are_those_of_the_minibatches(engine):
    """At rates that move nothing they are the losses of the rows, the partial batch at the end of an epoch too."""
    model = compiled()
    finder = callbacks.LearningRateFinder(min_rate=1e-30, max_rate=1e-29, steps=10)
    model.fit(X[:50], Y[:50], batch_size=12, epochs=2, shuffle=False, verbose=0, callbacks=[finder])
    expected = [model.evaluate(X[at : min(at + 12, 50)], Y[at : min(at + 12, 50)], verbose=0) for at in range(0, 50, 12)]
    np.testing.assert_allclose(finder.losses, expected * 2, rtol=1e-5)


def test_a_range_test_suggests_a_rate_that_trains(engine):
    finder, history = found(compiled(), min_rate=1e-5, max_rate=100)
    assert len(finder.losses) < 100  # it ended when the loss blew up
    assert history.epoch[-1] < 5
    good, tiny, huge = (compiled(optimizers.SGD(rate)) for rate in (finder.suggestion, finder.suggestion / 300, finder.suggestion * 300))
    losses = [m.fit(X, Y, epochs=5, verbose=0, callbacks=[callbacks.TerminateOnNaN()]).history["loss"][-1] for m in (good, tiny, huge)]
    assert losses[0] < 0.1 * losses[1]
    assert np.isnan(losses[2]) or losses[0] < 0.1 * losses[2]


def test_a_range_test_that_diverges_ends_without_an_exception(engine):
    finder, _ = found(compiled(), min_rate=1e-3, max_rate=1e30)
    assert np.isfinite(finder.losses).all()
    assert 1e-3 < finder.suggestion < 10


def test_the_plot_of_a_range_test_shows_losses_and_suggestion():
    finder, _ = found(compiled(), min_rate=1e-5, max_rate=100)
    axes = finder.plot().axes[0]
    assert axes.get_xscale() == "log"
    assert [line.get_label() for line in axes.lines] == ["each minibatch", "smoothed", f"suggestion {finder.suggestion:.2g}"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), finder.losses)


def test_range_tests_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match=r"min_rate must be a number > 0 and < max_rate, got 1 and 0\.1"):
        callbacks.LearningRateFinder(min_rate=1, max_rate=0.1)
    with pytest.raises(RuntimeError, match=r"the range test has not run: model.fit\(x, y, callbacks=\[finder\]\) first"):
        callbacks.LearningRateFinder().plot()
    with pytest.raises(ValueError, match="needs at least 10 minibatches, but this fit has 5; give fit more epochs"):
        compiled().fit(X[:100], Y[:100], batch_size=20, verbose=0, callbacks=[callbacks.LearningRateFinder()])
