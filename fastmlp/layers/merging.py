"""Layers that merge several tensors into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Unpack, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastmlp.layers.axes as axes
from fastmlp._base import shapes
from fastmlp._base.arguments import Boolean, Converted
from fastmlp._base.configs import Config
from fastmlp._base.shapes import BatchShape, BatchShapeLike, Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.symbolic import Tensor, operator
from fastmlp.layers.base import Layer, LayerOptions

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
    """The base class of layers that are called on a list of tensors."""

    weightless = True
    join: ClassVar[str]
    """The op of the engines, which merges two tensors."""
    _rows: tuple[Shape, ...] = ()
    """The shapes of the samples in the last call."""

    def connect(self, rows: Sequence[Shape]) -> tuple[Shape, ...]:
        if len(rows) < 2:
            raise ValueError(f"layer {self.name!r} merges two or more tensors, got {len(rows)}; call it on a list: {self.name}([a, b])")
        shape = self.merged_shape(rows)
        self.input_row, self.output_row = rows[0], shape
        self._rows = tuple(rows)
        return (shape,)

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        """The shape of an output sample for input samples of these shapes; a ValueError if they can't be merged."""
        try:
            return np.broadcast_shapes(*rows)
        except ValueError:
            listed = ", ".join(str(row) for row in rows)
            raise ValueError(
                f"layer {self.name!r} needs tensors with samples of shapes that broadcast to each other, got {listed}; make them equal "
                "with Dense, or join them with Concatenate"
            ) from None

    @property
    def input_shape(self) -> list[BatchShape] | None:
        return [(None, *row) for row in self._rows] or None

    def build(self, input_shape: BatchShapeLike) -> None:
        self.connect(self._rows_of(input_shape))

    def build_rows(self, row: Shape) -> None:
        raise ValueError(f"layer {self.name!r} merges several tensors, but a Sequential model has only one; use Model(inputs, outputs)")

    def compute_output_shape(self, input_shape: BatchShapeLike) -> BatchShape:
        """The output shape for tensors of the shapes in a list, all with the batch axis in front."""
        return (None, *self.merged_shape(self._rows_of(input_shape)))

    def _rows_of(self, given: BatchShapeLike) -> list[Shape]:
        if not isinstance(given, (list, tuple)) or not all(isinstance(shape, (list, tuple)) for shape in given):
            raise ValueError(
                f"layer {self.name!r} merges several tensors and needs a list of shapes such as [(None, 4), (None, 4)], got {given!r}"
            )
        return [shapes.row_of_batch("a shape in input_shape", shape) for shape in given]

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.join),)


@operator
class Add(Merge):
    """The elementwise sum of tensors, for example of a layer's output and its input: a residual connection.

    Shapes broadcast as in NumPy. He et al. 2016, "Deep residual learning for image recognition".

    Example:

    >>> from fastmlp import Model, layers
    >>> x = layers.Input(shape=(8,))
    >>> y = layers.Dense(8, activation="relu")(x)
    >>> model = Model(x, layers.Add()([x, y]))
    """

    join = "add"


@operator
class Subtract(Merge):
    """The first of two tensors minus the second, elementwise; shapes broadcast as in NumPy."""

    join = "subtract"

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} subtracts the second of two tensors from the first, got {len(rows)} tensors")
        return super().merged_shape(rows)


@operator
class Multiply(Merge):
    """The elementwise product of tensors, for example of values and gates; shapes broadcast as in NumPy."""

    join = "multiply"


class Maximum(Merge):
    """The elementwise maximum of tensors; shapes broadcast as in NumPy."""

    join = "maximum"


class Minimum(Merge):
    """The elementwise minimum of tensors; shapes broadcast as in NumPy."""

    join = "minimum"


@operator
class Divide(Merge):
    """The first of two tensors divided by the second, elementwise: the layer of ``a / b``. Keras has no such layer."""

    in_keras = False

    join = "divide"

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} divides the first of two tensors by the second, got {len(rows)} tensors")
        return super().merged_shape(rows)


class Average(Merge):
    """The elementwise mean of tensors; shapes broadcast as in NumPy."""

    join = "average"


class Concatenate(Merge):
    """Tensors joined along an axis; their other sizes must be equal.

    Args:
        axis: The axis, by default the last; the batch axis is 0.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers
    >>> layers.Concatenate()([layers.Input((3,)), layers.Input((2,))]).shape
    (None, 5)
    """

    join = "concatenate"

    axis = Converted(axes.single_axis)

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = axis

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        place = axes.in_row("Concatenate", self.axis, rows[0])
        others = {(*row[:place], *row[place + 1 :]) for row in rows}
        if len(others) > 1 or len({len(row) for row in rows}) > 1:
            listed = ", ".join(map(str, rows))
            raise ValueError(f"layer {self.name!r} joins samples along axis {self.axis}, but they differ in other axes: {listed}")
        return (*rows[0][:place], sum(row[place] for row in rows), *rows[0][place + 1 :])

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.join, settings={"axis": axes.in_row("Concatenate", self.axis, input_shape)}),)


class Dot(Merge):
    """Dot products of two tensors: one number for vectors; for samples with more axes, of each vector with each vector of the other tensor.

    Args:
        axes: The axis that is summed over, where 0 is the batch axis; or a pair with the axis of each tensor.
        normalize: Whether to scale vectors to norm 1 first, so that the result is their cosine similarity.
        options: See :class:`Layer`.

    Raises:
        ValueError: The axes have different sizes, or one is the batch axis.

    Example:

    >>> from fastmlp import layers
    >>> layers.Dot(axes=(1, 2))([layers.Input((3, 5)), layers.Input((10, 3))]).shape
    (None, 5, 10)
    """

    join = "dot"

    normalize = Boolean()

    def __init__(self, axes: int | tuple[int, int], normalize: bool = False, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        pair = axes if isinstance(axes, (list, tuple)) else (axes, axes)
        if len(pair) != 2 or not all(isinstance(axis, int) and not isinstance(axis, bool) for axis in pair) or 0 in pair:
            raise ValueError(f"axes must be an axis other than 0, the batch axis, or a pair of such axes, got {axes!r}")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize

    def _places(self, rows: Sequence[Shape]) -> tuple[int, int]:
        pair = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        first, second = (axes.in_row("Dot", axis, row) for axis, row in zip(pair, rows, strict=True))
        return first, second

    def merged_shape(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) != 2:
            raise ValueError(f"layer {self.name!r} needs two tensors, got {len(rows)}")
        places = self._places(rows)
        sizes = [row[place] for row, place in zip(rows, places, strict=True)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"layer {self.name!r} sums over axes of sizes {sizes[0]} and {sizes[1]}, which must be equal")
        left = [size for row, place in zip(rows, places, strict=True) for axis, size in enumerate(row) if axis != place]
        return tuple(left) or (1,)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.join, settings={"axes": self._places(self._rows), "normalize": self.normalize}),)

    def get_config(self) -> Config:
        return super().get_config() | {"axes": self.axes if isinstance(self.axes, int) else list(self.axes)}


class Merging(Protocol):
    """The function of a merging layer: called on tensors, it returns a tensor; called on arrays, an array."""

    @overload
    def __call__(self, inputs: Sequence[Tensor], **options: Any) -> Tensor: ...
    @overload
    def __call__(self, inputs: Sequence[ArrayLike], **options: Any) -> NDArray[np.float32]: ...


def _as_function(layer: type[Layer]) -> Merging:
    def merge(inputs: Any, **options: Any) -> Any:
        return layer(**options)(inputs)

    merge.__name__ = merge.__qualname__ = layer.__name__.lower()
    merge.__doc__ = f"The tensors merged: ``{layer.__name__}(**options)(inputs)``."
    return cast(Merging, merge)


add, subtract, multiply = _as_function(Add), _as_function(Subtract), _as_function(Multiply)
maximum, minimum, average, concatenate = (_as_function(layer) for layer in (Maximum, Minimum, Average, Concatenate))


@overload
def dot(inputs: Sequence[Tensor], axes: int | tuple[int, int] = -1, **options: Unpack[LayerOptions]) -> Tensor: ...
@overload
def dot(inputs: Sequence[ArrayLike], axes: int | tuple[int, int] = -1, **options: Unpack[LayerOptions]) -> NDArray[np.float32]: ...
def dot(inputs: Any, axes: int | tuple[int, int] = -1, **options: Any) -> Tensor | NDArray[np.float32]:
    """``Dot(axes, **options)(inputs)``: the dot products of two tensors."""
    return Dot(axes, **options)(inputs)
