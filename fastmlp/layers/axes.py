"""Axes of rows, as layers are given them: counted from the batch axis, or from behind."""

from __future__ import annotations

from typing import Any

from fastmlp._base import checks
from fastmlp._base.shapes import Shape
from fastmlp.errors import UnsupportedError


def whole_axis(axis: Any) -> int:
    """``axis`` as one integer; it may come alone in a list. The batch axis, 0, and several are errors."""
    given = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    if isinstance(given, (list, tuple, bool)) or given is None or given == 0:
        raise UnsupportedError(f"axis={axis!r} is not in fastmlp; give the last axis, -1")
    return checks.check_int("axis", given, -64)


def in_row(owner: str, axis: int, row: Shape) -> int:
    """Which axis of a row is meant, from 0."""
    place = axis - 1 if axis > 0 else axis + len(row)
    if not 0 <= place < len(row):
        raise ValueError(f"{owner}: axis={axis} is none of rows of shape {row}; the batch axis is 0")
    return place


def require_last(owner: str, axis: int, row: Shape) -> int:
    """The size of the last axis of a row; an error if another is meant."""
    if in_row(owner, axis, row) != len(row) - 1:
        raise UnsupportedError(
            f"{owner}(axis={axis!r}) is not in fastmlp for rows of shape {row}; give the last axis, -1, or put a Permute before it"
        )
    return row[-1]
