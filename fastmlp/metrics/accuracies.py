"""Accuracies, computed by the engines."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from fastmlp._base.arguments import Real
from fastmlp.metrics.base import EngineMetric
from fastmlp.metrics.functions import binary_accuracy

__all__ = ["BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"]


class BinaryAccuracy(EngineMetric):
    """The fraction of outputs with (p > threshold) == y, averaged over the outputs of a sample.

    Args:
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
        threshold: Predictions strictly above it count as class 1; from 0 to 1.
    """

    kind = "binary_accuracy"
    elementwise = True
    higher_is_better = True

    threshold = Real(0, 1)

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, threshold: float = 0.5, **options: object) -> None:
        super().__init__(name, dtype, **options)
        self.threshold = threshold

    def element_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return binary_accuracy(y, p, self.threshold)

    def advice_for_logits(self) -> str | None:
        return "use BinaryAccuracy(threshold=0)" if self.threshold else None


class CategoricalAccuracy(EngineMetric):
    """The fraction of samples whose largest prediction is at the class; targets are one-hot."""

    kind = "categorical_accuracy"
    higher_is_better = True


class SparseCategoricalAccuracy(EngineMetric):
    """The fraction of samples whose largest prediction is at the class; targets are integer class labels."""

    kind = "sparse_categorical_accuracy"
    higher_is_better = True
