"""Losses of predicted classes and probabilities. See losses.py for what a loss is."""

from __future__ import annotations

import numpy as np

from fastmlp.reference.activations import sigmoid, softmax
from fastmlp.reference.regression_losses import step

__all__ = [
    "binary_crossentropy",
    "binary_crossentropy_gradient",
    "binary_crossentropy_of_logits",
    "binary_crossentropy_of_logits_gradient",
    "binary_focal_crossentropy",
    "binary_focal_crossentropy_gradient",
    "binary_focal_crossentropy_of_logits",
    "binary_focal_crossentropy_of_logits_gradient",
    "categorical_crossentropy",
    "categorical_crossentropy_gradient",
    "categorical_crossentropy_of_logits",
    "categorical_crossentropy_of_logits_gradient",
    "categorical_focal_crossentropy",
    "categorical_focal_crossentropy_gradient",
    "categorical_focal_crossentropy_of_logits",
    "categorical_focal_crossentropy_of_logits_gradient",
    "categorical_hinge",
    "categorical_hinge_gradient",
    "hinge",
    "hinge_gradient",
    "kl_divergence",
    "kl_divergence_gradient",
    "sparse_categorical_generalized_cross_entropy",
    "sparse_categorical_generalized_cross_entropy_gradient",
    "squared_hinge",
    "squared_hinge_gradient",
]

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1, where a logarithm or its slope would be infinite."""


# Cross-entropies of probabilities


def _clip(p: np.ndarray) -> np.ndarray:
    return np.clip(p, EPSILON, 1 - EPSILON)


def _zero_where_clipped(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """A clipped probability is a constant, so its gradient is 0."""
    return np.where(p == _clip(p), gradient, 0)


def binary_crossentropy(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = −1/columns · Σⱼ yⱼ·log pⱼ + (1 − yⱼ)·log(1 − pⱼ), with p clipped to [10⁻⁷, 1 − 10⁻⁷]."""
    q = _clip(p)
    return -(y * np.log(q) + (1 - y) * np.log(1 - q)).mean(axis=1)


def binary_crossentropy_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = (pⱼ − yⱼ) / (pⱼ·(1 − pⱼ)) / columns; 0 where p was clipped."""
    q = _clip(p)
    return _zero_where_clipped(p, (q - y) / (q * (1 - q)) / p.shape[1])


def categorical_crossentropy(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = −Σⱼ yⱼ·log qⱼ, with q = p / Σₖ pₖ (rows of p need not add up to one), clipped to [10⁻⁷, 1 − 10⁻⁷]."""
    q = p / p.sum(axis=1, keepdims=True)
    return -(y * np.log(_clip(q))).sum(axis=1)


def categorical_crossentropy_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = (gⱼ − Σₖ gₖ·qₖ) / Σₖ pₖ, where gⱼ = ∂ℓ/∂qⱼ = −yⱼ / qⱼ, or 0 where q was clipped.

    The second term is the normalisation's: ∂qₖ/∂pⱼ = ([k = j] − qₖ) / Σ p.
    """
    total = p.sum(axis=1, keepdims=True)
    q = p / total
    g = _zero_where_clipped(q, -y / _clip(q))
    return (g - (g * q).sum(axis=1, keepdims=True)) / total


# Cross-entropies of logits


def binary_crossentropy_of_logits(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ max(zⱼ, 0) − zⱼ·yⱼ + log(1 + exp(−|zⱼ|)).

    This is binary cross-entropy of p = sigmoid(z), rearranged so that the exponential cannot overflow. An infinite logit costs nothing
    where the target is as certain, and else infinitely much.
    """
    away = np.where(z > 0, 1 - y, y)
    certain = np.where(away == 0, 0, away * np.abs(z))
    return np.where(np.isinf(z), certain, np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean(axis=1)


def binary_crossentropy_of_logits_gradient(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """∂ℓ/∂zⱼ = (sigmoid(zⱼ) − yⱼ) / columns."""
    return (sigmoid(z) - y) / z.shape[1]


def categorical_crossentropy_of_logits(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """ℓ = −Σⱼ yⱼ·log softmax(z)ⱼ = lse·Σⱼ yⱼ − Σⱼ yⱼ·zⱼ, with lse = log Σₖ exp(zₖ).

    The log-sum-exp is taken relative to the row's largest logit, which keeps it from overflowing. A class whose logit is −∞ costs nothing
    where its target is 0, and makes the loss infinite elsewhere.
    """
    largest = z.max(axis=1)
    lse = largest + np.log(np.exp(z - largest[:, None]).sum(axis=1))
    return lse * y.sum(axis=1) - (y * np.where(y == 0, 0, z)).sum(axis=1)


def categorical_crossentropy_of_logits_gradient(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """∂ℓ/∂zⱼ = softmax(z)ⱼ·Σₖ yₖ − yⱼ: prediction minus target, since Σ y is normally one."""
    return softmax(z) * y.sum(axis=1, keepdims=True) - y


# Focal cross-entropies: what is predicted well already counts less


def binary_focal_crossentropy(y: np.ndarray, p: np.ndarray, gamma: float, ones: float, zeros: float) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ wⱼ·uⱼᵞ·bceⱼ, with u = y·(1 − p) + (1 − y)·p, how far off p is, and w the weight of ones or of zeros."""
    return _binary_focal(y, p, 1 - p, gamma, ones, zeros)[0].mean(axis=1)


def binary_focal_crossentropy_gradient(y: np.ndarray, p: np.ndarray, gamma: float, ones: float, zeros: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = wⱼ·(γ·uⱼᵞ⁻¹·(1 − 2·yⱼ)·bceⱼ + uⱼᵞ·∂bceⱼ/∂pⱼ) / columns; the second term is 0 where p was clipped."""
    _, by_u, by_p = _binary_focal(y, p, 1 - p, gamma, ones, zeros)
    return (by_u + by_p) / p.shape[1]


def binary_focal_crossentropy_of_logits(y: np.ndarray, z: np.ndarray, gamma: float, ones: float, zeros: float) -> np.ndarray:
    """The same of p = sigmoid(z); 1 − p is sigmoid(−z), which keeps its digits."""
    return _binary_focal(y, sigmoid(z), sigmoid(-z), gamma, ones, zeros)[0].mean(axis=1)


def binary_focal_crossentropy_of_logits_gradient(y: np.ndarray, z: np.ndarray, gamma: float, ones: float, zeros: float) -> np.ndarray:
    """∂ℓ/∂zⱼ = ∂ℓ/∂pⱼ · pⱼ·(1 − pⱼ)."""
    p, q = sigmoid(z), sigmoid(-z)
    _, by_u, by_p = _binary_focal(y, p, q, gamma, ones, zeros)
    return (by_u + by_p) * p * q / z.shape[1]


def _binary_focal(
    y: np.ndarray, p: np.ndarray, q: np.ndarray, gamma: float, ones: float, zeros: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every column's value, and its slopes through u and through the cross-entropy; q = 1 − p. The slope of uᵞ at 0 is taken to be 0."""
    clipped = _clip(p)
    rest = np.where(p == clipped, q, 1 - clipped)
    entropy = -(y * np.log(clipped) + (1 - y) * np.log(rest))
    u = y * q + (1 - y) * p
    factor = np.power(u, gamma)
    weight = y * ones + (1 - y) * zeros
    steepness = np.where(u == 0, 0, gamma * factor / np.where(u == 0, 1, u))
    by_p = _zero_where_clipped(p, factor * (clipped - y) / (clipped * rest))
    return weight * factor * entropy, weight * steepness * (1 - 2 * y) * entropy, weight * by_p


def categorical_focal_crossentropy(y: np.ndarray, p: np.ndarray, gamma: float, alpha: float) -> np.ndarray:
    """ℓ = −α · Σⱼ yⱼ·(1 − qⱼ)ᵞ·log qⱼ, with q = p / Σₖ pₖ, clipped to [10⁻⁷, 1 − 10⁻⁷]."""
    q = _clip(p / p.sum(axis=1, keepdims=True))
    return -alpha * (y * np.power(1 - q, gamma) * np.log(q)).sum(axis=1)


def categorical_focal_crossentropy_gradient(y: np.ndarray, p: np.ndarray, gamma: float, alpha: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = (gⱼ − Σₖ gₖ·qₖ) / Σₖ pₖ, as in ``categorical_crossentropy_gradient``, with g = ∂ℓ/∂q."""
    total = p.sum(axis=1, keepdims=True)
    q = p / total
    g = _categorical_focal_slope(y, q, gamma, alpha)
    return (g - (g * q).sum(axis=1, keepdims=True)) / total


def categorical_focal_crossentropy_of_logits(y: np.ndarray, z: np.ndarray, gamma: float, alpha: float) -> np.ndarray:
    """The same of p = softmax(z)."""
    return categorical_focal_crossentropy(y, softmax(z), gamma, alpha)


def categorical_focal_crossentropy_of_logits_gradient(y: np.ndarray, z: np.ndarray, gamma: float, alpha: float) -> np.ndarray:
    """∂ℓ/∂zⱼ = pⱼ·(gⱼ − Σₖ gₖ·pₖ)."""
    p = softmax(z)
    g = _categorical_focal_slope(y, p, gamma, alpha)
    return p * (g - (g * p).sum(axis=1, keepdims=True))


def _categorical_focal_slope(y: np.ndarray, q: np.ndarray, gamma: float, alpha: float) -> np.ndarray:
    """α·yⱼ·(γ·(1 − qⱼ)ᵞ⁻¹·log qⱼ − (1 − qⱼ)ᵞ / qⱼ), 0 where q was clipped."""
    clipped = _clip(q)
    u = 1 - clipped
    return _zero_where_clipped(q, alpha * y * np.power(u, gamma) * (gamma * np.log(clipped) / u - 1 / clipped))


# Of noisy labels


def sparse_categorical_generalized_cross_entropy(labels: np.ndarray, p: np.ndarray, q: float) -> np.ndarray:
    """ℓ = (1 − p^q) / q of the label's probability: between cross-entropy (q → 0) and absolute error (q → 1)."""
    return (1 - np.power(_of_labels(labels, p), p.dtype.type(q))) / p.dtype.type(q)


def sparse_categorical_generalized_cross_entropy_gradient(labels: np.ndarray, p: np.ndarray, q: float) -> np.ndarray:
    """∂ℓ/∂pⱼ = −p^(q − 1) for the label, taken at 10⁻³⁷ where p is smaller, and 0 for the others."""
    own = np.maximum(_of_labels(labels, p), p.dtype.type(1e-37))
    return np.where(labels[:, None] == np.arange(p.shape[1]), -(np.power(own, p.dtype.type(q)) / own)[:, None], 0)


def _of_labels(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    return p[np.arange(len(p)), labels]


# Divergences and margins


def kl_divergence(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = Σⱼ yⱼ·log(yⱼ / pⱼ), both clipped to [10⁻⁷, 1]."""
    y, q = np.clip(y, EPSILON, 1), np.clip(p, EPSILON, 1)
    return (y * np.log(y / q)).sum(axis=1)


def kl_divergence_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = −yⱼ / pⱼ; 0 where p was clipped, half of it at the very bounds."""
    minimum = p.dtype.type(EPSILON)
    return -np.clip(y, minimum, 1) / np.clip(p, minimum, 1) * step(p - minimum) * step(1 - p)


def _side(y: np.ndarray) -> np.ndarray:
    """Targets as −1 and 1; they may also be given as 0 and 1."""
    return np.where(y == 0, y.dtype.type(-1), y)


def hinge(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ max(1 − yⱼ·pⱼ, 0): 0 where the prediction is on the right side with a margin of one."""
    return np.maximum(1 - _side(y) * p, 0).mean(axis=1)


def hinge_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = −yⱼ / columns within the margin, 0 outside, half of it at the very edge."""
    return -_side(y) * step(1 - _side(y) * p) / p.shape[1]


def squared_hinge(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = 1/columns · Σⱼ max(1 − yⱼ·pⱼ, 0)²."""
    return np.square(np.maximum(1 - _side(y) * p, 0)).mean(axis=1)


def squared_hinge_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = −2·yⱼ·max(1 − yⱼ·pⱼ, 0) / columns."""
    return -2 * _side(y) * np.maximum(1 - _side(y) * p, 0) / p.shape[1]


def categorical_hinge(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """ℓ = max(1 + maxⱼ (1 − yⱼ)·pⱼ − Σⱼ yⱼ·pⱼ, 0): the true column has to be ahead of the others by one."""
    return np.maximum(1 + ((1 - y) * p).max(axis=1) - (y * p).sum(axis=1), 0)


def categorical_hinge_gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """∂ℓ/∂pⱼ = (1 − yⱼ)·[j is the largest] − yⱼ within the margin, else 0; columns that are equally large share the first term."""
    wrong = (1 - y) * p
    largest = wrong == wrong.max(axis=1, keepdims=True)
    missing = 1 + wrong.max(axis=1) - (y * p).sum(axis=1)
    return ((1 - y) * largest / largest.sum(axis=1, keepdims=True).astype(p.dtype) - y) * step(missing)[:, None]
