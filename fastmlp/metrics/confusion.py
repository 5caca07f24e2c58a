"""Metrics of the confusion matrix: true and false positives and negatives at one or more thresholds, and ratios of them.

Predictions are binned into the intervals between the thresholds once; the count at a threshold is the sum of the bins above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from fastmlp._base import checks
from fastmlp._base.arguments import Choice, Integer, Real
from fastmlp._base.configs import Config, StoredConfig
from fastmlp.metrics.base import END_IN_PROBABILITIES, SampleMetric, by_element, divide, from_json, ordered_sum, plain, to_json

EPSILON = 1e-7
LOWEST = -1e10
"""The prediction of a class that is not among the top k; also the threshold that all other predictions exceed."""

__all__ = ["F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"]


Thresholds: TypeAlias = float | Sequence[float] | np.ndarray | None
"""One or more thresholds; None for the default."""


class Counts:
    """Counts of positive and negative targets whose predictions lie in each interval between thresholds.

    Args:
        thresholds: In any order; a prediction passes a threshold if it is strictly above.
        columns: The number of outputs to count separately; 1 to count all outputs together.
    """

    def __init__(self, thresholds: Sequence[float], columns: int = 1) -> None:
        self.thresholds = np.asarray(thresholds, np.float32)
        size = len(thresholds)
        self._even = size > 2 and np.allclose(self.thresholds, np.arange(size, dtype=np.float32) / (size - 1), atol=EPSILON)
        self._lowest_gap = int(self._even and (thresholds[0] < 0 or thresholds[-1] > 1))
        self._columns = columns
        self._gaps = np.zeros((2, (size + 1) * columns))

    def add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        """Counts samples; y and p: ``(samples, outputs)``, weight: the same shape or None."""
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
        """The number of thresholds each prediction passes."""
        if not self._even:
            return np.searchsorted(np.sort(self.thresholds), p, side="left")
        gap = np.ceil(np.clip(p, 0, 1) * np.float32(len(self.thresholds) - 1)).astype(np.intp)  # rounded as in Keras
        return np.maximum(gap, self._lowest_gap, out=gap)

    def at_thresholds(self) -> dict[str, np.ndarray]:
        """``tp``, ``fp``, ``tn`` and ``fn`` at each threshold, ``(thresholds,)``; with several columns ``(thresholds, columns)``."""
        gaps = self._gaps.reshape(2, len(self.thresholds) + 1, self._columns)
        passed = np.flip(np.cumsum(np.flip(gaps, 1), 1), 1)[:, 1:]
        if not self._even:
            passed = passed[:, np.argsort(np.argsort(self.thresholds, kind="stable"), kind="stable")]
        failed = gaps.sum(axis=1, keepdims=True) - passed
        parts = {"tp": passed[0], "fp": passed[1], "fn": failed[0], "tn": failed[1]}
        return parts if self._columns > 1 else {name: part[:, 0] for name, part in parts.items()}

    def state(self) -> Config:
        """The counts as JSON values."""
        return to_json(self._gaps)

    def restore(self, state: StoredConfig) -> None:
        """Restores what :meth:`state` returned."""
        self._gaps = from_json(state)


class _Thresholded(SampleMetric):
    """Base class of counts and ratios at given thresholds."""

    _default = 0.5
    """The threshold where none is given; it may be any number."""

    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        self.thresholds = _checked_thresholds(self._default if thresholds is None else thresholds, self._default)
        self._given = thresholds
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        self._counts = Counts(self.thresholds)

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        self._counts.add(y, p, by_element(weight, p))

    def _fit_state(self) -> Config:
        return {"counts": self._counts.state()}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        self._counts.restore(state["counts"])

    def advice_for_logits(self) -> str | None:
        return f"use {type(self).__name__}(thresholds=0)" if any(0 < value < 1 for value in self.thresholds) else None

    def _single(self, values: np.ndarray) -> float | np.ndarray:
        return plain(values[0] if len(self.thresholds) == 1 else values)

    def get_config(self) -> Config:
        return {**super().get_config(), "thresholds": self._given}


def _checked_thresholds(given: float | Sequence[float] | np.ndarray, default: float) -> list[float]:
    listed = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    if not listed:
        raise ValueError("thresholds is empty; pass one or more numbers from 0 to 1")
    return [value if value == default else checks.check_float("each of thresholds", value, 0.0, 1.0) for value in listed]


class _Count(_Thresholded):
    count: ClassVar[str]

    def result(self) -> float | np.ndarray:
        return self._single(self._counts.at_thresholds()[self.count])


class TruePositives(_Count):
    """The number of targets of 1 with predictions above the threshold.

    Args:
        thresholds: A number from 0 to 1, by default 0.5; with a list, the result has one value per threshold.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    count = "tp"


class TrueNegatives(_Count):
    """The number of targets of 0 with predictions not above the threshold; see :class:`TruePositives`."""

    count = "tn"


class FalsePositives(_Count):
    """The number of targets of 0 with predictions above the threshold; see :class:`TruePositives`."""

    count = "fp"


class FalseNegatives(_Count):
    """The number of targets of 1 with predictions not above the threshold; see :class:`TruePositives`."""

    count = "fn"


class _Ratio(_Thresholded):
    """Base class of precision and recall: tp / (tp + another count)."""

    higher_is_better = True
    other: ClassVar[str]

    top_k = Integer(optional=True)
    class_id = Integer(0, optional=True)

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.top_k, self.class_id = top_k, class_id
        self._default = 0.5 if top_k is None else LOWEST
        super().__init__(thresholds, name, dtype)

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if self.top_k is not None:
            if self.top_k > p.shape[1]:
                raise ValueError(f"{self.name}: top_k is {self.top_k}, but the model has {p.shape[1]} outputs")
            top = np.argsort(-p, axis=1, kind="stable")[:, : self.top_k]
            kept = np.full_like(p, LOWEST)
            np.put_along_axis(kept, top, np.take_along_axis(p, top, axis=1), axis=1)
            p = kept
        super()._add(*select_class(self.name, self.class_id, y, p, by_element(weight, p)))

    def result(self) -> float | np.ndarray:
        counts = self._counts.at_thresholds()
        return self._single(divide(counts["tp"], counts["tp"] + counts[self.other]))


def select_class(
    name: str, number: int | None, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Targets, predictions and weights of elements of one output; of all outputs for None."""
    if number is None:
        return y, p, weight
    if number >= p.shape[1]:
        raise ValueError(f"{name}: class_id must be from 0 to {p.shape[1] - 1}, the last output, got {number}")
    column = slice(number, number + 1)
    return y[:, column], p[:, column], None if weight is None else weight[:, column]


class Precision(_Ratio):
    """tp / (tp + fp), the fraction of positive predictions that are correct; 0 if there are none.

    Args:
        thresholds: A number from 0 to 1, by default 0.5; with a list, the result has one value per threshold.
        top_k: Count only the ``k`` largest predictions of a sample as positive, and without ``thresholds`` all of these.
        class_id: Evaluate this output only.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.

    Example:

    >>> from fastmlp import metrics
    >>> metrics.Precision()([0, 1, 1, 1], [0.6, 0.9, 0.4, 0.7], sample_weight=[2, 1, 1, 1])
    0.5
    """

    other = "fp"


class Recall(_Ratio):
    """tp / (tp + fn), the fraction of targets of 1 with a positive prediction; 0 if there are none.

    Args:
        thresholds: See :class:`Precision`.
        top_k: See :class:`Precision`.
        class_id: See :class:`Precision`.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    other = "fn"


class FBetaScore(SampleMetric):
    """The weighted harmonic mean of precision and recall, with recall weighted β times as much as precision, for each output.

    Args:
        average: None for one score per output; ``"micro"`` to count all outputs together, ``"macro"`` for the mean of the scores,
            ``"weighted"`` for their mean weighted by the number of targets of 1.
        beta: The weight of recall, > 0.
        threshold: Predictions strictly above it are positive; None for the largest prediction of each sample.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    higher_is_better = True

    average = Choice("micro", "macro", "weighted", None)
    beta = Real(above=0)
    threshold = Real(above=0, high=1, optional=True)

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        self.average, self.beta, self.threshold = average, beta, threshold
        super().__init__(name, dtype)

    def advice_for_logits(self) -> str | None:
        return None if self.threshold is None else END_IN_PROBABILITIES

    def reset_state(self) -> None:
        self._sums: np.ndarray = np.zeros(())

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        largest = (p >= p.max(axis=1, keepdims=True)) & (np.abs(p) > 1e-9)
        positive = largest if self.threshold is None else p > self.threshold
        terms = np.stack([positive * y, positive * (1 - y), ~positive * y], axis=1).astype(np.float64)
        weights = by_element(weight, p)
        self._sums = ordered_sum(self._sums, terms if weights is None else terms * weights[:, None])

    def _fit_state(self) -> Config:
        return {"sums": to_json(self._sums)}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        self._sums = from_json(state["sums"])

    def result(self) -> float | np.ndarray:
        if self._sums.ndim == 0:
            return 0.0
        tp, fp, fn = self._sums.sum(axis=1) if self.average == "micro" else self._sums
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        scores = precision * recall / (self.beta**2 * precision + recall + EPSILON) * (1 + self.beta**2)
        if self.average == "weighted":
            scores = (scores * (tp + fn) / ((tp + fn).sum() + EPSILON)).sum()
        elif self.average is not None:
            scores = np.mean(scores)
        return plain(scores)


class F1Score(FBetaScore):
    """:class:`FBetaScore` with β = 1: the harmonic mean of precision and recall.

    Args:
        average: See :class:`FBetaScore`.
        threshold: See :class:`FBetaScore`.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score", dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
