"""Metrics: numbers to watch beside the loss, by name (``"accuracy"``) or as an object (``BinaryAccuracy(threshold=0.8)``).

Those defined here and in :mod:`fastmlp.metrics.of_losses` are means over the rows that the engines compute. The others are computed in
NumPy from the predictions that the engines hand out, thousands of rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp import losses
from fastmlp._base import checks, custom_objects, keras_names
from fastmlp._base.registry import Registry
from fastmlp.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastmlp.metrics.base import EngineMetric, Metric
from fastmlp.metrics.confusion import (
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from fastmlp.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation
from fastmlp.metrics.curves import AUC, PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity
from fastmlp.metrics.functions import (
    binary_accuracy,
    categorical_accuracy,
    concordance_correlation,
    pearson_correlation,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fastmlp.metrics.means import (
    Accuracy,
    Mean,
    MeanMetricWrapper,
    R2Score,
    RootMeanSquaredError,
    SparseTopKCategoricalAccuracy,
    Sum,
    TopKCategoricalAccuracy,
)
from fastmlp.metrics.of_losses import (
    CLASSES,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    GaussianNLL,
    Hinge,
    Huber,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    of_loss,
)

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "Quantile",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]


class BinaryAccuracy(EngineMetric):
    """The fraction of outputs on the right side of the threshold: (p > threshold) == y, averaged over the columns.

    Args:
        name: See :class:`Metric`.
        threshold: A prediction strictly above counts as 1.
    """

    kind = "binary_accuracy"
    higher_is_better = True

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5, **options: Any) -> None:
        super().__init__(name, dtype, **options)
        self.threshold = checks.number("threshold", threshold, 0.0, 1.0)

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


_OF_PREDICTIONS = (
    Accuracy,
    TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    AUC,
    Precision,
    Recall,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    PearsonCorrelation,
    ConcordanceCorrelation,
    F1Score,
    FBetaScore,
    TruePositives,
    TrueNegatives,
    FalsePositives,
    FalseNegatives,
    RootMeanSquaredError,
    R2Score,
)

registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    (BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, *CLASSES, *_OF_PREDICTIONS),
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "bce": BinaryCrossentropy,
        "kld": KLDivergence,
        "log_cosh": LogCoshError,
    },
    "metrics",
)

_OF_FUNCTIONS: dict[Any, type[Metric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    pearson_correlation: PearsonCorrelation,
    concordance_correlation: ConcordanceCorrelation,
}
"""The metric that each function means."""

deserialize = registry.deserialize


def serialize(metric: Metric) -> dict[str, Any]:
    """``{"class": name, "config": {...}}`` of a metric, as JSON values; of one of your own, its name alone says which it is."""
    if type(metric) is MeanMetricWrapper:
        return {"class": "MeanMetricWrapper", "config": metric.get_config()}
    return registry.serialize(metric)


def get(identifier: Any) -> Metric:
    """The metric meant by a name, a class, an object, a loss, a function or a configuration.

    ``"accuracy"`` and ``"crossentropy"`` mean different metrics for different models; ``compile`` resolves them.
    """
    if isinstance(identifier, losses.Loss):
        return of_loss(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        if identifier in _OF_FUNCTIONS:
            return _OF_FUNCTIONS[identifier]()
        return of_loss(losses.get(identifier)) if identifier in losses.functions.CLASSES else MeanMetricWrapper(identifier)
    if isinstance(identifier, str) and callable(custom := custom_objects.find(identifier)):
        return get(custom)
    of_values = identifier if isinstance(identifier, type) else type(identifier)
    if getattr(of_values, "update_state", None) in (Mean.update_state, Sum.update_state):
        raise TypeError(
            f"{of_values.__name__} takes the values it is given, so it can't be a metric of a model; give a function of y_true and y_pred"
        )
    if isinstance(identifier, Mapping) and identifier.get("class") == "MeanMetricWrapper" and isinstance(identifier.get("config"), Mapping):
        return MeanMetricWrapper(**identifier["config"])
    return registry.get(identifier)


def __getattr__(name: str) -> Any:
    return keras_names.missing("metrics", name)
