"""Metrics: numbers to watch beside the loss; nothing is learnt from them, so they need no derivative.

A metric is a function of the targets, the predictions (rows, columns) and a threshold that gives one number a row, (rows,). Any loss is a
metric too. To add one, write the function and add a row to ``METRICS``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.reference.losses import LOSSES, RowFunction

__all__ = ["METRICS"]

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


def _of_loss(value: RowFunction) -> MetricFunction:
    return lambda y, p, threshold: value(y, p)


METRICS: dict[str, MetricFunction] = {
    "binary_accuracy": binary_accuracy,
    "categorical_accuracy": categorical_accuracy,
    "sparse_categorical_accuracy": sparse_categorical_accuracy,
    **{name: _of_loss(loss.value) for name, loss in LOSSES.items()},
}
