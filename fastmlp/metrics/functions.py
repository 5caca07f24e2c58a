"""The accuracies and correlations as functions of arrays, as the metrics of the same names use them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base import checks

__all__ = [
    "binary_accuracy",
    "categorical_accuracy",
    "concordance_correlation",
    "pearson_correlation",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 for each element that lies on the right side of the threshold, else 0."""
    y, p = _same_rank(y_true, y_pred)
    return np.asarray((p > np.float32(threshold)) == y, np.float32)


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 for each row whose largest prediction is in the place of the largest target, else 0."""
    return sparse_categorical_accuracy(np.asarray(y_true).argmax(axis=-1), y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 for each row whose largest prediction is at the integer class label, else 0."""
    p = np.asarray(y_pred, np.float32)
    return np.asarray(p.argmax(axis=-1) == _labels(y_true, p), np.float32)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 for each row whose class, in one-hot targets, is among the ``k`` with the largest predictions, else 0."""
    return sparse_top_k_categorical_accuracy(np.asarray(y_true).argmax(axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> np.ndarray:
    """1 for each row whose integer class label is among the ``k`` with the largest predictions, else 0."""
    advice = {"from_sorted_ids": "give predictions as numbers, one for each class"}
    checks.reject_unknown("sparse_top_k_categorical_accuracy", {"from_sorted_ids": from_sorted_ids}, advice)
    k, p = checks.check_int("k", k), np.asarray(y_pred, np.float32)
    labels = _labels(y_true, p)
    if labels.size and (labels.min() < 0 or labels.max() >= p.shape[-1]):
        raise ValueError(f"y_true has class labels from {labels.min():g} to {labels.max():g}, but y_pred has {p.shape[-1]} columns")
    own = np.take_along_axis(p, labels[..., None].astype(np.intp), axis=-1)
    larger = p > np.nan_to_num(own, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    return np.asarray(larger.sum(axis=-1) < k, np.float32)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """The correlation of targets and predictions along an axis: 1 where one is a rising line of the other; NaN where either is constant."""
    y, p = _same_rank(y_true, y_pred)
    y, p = y - y.mean(axis=axis, keepdims=True), p - p.mean(axis=axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((y / y.std(axis=axis, keepdims=True) * (p / p.std(axis=axis, keepdims=True))).mean(axis=axis))


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """How closely predictions follow their targets along an axis: a correlation that other means and deviations lower.

    Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """
    y, p = _same_rank(y_true, y_pred)
    y_mean, p_mean = y.mean(axis=axis, keepdims=True), p.mean(axis=axis, keepdims=True)
    spread = y.var(axis=axis, keepdims=True) + p.var(axis=axis, keepdims=True) + np.square(y_mean - p_mean)
    return np.asarray((2 * (y - y_mean) * (p - p_mean) / (spread + np.float32(1e-7))).mean(axis=axis))


def _same_rank(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32 arrays of the same shape; a last axis of size 1 may be missing from one of them."""
    y, p = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
    if y.ndim == p.ndim - 1 and p.shape[-1] == 1:
        y = y[..., None]
    elif p.ndim == y.ndim - 1 and y.shape[-1] == 1:
        p = p[..., None]
    if y.shape != p.shape:
        raise ValueError(f"y_true has shape {y.shape}, but y_pred {p.shape}; they must have the same")
    return y, p


def _labels(y_true: Any, p: np.ndarray) -> np.ndarray:
    labels = np.asarray(y_true)
    if labels.shape == (*p.shape[:-1], 1):
        labels = labels[..., 0]
    if labels.shape != p.shape[:-1]:
        raise ValueError(f"y_true has shape {labels.shape}, but for y_pred of shape {p.shape} class labels {p.shape[:-1]} are wanted")
    return labels
