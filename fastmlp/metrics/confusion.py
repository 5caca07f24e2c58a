"""Metrics that count: true and false positives and negatives at one or many thresholds, and what is made of the counts.

Rows are sorted into the gaps between the thresholds once; a count at a threshold is the sum of the gaps above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastmlp._base import checks
from fastmlp.metrics.base import END_IN_PROBABILITIES, RowMetric, by_element, divide, from_json, in_order, plain, to_json

EPSILON = 1e-7
LOWEST = -1e10
"""The prediction of a class that is not among the top k; also the threshold that only such do not pass."""

__all__ = ["F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"]


class Counts:
    """How many targets of either kind have predictions in each gap between thresholds.

    Args:
        thresholds: Ascending or not; a prediction strictly above one passes it.
        columns: Counted apart; 1 to count all columns of a row together.
    """

    def __init__(self, thresholds: Sequence[float], columns: int = 1) -> None:
        self.thresholds = np.asarray(thresholds, np.float32)
        size = len(thresholds)
        self._even = size > 2 and np.allclose(self.thresholds, np.arange(size, dtype=np.float32) / (size - 1), atol=EPSILON)
        self._lowest_gap = int(self._even and (thresholds[0] < 0 or thresholds[-1] > 1))
        self._columns = columns
        self._gaps = np.zeros((2, (size + 1) * columns))

    def add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        """Count rows; y and p: ``(rows, columns)``, weight: the same shape or None."""
        gap = self._gap(np.nan_to_num(p, nan=0.0, posinf=np.inf, neginf=-np.inf))
        if self._columns > 1:
            gap = gap * self._columns + np.arange(self._columns)
        positive = y != 0
        for kind, chosen in enumerate((positive, ~positive)):
            if weight is None:
                self._gaps[kind] += np.bincount(gap[chosen], minlength=self._gaps.shape[1])
            else:
                np.add.at(self._gaps[kind], gap[chosen], weight[chosen].astype(np.float64))

    def _gap(self, p: np.ndarray) -> np.ndarray:
        """How many thresholds each prediction passes."""
        if not self._even:
            return np.searchsorted(np.sort(self.thresholds), p, side="left")
        gap = np.ceil(np.clip(p, 0, 1) * np.float32(len(self.thresholds) - 1)).astype(np.intp)  # rounded as Keras rounds it
        return np.maximum(gap, self._lowest_gap, out=gap)

    def at_thresholds(self) -> dict[str, np.ndarray]:
        """``tp``, ``fp``, ``tn`` and ``fn`` for each threshold, ``(thresholds,)``; with several columns ``(thresholds, columns)``."""
        gaps = self._gaps.reshape(2, len(self.thresholds) + 1, self._columns)
        passed = np.flip(np.cumsum(np.flip(gaps, 1), 1), 1)[:, 1:]
        if not self._even:
            passed = passed[:, np.argsort(np.argsort(self.thresholds, kind="stable"), kind="stable")]
        failed = gaps.sum(axis=1, keepdims=True) - passed
        parts = {"tp": passed[0], "fp": passed[1], "fn": failed[0], "tn": failed[1]}
        return parts if self._columns > 1 else {name: part[:, 0] for name, part in parts.items()}

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return to_json(self._gaps)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self._gaps = from_json(state)


class _Thresholded(RowMetric):
    """The base of what is counted at given thresholds."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None, default: float = 0.5) -> None:
        self.thresholds = _checked_thresholds(default if thresholds is None else thresholds, default)
        self._given = thresholds
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        self._counts = Counts(self.thresholds)

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        self._counts.add(y, p, by_element(weight, p))

    def _fit_state(self) -> dict[str, Any]:
        return {"counts": self._counts.state()}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self._counts.restore(state["counts"])

    def advice_for_scores(self) -> str | None:
        return f"give {type(self).__name__}(thresholds=0)" if any(0 < value < 1 for value in self.thresholds) else None

    def _single(self, values: np.ndarray) -> Any:
        return plain(values[0] if len(self.thresholds) == 1 else values)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "thresholds": self._given}


def _checked_thresholds(given: Any, default: float) -> list[float]:
    listed = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    if not listed:
        raise ValueError("thresholds is empty; give a number from 0 to 1, or several")
    return [value if value == default else checks.check_float("a threshold", value, 0.0, 1.0) for value in listed]


class _Count(_Thresholded):
    count: ClassVar[str]

    def result(self) -> Any:
        return self._single(self._counts.at_thresholds()[self.count])


class TruePositives(_Count):
    """The number of ones that are predicted above the threshold.

    Args:
        thresholds: A number from 0 to 1, 0.5 unless told, or several, for as many values.
        name: See :class:`Metric`.
    """

    count = "tp"


class TrueNegatives(_Count):
    """The number of zeros that are not predicted above the threshold; see :class:`TruePositives`."""

    count = "tn"


class FalsePositives(_Count):
    """The number of zeros that are predicted above the threshold; see :class:`TruePositives`."""

    count = "fp"


class FalseNegatives(_Count):
    """The number of ones that are not predicted above the threshold; see :class:`TruePositives`."""

    count = "fn"


class _Ratio(_Thresholded):
    """tp / (tp + another count)."""

    higher_is_better = True
    other: ClassVar[str]

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        self.top_k = None if top_k is None else checks.check_int("top_k", top_k)
        self.class_id = None if class_id is None else checks.check_int("class_id", class_id, 0)
        super().__init__(thresholds, name, dtype, 0.5 if top_k is None else LOWEST)

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if self.top_k is not None:
            if self.top_k > p.shape[1]:
                raise ValueError(f"{self.name}: top_k is {self.top_k}, but there are {p.shape[1]} outputs")
            top = np.argsort(-p, axis=1, kind="stable")[:, : self.top_k]
            kept = np.full_like(p, LOWEST)
            np.put_along_axis(kept, top, np.take_along_axis(p, top, axis=1), axis=1)
            p = kept
        super()._add(*of_class(self.name, self.class_id, y, p, by_element(weight, p)))

    def result(self) -> Any:
        counts = self._counts.at_thresholds()
        return self._single(divide(counts["tp"], counts["tp"] + counts[self.other]))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "thresholds": self._given, "top_k": self.top_k, "class_id": self.class_id}


def of_class(
    name: str, number: int | None, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The column of one output of targets, predictions and weights of elements; all of them for None."""
    if number is None:
        return y, p, weight
    if number >= p.shape[1]:
        raise ValueError(f"{name}: class_id is {number}, but outputs go from 0 to {p.shape[1] - 1}")
    column = slice(number, number + 1)
    return y[:, column], p[:, column], None if weight is None else weight[:, column]


class Precision(_Ratio):
    """Of the predictions above the threshold, the share that is right: tp / (tp + fp), 0 if there are none.

    Args:
        thresholds: A number from 0 to 1, 0.5 unless told, or several, for as many values.
        top_k: Count only the ``k`` largest predictions of a row as positive, and all of them unless there are thresholds.
        class_id: Look at this output alone.
        name: See :class:`Metric`.

    Example:

    >>> from fastmlp import metrics
    >>> metrics.Precision()([0, 1, 1, 1], [0.6, 0.9, 0.4, 0.7], sample_weight=[2, 1, 1, 1])
    0.5
    """

    other = "fp"


class Recall(_Ratio):
    """Of the ones, the share that is predicted above the threshold: tp / (tp + fn), 0 if there are none.

    Args:
        thresholds: See :class:`Precision`.
        top_k: See :class:`Precision`.
        class_id: See :class:`Precision`.
        name: See :class:`Metric`.
    """

    other = "fn"


class FBetaScore(RowMetric):
    """The harmonic mean of precision and recall, recall counting β times as much, for each output.

    Args:
        average: None for one score per output; ``"micro"`` to count all outputs together, ``"macro"`` for the mean of the scores,
            ``"weighted"`` for the mean weighted by how often each output is 1.
        beta: Above 0.
        threshold: A prediction strictly above is positive; without one, a row's largest is.
        name: See :class:`Metric`.
    """

    higher_is_better = True

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"average must be 'micro', 'macro', 'weighted' or None, got {average!r}")
        self.beta = checks.check_float("beta", beta, 0.0)
        self.threshold = None if threshold is None else checks.check_float("threshold", threshold, 0.0, 1.0)
        if self.beta == 0 or self.threshold == 0:
            raise ValueError(f"{'beta' if self.beta == 0 else 'threshold'} must be above 0")
        self.average = average
        super().__init__(name, dtype)

    def advice_for_scores(self) -> str | None:
        return None if self.threshold is None else END_IN_PROBABILITIES

    def reset_state(self) -> None:
        self._sums: Any = 0.0

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        largest = (p >= p.max(axis=1, keepdims=True)) & (np.abs(p) > 1e-9)
        positive = largest if self.threshold is None else p > self.threshold
        terms = np.stack([positive * y, positive * (1 - y), ~positive * y], axis=1).astype(np.float64)
        weights = by_element(weight, p)
        self._sums = in_order(self._sums, terms if weights is None else terms * weights[:, None])

    def _fit_state(self) -> dict[str, Any]:
        return {"sums": to_json(self._sums)}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self._sums = from_json(state["sums"])

    def result(self) -> Any:
        if np.ndim(self._sums) == 0:
            return 0.0
        tp, fp, fn = self._sums.sum(axis=1) if self.average == "micro" else self._sums
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        scores = precision * recall / (self.beta**2 * precision + recall + EPSILON) * (1 + self.beta**2)
        if self.average == "weighted":
            scores = (scores * (tp + fn) / ((tp + fn).sum() + EPSILON)).sum()
        elif self.average is not None:
            scores = np.mean(scores)
        return plain(scores)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """:class:`FBetaScore` with β = 1: the harmonic mean of precision and recall.

    Args:
        average: See :class:`FBetaScore`.
        threshold: See :class:`FBetaScore`.
        name: See :class:`Metric`.
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score", dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "average": self.average, "threshold": self.threshold}
