"""Metrics: measured alongside the loss but not minimised, so they need no derivative.

A metric is a function of the targets, the predictions (rows, columns) and a threshold that returns one number per row, (rows,). Any loss
is a metric too; ``make_metric`` finds either. To add one, write the function and add a row to ``METRICS``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp._engine.spec import Metric
from fastmlp.reference.lookup import lookup
from fastmlp.reference.losses import LOSSES, RowFunction, make_loss

__all__ = ["METRICS", "make_metric"]

MetricFunction = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def binary_accuracy(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """The fraction of columns that are right, a prediction above the threshold counting as 1."""
    return ((p > threshold) == y).mean(axis=1)


def categorical_accuracy(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """1 where the largest prediction stands in the column of the largest target, else 0; of equals, the first is the largest."""
    return p.argmax(axis=1) == y.argmax(axis=1)


def sparse_categorical_accuracy(labels: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """1 where the largest prediction stands in the label's column, else 0. labels: (rows,) integers."""
    return p.argmax(axis=1) == labels


METRICS: dict[str, MetricFunction] = {
    "binary_accuracy": binary_accuracy,
    "categorical_accuracy": categorical_accuracy,
    "sparse_categorical_accuracy": sparse_categorical_accuracy,
}


def make_metric(metric: Metric) -> RowFunction:
    """The function of targets and predictions that a metric of the plan means: one of ``METRICS``, or the value of a loss."""
    if metric.kind in METRICS:
        function = METRICS[metric.kind]
        return lambda y, p: function(y, p, metric.threshold)
    lookup("metric", {**dict.fromkeys(METRICS), **dict.fromkeys(LOSSES)}, metric.kind)
    return make_loss(metric.kind, metric.from_logits, metric.parameters, metric.smoothing).value
