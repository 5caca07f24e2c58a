"""Layers that make one tensor of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

import fastmlp.layers.axes as axes
from fastmlp._base import shapes
from fastmlp._base.arguments import Boolean, Converted
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.symbolic import operator
from fastmlp.layers.base import Layer

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Divide",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class Merge(Layer):
    """The base of layers that are called on a list of tensors."""

    weightless = True
    join: ClassVar[str]
    """What the engines call it, two tensors at a time."""
    _rows: tuple[Shape, ...] = ()
    """The shapes of the rows it was last called on."""

    def connect(self, rows: Sequence[Shape]) -> tuple[Shape, ...]:
        if len(rows) < 2:
            raise ValueError(f"layer {self.name!r} merges two tensors or more, got {len(rows)}; call it on a list: {self.name}([a, b])")
        shape = self.merged_shape(rows)
        self.input_row, self.output_row = rows[0], shape
        self._rows = tuple(rows)
        return (shape,)

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        """The shape of a row that comes out."""
        try:
            return np.broadcast_shapes(*rows)
        except ValueError:
            listed = ", ".join(str(row) for row in rows)
            raise ValueError(
                f"layer {self.name!r} takes tensors whose rows have the same shape, or sizes of 1 where they differ, got {listed}; "
                "bring them to one width with Dense, or put them side by side with Concatenate"
            ) from None

    @property
    def input_shape(self) -> Any:
        return [(None, *row) for row in self._rows] or None

    def build(self, input_shape: Any) -> None:
        self.connect(self._rows_of(input_shape))

    def build_rows(self, row: Shape) -> None:
        raise ValueError(f"layer {self.name!r} merges several tensors, which a chain of layers does not have; use Model(inputs, outputs)")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of what the layer gives for tensors of the shapes in a list, all with the batch axis in front."""
        return (None, *self.merged_shape(self._rows_of(input_shape)))

    def _rows_of(self, given: Any) -> list[Shape]:
        if not isinstance(given, (list, tuple)) or not all(isinstance(shape, (list, tuple)) for shape in given):
            raise ValueError(
                f"layer {self.name!r} merges several tensors: give a list of shapes such as [(None, 4), (None, 4)], got {given!r}"
            )
        return [shapes.row_of_batch("a shape in input_shape", shape) for shape in given]

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.join),)


@operator
class Add(Merge):
    """The sum of tensors of the same shape, such as what a layer gives and what it was given: a residual connection.

    He et al. 2016, "Deep residual learning for image recognition".

    Example:

    >>> from fastmlp import Model, layers
    >>> x = layers.Input(shape=(8,))
    >>> y = layers.Dense(8, activation="relu")(x)
    >>> model = Model(x, layers.Add()([x, y]))
    """

    join = "add"


@operator
class Subtract(Merge):
    """The first tensor minus the second, both of the same shape."""

    join = "subtract"

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} takes two tensors, the second from the first, got {len(rows)}")
        return super().merged_shape(rows)


@operator
class Multiply(Merge):
    """The product of tensors of the same shape, element by element: one may be a gate for the other."""

    join = "multiply"


class Maximum(Merge):
    """The largest element of tensors of the same shape, place by place."""

    join = "maximum"


class Minimum(Merge):
    """The smallest element of tensors of the same shape, place by place."""

    join = "minimum"


@operator
class Divide(Merge):
    """The first tensor divided by the second, element by element: what ``a / b`` makes. Keras has no such layer."""

    in_keras = False

    join = "divide"

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} takes two tensors, the second divides the first, got {len(rows)}")
        return super().merged_shape(rows)


class Average(Merge):
    """The mean of tensors of the same shape, element by element."""

    join = "average"


class Concatenate(Merge):
    """Tensors side by side along an axis: their columns one after another.

    Args:
        axis: Which, the last by default; the batch axis is 0.
    """

    join = "concatenate"

    axis = Converted(axes.single_axis)

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        place = axes.in_row("Concatenate", self.axis, rows[0])
        others = {(*row[:place], *row[place + 1 :]) for row in rows}
        if len(others) > 1 or len({len(row) for row in rows}) > 1:
            listed = ", ".join(map(str, rows))
            raise ValueError(f"layer {self.name!r} puts rows side by side along axis {self.axis}, but they differ in others: {listed}")
        return (*rows[0][:place], sum(row[place] for row in rows), *rows[0][place + 1 :])

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.join, settings={"axis": axes.in_row("Concatenate", self.axis, input_shape)}),)


class Dot(Merge):
    """Dot products of two tensors: of two vectors a number; of rows with more axes, each vector of one with each of the other.

    Args:
        axes: The axis that is summed over, the batch axis being 0; or two, one of each tensor.
        normalize: Whether vectors are first made of length 1, so that the result is the cosine of their angle.

    Example:

    >>> from fastmlp import layers
    >>> layers.Dot(axes=(1, 2))([layers.Input((3, 5)), layers.Input((10, 3))]).shape
    (None, 5, 10)
    """

    join = "dot"

    normalize = Boolean()

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        pair = axes if isinstance(axes, (list, tuple)) else (axes, axes)
        if len(pair) != 2 or not all(isinstance(axis, int) and not isinstance(axis, bool) for axis in pair) or 0 in pair:
            raise ValueError(f"axes must be an axis other than 0, the batch axis, or two of them, got {axes!r}")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize

    def _places(self, rows: Sequence[Shape]) -> tuple[int, int]:
        pair = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        first, second = (axes.in_row("Dot", axis, row) for axis, row in zip(pair, rows, strict=True))
        return first, second

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} takes two tensors, got {len(rows)}")
        places = self._places(rows)
        sizes = [row[place] for row, place in zip(rows, places, strict=True)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"layer {self.name!r} sums over axes of {sizes[0]} and of {sizes[1]} elements; they must have the same size")
        left = [size for row, place in zip(rows, places, strict=True) for axis, size in enumerate(row) if axis != place]
        return tuple(left) or (1,)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.join, settings={"axes": self._places(self._rows), "normalize": self.normalize}),)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axes": self.axes if isinstance(self.axes, int) else list(self.axes)}


def _as_function(layer: type[Layer]) -> Callable[..., Any]:
    def merge(inputs: Any, **options: Any) -> Any:
        return layer(**options)(inputs)

    merge.__name__ = merge.__qualname__ = layer.__name__.lower()
    merge.__doc__ = f"``{layer.__name__}(**options)(inputs)``: the tensors merged."
    return merge


add, subtract, multiply = _as_function(Add), _as_function(Subtract), _as_function(Multiply)
maximum, minimum, average, concatenate = (_as_function(layer) for layer in (Maximum, Minimum, Average, Concatenate))


def dot(inputs: Any, axes: Any = -1, **options: Any) -> Any:
    """``Dot(axes, **options)(inputs)``: the dot products of two tensors."""
    return Dot(axes, **options)(inputs)
