"""Shapes of samples, and the forms in which users pass them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from fastmlp._base import checks

Shape: TypeAlias = tuple[int, ...]
"""The shape of one sample: sizes without the batch axis."""
BatchShape: TypeAlias = tuple[int | None, ...]
"""The shape of a batch, whose first axis is None: any number of samples."""

ShapeLike: TypeAlias = int | Sequence[int]
"""The shape of a sample as users pass it; an integer is the size of a vector."""
BatchShapeLike: TypeAlias = int | Sequence[int | None] | Sequence[Sequence[int | None]]
"""The shape of a batch as users pass it; a list of shapes for several inputs."""


def row_shape(name: str, shape: Any) -> Shape:
    """The shape of one sample as a tuple.

    Args:
        name: The argument's name, for messages.
        shape: A sequence of sizes, or one size for a vector.

    Raises:
        TypeError: It is neither.
        ValueError: A size is unknown or not positive.
    """
    if isinstance(shape, (str, bytes)) or (not isinstance(shape, Sequence) and np.ndim(shape) != 0):
        raise TypeError(f"{name} must be a tuple of integers such as (784,), got {shape!r}")
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if any(size is None for size in sizes):
        raise ValueError(f"{name}={tuple(sizes)} has an unknown size; a network needs the exact shape of a sample")
    return tuple(checks.check_int(f"a size in {name}", size) for size in sizes)


def without_batch_axis(name: str, shape: Any) -> Shape:
    """The shape of one sample, from a shape with the batch axis in front; errors as :func:`row_shape` raises them."""
    if isinstance(shape, (str, bytes)) or not isinstance(shape, Sequence) or len(shape) < 1:
        raise TypeError(f"{name} must be a tuple with the batch axis in front such as (None, 784), got {shape!r}")
    return row_shape(name, shape[1:])


def row_of_batch(name: str, shape: Any) -> Shape:
    """The shape of one sample, from a shape with the batch axis in front; a shape with a single size already is that of a sample."""
    if isinstance(shape, Sequence) and not isinstance(shape, (str, bytes)) and len(shape) == 1:
        return row_shape(name, shape)
    return without_batch_axis(name, shape)


def batch_axis(shape: Any) -> BatchShape:
    """The batch axis of a shape, ``(None,)`` or ``(size,)``; ``()`` if the shape has a single size and so is that of a sample."""
    return tuple(shape[:1]) if len(shape) > 1 else ()


_SHAPES = ("input_shape", "input_dim", "batch_input_shape")


def pop_input_shape(options: dict[str, Any]) -> Shape | None:
    """Remove the shape of a sample from a layer's keyword arguments: ``input_shape``, ``input_dim`` or ``batch_input_shape``."""
    if options.keys().isdisjoint(_SHAPES):
        return None
    values = {name: options.pop(name, None) for name in _SHAPES}
    given = {name: value for name, value in values.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} mean the same; pass only one of them")
    for name, value in given.items():
        if name == "input_dim":
            return (checks.check_int(name, value),)
        return without_batch_axis(name, value) if name == "batch_input_shape" else row_shape(name, value)
    return None
