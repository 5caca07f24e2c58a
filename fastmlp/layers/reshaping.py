"""Layers that change the shape of a row, which costs nothing."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from fastmlp._base import checks
from fastmlp._base.arguments import Integer
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.symbolic import operator
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer

__all__ = ["Flatten", "GetItem", "Identity", "Permute", "RepeatVector", "Reshape"]


class Flatten(Layer):
    """Turn rows of any shape into vectors: ``(28, 28)`` becomes ``(784,)``. It costs nothing."""

    only_in_keras: ClassVar = {"data_format": "channels_last"}

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise UnsupportedError(f"Flatten(data_format={data_format!r}) is not in fastmlp; transpose the data to channels last")

    def row_after(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Reshape(Layer):
    """Give rows another shape with as many elements.

    Args:
        target_shape: The shape of a row; one size may be -1, for whatever is left.
    """

    weightless = True

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(target_shape, (list, tuple)):
            raise TypeError(f"target_shape must be a tuple of sizes such as (28, 28), got {target_shape!r}")
        sizes = tuple(size if size == -1 else checks.check_int("a size in target_shape", size) for size in target_shape)
        if sizes.count(-1) > 1:
            raise ValueError(f"target_shape may leave one size open, got {sizes}")
        self.target_shape = sizes

    def row_after(self, input_shape: Shape) -> Shape:
        elements, known = math.prod(input_shape), -math.prod(self.target_shape)
        open_size = elements // known if -1 in self.target_shape else 0
        shape = tuple(open_size if size == -1 else size for size in self.target_shape)
        if math.prod(shape) != elements:
            raise ValueError(f"rows of shape {input_shape} have {elements} elements, so they can't be reshaped to {self.target_shape}")
        return shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_shape": list(self.target_shape)}


class _Gather(Layer):
    """A layer whose elements are some of those that come in."""

    weightless = True

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        """Of an array of the elements' numbers, in the shape of a row, what the layer gives."""
        raise NotImplementedError

    def row_after(self, input_shape: Shape) -> Shape:
        return tuple(np.shape(self._gathered(input_shape)))

    def _gathered(self, row: Shape) -> np.ndarray:
        return self.chosen(np.arange(math.prod(row)).reshape(row))

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("gather", settings={"gathered": self._gathered(input_shape).ravel()}),)


class Permute(_Gather):
    """The axes of a row in another order.

    Args:
        dims: The old axes in their new order, counted from 1: ``(2, 1)`` swaps the two of a matrix.
    """

    def __init__(self, dims: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(f"dims must be the axes of a row from 1 on in a new order, such as (2, 1), got {dims!r}")
        self.dims = tuple(dims)

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        if indices.ndim != len(self.dims):
            raise ValueError(f"Permute({self.dims}) takes rows of {len(self.dims)} axes, but gets rows of shape {indices.shape}")
        return indices.transpose([axis - 1 for axis in self.dims])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dims": list(self.dims)}


class RepeatVector(_Gather):
    """A vector several times: ``(features,)`` becomes ``(n, features)``.

    Args:
        n: How often.
    """

    n = Integer()

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        self.n = n

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        self.require_vector(indices.shape)
        return np.tile(indices, (self.n, 1))


@operator
class GetItem(_Gather):
    """Some elements of rows: what ``tensor[:, 2:5]`` makes. Keras has no such layer.

    Args:
        key: For each axis of a row ``[start, stop, step]``, or an integer.
    """

    in_keras = False

    def __init__(self, key: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(key, (list, tuple)):
            raise TypeError(f"key must be a list with [start, stop, step] or an integer for each axis of a row, got {key!r}")
        self.key = [list(part) if isinstance(part, (list, tuple)) else part for part in key]

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        try:
            chosen = indices[tuple(slice(*part) if isinstance(part, list) else part for part in self.key)]
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(f"[:, {self.key}] is nothing of rows of shape {indices.shape}: {error}") from None
        if not np.size(chosen):
            raise ValueError(f"[:, {self.key}] leaves nothing of rows of shape {indices.shape}")
        return np.asarray(chosen)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"key": self.key}


class Identity(Layer):
    """Give what comes in."""

    weightless = True
