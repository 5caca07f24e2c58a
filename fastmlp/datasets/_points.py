"""What the generated data sets share: checking their arguments, labelling their points, and holding out a test set."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Labelled", "check_count", "check_noise", "check_seed", "hold_out", "label"]

Labelled: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
"""``(x, y)``: float32 points ``(rows, 2)`` and int64 class indices ``(rows,)``."""


def check_count(name: str, value: int, least: int) -> int:
    """``value`` as an int, if it is an integer and at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def check_noise(value: float) -> float:
    """``value`` as a float, if it can be a standard deviation."""
    try:
        number = math.fsum([value])  # takes numbers only; float() would take strings
    except TypeError:
        raise TypeError(f"noise must be a number, got {value!r}") from None
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"noise is a standard deviation: it must be finite and not negative, got {number}")
    return number


def check_seed(value: int | None) -> int | None:
    """``value``, if it is None or an integer a random generator accepts."""
    return None if value is None else check_count("seed", value, 0)


def label(clouds: Sequence[NDArray[np.float64]], rng: np.random.Generator) -> Labelled:
    """Joins the clouds ``(points, 2)``, labels the points of cloud ``k`` with ``k``, and shuffles the rows."""
    x = np.concatenate(clouds).astype(np.float32)
    y = np.repeat(np.arange(len(clouds), dtype=np.int64), [len(cloud) for cloud in clouds])
    order = rng.permutation(len(y))
    return x[order], y[order]


def hold_out(data: Labelled, test_fraction: float, seed: int | None) -> tuple[Labelled, Labelled]:
    """Splits ``(x, y)`` into train and test so that each class gives the same fraction of its points to the test set."""
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie between 0 and 1, both excluded, got {test_fraction}")
    x, y = data
    # A stream of its own: the one of `seed` has already drawn the points.
    rng = np.random.default_rng(None if seed is None else [seed, 1])
    held = np.zeros(len(y), dtype=bool)
    for k in np.unique(y):
        rows = np.flatnonzero(y == k)
        count = round(len(rows) * test_fraction)
        if not 0 < count < len(rows):
            raise ValueError(
                f"test_fraction={test_fraction} of {len(rows)} points per class leaves {count} for the test set and {len(rows) - count} to "
                "train on; both need at least one: ask for more points or another fraction"
            )
        held[rng.choice(rows, size=count, replace=False)] = True
    return (x[~held], y[~held]), (x[held], y[held])
