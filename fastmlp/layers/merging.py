"""Layers that make one tensor of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from fastmlp import shapes
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, Operation
from fastmlp.shapes import Shape


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
        if len(set(rows)) > 1:
            listed = ", ".join(str(row) for row in rows)
            raise ValueError(
                f"layer {self.name!r} takes tensors whose rows have the same shape, got {listed}; "
                "bring them to one width with Dense, or put them side by side with Concatenate"
            )
        return rows[0]

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


class Subtract(Merge):
    """The first tensor minus the second, both of the same shape."""

    join = "subtract"

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} takes two tensors, the second from the first, got {len(rows)}")
        return super().merged_shape(rows)


class Multiply(Merge):
    """The product of tensors of the same shape, element by element: one may be a gate for the other."""

    join = "multiply"


class Maximum(Merge):
    """The largest element of tensors of the same shape, place by place."""

    join = "maximum"


class Average(Merge):
    """The mean of tensors of the same shape, element by element."""

    join = "average"


class Concatenate(Merge):
    """Tensors side by side: their columns one after another.

    Args:
        axis: -1; the only axis of a row.
    """

    join = "concatenate"

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        if axis not in (-1, 1):
            raise UnsupportedError(f"Concatenate(axis={axis!r}) is not in fastmlp; rows are vectors, so the axis is -1")

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        for row in rows:
            if len(row) != 1:
                raise ValueError(
                    f"layer {self.name!r} takes rows that are vectors, but gets rows of shape {row}; put a Flatten() before it"
                )
        return (sum(row[0] for row in rows),)


def _as_function(layer: type[Layer]) -> Callable[..., Any]:
    def merge(inputs: Any, **options: Any) -> Any:
        return layer(**options)(inputs)

    merge.__name__ = merge.__qualname__ = layer.__name__.lower()
    merge.__doc__ = f"``{layer.__name__}(**options)(inputs)``: the tensors merged."
    return merge


add, subtract, multiply = _as_function(Add), _as_function(Subtract), _as_function(Multiply)
maximum, average, concatenate = _as_function(Maximum), _as_function(Average), _as_function(Concatenate)
