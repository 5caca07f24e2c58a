"""Losses of overlap: targets and predictions are two fuzzy sets. See losses.py for what a loss is.

With ``by_row`` each row is a set and has a value of its own. Else the whole batch is one set, and every row has its value.
"""

from __future__ import annotations

import numpy as np

__all__ = ["dice", "dice_gradient", "tversky", "tversky_gradient"]

EPSILON = 1e-7
"""Keeps the empty set from dividing by zero."""


def dice(y: np.ndarray, p: np.ndarray, _alpha: float, _beta: float, by_row: float) -> np.ndarray:
    """ℓ = 1 − 2·Σ y·p / (Σ y + Σ p + ε)."""
    return _spread(1 - 2 * _sum(y * p, by_row) / _dice_size(y, p, by_row), p)


def dice_gradient(y: np.ndarray, p: np.ndarray, _alpha: float, _beta: float, by_row: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = 2·(Σ y·p − yⱼ·s) / s², where s is the denominator."""
    size = _dice_size(y, p, by_row)
    return np.asarray(2 * (_sum(y * p, by_row) - y * size) / np.square(size))


def tversky(y: np.ndarray, p: np.ndarray, alpha: float, beta: float, by_row: float) -> np.ndarray:
    """ℓ = 1 − Σ y·p / (Σ y·p + α·Σ y·(1 − p) + β·Σ (1 − y)·p + ε)."""
    return _spread(1 - _sum(y * p, by_row) / _tversky_size(y, p, alpha, beta, by_row), p)


def tversky_gradient(y: np.ndarray, p: np.ndarray, alpha: float, beta: float, by_row: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = (Σ y·p · (yⱼ − α·yⱼ + β·(1 − yⱼ)) − yⱼ·s) / s², where s is the denominator."""
    size = _tversky_size(y, p, alpha, beta, by_row)
    return np.asarray((_sum(y * p, by_row) * (y * (1 - alpha) + beta * (1 - y)) - y * size) / np.square(size))


def _dice_size(y: np.ndarray, p: np.ndarray, by_row: float) -> np.ndarray:
    return _sum(y, by_row) + _sum(p, by_row) + p.dtype.type(EPSILON)


def _tversky_size(y: np.ndarray, p: np.ndarray, alpha: float, beta: float, by_row: float) -> np.ndarray:
    missed, surplus = _sum(y * (1 - p), by_row), _sum((1 - y) * p, by_row)
    return _sum(y * p, by_row) + p.dtype.type(alpha) * missed + p.dtype.type(beta) * surplus + p.dtype.type(EPSILON)


def _sum(values: np.ndarray, by_row: float) -> np.ndarray:
    """(rows, 1) or (1, 1)."""
    return np.asarray(values.sum(axis=1 if by_row else None, keepdims=True))


def _spread(values: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.array(np.broadcast_to(values[:, 0], len(p)))
