"""Activation functions a = f(z), and how a gradient passes back through them.

Without a bend between them, dense layers one after the other would be no more than one matrix. An activation is that bend. Each is a
pair of functions:

- ``forward(z, alpha)`` gives a = f(z);
- ``backward(a, da, alpha)`` gives dz from da, by the chain rule dz = da · f'(z).

All the derivatives here can be told from the output a alone, so z need not be kept. ``z``, ``a``, ``da`` and ``dz`` have the shape
(rows, units); ``alpha`` matters to ``leaky_relu`` only. To add an activation, write its pair and add a row to ``ACTIVATIONS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["ACTIVATIONS", "Activation", "sigmoid", "softmax"]


def linear(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z."""
    return z


def linear_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1."""
    return da


def relu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = max(z, 0)."""
    return np.maximum(z, 0)


def relu_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 where a > 0, else 0; at the kink z = 0 the slope is taken to be 0."""
    return np.where(a > 0, da, 0)


def leaky_relu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z where z > 0, else alpha·z."""
    return np.where(z > 0, z, alpha * z)


def leaky_relu_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 where a > 0, else alpha (alpha ≥ 0, so a has the sign of z)."""
    return np.where(a > 0, da, alpha * da)


def sigmoid(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = 1 / (1 + e⁻ᶻ), a probability.

    For negative z the equal form eᶻ / (1 + eᶻ) is used: the exponential's argument is then never positive, so it cannot overflow.
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def sigmoid_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = a·(1 − a)."""
    return da * (a * (1 - a))


def tanh(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = (eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ)."""
    return np.tanh(z)


def tanh_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 − a²."""
    return da * (1 - a * a)


def softmax(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """aⱼ = exp(zⱼ) / Σₖ exp(zₖ): each row becomes a probability distribution over the columns.

    Subtracting the row's largest z changes nothing in the quotient and keeps the exponentials from overflowing.
    """
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """dzⱼ = aⱼ · (daⱼ − Σₖ aₖ·daₖ).

    Every output depends on every input of its row: ∂aₖ/∂zⱼ = aₖ·([k = j] − aⱼ). Summing daₖ·∂aₖ/∂zⱼ over k gives the line above.
    """
    return a * (da - (a * da).sum(axis=1, keepdims=True))


class Activation(NamedTuple):
    """A function and its chain rule."""

    forward: Callable[[np.ndarray, float], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray, float], np.ndarray]


ACTIVATIONS = {
    "linear": Activation(linear, linear_backward),
    "relu": Activation(relu, relu_backward),
    "leaky_relu": Activation(leaky_relu, leaky_relu_backward),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "tanh": Activation(tanh, tanh_backward),
    "softmax": Activation(softmax, softmax_backward),
}
