"""Activation functions, with the names and defaults of ``keras.ops``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import fastmlp.ops.elementwise as e
from fastmlp.errors import UnsupportedError
from fastmlp.ops._operands import axis_of, elementwise, floating, shape_of
from fastmlp.ops.arranging import split
from fastmlp.ops.reductions import log_softmax, softmax

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh_shrink",
    "threshold",
]

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805

sigmoid = elementwise("sigmoid", "1 / (1 + e⁻ˣ)")


def relu(x: Any) -> Any:
    """max(x, 0), element by element; the gradient at 0 is 0."""
    x = floating(x)
    return e.where(e.greater(x, 0.0), x, 0.0)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6), element by element."""
    return e.minimum(relu(x), 6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where x > 0, else negative_slope·x, element by element."""
    x = floating(x)
    return e.where(e.greater(x, 0.0), x, e.multiply(x, negative_slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha·(eˣ − 1), element by element."""
    x = floating(x)
    return e.where(e.greater(x, 0.0), x, e.multiply(alpha, e.expm1(e.minimum(x, 0.0))))


def selu(x: Any) -> Any:
    """1.0507·elu(x, 1.6733), element by element."""
    return e.multiply(_SELU_SCALE, elu(x, _SELU_ALPHA))


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha·(e^(x/alpha) − 1), element by element."""
    x = floating(x)
    return e.where(e.greater(x, 0.0), x, e.multiply(alpha, e.expm1(e.divide(e.minimum(x, 0.0), alpha))))


def gelu(x: Any, approximate: bool = True) -> Any:
    """x·Φ(x), element by element; approximate: ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
    x = floating(x)
    if approximate:
        inner = e.multiply(math.sqrt(2 / math.pi), e.add(x, e.multiply(0.044715, e.power(x, 3))))
        return e.multiply(e.multiply(0.5, x), e.add(1.0, e.tanh(inner)))
    return e.multiply(e.multiply(0.5, x), e.add(1.0, e.erf(e.multiply(x, math.sqrt(0.5)))))


def silu(x: Any) -> Any:
    """x·sigmoid(x), element by element."""
    x = floating(x)
    return e.multiply(x, sigmoid(x))


def swish(x: Any) -> Any:
    """The same as :func:`silu`."""
    return silu(x)


def softplus(x: Any) -> Any:
    """log(1 + eˣ), element by element."""
    return e.logaddexp(x, 0.0)


def log_sigmoid(x: Any) -> Any:
    """log sigmoid(x), element by element."""
    return e.negative(softplus(e.negative(floating(x))))


def softsign(x: Any) -> Any:
    """x / (1 + \\|x\\|), element by element."""
    x = floating(x)
    return e.divide(x, e.add(1.0, e.abs(x)))


def hard_sigmoid(x: Any) -> Any:
    """min(max(x/6 + ½, 0), 1), element by element."""
    return e.divide(relu6(e.add(floating(x), 3.0)), 6.0)


def hard_silu(x: Any) -> Any:
    """x·hard_sigmoid(x), element by element."""
    x = floating(x)
    return e.multiply(x, hard_sigmoid(x))


def hard_swish(x: Any) -> Any:
    """The same as :func:`hard_silu`."""
    return hard_silu(x)


def hard_tanh(x: Any) -> Any:
    """min(max(x, −1), 1), element by element."""
    return e.clip(floating(x), -1.0, 1.0)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where \\|x\\| > threshold, else 0, element by element."""
    x = floating(x)
    return e.where(e.greater(e.abs(x), threshold), x, 0.0)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """sign(x)·max(\\|x\\| − threshold, 0), element by element."""
    x = floating(x)
    return e.multiply(e.sign(x), relu(e.subtract(e.abs(x), threshold)))


def tanh_shrink(x: Any) -> Any:
    """x − tanh(x), element by element."""
    x = floating(x)
    return e.subtract(x, e.tanh(x))


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where x > threshold, else default_value, element by element."""
    x = floating(x)
    return e.where(e.greater(x, threshold), x, default_value)


def squareplus(x: Any, b: float = 4) -> Any:
    """½(x + √(x² + b)), element by element."""
    x = floating(x)
    return e.multiply(0.5, e.add(x, e.sqrt(e.add(e.square(x), float(b)))))


def sparse_plus(x: Any) -> Any:
    """¼(x + 1)² between −1 and 1, 0 below, x above, element by element."""
    x = floating(x)
    inner = e.multiply(0.25, e.square(e.add(x, 1.0)))
    return e.where(e.less_equal(x, -1.0), 0.0, e.where(e.less(x, 1.0), inner, x))


def sparse_sigmoid(x: Any) -> Any:
    """min(max(½(x + 1), 0), 1), element by element."""
    x = floating(x)
    inner = e.multiply(0.5, e.add(x, 1.0))
    return e.where(e.less_equal(x, -1.0), 0.0, e.where(e.less(x, 1.0), inner, 1.0))


def applied(kind: str, x: Any, axis: int, alpha: float, low: float, high: float) -> Any:
    """An activation of :mod:`fastmlp.activations` by its kind and constants, of a symbolic value.

    Raises:
        UnsupportedError: It has no counterpart among the functions that can be recorded.
    """
    with_constants: dict[str, Callable[[], Any]] = {
        "linear": lambda: x,
        "exponential": lambda: e.exp(x),
        "tanh": lambda: e.tanh(x),
        "mish": lambda: e.multiply(x, e.tanh(softplus(x))),
        "gelu": lambda: gelu(x, approximate=False),
        "gelu_tanh": lambda: gelu(x),
        "general_relu": lambda: e.where(e.greater(x, low), e.minimum(x, high), e.multiply(alpha, e.subtract(x, low))),
        "leaky_relu": lambda: leaky_relu(x, alpha),
        "elu": lambda: elu(x, alpha),
        "celu": lambda: celu(x, alpha),
        "squareplus": lambda: squareplus(x, alpha),
        "hard_shrink": lambda: hard_shrink(x, low),
        "soft_shrink": lambda: soft_shrink(x, low),
        "threshold": lambda: threshold(x, low, alpha),
        "softmax": lambda: softmax(x, axis),
        "log_softmax": lambda: log_softmax(x, axis),
        "glu": lambda: glu(x, axis),
    }
    if kind in with_constants:
        return with_constants[kind]()
    if kind not in __all__:
        raise UnsupportedError(f"the activation {kind} of a symbolic value is not in fastmlp; write it with functions of fastmlp.ops")
    return globals()[kind](x)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half along an axis times the sigmoid of the second.

    Raises:
        ValueError: The axis has an odd size.
    """
    x = floating(x)
    axis = axis_of(x, axis)
    if shape_of(x)[axis] % 2:
        raise ValueError(f"glu splits an axis into two halves, so its size must be even, got {shape_of(x)[axis]}")
    first, second = split(x, 2, axis)
    return e.multiply(first, sigmoid(second))
