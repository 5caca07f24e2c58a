"""Splits off validation samples, and warns if their distribution differs from that of the training samples, as for sorted data.

The probability that a test warns about randomly ordered data is at most :data:`CHANCE`. Only large differences are reported, so that data
with a slight trend does not cause warnings either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._base.numeric import quiet
from fastmlp._data.batch_sampler import Samples
from fastmlp._data.conversion import blocks
from fastmlp._engine.spec import SparseRows
from fastmlp._training.objective import ResolvedObjective
from fastmlp.errors import UnsupportedError

__all__ = ["split", "unpack_validation"]

CHANCE = 1e-6
"""Maximum probability of a warning about randomly ordered data, for each test."""
ORDER_CHANCE = 1e-4
"""The same for the test of whether all classes or targets are sorted, which is only used in combination with other conditions."""
GROSS_SHARE = 0.2
"""Minimum total variation distance between two class distributions for a warning."""
GROSS_RANGE = 0.5
"""Minimum Kolmogorov–Smirnov distance between two distributions of numeric targets for a warning."""
MAX_VALUES = 4096
"""Maximum number of samples of each set for comparing numeric values."""
MAX_FEATURES = 256
"""Maximum number of features that are compared."""
MANY_CLASSES = 1 << 16
"""Integer class labels below this, plus the number of samples, are counted directly; others are counted by rank."""


def split(samples: Samples, share: float, objective: ResolvedObjective, names: Sequence[str] | None = None) -> tuple[Samples, Samples]:
    """The training samples, and the last ``share`` of the samples for validation; warns if the two differ greatly.

    Args:
        samples: All samples.
        share: The fraction of them to validate on.
        objective: The losses that the targets are for.
        names: The names of the features, where they are known.
    """
    point = split_point(len(samples), share)
    train, validated = samples.part(0, point), samples.part(point, len(samples))
    with quiet():
        finding = next(_findings(train, validated, objective, names), None)
    if finding is not None:
        checks.warn(
            f"validation_split takes the last {len(validated)} of {len(samples)} samples, and {finding}; shuffle x and y together "
            "before fit (utils.split_dataset(..., shuffle=True)), or pass the validation samples as validation_data"
        )
    return train, validated


def split_point(samples: int, validation_split: float) -> int:
    """The number of training samples; the rest are for validation."""
    share = checks.check_float("validation_split", validation_split, 0.0, below=1.0)
    point = math.floor(samples * (1 - share))
    if point == 0 or point == samples:
        side = "train" if point == 0 else "validate"
        raise ValueError(
            f"validation_split={share:g} of {samples} samples leaves none to {side} on; pass more samples or another validation_split"
        )
    return point


def unpack_validation(data: object) -> tuple[Any, Any, Any]:
    """``validation_data`` as (x, y, sample_weight or None)."""
    if not isinstance(data, (tuple, list)):
        raise UnsupportedError(f"validation_data must be (x, y) or (x, y, sample_weight), got {type(data).__name__}")
    if len(data) not in (2, 3):
        raise ValueError(f"validation_data must be (x, y) or (x, y, sample_weight), got {len(data)} parts")
    x, y, *weight = data
    return x, y, weight[0] if weight else None


def _findings(train: Samples, validated: Samples, objective: ResolvedObjective, names: Sequence[str] | None) -> Iterator[str]:
    """Descriptions of large differences, the most informative first."""
    for columns in objective.columns:
        ours, theirs = (columns.of_targets(y) for y in (train.y, validated.y))
        yield from _of_targets(*((y[:, 0] if columns.labels else y) for y in (ours, theirs)))
    if not isinstance(train.x, SparseRows) and not isinstance(validated.x, SparseRows):
        yield from _of_features(train.x, validated.x, names)


def _of_targets(train: np.ndarray, validated: np.ndarray) -> Iterator[str]:
    """Differences between the targets of one output, which are class labels, one-hot classes, or several columns."""
    if train.ndim == 1:
        number, names = _numbering(train, validated)
        yield from _of_classes(_Classes(train, number), _Classes(validated, number), names=names)
    elif train.shape[1] > 1 and all(_is_one_hot(part) for y in (train, validated) for _, part in blocks(y)):
        yield from _of_classes(_Classes(train, _hot), _Classes(validated, _hot))
    else:
        for at in range(train.shape[1]):
            ours, theirs = train[:, at], validated[:, at]
            where = "" if train.shape[1] == 1 else f"in column {at} of y "
            low, high = float(min(ours.min(), theirs.min())), float(max(ours.max(), theirs.max()))
            if all(((part == low) | (part == high)).all() for y in (ours, theirs) for _, part in blocks(y)):  # binary
                yes = partial(np.equal, high)
                yield from _of_classes(_Classes(ours, yes), _Classes(theirs, yes), where, (low, high))
            else:
                yield from _of_numbers(ours, theirs, where)


def _numbering(train: np.ndarray, validated: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray | None]:
    """How to count labels: directly, or by rank if some are negative or very large; in that case, also the labels by rank."""
    if min(train.min(), validated.min()) >= 0 and max(train.max(), validated.max()) < len(train) + len(validated) + MANY_CLASSES:
        return _labels, None
    kinds = np.union1d(train, validated)
    return lambda y: np.asarray(np.searchsorted(kinds, y)), kinds


def _labels(y: np.ndarray) -> np.ndarray:
    return y.astype(np.int32, copy=False)


def _hot(y: np.ndarray) -> np.ndarray:
    return y.argmax(axis=1)


def _is_one_hot(y: np.ndarray) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


class _Classes:
    """Counts of each class, and of changes of class between consecutive samples.

    Args:
        y: The targets.
        number: Converts targets to integer class labels.
    """

    def __init__(self, y: np.ndarray, number: Callable[[np.ndarray], np.ndarray]) -> None:
        self.counts = np.zeros(0, np.int64)
        self.changes = 0
        self.first, self.last = (number(y[end])[0] for end in (slice(0, 1), slice(-1, None)))
        before = self.first
        for _, part in blocks(y):
            numbers = number(part)
            self.changes += int(np.count_nonzero(numbers[1:] != numbers[:-1])) + bool(numbers[0] != before)
            before = numbers[-1]
            counts = np.bincount(numbers, minlength=len(self.counts))
            counts[: len(self.counts)] += self.counts
            self.counts = counts


def _of_classes(train: _Classes, validated: _Classes, where: str = "", names: Sequence[float] | np.ndarray | None = None) -> Iterator[str]:
    """Differences between two sets of class labels."""
    kinds = max(len(train.counts), len(validated.counts))
    ours, theirs = (np.pad(part.counts, (0, kinds - len(part.counts))) for part in (train, validated))
    n, m, total = int(ours.sum()), int(theirs.sum()), ours + theirs
    used = total[total > 0]
    log_orders = sum(map(_log_factorial, used)) + _log_factorial(len(used)) - _log_factorial(n + m)
    in_order = train.changes + validated.changes + (train.last != validated.first) == len(used) - 1
    by_order = in_order and log_orders < math.log(ORDER_CHANCE)

    def listed(classes: np.ndarray) -> str:
        called = [f"{k}" if names is None else f"{names[k]:g}" for k in classes[:10]]
        return ", ".join(called) + (", ..." if len(classes) > 10 else "")

    unseen = np.flatnonzero(ours < np.minimum(theirs, 1))
    if unseen.size:
        yield f"{where}these have classes the training samples lack: {listed(unseen)}"
    limit = math.log(CHANCE / len(used))
    missing = np.array(
        [k for k in np.flatnonzero(theirs < np.minimum(ours, 1)) if by_order or _log_chance_without(n, m, int(total[k])) < limit]
    )
    if missing.size:
        yield f"{where}these have no class {listed(missing)}, as {ours[missing].sum() / n:.0%} of the training samples do"
    difference = theirs / m - ours / n
    by_chance = math.sqrt(1 / n + 1 / m) * (math.sqrt(len(used)) + math.sqrt(-2 * math.log(CHANCE))) / 2
    if np.abs(difference).sum() / 2 > max(GROSS_SHARE, 0 if by_order else by_chance):
        k = int(np.abs(difference).argmax())
        yield f"{where}class {listed(np.array([k]))} is {theirs[k] / m:.0%} of them, but {ours[k] / n:.0%} of the training samples"


def _of_numbers(train: np.ndarray, validated: np.ndarray, where: str) -> Iterator[str]:
    """Differences between two sets of numeric targets."""
    ours, theirs = np.sort(_some(train)), np.sort(_some(validated))
    n, m, middle = len(ours), len(theirs), ours[len(ours) // 2]
    distance = max(_distance(ours, theirs), _distance(np.sort(np.abs(ours - middle)), np.sort(np.abs(theirs - middle))))
    if distance < GROSS_RANGE:
        return
    steps = np.diff(np.concatenate([_some(train), _some(validated)]))
    in_order = (steps >= 0).all() or (steps <= 0).all()
    ties = np.unique(np.concatenate([ours, theirs]), return_counts=True)[1]
    log_orders = math.log(2) + sum(map(_log_factorial, ties)) - _log_factorial(n + m)
    apart = ours[-1] < theirs[0] or theirs[-1] < ours[0]
    log_chance = min(1 - 2 * distance**2 * n * m / (n + m), _log_chance_apart(n, m) if apart else 0)
    if log_chance < math.log(CHANCE) or (in_order and log_orders < math.log(ORDER_CHANCE)):
        yield f"{where}their targets are {_range(theirs)}, those of the training samples {_range(ours)}"


def _of_features(train: np.ndarray, validated: np.ndarray, names: Sequence[str] | None) -> Iterator[str]:
    """The first feature whose ranges in the two sets do not overlap, as if the samples were sorted by it."""
    ours, theirs = _some(train)[:, :MAX_FEATURES], _some(validated)[:, :MAX_FEATURES]
    apart = np.flatnonzero((ours.max(axis=0) < theirs.min(axis=0)) | (theirs.max(axis=0) < ours.min(axis=0)))
    if apart.size and _log_chance_apart(len(ours), len(theirs)) < math.log(CHANCE / ours.shape[1]):
        at = int(apart[0])
        feature = repr(names[at]) if names else at
        yield f"in feature {feature} of x they have {_range(np.sort(theirs[:, at]))}, the training samples {_range(np.sort(ours[:, at]))}"


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Kolmogorov–Smirnov distance: the maximum difference between the distribution functions of two sorted samples."""
    values = np.concatenate([a, b])
    return float(np.abs(np.searchsorted(a, values, "right") / len(a) - np.searchsorted(b, values, "right") / len(b)).max())


def _some(values: np.ndarray) -> np.ndarray:
    """At most :data:`MAX_VALUES` evenly spaced samples, including the first and the last."""
    return values if len(values) <= MAX_VALUES else values[np.linspace(0, len(values) - 1, MAX_VALUES).astype(np.int64)]


def _range(ordered: np.ndarray) -> str:
    return f"{ordered[0]:.4g} ... {ordered[-1]:.4g} (median {ordered[len(ordered) // 2]:.4g})"


def _log_factorial(n: int) -> float:
    return math.lgamma(n + 1)


def _log_chance_apart(n: int, m: int) -> float:
    """Logarithm of the probability that ``m`` values drawn from ``n + m`` are all the largest, or all the smallest."""
    return math.log(2) + _log_factorial(n) + _log_factorial(m) - _log_factorial(n + m)


def _log_chance_without(n: int, m: int, count: int) -> float:
    """Logarithm of the probability that ``m`` samples drawn from ``n + m`` contain none of the ``count`` samples of a class."""
    return _log_factorial(n) + _log_factorial(n + m - count) - _log_factorial(n - count) - _log_factorial(n + m)
