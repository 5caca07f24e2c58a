"""The shape of one row of data, in the ways users give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp._base import checks

Shape = tuple[int, ...]
"""Sizes without the batch axis."""


def row_shape(name: str, shape: Any) -> Shape:
    """The shape of one row as a tuple; one number means a vector, unknown sizes are errors."""
    if isinstance(shape, (str, bytes)) or (not isinstance(shape, Sequence) and np.ndim(shape) != 0):
        raise TypeError(f"{name} must be a tuple of integers such as (784,), got {shape!r}")
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if any(size is None for size in sizes):
        raise ValueError(f"{name}={tuple(sizes)} leaves a size open; a network needs the exact shape of a row")
    return tuple(checks.check_int(f"a size in {name}", size) for size in sizes)


def without_batch_axis(name: str, shape: Any) -> Shape:
    """The shape of one row from a shape with the batch axis in front."""
    if isinstance(shape, (str, bytes)) or not isinstance(shape, Sequence) or len(shape) < 1:
        raise TypeError(f"{name} must be a tuple with the batch axis in front such as (None, 784), got {shape!r}")
    return row_shape(name, shape[1:])


def row_of_batch(name: str, shape: Any) -> Shape:
    """The shape of one row from a shape with the batch axis in front; one of a single size is that of a row already."""
    if isinstance(shape, Sequence) and not isinstance(shape, (str, bytes)) and len(shape) == 1:
        return row_shape(name, shape)
    return without_batch_axis(name, shape)


def pop_input_shape(options: dict[str, Any]) -> Shape | None:
    """Take the shape of one row out of a layer's keyword arguments: ``input_shape``, ``input_dim`` or ``batch_input_shape``."""
    asked = {name: options.pop(name, None) for name in ("input_shape", "input_dim", "batch_input_shape")}
    given = {name: value for name, value in asked.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"give one of {' and '.join(given)}, not both")
    for name, value in given.items():
        if name == "input_dim":
            return (checks.check_int(name, value),)
        return without_batch_axis(name, value) if name == "batch_input_shape" else row_shape(name, value)
    return None
