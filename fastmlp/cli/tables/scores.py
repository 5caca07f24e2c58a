"""Scores of predictions, and what one gets without learning anything from the features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scores", "classification_scores", "formatted", "headline", "regression_scores"]

Scores = dict[str, float]
_TITLES = {"accuracy": "accuracy", "log_loss": "log-loss", "auc": "AUC", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}
_TINY = 1e-7


def classification_scores(y: NDArray[np.integer], probabilities: NDArray[np.floating]) -> Scores:
    """Accuracy, log-loss and, for two classes that both occur, the area under the ROC curve.

    Args:
        y: The code of each row's class.
        probabilities: ``(rows, classes)``
    """
    p = probabilities.astype(np.float64)
    right = np.clip(p[np.arange(len(y)), y] / p.sum(axis=1), _TINY, 1)
    scores = {"accuracy": float((p.argmax(axis=1) == y).mean()), "log_loss": float(-np.log(right).mean())}
    if p.shape[1] == 2 and 0 < y.sum() < len(y):
        scores["auc"] = _auc(y, p[:, 1])
    return scores


def _auc(y: NDArray[np.integer], p: NDArray[np.float64]) -> float:
    """The probability that a row of class 1 has a higher p than one of class 0; ties count half (Mann and Whitney 1947)."""
    _, places, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positive = int(y.sum())
    return float((ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive)))


def regression_scores(y: NDArray[np.float64], predicted: NDArray[np.floating]) -> Scores:
    """Root mean squared error, mean absolute error, and R², which is left out if all targets are equal."""
    error = predicted.astype(np.float64) - y
    scores = {"rmse": float(np.sqrt((error**2).mean())), "mae": float(np.abs(error).mean())}
    if y.var() > 0:
        scores["r2"] = float(1 - (error**2).mean() / y.var())
    return scores


def headline(name: str) -> str:
    """The title of a score."""
    return _TITLES.get(name, name)


def formatted(name: str, value: float) -> str:
    """A score with four decimals; errors in units of the target with four significant digits, large ones without a fraction."""
    if name not in ("rmse", "mae"):
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
