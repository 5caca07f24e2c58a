"""Accuracies that the engines compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp.metrics.base import EngineMetric
from fastmlp.metrics.functions import binary_accuracy

__all__ = ["BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"]


class BinaryAccuracy(EngineMetric):
    """The fraction of outputs on the right side of the threshold: (p > threshold) == y, averaged over the columns.

    Args:
        name: See :class:`Metric`.
        threshold: A prediction strictly above counts as 1.
    """

    kind = "binary_accuracy"
    elementwise = True
    higher_is_better = True

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5, **options: Any) -> None:
        super().__init__(name, dtype, **options)
        self.threshold = checks.check_float("threshold", threshold, 0.0, 1.0)

    def element_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return binary_accuracy(y, p, self.threshold)

    def advice_for_scores(self) -> str | None:
        return "give BinaryAccuracy(threshold=0)" if self.threshold else None

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "threshold": self.threshold}


class CategoricalAccuracy(EngineMetric):
    """The fraction of rows whose largest prediction stands where the largest target does."""

    kind = "categorical_accuracy"
    higher_is_better = True


class SparseCategoricalAccuracy(EngineMetric):
    """The fraction of rows whose largest prediction stands at the class number in ``y``."""

    kind = "sparse_categorical_accuracy"
    higher_is_better = True
