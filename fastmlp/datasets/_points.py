"""Helpers of the generated data sets: argument checks, labels, and the split into training and test set."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Labelled", "check_count", "check_noise", "check_seed", "label", "split"]

Labelled: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
"""``(x, y)``: float32 points ``(samples, 2)`` and int64 class labels ``(samples,)``."""


def check_count(name: str, value: int, minimum: int) -> int:
    """``value`` as an int, if it is an integer ≥ ``minimum``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer ≥ {minimum}, got {value!r}") from None
    if number < minimum:
        raise ValueError(f"{name} must be an integer ≥ {minimum}, got {number}")
    return number


def check_noise(value: float) -> float:
    """``value`` as a float, if it is a valid standard deviation."""
    try:
        number = math.fsum([value])  # takes numbers only; float() would take strings
    except TypeError:
        raise TypeError(f"noise must be a number, got {value!r}") from None
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"noise, a standard deviation, must be finite and ≥ 0, got {number}")
    return number


def check_seed(value: int | None) -> int | None:
    """``value``, if it is None or an integer ≥ 0."""
    return None if value is None else check_count("seed", value, 0)


def label(clusters: Sequence[NDArray[np.float64]], rng: np.random.Generator) -> Labelled:
    """Concatenates the clusters ``(points, 2)``, labels the points of cluster ``k`` with ``k``, and shuffles the samples."""
    x = np.concatenate(clusters).astype(np.float32)
    y = np.repeat(np.arange(len(clusters), dtype=np.int64), [len(cluster) for cluster in clusters])
    order = rng.permutation(len(y))
    return x[order], y[order]


def split(data: Labelled, test_fraction: float, seed: int | None) -> tuple[Labelled, Labelled]:
    """Splits ``(x, y)`` into training and test set, with the same fraction of each class in the test set."""
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must be > 0 and < 1, got {test_fraction}")
    x, y = data
    # A separate stream: that of `seed` has already drawn the points.
    rng = np.random.default_rng(None if seed is None else [seed, 1])
    in_test = np.zeros(len(y), dtype=bool)
    for k in np.unique(y):
        indices = np.flatnonzero(y == k)
        count = round(len(indices) * test_fraction)
        if not 0 < count < len(indices):
            raise ValueError(
                f"test_fraction={test_fraction} of {len(indices)} points per class puts {count} into the test set and "
                f"{len(indices) - count} into the training set; both need at least one: increase points_per_class or change test_fraction"
            )
        in_test[rng.choice(indices, size=count, replace=False)] = True
    return (x[~in_test], y[~in_test]), (x[in_test], y[in_test])
