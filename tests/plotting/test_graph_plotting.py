"""Pictures of models: what is in them, that boxes do not cover each other, and that they can be written."""

from __future__ import annotations

from itertools import combinations

import pytest
from golden import graph_programs as programs

import fastmlp
from fastmlp import layers, models, utils

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def boxes(figure):
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    patches = figure.axes[0].patches
    return [p for p in patches if isinstance(p, FancyBboxPatch)], [p for p in patches if isinstance(p, FancyArrowPatch)]


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_every_call_has_a_box_and_every_reading_an_arrow(name):
    model = programs.PROGRAMS[name][0](fastmlp)
    figure = utils.plot_model(model, to_file=None, show_shapes=True, show_layer_names=True)
    found, arrows = boxes(figure)
    assert len(found) == len(model.graph.inputs) + len(model.graph.calls)
    assert len(arrows) == sum(len(call.inputs) for call in model.graph.calls)
    assert {layer.name for layer in model.layers} <= set(texts(figure))
    for left, right in combinations(found, 2):
        apart = left.get_x() + left.get_width() <= right.get_x() or right.get_x() + right.get_width() <= left.get_x()
        assert apart or abs(left.get_y() - right.get_y()) >= left.get_height()
    (x0, x1), (y0, y1) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert all(x0 <= box.get_x() and box.get_x() + box.get_width() <= x1 for box in found)
    assert all(y0 <= box.get_y() and box.get_y() + box.get_height() <= y1 for box in found)


def test_what_is_written_in_the_boxes_is_chosen():
    model = models.Sequential([layers.Dense(4, activation="relu", input_shape=(3,), name="first"), layers.Dense(1, name="last")])
    assert texts(utils.plot_model(model, to_file=None)) == ["InputLayer", "Dense", "Dense"]
    full = utils.plot_model(model, to_file=None, show_shapes=True, show_dtype=True, show_layer_names=True, show_layer_activations=True)
    assert texts(full)[-8:] == ["Dense · relu", "first", "(None, 4)", "float32", "Dense", "last", "(None, 1)", "float32"]


def test_the_layers_of_models_inside_the_model_are_drawn_on_request():
    model = programs.nested(fastmlp)
    assert "inner" in texts(utils.plot_model(model, to_file=None, show_layer_names=True))
    expanded = texts(utils.plot_model(model, to_file=None, show_layer_names=True, expand_nested=True))
    assert expanded.count("inner_h") == 2
    assert "inner" not in expanded


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_is_written_in_the_format_of_its_name(tmp_path, ending):
    utils.plot_model(programs.residual(fastmlp), to_file=tmp_path / f"model.{ending}", dpi=50)
    start = (tmp_path / f"model.{ending}").read_bytes()[:5]
    assert start == {"png": b"\x89PNG\r", "svg": b"<?xml", "pdf": b"%PDF-"}[ending]


@pytest.mark.parametrize(("rankdir", "axis", "sign"), [("TB", 1, -1), ("BT", 1, 1), ("LR", 0, 1), ("RL", 0, -1)])
def test_a_model_is_drawn_in_the_direction_asked_for(rankdir, axis, sign):
    model = models.Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(2)])
    found, _ = boxes(utils.plot_model(model, None, rankdir=rankdir))
    middles = [(box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2) for box in found]
    assert [sign * middle[axis] for middle in middles] == sorted(sign * middle[axis] for middle in middles)
    assert [middle[1 - axis] for middle in middles] == pytest.approx([middles[0][1 - axis]] * 3)


def test_boxes_say_whether_layers_are_trained():
    frozen = layers.Dense(4, trainable=False)
    figure = utils.plot_model(models.Sequential([layers.Input((3,)), frozen, layers.Dense(2)]), None, show_trainable=True)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert ("trainable" in shown, "not trainable" in shown) == (True, True)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (
            lambda: utils.plot_model(models.Sequential([layers.Dense(2)]), None),
            ValueError,
            "the model is not built: it does not know its input shape",
        ),
        (lambda: utils.plot_model(layers.Dense(2), None), TypeError, "plot_model takes a model"),
        (
            lambda: utils.plot_model(programs.residual(fastmlp), None, rankdir="up"),
            ValueError,
            "rankdir must be one of 'TB', 'BT', 'LR', 'RL'",
        ),
    ],
)
def test_misuse_is_told(use, error, message):
    with pytest.raises(error) as caught:
        use()
    assert message in str(caught.value)
