"""Which hooks are called when, and EarlyStopping."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import callbacks, layers, models

X = np.linspace(-1, 1, 20, dtype=np.float32).reshape(10, 2)
Y = X[:, :1]


def compiled(engine, metrics=None):
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile(optimizer="sgd", loss="mse", metrics=metrics, engine=engine)
    return model


class Recorder(callbacks.Callback):
    """Writes down every call with the keys of its logs."""

    def __init__(self, names):
        self.calls = []
        for name in names:
            setattr(self, name, self._writer(name))

    def _writer(self, name):
        def write(*args):
            *position, logs = args
            self.calls.append((name, *position, tuple(logs)))

        return write


HOOKS = [name for name in vars(callbacks.Callback) if name.startswith("on_")]


def test_hooks_are_called_in_keras_order(engine):
    recorder = Recorder([name for name in HOOKS if name not in ("on_batch_begin", "on_batch_end")])
    compiled(engine, ["mae"]).fit(X, Y, batch_size=5, validation_data=(X, Y), callbacks=[recorder], verbose=0)
    keys = ("loss", "mae")
    assert recorder.calls == [
        ("on_train_begin", ()),
        ("on_epoch_begin", 0, ()),
        ("on_train_batch_begin", 0, ()),
        ("on_train_batch_end", 0, keys),
        ("on_train_batch_begin", 1, ()),
        ("on_train_batch_end", 1, keys),
        ("on_test_begin", ()),
        ("on_test_batch_begin", 0, ()),
        ("on_test_batch_end", 0, keys),
        ("on_test_batch_begin", 1, ()),
        ("on_test_batch_end", 1, keys),
        ("on_test_end", keys),
        ("on_epoch_end", 0, (*keys, "val_loss", "val_mae")),
        ("on_train_end", (*keys, "val_loss", "val_mae")),
    ]


def test_predict_calls_its_hooks_with_the_outputs(engine):
    outputs = []

    class Collector(callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            outputs.append((batch, logs["outputs"].copy()))

    model = compiled(engine)
    expected = model.predict(X, batch_size=4, verbose=0, callbacks=Collector())
    assert [batch for batch, _ in outputs] == [0, 1, 2]
    np.testing.assert_array_equal(np.concatenate([part for _, part in outputs]), expected)


@pytest.mark.parametrize("hook", ["on_batch_end", "on_train_batch_begin"])
def test_old_and_new_names_of_batch_hooks_both_listen(engine, hook):
    batches = []
    listener = type("Listener", (callbacks.Callback,), {hook: lambda self, batch, logs: batches.append(batch)})
    compiled(engine).fit(X, Y, batch_size=4, callbacks=[listener()], verbose=0)
    assert batches == [0, 1, 2]


def test_what_a_callback_adds_to_the_logs_goes_into_the_history(engine):
    class Rate(callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["learning_rate"] = self.model.optimizer.learning_rate

    history = compiled(engine).fit(X, Y, epochs=2, callbacks=[Rate()], verbose=0)
    assert history.history["learning_rate"] == [0.01, 0.01]


@pytest.mark.parametrize(
    ("hooks", "phase", "listens"),
    [
        (["on_batch_begin"], "train", True),
        (["on_batch_begin"], "test", False),
        (["on_epoch_end"], "train", False),
        (["on_test_batch_end"], "test", True),
    ],
)
def test_only_batch_hooks_of_the_phase_make_it_go_batch_by_batch(hooks, phase, listens):
    assert callbacks.CallbackList([Recorder(hooks)], verbose=1).listens_to_batches(phase) is listens


def test_batch_logs_are_means_of_the_epoch_so_far(engine):
    seen = []

    class Watcher(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs["loss"])

    model = compiled(engine)
    model.optimizer.learning_rate = 0
    model.fit(X, Y, batch_size=4, shuffle=False, callbacks=[Watcher()], verbose=0)
    rows = [model.test_on_batch(X[:4], Y[:4]), model.test_on_batch(X[:8], Y[:8]), model.test_on_batch(X, Y)]
    assert seen == pytest.approx(rows, rel=1e-6)


def test_a_callback_may_stop_training_after_a_batch_or_an_epoch(engine):
    class AfterBatch(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    class AfterEpoch(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    model = compiled(engine)
    assert model.fit(X, Y, batch_size=2, epochs=9, callbacks=[AfterBatch()], verbose=0).epoch == [0]
    assert model.network.iterations == 2
    assert model.fit(X, Y, epochs=9, callbacks=[AfterEpoch()], verbose=0).epoch == [0, 1, 2]
    assert model.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1]


def test_a_callback_may_predict_evaluate_and_look_at_the_weights(engine):
    seen = []

    class Looker(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.model.predict(X, verbose=0), self.model.evaluate(X, Y, verbose=0), self.model.get_weights()[0]))

    model = compiled(engine)
    model.fit(X, Y, epochs=2, callbacks=[Looker()], verbose=0)
    np.testing.assert_array_equal(seen[-1][0], model.predict(X, verbose=0))
    assert seen[-1][1] == model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(seen[-1][2], model.get_weights()[0])
    assert (seen[0][2] != seen[1][2]).any()


def test_a_callback_can_not_train_the_model_it_watches(engine):
    class Meddler(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.fit(X, Y, verbose=0)

    with pytest.raises(RuntimeError, match="fit was called while the same model is being trained, from one of its callbacks"):
        compiled(engine).fit(X, Y, callbacks=[Meddler()], verbose=0)


def test_a_learning_rate_set_in_a_callback_takes_effect_at_once(engine):
    class Freeze(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.1 if epoch == 0 else 0.0
            self.before = self.model.get_weights()[0]

        def on_epoch_end(self, epoch, logs=None):
            moved = (self.model.get_weights()[0] != self.before).any()
            assert moved == (epoch == 0)

    model = compiled(engine)
    model.fit(X, Y, epochs=3, callbacks=[Freeze()], verbose=0)
    assert model.network.learning_rate == 0.0


def test_a_callback_sees_the_parameters_of_the_run(engine):
    watcher = callbacks.Callback()
    compiled(engine).fit(X, Y, epochs=2, batch_size=4, callbacks=watcher, verbose=0)
    assert watcher.params == {"verbose": 0, "epochs": 2, "steps": 3}


def test_an_exception_in_a_callback_leaves_history_and_model(engine, capsys):
    class Broken(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise OSError("disk full")

    model = compiled(engine)
    with pytest.raises(OSError, match="disk full"):
        model.fit(X, Y, epochs=5, callbacks=[Broken()])
    assert model.history.epoch == [0]
    model.fit(X, Y, verbose=0)


# EarlyStopping


class Script:
    """Stands for a model whose epochs give the values of a script."""

    stop_training = False

    def __init__(self, direction=False):
        self.weights = 0
        self.direction = direction

    def metric_direction(self, name):
        return self.direction

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def play(stopper, values, model=None):
    """Run a script; returns the last epoch and the model, whose weights are the number of the epoch."""
    model = model or Script()
    model.stop_training = False
    stopper.set_model(model)
    stopper.on_train_begin()
    epoch = 0
    for epoch, value in enumerate(values):
        model.weights = epoch
        stopper.on_epoch_end(epoch, {"val_loss": value, "acc": value})
        if model.stop_training:
            break
    stopper.on_train_end()
    return epoch, model


@pytest.mark.parametrize(
    ("arguments", "values", "last"),
    [
        ({"patience": 0}, [3, 2, 2, 1], 2),  # an equal value is no improvement
        ({"patience": 2}, [3, 2, 2, 2, 1], 3),
        ({"patience": 2}, [3, 4, 2, 4, 1, 4], 5),
        ({"min_delta": 0.5}, [3, 2, 1.6, 0], 2),
        ({"min_delta": -0.5}, [3, 2, 1.6, 0], 2),
        ({"mode": "max"}, [1, 2, 3, 2], 3),
        ({"baseline": 1.0, "patience": 2}, [3, 2.5, 2, 2.2, 0], 3),  # improving, but never better than the baseline
        ({"baseline": 1.0, "patience": 2}, [3, 0.5, 0.6, 0.7, 0.1], 3),
        ({"start_from_epoch": 2}, [1, 2, 3, 2, 3, 1], 4),
        ({"patience": 0}, [float("nan")] * 3, 1),
        ({"patience": 2}, [float("nan"), 2, 1, 1.5, 1.5], 4),
        ({"patience": 0}, [5], 0),
    ],
)
def test_it_stops_when_the_number_no_longer_improves(arguments, values, last):
    assert play(callbacks.EarlyStopping(**arguments), values)[0] == last


def test_auto_mode_asks_the_model_which_way_is_better():
    assert play(callbacks.EarlyStopping("acc"), [1, 2, 3, 2, 9], Script(direction=True))[0] == 3
    assert play(callbacks.EarlyStopping("val_loss"), [3, 2, 1, 2, 0], Script(direction=False))[0] == 3
    with pytest.raises(ValueError, match="can't infer whether a higher or a lower 'acc' is better; give mode='max' or mode='min'"):
        play(callbacks.EarlyStopping("acc"), [1], Script(direction=None))


def test_best_weights_come_back_whether_it_stopped_or_not():
    stopped = callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    last, model = play(stopped, [3, 1, 2, 2, 0])
    assert (last, model.weights, stopped.best, stopped.best_epoch, stopped.stopped_epoch) == (2, 1, 1, 1, 2)
    last, model = play(callbacks.EarlyStopping(patience=9, restore_best_weights=True), [3, 1, 2])
    assert (last, model.weights) == (2, 1)
    assert play(callbacks.EarlyStopping(patience=1), [3, 1, 2, 2])[1].weights == 2


NAN = float("nan")


@pytest.mark.parametrize(("mode", "values"), [("min", [NAN, 3, NAN, 1, 2, 2]), ("max", [NAN, 1, NAN, 3, 2, 2])])
def test_nan_is_never_the_best_value(mode, values):
    stopper = callbacks.EarlyStopping(mode=mode, patience=2, restore_best_weights=True)
    last, model = play(stopper, values)
    assert (last, stopper.best, stopper.best_epoch, model.weights) == (5, values[3], 3, 3)


def test_without_any_best_epoch_the_last_weights_stay():
    stopper = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    last, model = play(stopper, [NAN] * 5)
    assert (last, stopper.best, model.weights) == (1, None, 1)


def test_it_starts_afresh_at_every_fit():
    stopper = callbacks.EarlyStopping()
    assert play(stopper, [1, 2])[0] == 1
    assert play(stopper, [9, 8, 9])[0] == 2


def test_it_says_what_it_does_when_asked(capsys):
    play(callbacks.EarlyStopping(patience=1, restore_best_weights=True, verbose=1), [3, 1, 2, 2])
    assert capsys.readouterr().out == "Epoch 3: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"


def test_a_number_that_is_not_there_warns(engine):
    with pytest.warns(UserWarning, match="EarlyStopping monitors 'val_loss', which is not available; there are loss, mae"):
        history = compiled(engine, ["mae"]).fit(X, Y, epochs=2, callbacks=[callbacks.EarlyStopping()], verbose=0)
    assert history.epoch == [0, 1]


def test_an_unknown_mode_warns_and_means_auto():
    with pytest.warns(UserWarning, match="mode must be 'auto', 'min' or 'max', got 'up'; using 'auto'"):
        assert callbacks.EarlyStopping(mode="up").mode == "auto"


def test_it_works_on_a_real_model(engine):
    model = compiled(engine, ["accuracy"])
    model.optimizer.learning_rate = 0  # nothing improves
    history = model.fit(X, Y, epochs=50, validation_data=(X, Y), callbacks=[callbacks.EarlyStopping("val_accuracy", patience=3)], verbose=0)
    assert len(history.epoch) == 4
