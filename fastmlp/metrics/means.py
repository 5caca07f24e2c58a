"""Means over samples and similar metrics, computed from predictions: top-k accuracies, RMSE, R², custom functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

import fastmlp.metrics.functions as functions
from fastmlp._base import checks, custom_objects
from fastmlp._base.arguments import Choice, Integer
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import quietly
from fastmlp.metrics.base import MeanOverSamples, Metric, SampleMetric, by_element, from_json, ordered_sum, plain, to_json

__all__ = [
    "Accuracy",
    "Mean",
    "MeanMetricWrapper",
    "R2Score",
    "RootMeanSquaredError",
    "SparseTopKCategoricalAccuracy",
    "Sum",
    "TopKCategoricalAccuracy",
]


class Mean(MeanOverSamples):
    """The mean of values: ``update_state(values, sample_weight=None)``.

    Example:

    >>> from fastmlp import metrics
    >>> mean = metrics.Mean()
    >>> mean.update_state([1, 3, 5, 7])
    >>> mean.result()
    4.0
    """

    def __init__(self, name: str | None = "mean", dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)

    @quietly
    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Adds values ``(samples, …)``, averaged over all axes but the first, with weights ``(samples,)`` or of the values' shape."""
        checks.present(values=values)
        array = np.asarray(values, np.float32)
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
        if weight is not None and weight.ndim > 1 and weight.shape == array.shape:
            self._add_elements(array, weight)
            return
        array = array.reshape(len(array), math.prod(array.shape[1:])).mean(axis=1) if array.ndim else array[None]
        self._add_values(array, None if weight is None else np.broadcast_to(_as_vector(weight, len(array)), array.shape))


class Sum(Metric):
    """The sum of values: ``update_state(values, sample_weight=None)``.

    Example:

    >>> from fastmlp import metrics
    >>> total = metrics.Sum()
    >>> total.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> total.result()
    4.0
    """

    def __init__(self, name: str | None = "sum", dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        self.total = 0.0

    @quietly
    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Adds values ``(samples, …)``, with weights ``(samples,)`` or of the values' shape."""
        checks.present(values=values)
        array = np.asarray(values, np.float32)
        if sample_weight is not None:
            weight = np.asarray(sample_weight, np.float32)
            array = array * weight.reshape(weight.shape + (1,) * (array.ndim - weight.ndim))
        self.total = float(ordered_sum(self.total, array.reshape(-1)))

    def result(self) -> float:
        return self.total

    def _fit_state(self) -> Config:
        return {"total": to_json(self.total)}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        self.total = float(from_json(state["total"]))


def _as_vector(weight: np.ndarray, count: int) -> np.ndarray:
    """Weights ``(samples, 1)`` as ``(samples,)``; others as they are."""
    return weight[:, 0] if weight.shape == (count, 1) else weight


class MeanMetricWrapper(MeanOverSamples):
    """The mean of a custom function. ``compile(metrics=[function])`` creates it.

    The function runs in Python, once per batch.

    Args:
        fn: Takes targets and predictions, NumPy arrays ``(samples, outputs)``, and returns one value per sample, ``(samples,)`` or
            ``(samples, outputs)``, or a single number for the batch.
        name: See :class:`Metric`; by default the name of the function.
        dtype: See :class:`Metric`.
        options: Additional arguments of the function.

    Raises:
        ValueError: In ``update_state``, if the function returns values of another shape.

    Example:

    >>> import numpy as np
    >>> from fastmlp import metrics
    >>> def largest_error(y_true, y_pred):
    ...     return np.abs(y_true - y_pred).max(axis=1)
    >>> metric = metrics.MeanMetricWrapper(largest_error)
    >>> metric.update_state([[1, 2], [3, 4]], [[1, 3], [3, 4]])
    >>> metric.result()
    0.5
    """

    takes_chunks = False

    def __init__(
        self, fn: Callable[..., ArrayLike] | StoredConfig, name: str | None = None, dtype: DTypeLike | None = None, **options: Any
    ) -> None:
        function: Callable[..., ArrayLike] = (
            custom_objects.named_function("metric", fn.get("config", {})) if isinstance(fn, Mapping) else fn
        )
        super().__init__(name or getattr(function, "__name__", type(function).__name__), dtype)
        self.fn = function
        self._options = options

    def get_config(self) -> Config:
        return {"fn": custom_objects.describe_function(self.fn), "name": self.name, **self._options}

    @property
    def sparse(self) -> None:
        return None

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        y, p = np.asarray(y_true), np.asarray(y_pred)
        self._add_result(self.fn(y, p, **self._options), p, sample_weight)

    @quietly
    def _add_result(self, returned: ArrayLike, p: np.ndarray, sample_weight: ArrayLike | None) -> None:
        values = np.asarray(returned, np.float32)
        if values.ndim and len(values) != len(p):
            raise ValueError(
                f"the metric {self.name} returned values of shape {values.shape} for {len(p)} samples; return one value per sample or a "
                "single number"
            )
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
        if weight is not None and weight.ndim > 1:
            if weight.shape == values.shape:
                self._add_elements(values, weight)
                return
            weight = weight.reshape(-1)
        if values.ndim:
            self._add_values(values.reshape(len(values), -1).mean(axis=1), weight)
        elif weight is None:
            self._add_values(values[None], None)
        else:
            self._add_values(np.broadcast_to(values, weight.shape), weight)


class Accuracy(MeanOverSamples):
    """The fraction of predictions equal to their targets, averaged over the outputs."""

    higher_is_better = True

    def __init__(self, name: str | None = "accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)

    def sample_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.asarray((y == p).mean(axis=1))


class TopKCategoricalAccuracy(MeanOverSamples):
    """The fraction of samples whose class is among the ``k`` classes with the largest predictions; targets are one-hot.

    Args:
        k: The number of classes, ≥ 1.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    higher_is_better = True

    k = Integer()

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)
        self.k = k

    def sample_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return functions.top_k_categorical_accuracy(y, p, self.k)


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The fraction of samples whose class is among the ``k`` classes with the largest predictions; targets are integer class labels.

    Args:
        k: The number of classes, ≥ 1.
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
        from_sorted_ids: Not supported.
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: DTypeLike | None = None,
        from_sorted_ids: bool = False,
    ) -> None:
        checks.reject_unknown(
            type(self).__name__, {"from_sorted_ids": from_sorted_ids}, {"from_sorted_ids": "pass predictions, not class ids"}
        )
        super().__init__(k, name, dtype)

    @property
    def sparse(self) -> bool:
        return True

    def sample_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return functions.sparse_top_k_categorical_accuracy(y, p, self.k)


class RootMeanSquaredError(MeanOverSamples):
    """√mean((y − p)²), the mean over all samples."""

    is_mean = False
    higher_is_better = False

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)

    def sample_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.asarray(np.square(p - y).mean(axis=1))

    def element_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.square(p - y)

    def result(self) -> float:
        return math.sqrt(super().result())


class R2Score(SampleMetric):
    """The coefficient of determination, 1 − Σ(y − p)² / Σ(y − mean y)²: 1 is perfect, 0 is no better than predicting the mean.

    Args:
        class_aggregation: ``"uniform_average"`` or ``"variance_weighted_average"`` of the scores of the outputs, or None for one score per
            output.
        num_regressors: The number of features, for the adjusted R²; 0 for the plain R².
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
    """

    higher_is_better = True

    class_aggregation = Choice("uniform_average", "variance_weighted_average", None)
    num_regressors = Integer(0)

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors

    def reset_state(self) -> None:
        self._sums: np.ndarray = np.zeros(())
        self._samples = 0

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        y, p = y.astype(np.float64), p.astype(np.float64)
        weights = by_element(weight, p)
        ones = np.ones(p.shape) if weights is None else weights
        terms = np.stack([y * ones, y * y * ones, (y - p) ** 2 * ones, ones], axis=1)
        self._sums = ordered_sum(self._sums, terms)
        self._samples += y.size

    def _fit_state(self) -> Config:
        return {"sums": to_json(self._sums), "samples": self._samples}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        self._sums, self._samples = from_json(state["sums"]), state["samples"]

    def result(self) -> float | np.ndarray:
        if not self._samples:
            return 0.0
        total_y, squares, residual, count = self._sums
        variance = squares - total_y * (total_y / count)
        scores = 1 - residual / variance
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (variance * scores).sum() / variance.sum()
        if self.num_regressors:
            left = self._samples - self.num_regressors - 1
            if left > 0:
                scores = 1 - (1 - scores) * (self._samples - 1) / left
            else:
                checks.warn(
                    f"{self._samples} values are too few for the adjusted R² with {self.num_regressors} features; the plain R² is returned"
                )
        return plain(scores)
