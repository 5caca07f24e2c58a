"""Losses of predicted numbers: how far they are from the true ones. See losses.py for what a loss is."""

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "cosine_similarity",
    "cosine_similarity_gradient",
    "gaussian_nll",
    "gaussian_nll_gradient",
    "huber",
    "huber_gradient",
    "log_cosh",
    "log_cosh_gradient",
    "mean_absolute_error",
    "mean_absolute_error_gradient",
    "mean_absolute_percentage_error",
    "mean_absolute_percentage_error_gradient",
    "mean_squared_error",
    "mean_squared_error_gradient",
    "mean_squared_logarithmic_error",
    "mean_squared_logarithmic_error_gradient",
    "poisson",
    "poisson_gradient",
    "quantile",
    "quantile_gradient",
    "step",
]

EPSILON = 1e-7
"""What numbers that must not be zero are kept above."""


def step(x: np.ndarray) -> np.ndarray:
    """The derivative of max(x, 0): 0 below zero, 1 above, and ½ at zero, where a maximum has two sides to choose from."""
    return np.heaviside(x, x.dtype.type(0.5))


def mean_squared_error(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ (pⱼ − yⱼ)²."""
    return np.square(p - y).mean(axis=1)


def mean_squared_error_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = 2·(pⱼ − yⱼ) / columns."""
    return 2 * (p - y) / p.shape[1]


def mean_absolute_error(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ |pⱼ − yⱼ|."""
    return np.abs(p - y).mean(axis=1)


def mean_absolute_error_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = sign(pⱼ − yⱼ) / columns; 0 where they are equal."""
    return np.sign(p - y) / p.shape[1]


def mean_absolute_percentage_error(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 100/columns · Σⱼ |pⱼ − yⱼ| / max(|yⱼ|, 10⁻⁷)."""
    return 100 * (np.abs(p - y) / np.maximum(np.abs(y), EPSILON)).mean(axis=1)


def mean_absolute_percentage_error_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = 100·sign(pⱼ − yⱼ) / max(|yⱼ|, 10⁻⁷) / columns; 0 where they are equal."""
    return 100 * np.sign(p - y) / np.maximum(np.abs(y), EPSILON) / p.shape[1]


def mean_squared_logarithmic_error(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ (log(1 + pⱼ) − log(1 + yⱼ))², where numbers below 10⁻⁷ count as 10⁻⁷."""
    return np.square(np.log1p(np.maximum(p, EPSILON)) - np.log1p(np.maximum(y, EPSILON))).mean(axis=1)


def mean_squared_logarithmic_error_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = 2·(log(1 + pⱼ) − log(1 + yⱼ)) / (1 + pⱼ) / columns; 0 where p counts as 10⁻⁷."""
    minimum = p.dtype.type(EPSILON)
    q = np.maximum(p, minimum)
    return 2 * (np.log1p(q) - np.log1p(np.maximum(y, minimum))) / (1 + q) * step(p - minimum) / p.shape[1]


def huber(y: np.ndarray, p: np.ndarray, delta: float) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ ½·eⱼ² where |eⱼ| ≤ δ, else δ·(|eⱼ| − ½·δ), with e = p − y: a square that goes on as a line."""
    size = np.abs(p - y)
    return np.where(size <= delta, 0.5 * np.square(size), delta * (size - 0.5 * delta)).mean(axis=1)


def huber_gradient(y: np.ndarray, p: np.ndarray, delta: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = eⱼ / columns, no further than ±δ."""
    return np.clip(p - y, -delta, delta) / p.shape[1]


def log_cosh(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ log cosh(pⱼ − yⱼ).

    Taken as |e| + log(1 + exp(−2·|e|)) − log 2, since cosh overflows early; small errors, whose digits that difference loses, as
    −½·log(1 − tanh² e).
    """
    size = np.abs(p - y)
    far = size + np.log1p(np.exp(-2 * size)) - math.log(2)
    return np.where(size < 0.6, -0.5 * np.log1p(-np.square(np.tanh(np.minimum(size, 1)))), far).mean(axis=1)


def log_cosh_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = tanh(pⱼ − yⱼ) / columns."""
    return np.tanh(p - y) / p.shape[1]


def quantile(y: np.ndarray, p: np.ndarray, q: float) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ max(q·eⱼ, (q − 1)·eⱼ) with e = y − p: minimal where a fraction q of the targets lies below the prediction."""
    return np.maximum(q * (y - p), (q - 1) * (y - p)).mean(axis=1)


def quantile_gradient(y: np.ndarray, p: np.ndarray, q: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = −q / columns where the prediction is too low, (1 − q) / columns where it is too high; 0 where they are equal."""
    return np.where(y > p, p.dtype.type(-q), np.where(y < p, p.dtype.type(1 - q), 0)) / p.shape[1]


def poisson(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ pⱼ − yⱼ·log(pⱼ + 10⁻⁷), for counts y and predicted rates p > 0."""
    return (p - y * np.log(p + EPSILON)).mean(axis=1)


def poisson_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = (1 − yⱼ / (pⱼ + 10⁻⁷)) / columns."""
    return (1 - y / (p + EPSILON)) / p.shape[1]


def gaussian_nll(y: np.ndarray, p: np.ndarray, minimum: float, constant: float) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ ½·(log vⱼ + (mⱼ − yⱼ)²/vⱼ) + constant.

    The first half of p's columns are the means m, the second half the variances v, which count as ``minimum`` where they are below.
    y has half as many columns as p.
    """
    m, v = _means_and_variances(p, minimum)
    return 0.5 * (np.log(v) + np.square(m - y) / v).mean(axis=1) + constant


def gaussian_nll_gradient(y: np.ndarray, p: np.ndarray, minimum: float, constant: float) -> np.ndarray:
    """∂ℓ/∂mⱼ = (mⱼ − yⱼ)/vⱼ / columns and ∂ℓ/∂vⱼ = ½·(1 − (mⱼ − yⱼ)²/vⱼ)/vⱼ / columns, also where v counts as ``minimum``."""
    m, v = _means_and_variances(p, minimum)
    error = (m - y) / v
    return np.hstack([error, 0.5 * (1 / v - np.square(error))]) / m.shape[1]


def _means_and_variances(p: np.ndarray, minimum: float) -> tuple[np.ndarray, np.ndarray]:
    m, v = np.hsplit(p, 2)
    return m, np.maximum(v, minimum)


def cosine_similarity(y: np.ndarray, p: np.ndarray, sign: float) -> np.ndarray:
    """ℓ = sign · Σⱼ ŷⱼ·p̂ⱼ, where a hat makes a vector one long, unless it is shorter than 10⁻⁷. The loss has sign −1."""
    return sign * (y * _scale(y) * p * _scale(p)).sum(axis=1)


def cosine_similarity_gradient(y: np.ndarray, p: np.ndarray, sign: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = sign · (ŷⱼ − (ŷ·p̂)·p̂ⱼ) / |p|; where p is shorter than 10⁻⁷ the length is a constant, so the second term is gone."""
    unit_y, unit_p = y * _scale(y), p * _scale(p)
    along = np.where(_scale(p) < 1 / EPSILON, (unit_y * unit_p).sum(axis=1, keepdims=True), 0)
    return sign * (unit_y - along * unit_p) * _scale(p)


def _scale(x: np.ndarray) -> np.ndarray:
    """The factor that normalizes each sample to length 1: 1/|x|, at most 10⁷."""
    with np.errstate(divide="ignore"):
        return np.minimum(1 / np.sqrt(np.square(x).sum(axis=1, keepdims=True)), x.dtype.type(1 / EPSILON))
