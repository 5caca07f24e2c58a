"""The types of values in a program: a dtype and a shape, whose first axis may be the samples of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

__all__ = [
    "DTYPES",
    "FLOAT",
    "MAX_ELEMENTS",
    "Shape",
    "Type",
    "batched",
    "broadcast",
    "check_size",
    "concrete",
    "elements",
    "shown",
    "type_of",
]

Shape: TypeAlias = tuple[int, ...]
"""Sizes of axes. Only the first may be negative: −m stands for m times the number of samples of a batch."""

FLOAT = "float32"
DTYPES = {FLOAT: np.dtype(np.float32), "int32": np.dtype(np.int32), "bool": np.dtype(np.bool_)}
_OF_KIND = {"f": FLOAT, "i": "int32", "u": "int32", "b": "bool"}

MAX_ELEMENTS = 1 << 20
"""The maximum number of elements of a value, for each sample."""
MAX_AXES = 8


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value in a program."""

    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype}{shown(self.shape)}".replace("None", "batch")


def type_of(array: np.ndarray) -> Type:
    """The type of an array, of whatever precision, as a constant."""
    kind = _OF_KIND.get(array.dtype.kind)
    if kind is None:
        raise TypeError(f"arrays must hold real numbers or booleans, got dtype {array.dtype}")
    return Type(kind, array.shape)


def batched(shape: Shape) -> bool:
    """Whether the first axis is the samples of a batch."""
    return bool(shape) and shape[0] < 0


def shown(shape: Shape) -> tuple[int | None, ...]:
    """The shape as users see it, with None for the batch axis."""
    return tuple(None if size < 0 else size for size in shape)


def elements(shape: Shape) -> int:
    """The number of elements, for each sample."""
    return abs(math.prod(shape))


def concrete(shape: Shape, samples: int) -> tuple[int, ...]:
    """The shape for a batch of this many samples."""
    return tuple(-size * samples if size < 0 else size for size in shape)


def check_size(shape: Sequence[int]) -> Shape:
    """The shape, if its axes and elements are within the limits.

    Raises:
        ValueError: They are not, or an axis other than the first is that of the batch.
    """
    if len(shape) > MAX_AXES:
        raise ValueError(f"values may have at most {MAX_AXES} axes, got {len(shape)}")
    if any(size < 0 for size in shape[1:]):
        raise ValueError(f"the batch axis must be the first one, got shape {shown(tuple(shape))}")
    if elements(tuple(shape)) > MAX_ELEMENTS or any(abs(size) > MAX_ELEMENTS for size in shape):
        raise ValueError(f"a value of shape {shown(tuple(shape))} is too large: the limit is {MAX_ELEMENTS} elements per sample")
    return tuple(shape)


def broadcast(*shapes: Shape) -> Shape:
    """The shape of the result of an elementwise operation, by NumPy's rules.

    Raises:
        ValueError: The shapes do not fit, or an axis of another kind stands against the batch axis.
    """
    distinct = {shape for shape in shapes if shape}
    if len(distinct) == 1:
        return distinct.pop()
    result: list[int] = []
    rank = max(map(len, shapes), default=0)
    for axis in range(rank):
        sizes = {shape[axis - rank] for shape in shapes if len(shape) >= rank - axis}
        large = sizes - {1}
        if len(large) > 1:
            what = "the shapes " + " and ".join(str(shown(shape)) for shape in shapes)
            if any(size < 0 for size in large):
                raise ValueError(
                    f"{what} do not fit: the batch axis stands against an axis of another size; reduce with keepdims=True, or use "
                    "expand_dims"
                )
            raise ValueError(f"{what} do not fit together")
        result.append(large.pop() if large else 1)
    if any(batched(shape) and len(shape) < rank for shape in shapes):
        what = " and ".join(str(shown(shape)) for shape in shapes)
        raise ValueError(f"in the shapes {what}, the batch axis stands against another axis; reduce with keepdims=True, or use expand_dims")
    return check_size(result)
