"""Activation functions a = f(z), and how a gradient passes back through them.

Without nonlinear functions between them, several dense layers would compute no more than one matrix product. Each activation is a pair of
functions:

- ``forward(z, alpha)`` returns a = f(z);
- ``backward(a, da, alpha)`` returns dz, by the chain rule dz = da · f'(z).

Those with ``limited`` in the table take a threshold and a max_value after alpha.

Most derivatives are functions of the output a alone, so z need not be saved. Those with ``reads_input`` in the table
are not; their second function is ``backward(z, da, alpha)``. ``z``, ``a``, ``da`` and
``dz`` have the shape (rows, units); ``alpha`` is ignored by most. To add an activation, write its pair and add a row to
``ACTIVATIONS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["ACTIVATIONS", "READ_INPUT", "Activation", "of_functions", "sigmoid", "softmax"]

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


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


def relu6(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z, but at least 0 and at most 6."""
    return np.clip(z, 0, 6)


def relu6_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 strictly between the limits, else 0."""
    return np.where((a > 0) & (a < 6), da, 0)


def elu(z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """f(z) = z where z > 0, else alpha·(eᶻ − 1) (Clevert et al., 2016)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_backward(a: np.ndarray, da: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """f' = 1 where a > 0, else alpha·eᶻ = a + alpha (alpha ≥ 0, so a has the sign of z)."""
    return np.where(a > 0, da, da * (a + alpha))


def selu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = scale·elu(z, α), with the two constants that keep mean 0 and variance 1 from layer to layer (Klambauer et al., 2017)."""
    return SELU_SCALE * elu(z, SELU_ALPHA)


def selu_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = scale where a > 0, else scale·α·eᶻ = a + scale·α."""
    return da * np.where(a > 0, SELU_SCALE, a + SELU_SCALE * SELU_ALPHA).astype(a.dtype)


def celu(z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """f(z) = z where z > 0, else alpha·(e^(z/alpha) − 1), whose slope has no jump at 0 (Barron, 2017)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0) / alpha))


def celu_backward(a: np.ndarray, da: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """f' = 1 where a > 0, else e^(z/alpha) = a/alpha + 1."""
    return np.where(a > 0, da, da * (a / alpha + 1))


def softplus(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = log(1 + eᶻ), a smooth relu."""
    return np.logaddexp(z, 0)


def softplus_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = sigmoid(z) = 1 − e⁻ᵃ."""
    return da * -np.expm1(-a)


def softsign(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z / (1 + |z|)."""
    return z / (1 + np.abs(z))


def softsign_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 / (1 + |z|)² = (1 − |a|)²."""
    return da * (1 - np.abs(a)) ** 2


def exponential(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = eᶻ."""
    return np.exp(z)


def exponential_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = f."""
    return da * a


def log_sigmoid(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = log(sigmoid(z)) = −softplus(−z)."""
    return -softplus(-z)


def log_sigmoid_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 − sigmoid(z) = 1 − eᵃ."""
    return da * -np.expm1(a)


def hard_sigmoid(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z/6 + ½, but at least 0 and at most 1: a sigmoid of straight lines."""
    return relu6(z + 3) / 6


def hard_sigmoid_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1/6 strictly between the limits, else 0."""
    return np.where((a > 0) & (a < 1), da / 6, 0)


def hard_tanh(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z, but at least −1 and at most 1."""
    return np.clip(z, -1, 1)


def hard_tanh_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 1 strictly between the limits, else 0."""
    return np.where(np.abs(a) < 1, da, 0)


_erfc = np.vectorize(math.erfc, otypes=[float])  # NumPy has none


def normal_cdf(z: np.ndarray) -> np.ndarray:
    """Φ(z), the probability that a standard normal number is at most z, by erfc: far to the left ½ + ½·erf would lose its digits."""
    return (_erfc(z.astype(np.float64) * -math.sqrt(0.5)) / 2).astype(z.dtype)


def normal_density(z: np.ndarray) -> np.ndarray:
    """φ(z) = Φ'(z) = e^(−z²/2) / √(2π)."""
    return (np.exp(z.astype(np.float64) ** 2 / -2) / math.sqrt(2 * math.pi)).astype(z.dtype)


def gelu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z·Φ(z) (Hendrycks and Gimpel, 2016)."""
    return z * normal_cdf(z)


def gelu_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = Φ(z) + z·φ(z)."""
    return da * (normal_cdf(z) + z * normal_density(z))


def gelu_tanh(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = ½z·(1 + tanh y) = z·sigmoid(2y) with y = √(2/π)·(z + 0.044715·z³): an approximation of ``gelu``.

    Beyond ±16 the sigmoid is 0 or 1, and z³ might overflow.
    """
    near = np.clip(z, -16, 16)
    return z * sigmoid(math.sqrt(8 / math.pi) * (near + 0.044715 * near**3))


def gelu_tanh_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = s + z·s·(1 − s)·2y' with s = sigmoid(2y)."""
    near = np.clip(z, -16, 16)
    s = sigmoid(math.sqrt(8 / math.pi) * (near + 0.044715 * near**3))
    return da * (s + near * s * (1 - s) * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * near**2))


def silu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z·sigmoid(z), also called swish (Ramachandran et al., 2017)."""
    return z * sigmoid(z)


def silu_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = s + z·s·(1 − s) with s = sigmoid(z)."""
    s = sigmoid(z)
    return da * (s + z * (s * (1 - s)))


def mish(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z·tanh(softplus(z)) (Misra, 2019)."""
    return z * np.tanh(softplus(z))


def mish_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = t + z·(1 − t²)·sigmoid(z) with t = tanh(softplus(z))."""
    t = np.tanh(softplus(z))
    return da * (t + z * ((1 - t * t) * sigmoid(z)))


def hard_silu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z·hard_sigmoid(z), also called hard swish (Howard et al., 2019)."""
    return z * hard_sigmoid(z)


def hard_silu_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = 0 up to −3, 1 from 3 on, z/3 + ½ between."""
    return da * np.where(z <= -3, 0, np.where(z >= 3, 1, z / 3 + 0.5))


def general_relu(z: np.ndarray, alpha: float = 0.0, threshold: float = 0.0, max_value: float = math.inf) -> np.ndarray:
    """f(z) = z, at most max_value, where z > threshold, else alpha·(z − threshold)."""
    return np.where(z > threshold, np.minimum(z, max_value), alpha * (z - threshold))


def general_relu_backward(
    z: np.ndarray, da: np.ndarray, alpha: float = 0.0, threshold: float = 0.0, max_value: float = math.inf
) -> np.ndarray:
    """f' = 1 above the threshold and 0 from max_value on; alpha up to the threshold."""
    return np.where(z > threshold, np.where(z < max_value, da, 0), alpha * da)


def hard_shrink(z: np.ndarray, alpha: float = 0.0, threshold: float = 0.5, max_value: float = math.inf) -> np.ndarray:
    """f(z) = z where |z| > threshold, else 0."""
    return np.where(np.abs(z) <= threshold, 0, z)


def hard_shrink_backward(
    z: np.ndarray, da: np.ndarray, alpha: float = 0.0, threshold: float = 0.5, max_value: float = math.inf
) -> np.ndarray:
    """f' = 1 where |z| > threshold, else 0."""
    return np.where(np.abs(z) <= threshold, 0, da)


def soft_shrink(z: np.ndarray, alpha: float = 0.0, threshold: float = 0.5, max_value: float = math.inf) -> np.ndarray:
    """f(z) = z − threshold above the threshold, z + threshold below its negative, 0 between."""
    return z - np.clip(z, -threshold, threshold)


def tanh_shrink(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = z − tanh(z)."""
    return z - np.tanh(z)


def tanh_shrink_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = tanh(z)²."""
    return da * np.tanh(z) ** 2


def threshold(z: np.ndarray, alpha: float = 0.0, threshold: float = 0.0, max_value: float = math.inf) -> np.ndarray:
    """f(z) = z where z > threshold, else alpha."""
    return np.where(z <= threshold, np.asarray(alpha, z.dtype), z)


def threshold_backward(
    z: np.ndarray, da: np.ndarray, alpha: float = 0.0, threshold: float = 0.0, max_value: float = math.inf
) -> np.ndarray:
    """f' = 1 where z > threshold, else 0."""
    return np.where(z <= threshold, 0, da)


def _squareplus_parts(z: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """√(z² + alpha), and its sum with |z|, neither 0. Beyond 2⁶² alpha has long been lost in z²."""
    near = np.clip(z, -(2.0**62), 2.0**62)
    root = np.sqrt(near * near + np.asarray(alpha, z.dtype))
    minimum = np.asarray(2.0**-62, z.dtype)
    return np.maximum(root, minimum), np.maximum(root + np.abs(near), minimum)


def squareplus(z: np.ndarray, alpha: float = 4.0) -> np.ndarray:
    """f(z) = ½·(z + √(z² + alpha)) (Barron, 2021), a smooth relu without an exponential.

    It is alpha/2 / (√(z² + alpha) + |z|) above relu, a form without the difference of nearly equal numbers that the first has to the left.
    """
    _, total = _squareplus_parts(z, alpha)
    return np.maximum(z, 0) + np.asarray(alpha / 2, z.dtype) / total


def squareplus_backward(z: np.ndarray, da: np.ndarray, alpha: float = 4.0) -> np.ndarray:
    """f' = ½·(1 + z / √(z² + alpha))."""
    root, total = _squareplus_parts(z, alpha)
    rest = np.asarray(alpha / 2, z.dtype) / (root * total)
    return da * np.where(z > 0, 1 - rest, rest)


def sparse_plus(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = ¼·(z + 1)² between −1 and 1, 0 to the left and z to the right: a smooth relu of finite pieces."""
    return np.where(z > 1, z, sparse_sigmoid(z) ** 2)


def sparse_plus_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = ½·(z + 1), at least 0 and at most 1."""
    return da * sparse_sigmoid(z)


def sparse_sigmoid(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f(z) = ½·(z + 1), at least 0 and at most 1: ``sparsemax`` of z/2 and −z/2."""
    return (np.clip(z, -1, 1) + 1) / 2


def sparse_sigmoid_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """f' = ½ strictly between −1 and 1, else 0."""
    return np.where(np.abs(z) >= 1, 0, da / 2)


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


def log_softmax(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """aⱼ = log(softmax(z)ⱼ) = zⱼ − log Σₖ exp(zₖ), again with the row's largest z subtracted first."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def log_softmax_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """dzⱼ = daⱼ − exp(aⱼ)·Σₖ daₖ, because ∂aₖ/∂zⱼ = [k = j] − softmax(z)ⱼ."""
    return da - np.exp(a) * da.sum(axis=1, keepdims=True)


def sparsemax(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """aⱼ = max(zⱼ − τ, 0), with the τ that makes each row a probability distribution (Martins and Astudillo, 2016).

    It is the distribution nearest to z, and unlike softmax it is exactly 0 for values far below the maximum. With the k largest z
    above 0, τ is (their sum − 1) / k; k is the largest number for which the smallest of them stays above it.
    """
    z = z - z.max(axis=1, keepdims=True)
    descending = -np.sort(-z, axis=1)
    sums = np.cumsum(descending, axis=1)
    counts = np.arange(1, z.shape[1] + 1, dtype=z.dtype)
    k = (descending - (sums - 1) / counts > 0).sum(axis=1, keepdims=True)
    tau = (np.take_along_axis(sums, k - 1, axis=1) - 1) / k.astype(z.dtype)
    return np.maximum(z - tau, 0)


def sparsemax_backward(a: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """dzⱼ = daⱼ − the mean of da where a > 0, and 0 elsewhere: τ depends equally on all of them."""
    above = a > 0
    mean = np.where(above, da, 0).sum(axis=1, keepdims=True) / np.maximum(above.sum(axis=1, keepdims=True), 1).astype(a.dtype)
    return np.where(above, da - mean, 0)


def glu(z: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """a = u·sigmoid(v), u and v the first and the second half of the columns: v gates u (Dauphin et al., 2017)."""
    u, v = np.split(z, 2, axis=1)
    return u * sigmoid(v)


def glu_backward(z: np.ndarray, da: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """du = da·s, dv = da·u·s·(1 − s) with s = sigmoid(v)."""
    u, v = np.split(z, 2, axis=1)
    s = sigmoid(v)
    return np.concatenate([da * s, da * u * (s * (1 - s))], axis=1)


class Activation(NamedTuple):
    """A function and its chain rule."""

    forward: Callable[..., np.ndarray]
    """From z and the constants of the node."""
    backward: Callable[..., np.ndarray]
    """From the output, or the input, and the gradient of the output, and the constants of the node."""
    reads_input: bool = False
    """Whether ``backward`` reads the input, because the derivative is not a function of the output."""
    rowwise: bool = False
    """Whether an output depends on all columns of its row; such an activation is never part of a dense node."""
    limited: bool = False
    """Whether the constants are alpha, threshold and max_value of the node, and not alpha alone."""


def of_functions(value: Callable[[np.ndarray], Any], backward: Callable[[np.ndarray, np.ndarray], Any]) -> Activation:
    """A user-defined activation, from its value, and the gradient by its input from that by its output."""
    return Activation(lambda z, alpha: value(z), lambda z, da, alpha: backward(z, da), reads_input=True)


ACTIVATIONS = {
    "linear": Activation(linear, linear_backward),
    "relu": Activation(relu, relu_backward),
    "leaky_relu": Activation(leaky_relu, leaky_relu_backward),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "tanh": Activation(tanh, tanh_backward),
    "relu6": Activation(relu6, relu6_backward),
    "elu": Activation(elu, elu_backward),
    "selu": Activation(selu, selu_backward),
    "celu": Activation(celu, celu_backward),
    "softplus": Activation(softplus, softplus_backward),
    "softsign": Activation(softsign, softsign_backward),
    "exponential": Activation(exponential, exponential_backward),
    "log_sigmoid": Activation(log_sigmoid, log_sigmoid_backward),
    "hard_sigmoid": Activation(hard_sigmoid, hard_sigmoid_backward),
    "hard_tanh": Activation(hard_tanh, hard_tanh_backward),
    "gelu": Activation(gelu, gelu_backward, reads_input=True),
    "gelu_tanh": Activation(gelu_tanh, gelu_tanh_backward, reads_input=True),
    "silu": Activation(silu, silu_backward, reads_input=True),
    "mish": Activation(mish, mish_backward, reads_input=True),
    "hard_silu": Activation(hard_silu, hard_silu_backward, reads_input=True),
    "general_relu": Activation(general_relu, general_relu_backward, reads_input=True, limited=True),
    "hard_shrink": Activation(hard_shrink, hard_shrink_backward, reads_input=True, limited=True),
    "soft_shrink": Activation(soft_shrink, hard_shrink_backward, reads_input=True, limited=True),
    "tanh_shrink": Activation(tanh_shrink, tanh_shrink_backward, reads_input=True),
    "threshold": Activation(threshold, threshold_backward, reads_input=True, limited=True),
    "squareplus": Activation(squareplus, squareplus_backward, reads_input=True),
    "sparse_plus": Activation(sparse_plus, sparse_plus_backward, reads_input=True),
    "sparse_sigmoid": Activation(sparse_sigmoid, sparse_sigmoid_backward, reads_input=True),
    "softmax": Activation(softmax, softmax_backward, rowwise=True),
    "log_softmax": Activation(log_softmax, log_softmax_backward, rowwise=True),
    "sparsemax": Activation(sparsemax, sparsemax_backward, rowwise=True),
    "glu": Activation(glu, glu_backward, reads_input=True, rowwise=True),
}

READ_INPUT = frozenset(name for name, one in ACTIVATIONS.items() if one.reads_input and not one.rowwise)
"""Elementwise activations that can be no part of a dense node, which keeps its output only."""
