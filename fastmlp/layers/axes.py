"""Axes as arguments of layers: counted from the batch axis, 0, or from the end, -1."""

from __future__ import annotations

from fastmlp._base import checks
from fastmlp._base.shapes import Shape
from fastmlp.errors import UnsupportedError


def single_axis(axis: object) -> int:
    """``axis``, an integer or a list of one, as an integer; the batch axis, 0, and several axes are errors."""
    given = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    if isinstance(given, (list, tuple, bool)) or given is None or given == 0:
        raise UnsupportedError(f"axis={axis!r} is not in fastmlp; use the last axis, -1")
    return checks.check_int("axis", given, -64)


def in_row(owner: str, axis: int, row: Shape) -> int:
    """The index of ``axis`` in the shape of a sample."""
    place = axis - 1 if axis > 0 else axis + len(row)
    if not 0 <= place < len(row):
        raise ValueError(f"{owner}: samples of shape {row} have no axis {axis}; the batch axis is 0")
    return place


def require_last(owner: str, axis: int, row: Shape) -> int:
    """The size of the last axis of a sample; an error if ``axis`` is another one."""
    if in_row(owner, axis, row) != len(row) - 1:
        raise UnsupportedError(
            f"{owner}(axis={axis!r}) is not in fastmlp for samples of shape {row}; use the last axis, -1, or put a Permute before it"
        )
    return row[-1]
