"""Elementwise operations.

Where a function has a kink, its gradient is the one of JAX: 1 for abs at 0, 0 for functions of steps, and half for each of two equal
arguments of a maximum or minimum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp._program.recording import Value, apply, combine
from fastmlp._program.table import Op, add, check_dtype, elementwise, same_dtype
from fastmlp._program.types import FLOAT, Type, broadcast, check_size

_NUMBERS = (FLOAT, "int32")
_erf = np.vectorize(math.erf, otypes=[np.float64])


def where(condition: Value, a: Any, b: Any) -> Value:
    """a where the condition holds, else b."""
    number = condition.recorder.constant
    a, b = (one if isinstance(one, Value) else number(np.float32(one)) for one in (a, b))
    return apply("where", condition, a, b)


def _one(name: str, x: Value) -> Value:
    return apply(name, x)


def _square_root_of_one_minus_square(x: Value) -> Value:
    return apply("sqrt", 1.0 - x * x)


def _tie(a: Value, b: Value) -> Value:
    """1 where a > b, ½ where they are equal, else 0."""
    return where(a > b, 1.0, where(apply("equal", a, b), 0.5, 0.0))


def _of_base(g: Value, y: Value, a: Value, b: Value) -> Value:
    """b·a^(b − 1), and 0 for b = 0, also at a = 0."""
    zero = apply("equal", b, b.recorder.constant(np.float32(0)))
    return where(zero, 0.0, g * b * apply("power", a, where(zero, 1.0, b - 1.0)))


def _of_exponent(g: Value, y: Value, a: Value, b: Value) -> Value:
    """a^b·log a, and 0 at a = 0."""
    zero = apply("equal", a, a.recorder.constant(np.float32(0)))
    return g * y * apply("log", where(zero, 1.0, a))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# fmt: off
elementwise("negative", np.negative, lambda g, y, x: -g, takes=_NUMBERS)
elementwise("abs", np.abs, lambda g, y, x: where(x < 0.0, -g, g), takes=_NUMBERS)
elementwise("sign", np.sign, None, takes=_NUMBERS)
elementwise("floor", np.floor, None)
elementwise("ceil", np.ceil, None)
elementwise("round", np.rint, None)
elementwise("square", np.square, lambda g, y, x: 2.0 * g * x, takes=_NUMBERS)
elementwise("sqrt", np.sqrt, lambda g, y, x: 0.5 * g / y)
elementwise("exp", np.exp, lambda g, y, x: g * y)
elementwise("expm1", np.expm1, lambda g, y, x: g * (y + 1.0))
elementwise("log", np.log, lambda g, y, x: g / x)
elementwise("log1p", np.log1p, lambda g, y, x: g / (1.0 + x))
elementwise("sin", np.sin, lambda g, y, x: g * _one("cos", x))
elementwise("cos", np.cos, lambda g, y, x: -g * _one("sin", x))
elementwise("tan", np.tan, lambda g, y, x: g * (1.0 + y * y))
elementwise("arcsin", np.arcsin, lambda g, y, x: g / _square_root_of_one_minus_square(x))
elementwise("arccos", np.arccos, lambda g, y, x: -g / _square_root_of_one_minus_square(x))
elementwise("arctan", np.arctan, lambda g, y, x: g / (1.0 + x * x))
elementwise("sinh", np.sinh, lambda g, y, x: g * _one("cosh", x))
elementwise("cosh", np.cosh, lambda g, y, x: g * _one("sinh", x))
elementwise("tanh", np.tanh, lambda g, y, x: g * (1.0 - y * y))
elementwise("arcsinh", np.arcsinh, lambda g, y, x: g / _one("sqrt", x * x + 1.0))
elementwise("arccosh", np.arccosh, lambda g, y, x: g / _one("sqrt", x * x - 1.0))
elementwise("arctanh", np.arctanh, lambda g, y, x: g / (1.0 - x * x))
elementwise("erf", lambda x: _erf(x).astype(x.dtype), lambda g, y, x: g * (2 / math.sqrt(math.pi)) * _one("exp", -(x * x)))
elementwise("sigmoid", _sigmoid, lambda g, y, x: g * y * (1.0 - y))
elementwise("add", np.add, lambda g, y, a, b: g, lambda g, y, a, b: g, takes=_NUMBERS)
elementwise("subtract", np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: -g, takes=_NUMBERS)
elementwise("multiply", np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, takes=_NUMBERS)
elementwise("divide", np.divide, lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)
elementwise("power", np.power, _of_base, _of_exponent)
elementwise("maximum", np.maximum, lambda g, y, a, b: g * _tie(a, b), lambda g, y, a, b: g * _tie(b, a), takes=_NUMBERS)
elementwise("minimum", np.minimum, lambda g, y, a, b: g * _tie(b, a), lambda g, y, a, b: g * _tie(a, b), takes=_NUMBERS)
elementwise("arctan2", np.arctan2, lambda g, y, a, b: g * b / (a * a + b * b), lambda g, y, a, b: -g * a / (a * a + b * b))
elementwise("floor_divide", np.floor_divide, None, None, takes=_NUMBERS)
elementwise("mod", np.mod, lambda g, y, a, b: g, lambda g, y, a, b: -g * combine("floor_divide", a, b), takes=_NUMBERS)
elementwise("equal", np.equal, None, None, takes=(*_NUMBERS, "bool"), returns="bool")
elementwise("not_equal", np.not_equal, None, None, takes=(*_NUMBERS, "bool"), returns="bool")
elementwise("less", np.less, None, None, takes=(*_NUMBERS, "bool"), returns="bool")
elementwise("less_equal", np.less_equal, None, None, takes=(*_NUMBERS, "bool"), returns="bool")
elementwise("logical_and", np.logical_and, None, None, takes=("bool",))
elementwise("logical_or", np.logical_or, None, None, takes=("bool",))
elementwise("logical_not", np.logical_not, None, takes=("bool",))
# fmt: on


def _where(types: Sequence[Type]) -> Type:
    condition, a, b = types
    if condition.dtype != "bool":
        raise TypeError(f"the condition of where must be boolean, got {condition.dtype}")
    return Type(same_dtype("where", (a, b)), broadcast(condition.shape, a.shape, b.shape))


add(
    Op(
        "where",
        3,
        _where,
        np.where,
        (None, lambda g, y, c, a, b: where(c, g, 0.0), lambda g, y, c, a, b: where(c, 0.0, g)),
        elementwise=True,
    )
)


def _cast(types: Sequence[Type], dtype: str) -> Type:
    return Type(check_dtype(dtype), types[0].shape)


add(
    Op(
        "cast",
        1,
        _cast,
        lambda x, dtype: np.asarray(x).astype(dtype),
        (lambda g, y, x, dtype: g,),
        {"dtype": "dtype"},
        elementwise=True,
    )
)
add(Op("stop_gradient", 1, lambda types: types[0], lambda x: x, (None,), elementwise=True))


def _broadcast_to(types: Sequence[Type], shape: tuple[int, ...]) -> Type:
    if broadcast(types[0].shape, check_size(shape)) != shape:
        raise ValueError(f"an array of shape {types[0].shape} can't be broadcast to {shape}")
    return Type(types[0].dtype, shape)


add(Op("broadcast_to", 1, _broadcast_to, lambda x, shape: np.broadcast_to(x, shape), (lambda g, y, x, shape: g,), {"shape": "shape"}))
