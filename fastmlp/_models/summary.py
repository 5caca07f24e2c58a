"""``model.summary()``: the boxed table of layers, shapes and parameter counts, as Keras prints it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from fastmlp.layers import Layer

if TYPE_CHECKING:
    from fastmlp._base.shapes import Shape
    from fastmlp._graph.symbolic import Graph
    from fastmlp._models.binding import NetworkBinding

BYTES_PER_PARAMETER = 4
DEFAULT_WIDTH = 88
COLUMN_ENDS = (0.45, 0.80, 1.0)
GRAPH_WIDTH = 108
GRAPH_COLUMN_ENDS = (0.3, 0.56, 0.74, 1.0)


def print_summary(
    name: str,
    layers: Sequence[Layer],
    optimizer_parameters: int = 0,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], object] | None = None,
    show_trainable: bool = False,
    graph: Graph | None = None,
    expand_nested: bool = False,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Print the summary of a model.

    Args:
        name: The model's name.
        layers: Its layers.
        optimizer_parameters: The number of elements of the optimizer's state; 0, as before training, omits its line.
        line_length: Characters in a line; by default the width of the terminal, limited to 88.
        positions: The ends of the columns, as fractions of the line.
        print_fn: Called with the whole text; by default it is printed.
        show_trainable: Whether to add a column with Y for trainable layers, N for frozen ones.
        graph: The graph of the layers; unless it is a chain, a column shows the connections.
        expand_nested: Whether to show the layers of models inside the model.
        notes: Further lines at the end: titles and texts.
    """
    from rich.console import Console, JustifyMethod
    from rich.markup import escape
    from rich.table import Column, Table

    connected = graph is not None and not _is_chain(graph)
    width = (GRAPH_WIDTH if connected else DEFAULT_WIDTH) + (12 if show_trainable else 0)
    line_length = line_length or min(width, shutil.get_terminal_size().columns - 4)
    ends = tuple(positions or (GRAPH_COLUMN_ENDS if connected else COLUMN_ENDS))
    header = ["Layer (type)", "Output Shape", "Param #"]
    align: list[JustifyMethod] = ["left", "left", "right"]
    if connected:
        header, align = [*header, "Connected to"], [*align, "left"]
    if show_trainable:
        ends = (*(end * 0.9 for end in ends), 1.0)
        header, align = [*header, "Trainable"], [*align, "center"]
    edges = [0, *(int(end * line_length) for end in ends)]
    widths = [right - left for left, right in pairwise(edges)]
    if min(widths) < 4:
        raise ValueError(f"a line of {line_length} characters is too short for the summary; pass a larger line_length")
    columns = [Column(title, justify=side, width=size) for title, side, size in zip(header, align, widths, strict=True)]
    table = Table(*columns, width=line_length, show_lines=True)
    for level, layer in _rows(layers, expand_nested):
        prefix = "   " * level + "└ " if level else ""
        cells = [f"{prefix}{escape(layer.name)} ([color(33)]{type(layer).__name__}[/])", _shape(layer), _parameters(layer)]
        if connected and graph is not None:
            cells.append(escape(_connections(graph, layer)))
        if show_trainable:
            cells.append(_trainable(layer))
        table.add_row(*cells)

    console = (
        Console(highlight=False, force_terminal=False, force_jupyter=False, color_system=None) if print_fn else Console(highlight=False)
    )
    if print_fn:
        console.begin_capture()
    count = sum(layer.count_params() for layer in layers if layer.built)
    moving = sum(layer.count_trainable() for layer in layers if layer.built)
    console.print(f'[bold]Model: "{escape(name)}"[/]')
    console.print(table)
    console.print(_total("Total params", count + optimizer_parameters))
    console.print(_total("Trainable params", moving))
    console.print(_total("Non-trainable params", count - moving))
    if optimizer_parameters:
        console.print(_total("Optimizer params", optimizer_parameters))
    for title, text in (notes or {}).items():
        console.print(f"[bold] {escape(title)}: [/]{escape(text)}")
    if print_fn:
        print_fn(console.end_capture())


def memory(count: int) -> str:
    """The size of ``count`` parameters, with a unit: ``1.55 MB``."""
    size = float(count * BYTES_PER_PARAMETER)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _total(title: str, count: int) -> str:
    return f"[bold] {title}: [/][color(34)]{count:,}[/] ({memory(count)})"


def _rows(layers: Sequence[Layer | NetworkBinding], expand_nested: bool, level: int = 0) -> Iterator[tuple[int, Layer | NetworkBinding]]:
    """The layers, each with its nesting level: 0 for layers of the model, 1 for those of a model inside it, and so on."""
    for layer in layers:
        yield level, layer
        if expand_nested and not isinstance(layer, Layer):
            yield from _rows(layer.layers, expand_nested, level + 1)


def _is_chain(graph: Graph) -> bool:
    tensor = graph.inputs[0]
    for call in graph.calls:
        if call.inputs != (tensor,):
            return False
        tensor = call.outputs[0]
    return len(graph.inputs) == len(graph.outputs) == 1 and len(graph.layers) == len(graph.calls) + 1


def _connections(graph: Graph, layer: Layer | NetworkBinding) -> str:
    """The tensors a layer is called on: ``dense[0][0], add[0][0]``."""
    tensors = [tensor for call in graph.calls_of(layer) for tensor in call.inputs]
    return ", ".join("{}[{}][{}]".format(*graph.place(tensor)) for tensor in tensors) or "-"


def _trainable(layer: Layer | NetworkBinding) -> str:
    if not layer._weights:
        return "[bold]-[/]"
    return "[bold][color(34)]Y[/][/]" if layer.trainable else "[bold][color(9)]N[/][/]"


def _shape(layer: Layer | NetworkBinding) -> str:
    if not isinstance(layer, Layer):
        if not layer.built:
            return "?"
        shapes = [_row(tensor.row) for tensor in layer.graph.outputs]
        return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"
    return "?" if layer.output_row is None else _row(layer.output_row)


def _row(row: Shape) -> str:
    return f"({', '.join(['[color(45)]None[/]', *(f'[color(34)]{size}[/]' for size in row)])})"


def _parameters(layer: Layer | NetworkBinding) -> str:
    return f"[color(34)]{layer.count_params():,}[/]" if layer.built or getattr(layer, "weightless", False) else "[color(34)]0[/] (unbuilt)"
