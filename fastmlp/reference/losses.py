"""Losses: how wrong the predictions of a batch are, and the slope of that.

A loss is a pair of functions of the targets ``y`` and the predictions ``p``, both (rows, columns):

- ``value(y, p)`` gives one number a row, (rows,);
- ``gradient(y, p)`` gives its derivative with respect to p, (rows, columns).

``LOSSES`` holds those that read predictions. ``LOGIT_LOSSES`` holds those that read logits z, the scores before a softmax or a sigmoid: the
exponential of the activation and the logarithm of the loss then cancel on paper instead of in float32, where they lose digits or
overflow, and the gradient becomes simply prediction minus target.

A sparse loss takes integer class labels (rows,) in place of one-hot rows. To add a loss, write its pair and add a row to a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastmlp.reference.activations import sigmoid, softmax

__all__ = ["LOGIT_LOSSES", "LOSSES", "Loss", "one_hot"]

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1, where a logarithm or its slope would be infinite."""


# Regression


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


# Cross-entropies of probabilities


def _clip(p: np.ndarray) -> np.ndarray:
    return np.clip(p, EPSILON, 1 - EPSILON)


def _zero_where_clipped(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """A clipped probability is a constant, so nothing can be learnt through it."""
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

    This is binary cross-entropy of p = sigmoid(z), rearranged so that the exponential cannot overflow.
    """
    return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean(axis=1)


def binary_crossentropy_of_logits_gradient(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """∂ℓ/∂zⱼ = (sigmoid(zⱼ) − yⱼ) / columns."""
    return (sigmoid(z) - y) / z.shape[1]


def categorical_crossentropy_of_logits(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """ℓ = −Σⱼ yⱼ·log softmax(z)ⱼ = lse·Σⱼ yⱼ − Σⱼ yⱼ·zⱼ, with lse = log Σₖ exp(zₖ).

    The log-sum-exp is taken relative to the row's largest logit, which keeps it from overflowing.
    """
    largest = z.max(axis=1)
    lse = largest + np.log(np.exp(z - largest[:, None]).sum(axis=1))
    return lse * y.sum(axis=1) - (y * z).sum(axis=1)


def categorical_crossentropy_of_logits_gradient(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """∂ℓ/∂zⱼ = softmax(z)ⱼ·Σₖ yₖ − yⱼ: prediction minus target, since Σ y is normally one."""
    return softmax(z) * y.sum(axis=1, keepdims=True) - y


# Integer labels

RowFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Loss(NamedTuple):
    """A loss of each row, and its derivative."""

    value: RowFunction
    gradient: RowFunction


def one_hot(labels: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Turns integer labels (rows,) into rows of zeros with a one at the label, of the shape and dtype of ``like``, (rows, columns)."""
    return (labels[:, None] == np.arange(like.shape[1])).astype(like.dtype)


def sparse(loss: Loss) -> Loss:
    """The same loss of integer labels."""

    def value(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
        return loss.value(one_hot(labels, p), p)

    def gradient(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
        return loss.gradient(one_hot(labels, p), p)

    return Loss(value, gradient)


CATEGORICAL = Loss(categorical_crossentropy, categorical_crossentropy_gradient)
CATEGORICAL_OF_LOGITS = Loss(categorical_crossentropy_of_logits, categorical_crossentropy_of_logits_gradient)

LOSSES = {
    "mean_squared_error": Loss(mean_squared_error, mean_squared_error_gradient),
    "mean_absolute_error": Loss(mean_absolute_error, mean_absolute_error_gradient),
    "binary_crossentropy": Loss(binary_crossentropy, binary_crossentropy_gradient),
    "categorical_crossentropy": CATEGORICAL,
    "sparse_categorical_crossentropy": sparse(CATEGORICAL),
}

LOGIT_LOSSES = {
    "binary_crossentropy": Loss(binary_crossentropy_of_logits, binary_crossentropy_of_logits_gradient),
    "categorical_crossentropy": CATEGORICAL_OF_LOGITS,
    "sparse_categorical_crossentropy": sparse(CATEGORICAL_OF_LOGITS),
}
