"""The bins of numbers in piecewise linear encodings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.numeric import quiet

__all__ = ["checked_edges", "edges_of"]

_FLOAT32 = np.finfo(np.float32)


def edges_of(values: NDArray[np.floating], bins: int) -> tuple[float, ...]:
    """The edges of at most ``bins`` bins of a feature, which are some of its values, ascending; none if it is constant.

    If there are at most ``bins + 1`` distinct values, they are the edges. Otherwise the bins have equal shares of a distribution halfway
    between that of the values and that of the distinct values, in which no value has more than the share of a bin. So a value that many
    samples have, such as 0, takes no bins from the others, and neither do a few outliers take them from the bulk.

    Args:
        values: One number for each sample; NaN and infinities are ignored.
        bins: The maximum number of bins, ≥ 1.
    """
    limit = _FLOAT32.max / 2  # so that no bin is too wide for float32
    distinct, counts = np.unique(np.clip(values[np.isfinite(values)], -limit, limit).astype(np.float32), return_counts=True)
    if distinct.size > bins + 1:
        shares = np.minimum(counts / counts.sum() + 1 / distinct.size, 2 / bins).cumsum()
        places = shares.searchsorted(np.linspace(0, shares[-1], bins + 1)[1:-1])
        distinct = distinct[np.unique([0, *places, distinct.size - 1])]
    edges = distinct[np.diff(distinct, prepend=-np.inf) >= _FLOAT32.tiny]
    return tuple(edges.tolist()) if edges.size > 1 else ()


def checked_edges(name: str, given: Any) -> tuple[float, ...]:
    """Edges that an engine can use, rounded to float32; a TypeError or ValueError if they are none."""
    try:
        with quiet():
            edges = np.asarray(given, np.float64).astype(np.float32)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a list of numbers, got {given!r:.80}") from None
    with quiet():
        widths = np.diff(edges) if edges.ndim == 1 else np.zeros(1)
    if edges.ndim != 1 or edges.size == 1 or not ((widths >= _FLOAT32.tiny) & (widths <= _FLOAT32.max)).all():
        raise ValueError(f"{name} must be at least two ascending numbers that differ in float32, or none, got {given!r:.80}")
    return tuple(edges.tolist())
