"""Accuracies and correlations as functions of arrays, used by the metrics of the same names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

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


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> np.ndarray:
    """Returns 1 for each element with (y_pred > threshold) == y_true, else 0, as float32."""
    y, p = _same_rank(y_true, y_pred)
    return np.asarray((p > np.float32(threshold)) == y, np.float32)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Returns 1 for each sample whose largest prediction is at the largest target, else 0, as float32 ``(samples,)``."""
    return sparse_categorical_accuracy(np.asarray(y_true).argmax(axis=-1), y_pred)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Returns 1 for each sample whose largest prediction is at the integer class label, else 0, as float32 ``(samples,)``."""
    p = np.asarray(y_pred, np.float32)
    return np.asarray(p.argmax(axis=-1) == _labels(y_true, p), np.float32)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> np.ndarray:
    """Returns 1 for each sample whose class is among the ``k`` classes with the largest predictions, else 0; targets are one-hot."""
    return sparse_top_k_categorical_accuracy(np.asarray(y_true).argmax(axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False) -> np.ndarray:
    """Returns 1 for each sample whose integer class label is among the ``k`` classes with the largest predictions, else 0."""
    advice = {"from_sorted_ids": "pass one prediction per class"}
    checks.reject_unknown("sparse_top_k_categorical_accuracy", {"from_sorted_ids": from_sorted_ids}, advice)
    k, p = checks.check_int("k", k), np.asarray(y_pred, np.float32)
    labels = _labels(y_true, p)
    if labels.size and (labels.min() < 0 or labels.max() >= p.shape[-1]):
        raise ValueError(f"y_true has class labels from {labels.min():g} to {labels.max():g}, but y_pred has {p.shape[-1]} columns")
    own = np.take_along_axis(p, labels[..., None].astype(np.intp), axis=-1)
    larger = p > np.nan_to_num(own, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    return np.asarray(larger.sum(axis=-1) < k, np.float32)


def pearson_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> np.ndarray:
    """Returns the Pearson correlation of targets and predictions along an axis; NaN where either is constant."""
    y, p = _same_rank(y_true, y_pred)
    y, p = y - y.mean(axis=axis, keepdims=True), p - p.mean(axis=axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((y / y.std(axis=axis, keepdims=True) * (p / p.std(axis=axis, keepdims=True))).mean(axis=axis))


def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> np.ndarray:
    """Returns the concordance correlation along an axis: a correlation lowered by differences in mean and variance.

    Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """
    y, p = _same_rank(y_true, y_pred)
    y_mean, p_mean = y.mean(axis=axis, keepdims=True), p.mean(axis=axis, keepdims=True)
    spread = y.var(axis=axis, keepdims=True) + p.var(axis=axis, keepdims=True) + np.square(y_mean - p_mean)
    return np.asarray((2 * (y - y_mean) * (p - p_mean) / (spread + np.float32(1e-7))).mean(axis=axis))


def _same_rank(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32 arrays of equal shape; one of them may lack a last axis of size 1."""
    y, p = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
    if y.ndim == p.ndim - 1 and p.shape[-1] == 1:
        y = y[..., None]
    elif p.ndim == y.ndim - 1 and y.shape[-1] == 1:
        p = p[..., None]
    if y.shape != p.shape:
        raise ValueError(f"y_true has shape {y.shape} and y_pred {p.shape}; the shapes must be equal")
    return y, p


def _labels(y_true: ArrayLike, p: np.ndarray) -> np.ndarray:
    labels = np.asarray(y_true)
    if labels.shape == (*p.shape[:-1], 1):
        labels = labels[..., 0]
    if labels.shape != p.shape[:-1]:
        raise ValueError(f"y_true has shape {labels.shape}, but for y_pred of shape {p.shape} it must be class labels {p.shape[:-1]}")
    return labels
