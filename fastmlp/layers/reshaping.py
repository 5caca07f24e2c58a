"""Layers that change the shape of samples, or select and reorder their elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, Unpack

import numpy as np

from fastmlp._base import checks
from fastmlp._base.arguments import Integer
from fastmlp._base.configs import Config
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.symbolic import operator
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerOptions

__all__ = ["Flatten", "GetItem", "Identity", "Permute", "RepeatVector", "Reshape"]


class Flatten(Layer):
    """Flattens samples to vectors: ``(28, 28)`` becomes ``(784,)``. Nothing is computed.

    Args:
        data_format: None or ``"channels_last"``.
        options: See :class:`Layer`.
    """

    only_in_keras: ClassVar = {"data_format": "channels_last"}

    def __init__(self, data_format: Literal["channels_last"] | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise UnsupportedError(f"Flatten(data_format={data_format!r}) is not in fastmlp; transpose the data to channels last")

    def row_after(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Reshape(Layer):
    """Gives samples another shape with the same number of elements. Nothing is computed.

    Args:
        target_shape: The new shape of a sample; one size can be -1 and is then inferred.
        options: See :class:`Layer`.

    Raises:
        ValueError: More than one size is -1; or, when the layer is built, the numbers of elements differ.

    Example:

    >>> from fastmlp import layers
    >>> layers.Reshape((-1, 14))(layers.Input((28, 28))).shape
    (None, 56, 14)
    """

    weightless = True

    def __init__(self, target_shape: Sequence[int], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if not isinstance(target_shape, (list, tuple)):
            raise TypeError(f"target_shape must be a tuple of sizes such as (28, 28), got {target_shape!r}")
        sizes = tuple(size if size == -1 else checks.check_int("a size in target_shape", size) for size in target_shape)
        if sizes.count(-1) > 1:
            raise ValueError(f"target_shape can have only one size of -1, got {sizes}")
        self.target_shape = sizes

    def row_after(self, input_shape: Shape) -> Shape:
        elements, known = math.prod(input_shape), -math.prod(self.target_shape)
        open_size = elements // known if -1 in self.target_shape else 0
        shape = tuple(open_size if size == -1 else size for size in self.target_shape)
        if math.prod(shape) != elements:
            raise ValueError(f"samples of shape {input_shape} have {elements} elements and can't be reshaped to {self.target_shape}")
        return shape

    def get_config(self) -> Config:
        return super().get_config() | {"target_shape": list(self.target_shape)}


class _Gather(Layer):
    """A layer whose outputs are elements of its input."""

    weightless = True

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        """The layer's output for an array that holds the indices of a sample's elements in the shape of the sample."""
        raise NotImplementedError

    def row_after(self, input_shape: Shape) -> Shape:
        return tuple(np.shape(self._gathered(input_shape)))

    def _gathered(self, row: Shape) -> np.ndarray:
        return self.chosen(np.arange(math.prod(row)).reshape(row))

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("gather", settings={"gathered": self._gathered(input_shape).ravel()}),)


class Permute(_Gather):
    """Reorders the axes of samples.

    Args:
        dims: The axes in their new order, where the batch axis is 0: ``(2, 1)`` transposes a matrix.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers
    >>> layers.Permute((2, 1))(layers.Input((10, 3))).shape
    (None, 3, 10)
    """

    def __init__(self, dims: Sequence[int], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(f"dims must be a permutation of the axes of a sample, counted from 1, such as (2, 1), got {dims!r}")
        self.dims = tuple(dims)

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        if indices.ndim != len(self.dims):
            raise ValueError(f"Permute({self.dims}) needs samples with {len(self.dims)} axes, got shape {indices.shape}")
        return indices.transpose([axis - 1 for axis in self.dims])

    def get_config(self) -> Config:
        return super().get_config() | {"dims": list(self.dims)}


class RepeatVector(_Gather):
    """Repeats a vector: samples ``(features,)`` become ``(n, features)``.

    Args:
        n: The number of repetitions, ≥ 1.
        options: See :class:`Layer`.
    """

    n = Integer()

    def __init__(self, n: int, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.n = n

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        self.require_vector(indices.shape)
        return np.tile(indices, (self.n, 1))


@operator
class GetItem(_Gather):
    """Selects elements of samples: the layer of ``tensor[:, 2:5]``. Keras has no such layer.

    Args:
        key: For each axis of a sample ``[start, stop, step]``, or an integer.
        options: See :class:`Layer`.
    """

    in_keras = False

    def __init__(self, key: Sequence[int | Sequence[int | None]], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if not isinstance(key, (list, tuple)):
            raise TypeError(f"key must be a list with [start, stop, step] or an integer for each axis of a sample, got {key!r}")
        self.key = [list(part) if isinstance(part, (list, tuple)) else part for part in key]

    def chosen(self, indices: np.ndarray) -> np.ndarray:
        try:
            chosen = indices[tuple(slice(*part) if isinstance(part, list) else part for part in self.key)]
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(f"[:, {self.key}] can't index samples of shape {indices.shape}: {error}") from None
        if not np.size(chosen):
            raise ValueError(f"[:, {self.key}] selects no elements of samples of shape {indices.shape}")
        return np.asarray(chosen)

    def get_config(self) -> Config:
        return super().get_config() | {"key": self.key}


class Identity(Layer):
    """Returns its input."""

    weightless = True
