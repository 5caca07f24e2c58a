"""``plot_model``: a diagram of a model, with layers as boxes and tensors as arrows.

Needs matplotlib: ``pip install "fastmlp[plot]"``. Boxes are laid out in rows, each below the boxes it gets its inputs from. An arrow that
spans several rows is routed around the boxes between through waypoints, which are laid out like narrow boxes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from fastmlp._base import checks, keywords
from fastmlp._graph.symbolic import Call, Graph, Tensor
from fastmlp._models.model import Model
from fastmlp.layers import InputLayer, Layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp._plotting.figures import Figure

__all__ = ["plot_model"]

_BOX_HEIGHT, _ROW_GAP, _BOX_GAP = 0.32, 0.45, 0.35
"""In inches."""
_LETTER, _MARGIN = 0.083, 0.25
_FILL = {"input": "#DCE6F2", "merge": "#FBE3D0", "model": "#E2EFDA", "layer": "#F3F3F3"}
_EDGE, _ARROW, _TEXT, _FAINT = "#7F8FA6", "#5A6779", "#222222", "#666666"
_SWEEPS = 24
_DIRECTIONS = ("TB", "BT", "LR", "RL")
_UNSUPPORTED = {"layer_range": "draw a part of the model: Model(model.input, model.get_layer(name).output)"}


@dataclass(eq=False)
class _Place:
    """A box, or a waypoint of an arrow."""

    row: int
    lines: list[str] = field(default_factory=list)
    kind: str = ""
    x: float = 0.0
    """The centre, along the row, in inches."""
    span: float = 0.0
    """The size along the row, in inches."""
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)

    @property
    def width(self) -> float:
        """The width on the figure, in inches."""
        return max(1.2, max(map(len, self.lines)) * _LETTER + 0.3) if self.lines else 0.25


@keywords.answering
def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **options: object,
) -> Figure:
    """Draw a model's layers and how they are connected.

    A layer that is called several times has a box for each call.

    Args:
        model: A built model.
        to_file: The file to write; its extension determines the format. None writes no file.
        show_shapes: Whether to show the output shape of each layer.
        show_dtype: Whether to show the dtype, which is float32.
        show_layer_names: Whether to show the names of layers.
        rankdir: The direction: ``"TB"`` (top to bottom), ``"BT"``, ``"LR"`` (left to right) or ``"RL"``.
        expand_nested: Whether to show the layers of models inside the model.
        dpi: Pixels per inch.
        show_layer_activations: Whether to show the activations of layers.
        show_trainable: Whether to show, for layers with weights, if they are trainable.
        splines: Accepted for compatibility with Keras; arrows are always curves.
        options: Keras' ``layer_range`` is not in fastmlp.

    Returns:
        A matplotlib figure, which notebooks display.

    Example:
        >>> from fastmlp import Model, layers
        >>> from fastmlp.utils import plot_model
        >>> x = layers.Input(shape=(8,))
        >>> model = Model(x, layers.Add()([x, layers.Dense(8, activation="relu")(x)]))
        >>> figure = plot_model(model, to_file=None, show_shapes=True, show_layer_names=True)
    """
    if rankdir not in _DIRECTIONS:
        raise ValueError(f"rankdir must be one of {', '.join(map(repr, _DIRECTIONS))}, got {rankdir!r}")
    checks.reject_unknown(plot_model, options, _UNSUPPORTED)
    if not isinstance(model, Model):
        raise TypeError(f"plot_model takes a model, got {model!r:.80}")
    from fastmlp._plotting.figures import Figure

    graph = model.graph

    def describe(layer: Layer | Model, tensors: Sequence[Tensor]) -> list[str]:
        lines = [type(layer).__name__]
        activation = getattr(getattr(layer, "activation", None), "kind", "linear")
        if show_layer_activations and activation != "linear":
            lines[0] += f" · {activation}"
        if show_layer_names:
            lines.append(layer.name)
        if show_shapes:
            lines.append(", ".join(str(tensor.shape) for tensor in tensors))
        if show_dtype:
            lines.append("float32")
        if show_trainable and layer.weights:
            lines.append("trainable" if layer.trainable else "not trainable")
        return lines

    rows = _rows(_boxes(graph, describe, expand_nested))
    frame = _Frame.of(rows, rankdir)
    _spread(rows)
    first = min(place.x - place.span / 2 for row in rows for place in row) - _MARGIN
    last = max(place.x + place.span / 2 for row in rows for place in row) + _MARGIN
    edge = frame.depth / 2 + _MARGIN
    corners = [frame.at(first, -edge), frame.at(last, frame.level(len(rows) - 1) + edge)]
    (left, right), (bottom, top) = (sorted(sides) for sides in zip(*corners, strict=True))
    figure = Figure(figsize=(right - left, top - bottom), dpi=dpi)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.set_axis_off()
    for row in rows:
        for place in row:
            if place.lines:
                _draw_arrows(ax, place, frame)
                _draw_box(ax, place, frame)
    if to_file is not None:
        figure.savefig(os.fspath(to_file), dpi=dpi)
    return figure


# Layout


def _boxes(graph: Graph, describe: Callable[[Layer | Model, Sequence[Tensor]], list[str]], expand_nested: bool) -> list[_Place]:
    """A box for each input and each call, with its row and, in ``above``, the boxes of its inputs."""
    places: list[_Place] = []
    sources: dict[Tensor, _Place] = {}
    for tensor in graph.inputs:
        layer = tensor.call.layer
        sources[tensor] = _Place(0, describe(layer or InputLayer(tensor.row, name="input"), [tensor]), "input")
        places.append(sources[tensor])

    def draw(calls: Sequence[Call]) -> None:
        for call in calls:
            inner = getattr(call.layer, "graph", None)
            if inner is not None and expand_nested:
                sources.update(zip(inner.inputs, [sources[tensor] for tensor in call.inputs], strict=True))
                draw(inner.calls)
                sources.update(zip(call.outputs, [sources[tensor] for tensor in inner.outputs], strict=True))
                continue
            above = [sources[tensor] for tensor in call.inputs]
            kind = "model" if inner is not None else "merge" if len(above) > 1 else "layer"
            place = _Place(1 + max(other.row for other in above), describe(call.layer, call.outputs), kind, above=above)
            sources.update(dict.fromkeys(call.outputs, place))
            places.append(place)

    draw(graph.calls)
    _lower_inputs(places)
    return places


def _lower_inputs(places: Sequence[_Place]) -> None:
    """Move each input to the row above the first box that reads it."""
    for place in places:
        readers = [other.row for other in places if place in other.above]
        if place.kind == "input" and readers:
            place.row = min(readers) - 1


def _rows(places: Sequence[_Place]) -> list[list[_Place]]:
    """The boxes by row, with a waypoint in each row that an arrow passes."""
    rows: list[list[_Place]] = [[] for _ in range(1 + max(place.row for place in places))]
    for place in places:
        rows[place.row].append(place)
    for place in places:
        for index, above in enumerate(place.above):
            upper = above
            for row in range(above.row + 1, place.row):
                point = _Place(row, above=[upper])
                upper.below.append(point)
                rows[row].append(point)
                upper = point
            upper.below.append(place)
            place.above[index] = upper
    return rows


def _spread(rows: Sequence[list[_Place]]) -> None:
    """Set positions along the rows: near connected boxes, in an order with few crossings, without overlaps."""
    for row in rows:
        _separate(row)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            for place in row:
                near = (place.above or place.below) if down else (place.below or place.above)
                if sweep >= _SWEEPS // 2:
                    near = [*place.above, *place.below]
                if near:
                    place.x = sum(other.x for other in near) / len(near)
            if sweep < _SWEEPS // 2:
                row.sort(key=lambda place: place.x)
            _separate(row)


def _separate(row: Sequence[_Place]) -> None:
    """Move neighbours apart where they overlap, and keep the centre of the row."""
    before = sum(place.x for place in row)
    for left, right in pairwise(row):
        right.x = max(right.x, left.x + (left.span + right.span) / 2 + _BOX_GAP)
    shift = (sum(place.x for place in row) - before) / len(row)
    for place in row:
        place.x -= shift


# Drawing


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps positions along a row and across the rows, the flow, to the figure."""

    direction: str
    height: float
    """The height of each box, in inches."""
    depth: float
    """The maximum size of a box along the flow, in inches."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[_Place]], direction: str) -> _Frame:
        places = [place for row in rows for place in row]
        height = _BOX_HEIGHT * max(len(place.lines) for place in places) * 0.62 + 0.16
        for place in places:
            place.span = place.width if direction in ("TB", "BT") else (height if place.lines else _BOX_GAP)
        return cls(direction, height, height if direction in ("TB", "BT") else max(place.width for place in places))

    def level(self, row: int) -> float:
        """The position of a row's centre along the flow."""
        return row * (self.depth + _ROW_GAP)

    def half(self, place: _Place) -> float:
        """The distance from a place's centre to its edge, along the flow."""
        return (self.height if self.direction in ("TB", "BT") or not place.lines else place.width) / 2

    def at(self, along: float, flow: float) -> tuple[float, float]:
        """The point on the figure."""
        return {"TB": (along, -flow), "BT": (along, flow), "LR": (flow, -along), "RL": (-flow, -along)}[self.direction]


def _draw_box(ax: Axes, place: _Place, frame: _Frame) -> None:
    from matplotlib.patches import FancyBboxPatch

    height = frame.height
    x, y = frame.at(place.x, frame.level(place.row))
    corner = (x - place.width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.06"
    ax.add_patch(
        FancyBboxPatch(corner, place.width, height, boxstyle=style, facecolor=_FILL[place.kind], edgecolor=_EDGE, linewidth=0.9, zorder=3)
    )
    step = height / (len(place.lines) + 0.5)
    for index, line in enumerate(place.lines):
        offset = (len(place.lines) - 1) / 2 - index
        first = index == 0
        ax.text(
            x,
            y + offset * step,
            line,
            ha="center",
            va="center",
            fontsize=9 if first else 8,
            fontweight="bold" if first else "normal",
            color=_TEXT if first else _FAINT,
            zorder=4,
        )


def _draw_arrows(ax: Axes, place: _Place, frame: _Frame) -> None:
    """Draw an arrow from each input of a box to its edge, side by side in the order of the inputs' positions."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    ordered = sorted(place.above, key=lambda other: other.x)
    for index, above in enumerate(ordered):
        port = place.x + (index - (len(ordered) - 1) / 2) * min(0.3, place.span / (len(ordered) + 1))
        points = [(port, frame.level(place.row) - frame.half(place) - 0.015)]
        while not above.lines:
            flow = frame.level(above.row)
            points += [(above.x, flow + frame.half(above)), (above.x, flow - frame.half(above))]
            above = above.above[0]
        points.append((above.x, frame.level(above.row) + frame.half(above)))
        points.reverse()
        vertices, codes = [points[0]], [Path.MOVETO]
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (y0 + y1) / 2
            straight = math.isclose(x0, x1, abs_tol=1e-3)
            vertices += [(x1, y1)] if straight else [(x0, middle), (x1, middle), (x1, y1)]
            codes += [Path.LINETO] if straight else [Path.CURVE4] * 3
        path = Path([frame.at(*vertex) for vertex in vertices], codes)
        ax.add_patch(
            FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=9, color=_ARROW, linewidth=1.1, shrinkA=0, shrinkB=0, zorder=2)
        )
