"""LivePlot: what is drawn, where, and within its share of the time."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks, layers, metrics, models
from fastmlp.callbacks import liveplot

X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No screen, no notebook."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


def compiled():
    fastmlp.utils.set_random_seed(3)
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(3,)), layers.Dense(2, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Clock:
    """A clock that training and drawing move by hand."""

    def __init__(self, monkeypatch, live, chunk, drawing):
        self.now = 0.0
        self.drawings = []
        monkeypatch.setattr(liveplot, "perf_counter", lambda: self.now)
        monkeypatch.setattr(live._screen, "show", lambda: self.wait(drawing() if callable(drawing) else drawing))
        self.live, self.chunk = live, chunk

    def wait(self, seconds):
        self.now += seconds
        self.drawings.append(self.now)

    def train(self, chunks):
        """A training of so many calls of the engine."""
        live = self.live
        live.set_params({"steps": chunks, "epochs": 1, "verbose": 0})
        live.set_model(types.SimpleNamespace(optimizer=types.SimpleNamespace(rate=0.1)))
        live.on_train_begin()
        live.on_epoch_begin(0)
        for batch in range(chunks):
            self.now += self.chunk
            live._pause(batch, {"loss": 1.0}, 32 * (batch + 1))
        live.on_epoch_end(0, {"loss": 1.0})
        live.on_train_end()


@pytest.mark.parametrize(("drawing", "seconds"), [(0.001, 3), (0.05, 60), (0.7, 60)])
def test_drawing_takes_no_more_than_its_share_of_the_time(tmp_path, monkeypatch, drawing, seconds):
    live = callbacks.LivePlot(tmp_path / "live.png")
    live._cost = drawing
    clock = Clock(monkeypatch, live, 0.05, drawing)
    clock.train(20 * seconds)
    assert live.drawing_seconds <= 0.02 * live.training_seconds
    assert live.drawing_seconds >= 0.015 * live.training_seconds - drawing  # and uses it
    assert len(clock.drawings) == pytest.approx(live.drawing_seconds / drawing + 1)


def test_drawing_that_becomes_slower_is_done_less_often(tmp_path, monkeypatch):
    live = callbacks.LivePlot(tmp_path / "live.png")
    live._cost = 0.01
    costs = iter([*[0.01] * 5, *[0.2] * 1000])
    clock = Clock(monkeypatch, live, 0.05, lambda: next(costs))
    clock.train(20 * 60)
    gaps = np.diff(clock.drawings[:-1])
    assert gaps[:4] == pytest.approx([0.5] * 4, abs=0.07)
    assert (gaps[6:] > 9).all()
    assert live.drawing_seconds <= 0.02 * live.training_seconds + 0.2  # one drawing that was dearer than foreseen


def test_a_training_too_short_for_a_drawing_gets_one_at_its_end(engine, tmp_path, monkeypatch):
    live = callbacks.LivePlot(tmp_path / "live.png")
    live._cost = 1.0
    clock = Clock(monkeypatch, live, 0.05, 1.0)
    clock.train(10)
    assert len(clock.drawings) == 1
    assert live.drawing_seconds == 0


def test_where_nothing_can_be_shown_a_picture_is_written(engine, tmp_path):
    path = tmp_path / "live.png"
    live = callbacks.LivePlot(path)
    compiled().fit(X, Y, epochs=3, validation_split=0.25, verbose=0, callbacks=[live])
    assert [file.name for file in tmp_path.iterdir()] == ["live.png"]
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [axes.get_title(loc="left") for axes in live.figure.axes] == ["Loss", "Accuracy", "Learning rate"]
    assert not callbacks.CallbackList([live]).listens_to_batches("train")


def test_the_curves_are_the_numbers_of_the_training(tmp_path):
    live = callbacks.LivePlot(tmp_path / "live.png", budget=0)  # nothing is drawn between the epochs
    history = compiled().fit(X, Y, epochs=3, validation_split=0.25, verbose=0, callbacks=[live]).history
    loss, accuracy, rate = live.figure.axes
    curves = {line.get_label(): line for line in loss.lines}
    np.testing.assert_array_equal(curves["training"].get_xydata(), np.column_stack([[1, 2, 3], history["loss"]]))
    np.testing.assert_array_equal(curves["validation"].get_ydata(), history["val_loss"])
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), history["accuracy"])
    np.testing.assert_allclose(rate.lines[0].get_ydata(), [0.001] * 3)


def test_between_the_epochs_a_point_is_the_mean_since_the_last(tmp_path):
    live = callbacks.LivePlot(tmp_path / "live.png", budget=1.0)
    live._cost = 0.0
    live.set_params({"steps": 4})
    live.set_model(types.SimpleNamespace(optimizer=types.SimpleNamespace(rate=0.1)))
    live.on_train_begin()
    live.on_epoch_begin(2)
    for batch, mean, rows in ((0, 4.0, 10), (2, 2.0, 30)):
        live._cost = -1e9  # always affordable
        live._pause(batch, {"loss": mean}, rows)
    assert live._curves["loss"]["training"] == [(2.25, 4.0), (2.75, 1.0)]


def test_metrics_that_are_no_means_have_one_point_an_epoch(tmp_path):
    live = callbacks.LivePlot(tmp_path / "live.png", budget=1.0)
    model = compiled()
    model.compile("adam", "mse", metrics=["mae", "root_mean_squared_error", metrics.R2Score(class_aggregation=None, name="both")])
    live._cost = -1e9  # always affordable
    history = model.fit(X, np.eye(2)[Y], batch_size=8, epochs=2, verbose=0, callbacks=[live]).history
    assert live._curves["root_mean_squared_error"]["training"] == list(zip((1, 2), history["root_mean_squared_error"], strict=True))
    assert [value for _, value in live._curves["both"]["training"]] == [np.mean(value) for value in history["both"]]


def test_each_number_of_several_outputs_has_a_panel_that_can_be_read(tmp_path):
    x = layers.Input(shape=(3,))
    model = models.Model(x, [layers.Dense(1, name=name)(x) for name in ("a", "b", "c")])
    model.compile("sgd", "mse", metrics=[["mae"]] * 3)
    live = callbacks.LivePlot(tmp_path / "live.png")
    history = model.fit(X, [Y, Y, Y], epochs=2, validation_split=0.25, verbose=0, callbacks=[live]).history
    panels = {axes.get_title(loc="left"): axes for axes in live.figure.axes}
    assert list(panels) == ["Loss", "A loss", "A mae", "B loss", "B mae", "C loss", "C mae", "Learning rate"]
    np.testing.assert_array_equal(panels["B mae"].lines[1].get_ydata(), history["val_b_mae"])
    width, height = live.figure.get_size_inches()
    assert width / 4 == pytest.approx(height / 2, rel=0.2)  # two rows of four


def test_a_second_training_begins_a_new_picture(tmp_path):
    live = callbacks.LivePlot(tmp_path / "live.png")
    model = compiled()
    for epochs in (3, 2):
        model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[live])
    assert live.figure.axes[0].lines[0].get_xdata().tolist() == [1, 2]


def test_in_a_notebook_one_picture_is_replaced_again_and_again(monkeypatch, tmp_path):
    shown = []

    class Handle:
        def update(self, image):
            shown.append(("update", image))

    def display(image, display_id):
        assert display_id is True
        shown.append(("new", image))
        return Handle()

    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    module = types.ModuleType("IPython.display")
    module.display, module.Image = display, lambda data, width: data
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.chdir(tmp_path)
    live = callbacks.LivePlot()
    shown.clear()
    compiled().fit(X, Y, epochs=2, verbose=0, callbacks=[live])
    assert shown[-1][0] == "update"
    assert shown[-1][1].startswith(b"\x89PNG")
    assert not list(tmp_path.iterdir())


def test_a_window_is_asked_for_where_there_is_none():
    with pytest.raises(
        RuntimeError, match=r"matplotlib can't open a window here: its backend is \w+; install one .* or use display='file'"
    ):
        callbacks.LivePlot(display="window")


def test_live_plots_refuse_what_they_can_not_do(tmp_path):
    with pytest.raises(ValueError, match="display must be one of 'auto', 'notebook', 'window', 'file', got 'tv'"):
        callbacks.LivePlot(display="tv")
    with pytest.raises(ValueError, match="budget must be a number ≥ 0 and ≤ 1, got 2"):
        callbacks.LivePlot(budget=2)
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist; make it first"):
        callbacks.LivePlot(tmp_path / "nowhere" / "live.png")
