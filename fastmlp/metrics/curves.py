"""Metrics of ROC and precision-recall curves: the area under the curve, and the best rate subject to a bound on another rate."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from fastmlp._base import checks
from fastmlp._base.arguments import Boolean, Converted, Integer, Real
from fastmlp._base.configs import Config, StoredConfig
from fastmlp.metrics.base import END_IN_PROBABILITIES, SampleMetric, by_element, divide
from fastmlp.metrics.confusion import EPSILON, Counts, select_class

_OCTAVES, _STEPS = 30, 32
"""Of :class:`FineCounts`: octaves from ½ down to 2⁻³¹, and bins per octave. Predictions nearer to 0 or 1 are in the last bin."""
_HALF = _OCTAVES * _STEPS
_MIN_SAMPLES_TO_CHECK = 100
_MAX_AREA_ERROR = 0.005
"""If more thresholds change the area by more than this, there are too few."""

__all__ = ["AUC", "PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity"]


class FineCounts(Counts):
    """Counts at thresholds spaced logarithmically towards 0 and 1, which resolve the predictions of rare classes.

    Args:
        columns: See :class:`Counts`.
    """

    def __init__(self, columns: int) -> None:
        super().__init__(np.linspace(-EPSILON, 1 + EPSILON, 2 * _HALF + 1).tolist(), columns)

    def _gap(self, p: np.ndarray) -> np.ndarray:
        to_end = np.clip(np.minimum(p, 1 - p), 2.0 ** (-1 - _OCTAVES), 0.4999999).astype(np.float32)
        step = (to_end.view(np.int32) >> 18) - (126 - _OCTAVES) * _STEPS  # exponent and five digits
        return np.where(p < 0.5, 1 + step, 2 * _HALF - step)

    def median_distance(self) -> float:
        """The median distance of predictions from 0 or 1, whichever is nearer, rounded to a power of two."""
        counts = self._gaps.sum(axis=0).reshape(-1, self._columns).sum(axis=1)[1:-1]
        folded = np.cumsum(counts[:_HALF] + counts[: _HALF - 1 : -1])
        return float(2.0 ** (np.searchsorted(folded, folded[-1] / 2) // _STEPS - _OCTAVES))


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if isinstance(value, str) and value.lower() == choice.lower():
            return choice
    raise ValueError(f"{name} must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}, got {value!r}")


def _label_weights(given: Sequence[float] | None) -> np.ndarray | None:
    return None if given is None else np.asarray(given, np.float32)


class AUC(SampleMetric):
    """The area under the ROC or precision-recall curve: 1 is perfect; for the ROC curve, 0.5 is random guessing.

    Args:
        num_thresholds: The number of evenly spaced thresholds, ≥ 2; more come closer to the exact area. fastmlp warns if they are too few
            to separate the predictions, as for a rare class whose probabilities are all near 0.
        curve: ``"ROC"``, true positive rate over false positive rate, or ``"PR"``, precision over recall.
        summation_method: ``"interpolation"`` for the midpoint of each step, ``"minoring"`` for its lower, ``"majoring"`` for its upper
            end. Between points of the PR curve the counts are interpolated, not their ratio (Davis and Goadrich 2006, "The relationship
            between precision-recall and ROC curves").
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
        thresholds: Thresholds from 0 to 1 to use instead.
        multi_label: Whether to average the areas of the outputs; by default all outputs are counted together.
        num_labels: The number of outputs, with ``multi_label``; by default taken from the data.
        label_weights: The weight of each output.
        from_logits: Whether to apply a sigmoid to the predictions first.

    Example:

    >>> from fastmlp import metrics
    >>> metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    higher_is_better = True

    num_thresholds = Integer(2)
    curve = Converted(lambda given: _one_of("curve", given, ("ROC", "PR")))
    summation_method = Converted(lambda given: _one_of("summation_method", given, ("interpolation", "minoring", "majoring")))
    multi_label = Boolean()
    num_labels = Integer(optional=True)
    label_weights = Converted(_label_weights, lambda weights: None if weights is None else weights.tolist())
    from_logits = Boolean()

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypeLike | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        self.curve, self.summation_method = curve, summation_method
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = label_weights
        if num_labels and not multi_label:
            raise ValueError("num_labels is only for multi_label=True")
        self.num_thresholds = num_thresholds
        if thresholds is not None and not np.iterable(thresholds):
            raise TypeError(f"thresholds must be a list of numbers from 0 to 1, got {thresholds!r:.80}")
        given = None if thresholds is None else [checks.check_float("each of thresholds", value, 0.0, 1.0) for value in thresholds]
        self._given = None if given is None else sorted(given)
        inner = self._given
        if inner is None:
            inner = [(i + 1) / (self.num_thresholds - 1) for i in range(self.num_thresholds - 2)]
        self.thresholds = [-EPSILON, *inner, 1 + EPSILON]
        self.num_thresholds = len(self.thresholds)
        super().__init__(name, dtype)

    def advice_for_logits(self) -> str | None:
        return None if self.from_logits else "use AUC(from_logits=True)"

    def reset_state(self) -> None:
        self._counts = None if self.multi_label else Counts(self.thresholds)
        self._fine: FineCounts | None = None
        self._rows = 0

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if self.from_logits:
            p = 1 / (1 + np.exp(-p))
        if self.label_weights is not None and len(self.label_weights) != p.shape[1]:
            raise ValueError(f"{self.name}: label_weights has {len(self.label_weights)} values, but the model has {p.shape[1]} outputs")
        if self._counts is None:
            self._counts = Counts(self.thresholds, p.shape[1])
        weights = by_element(weight, p)
        if self.label_weights is not None and not self.multi_label:
            weights = np.broadcast_to(self.label_weights, p.shape) * (1 if weights is None else weights)
        self._counts.add(y, p, weights)
        if self._given is None:
            if self._fine is None:
                self._fine = FineCounts(p.shape[1] if self.multi_label else 1)
            self._fine.add(y, p, weights)
            self._rows += len(y)

    def _fit_state(self) -> Config:
        return {"counts": None if self._counts is None else self._counts.state()}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        if state["counts"] is not None:
            self._counts = Counts(self.thresholds, state["counts"]["shape"][1] // (self.num_thresholds + 1))
            self._counts.restore(state["counts"])
        self._rows = -sys.maxsize  # the fine counts lack the samples before, so the resolution is not checked

    def result(self) -> float:
        area = self._area(self._counts)
        if not self._in_pass:
            self._check_resolution(area)
        return area

    def _area(self, counts: Counts | None) -> float:
        if counts is None:
            return 0.0
        areas = self._areas(**counts.at_thresholds()).sum(axis=0)
        if not self.multi_label:
            return float(areas)
        return float(np.mean(areas) if self.label_weights is None else divide((areas * self.label_weights).sum(), self.label_weights.sum()))

    def _check_resolution(self, area: float) -> None:
        """Warns if predictions lie too close together for the thresholds to separate them."""
        if self._fine is None or self._rows < _MIN_SAMPLES_TO_CHECK:
            return
        finer = self._area(self._fine)
        if abs(finer - area) > _MAX_AREA_ERROR:
            enough = 10 ** math.ceil(math.log10(max(50 / self._fine.median_distance(), 2 * self.num_thresholds)))
            checks.warn(
                f"the metric {self.name!r} is {area:.4f}, but about {finer:.4f} with more thresholds: {self.num_thresholds} from 0 to 1 "
                f"can't separate predictions this close together, as those of a rare class; use AUC(num_thresholds={min(enough, 1000000)})"
            )

    def _areas(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        """The area of each step of the curve."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_precision_areas(tp, fp, fn)
        recall = divide(tp, tp + fn)
        x, y = (divide(fp, fp + tn), recall) if self.curve == "ROC" else (recall, divide(tp, tp + fp))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return (x[:-1] - x[1:]) * heights

    def get_config(self) -> Config:
        return {**super().get_config(), "thresholds": self._given}


def _interpolated_precision_areas(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    positive = tp + fp
    slope = divide(tp[:-1] - tp[1:], np.maximum(positive[:-1] - positive[1:], 0))
    intercept = tp[1:] - slope * positive[1:]
    ratio = np.where((positive[:-1] > 0) & (positive[1:] > 0), divide(positive[:-1], positive[1:]), 1.0)
    return np.asarray(divide(slope * (tp[:-1] - tp[1:] + intercept * np.log(ratio)), tp[1:] + fn[1:]))


class _BestAt(SampleMetric):
    """Base class of the maximum of one rate over the thresholds at which another rate is high enough."""

    higher_is_better = True
    bound: ClassVar[str]
    """The name of the argument for the lower bound."""

    num_thresholds = Integer()
    class_id = Integer(0, optional=True)

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: DTypeLike | None) -> None:
        setattr(self, self.bound, value)
        self.num_thresholds, self.class_id = num_thresholds, class_id
        count = self.num_thresholds
        self.thresholds = [0.5] if count == 1 else [i / (count - 1) for i in range(count)]
        super().__init__(name, dtype)

    def advice_for_logits(self) -> str | None:
        return END_IN_PROBABILITIES

    def reset_state(self) -> None:
        self._counts = Counts(self.thresholds)

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        self._counts.add(*select_class(self.name, self.class_id, y, p, by_element(weight, p)))

    def _fit_state(self) -> Config:
        return {"counts": self._counts.state()}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        self._counts.restore(state["counts"])

    def result(self) -> float:
        counts = self._counts.at_thresholds()
        bounded, maximised = self._rates(**counts)
        return float(np.max(maximised[bounded >= getattr(self, self.bound)], initial=0.0))

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rate with the lower bound and the rate to maximise, at each threshold."""
        raise NotImplementedError


class PrecisionAtRecall(_BestAt):
    """The maximum precision at thresholds with a recall ≥ ``recall``.

    Args:
        recall: From 0 to 1.
        num_thresholds: The number of thresholds, evenly spaced from 0 to 1.
        class_id: Evaluate this output only.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.

    Example:

    >>> from fastmlp import metrics
    >>> metrics.PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    bound = "recall"
    recall = Real(0, 1)

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divide(tp, tp + fn), divide(tp, tp + fp)


class RecallAtPrecision(_BestAt):
    """The maximum recall at thresholds with a precision ≥ ``precision``.

    Args:
        precision: From 0 to 1.
        num_thresholds: See :class:`PrecisionAtRecall`.
        class_id: See :class:`PrecisionAtRecall`.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    bound = "precision"
    precision = Real(0, 1)

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divide(tp, tp + fp), divide(tp, tp + fn)


class SensitivityAtSpecificity(_BestAt):
    """The maximum sensitivity, tp / (tp + fn), at thresholds with a specificity, tn / (tn + fp), ≥ ``specificity``.

    Args:
        specificity: From 0 to 1.
        num_thresholds: See :class:`PrecisionAtRecall`.
        class_id: See :class:`PrecisionAtRecall`.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    bound = "specificity"
    specificity = Real(0, 1)

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divide(tn, tn + fp), divide(tp, tp + fn)


class SpecificityAtSensitivity(_BestAt):
    """The maximum specificity, tn / (tn + fp), at thresholds with a sensitivity, tp / (tp + fn), ≥ ``sensitivity``.

    Args:
        sensitivity: From 0 to 1.
        num_thresholds: See :class:`PrecisionAtRecall`.
        class_id: See :class:`PrecisionAtRecall`.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    bound = "sensitivity"
    sensitivity = Real(0, 1)

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divide(tp, tp + fn), divide(tn, tn + fp)
