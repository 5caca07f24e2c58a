"""Figures: what is in them, and that they can be written."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from subprocesses import run

import fastmlp
from fastmlp import layers
from fastmlp.datasets import moons, spiral
from fastmlp.plotting import plot_decision_boundary, plot_history, plot_sweep, plot_training
from fastmlp.sweep import Results, Run

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def classifier(outputs=3, last="softmax"):
    model = fastmlp.Sequential([layers.Dense(8, "relu", input_shape=(2,)), layers.Dense(outputs, last)])
    model.compile("adam", "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_a_run_on_points_shows_loss_accuracy_and_boundary(tmp_path):
    train, test = spiral.load_data(points_per_class=40)
    model = classifier()
    history = model.fit(*train, epochs=3, validation_data=test, verbose=0)
    figure = plot_training(history, model, train, test)
    assert titles(figure) == ["Loss", "Accuracy", "Decision boundary"]
    loss, boundary = figure.axes[0], figure.axes[2]
    assert loss.get_lines()[0].get_ydata().tolist() == history.history["loss"]
    assert loss.get_lines()[1].get_ydata().tolist() == history.history["val_loss"]
    assert loss.get_lines()[0].get_xdata().tolist() == [1, 2, 3]
    assert sum(len(dots.get_offsets()) for dots in boundary.collections if len(dots.get_offsets()) > 1) == 120
    for ending in ("png", "svg", "pdf"):
        figure.savefig(tmp_path / f"run.{ending}")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_the_colour_of_a_place_is_the_class_the_network_answers_there():
    x, y = moons.generate(points_per_class=100, seed=0)
    model = classifier(1, "sigmoid")
    model.fit(x, y, epochs=60, verbose=0)
    figure = plot_decision_boundary(model, x, y)
    (picture,) = figure.axes[0].get_images()
    colours, (left, right, bottom, top) = np.asarray(picture.get_array()), picture.get_extent()
    reddish = colours[..., 0] > colours[..., 2]  # class 1 is red, class 0 blue
    for point, answer in zip(x, model.predict(x, verbose=0)[:, 0], strict=True):
        if abs(answer - 0.5) > 0.2:
            row = round((point[1] - bottom) / (top - bottom) * (len(colours) - 1))
            column = round((point[0] - left) / (right - left) * (len(colours) - 1))
            assert reddish[row, column] == (answer > 0.5)


def test_data_with_more_features_have_no_boundary():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 5)), rng.integers(0, 3, 30)
    model = fastmlp.Sequential([layers.Dense(3, "softmax", input_shape=(5,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=1, verbose=0)
    assert titles(plot_training(history, model, (x, y))) == ["Loss"]
    with pytest.raises(ValueError, match=r"a decision boundary needs x of shape \(samples, 2\), got \(30, 5\)"):
        plot_decision_boundary(model, x, y)


def test_a_history_may_be_a_dict_and_learning_rates_are_left_out():
    figure = plot_history({"accuracy": [0.1, 0.2], "loss": [2.0, 1.0], "learning_rate": [0.1, 0.1], "val_loss": [3.0]})
    assert titles(figure) == ["Loss", "Accuracy"]
    assert len(figure.axes[0].get_lines()) == 2


def test_a_metric_with_a_value_for_each_class_is_its_mean_and_a_thin_line_for_each(tmp_path):
    f1 = [np.array([0.1, 0.3]), np.array([0.5, 0.7])]
    figure = plot_history({"f1_score": f1, "loss": [2.0, 1.0], "val_f1_score": f1})
    mean, first, second = figure.axes[1].get_lines()[:3]
    assert mean.get_ydata().tolist() == pytest.approx([0.2, 0.6])
    assert [first.get_ydata().tolist(), second.get_ydata().tolist()] == [[0.1, 0.5], [0.3, 0.7]]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["training", "validation"]
    figure.savefig(tmp_path / "vector.png")


@pytest.mark.parametrize(
    ("last", "labels"),
    [
        ("sigmoid", lambda y: y.astype(np.float64)),
        ("sigmoid", lambda y: y[:, None].astype(np.float32)),
        ("tanh", lambda y: 2 * y - 1),
        ("linear", lambda y: y.astype(bool)),
    ],
    ids=["float", "column", "minus one and one", "bool and logits"],
)
def test_labels_of_every_kind_have_the_boundary_of_integers(last, labels):
    x, y = moons.generate(points_per_class=60, seed=0)
    model = classifier(1, last)
    picture, expected = (plot_decision_boundary(model, x, form).axes[0] for form in (labels(y), y))
    dots = [ax.collections[-1].get_facecolors() for ax in (picture, expected)]
    assert np.array_equal(*dots)
    assert len(np.unique(dots[0], axis=0)) == 2


def test_one_hot_labels_have_the_boundary_of_integers():
    (x, y), _ = spiral.load_data(points_per_class=20)
    model = classifier()
    dots = [plot_decision_boundary(model, x, form).axes[0].collections[-1].get_facecolors() for form in (np.eye(3)[y], y)]
    assert np.array_equal(*dots)


@pytest.mark.parametrize(("y", "message"), [([0.5, 1.0], "it has fractions"), (["a", "b"], r"np\.unique\(y, return_inverse=True\)")])
def test_boundaries_are_between_classes(y, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plot_decision_boundary(classifier(), np.eye(2), y)


@pytest.mark.parametrize("history", [{}, {"loss": []}])
def test_an_empty_history_is_an_error(history):
    with pytest.raises(ValueError, match="the history is empty: fit the model first"):
        plot_history(history)


def swept(**axes):
    """Results with an accuracy that follows from the combination, two seeds each; the last combination diverged."""
    combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    runs = [
        Run(about, seed, {"validation_loss": math.nan if k == len(combinations) - 1 else 1.0, "validation_accuracy": k / 100 + seed / 10})
        for k, about in enumerate(combinations)
        for seed in (0, 1)
    ]
    return Results(runs, seeds=2)


def bars(figure):
    """For each line its label, its places and its heights."""
    return {
        container.get_label(): (container.lines[0].get_xdata().tolist(), container.lines[0].get_ydata().tolist())
        for container in figure.axes[0].containers
    }


def test_a_sweep_is_a_line_for_each_configuration_over_the_axis_with_the_most_values(tmp_path):
    figure = plot_sweep(swept(units=[4, 8], activation=["relu", "tanh"], epochs=[1, 10, 100], batch_size=[32]))
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_xscale(), titles(figure)) == ("epochs", "log", ["Validation accuracy"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10", "100"]
    assert figure.legends[0].get_title().get_text() == "units · activation"
    drawn = bars(figure)
    assert drawn["4 · relu"] == ([1, 10, 100], pytest.approx([0.05, 0.06, 0.07]))
    assert drawn["8 · tanh"] == ([1, 10], pytest.approx([0.14, 0.15]))  # the third diverged
    assert len(drawn) == 4
    figure.savefig(tmp_path / "sweep.png")


def test_words_are_an_axis_too_and_of_many_lines_the_best_have_colours():
    figure = plot_sweep(swept(hidden=[(), (8,), (64, 64)], units=list(range(9))), x="hidden")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["none", "8", "64,64"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["7", "6", "5", "4", "3", "2", "3 others"]


def test_a_sweep_can_be_drawn_over_any_column():
    figure = plot_sweep(swept(units=[1, 2, 3]), y="validation_loss")
    assert titles(figure) == ["Validation loss"]
    assert figure.axes[0].get_xscale() == "linear"
    assert not figure.legends
    with pytest.raises(ValueError, match="the sweep has no hyperparameter 'epochs'; it is over units"):
        plot_sweep(swept(units=[1, 2, 3]), x="epochs")
    with pytest.raises(ValueError, match="there is no column 'test_mae'"):
        plot_sweep(swept(units=[1, 2, 3]), y="test_mae")
    with pytest.raises(ValueError, match="the sweep has no finite results to plot"):
        plot_sweep(swept(units=[1]), y="validation_loss")


WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from fastmlp import callbacks, layers, models, plotting, utils
model = models.Sequential([layers.Dense(1, input_shape=(2,))])
for draw in (
    lambda: plotting.plot_history({"loss": [1.0]}),
    lambda: utils.plot_model(model, to_file=None),
    lambda: callbacks.LivePlot("live.png"),
):
    try:
        draw()
    except ImportError as error:
        print(error)
"""


def test_without_matplotlib_the_message_says_what_to_install():
    messages = run(WITHOUT_MATPLOTLIB).splitlines()
    assert len(messages) == 3
    assert all('needs matplotlib: pip install "fastmlp[plot]"' in message for message in messages), messages


def figures():
    """A figure of every kind."""
    model = classifier()
    x, y = np.eye(2, dtype=np.float32), np.array([0, 1])
    finder = fastmlp.callbacks.LearningRateFinder(steps=12)
    model.fit(x, y, epochs=12, verbose=0, callbacks=[finder])
    history = model.fit(x, y, epochs=1, verbose=0)
    yield finder.plot()
    yield history.plot()
    yield plot_history(history)
    yield plot_training(history, model, (x, y))
    yield plot_decision_boundary(model, x, y)
    yield plot_sweep(swept(units=[1, 2, 3]))
    yield fastmlp.utils.plot_model(model, to_file=None)


def test_every_figure_shows_itself_in_a_notebook_without_pyplot():
    for figure in figures():
        picture, size = figure._repr_png_()
        assert picture.startswith(b"\x89PNG")
        assert size == {"width": int(72 * figure.get_figwidth()), "height": int(72 * figure.get_figheight())}


def test_show_says_what_to_do_where_there_is_no_window():
    with pytest.warns(UserWarning, match=r"can't open windows here .*; write the figure to a file: figure\.savefig"):
        plot_history({"loss": [1.0]}).show()


def test_show_opens_a_window_with_the_figure(monkeypatch):
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(pyplot, "get_backend", lambda: "QtAgg")
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gcf().canvas.figure))
    figure = plot_history({"loss": [1.0]})
    figure.show()
    assert shown == [figure]
    pyplot.close("all")
