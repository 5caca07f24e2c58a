"""Arithmetic, mathematical functions, comparisons and logic, element by element."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from fastmlp._program.recording import Value
from fastmlp._program.types import DTYPES, FLOAT
from fastmlp.ops._operands import apply, binary, combine, converted, dtype_named, dtype_of, elementwise, floating, numeric, operand

__all__ = [
    "abs",
    "absolute",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cast",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "divide_no_nan",
    "equal",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "nan_to_num",
    "negative",
    "not_equal",
    "power",
    "reciprocal",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
    "trunc",
    "where",
]

abs = elementwise("abs", "\\|x\\|", numeric)
absolute = elementwise("absolute", "\\|x\\|", numeric, "abs")
negative = elementwise("negative", "−x", numeric)
sign = elementwise("sign", "−1, 0 or 1", numeric)
square = elementwise("square", "x²", numeric)
floor = elementwise("floor", "The largest integer that is not above x, as a float")
ceil = elementwise("ceil", "The smallest integer that is not below x, as a float")
sqrt = elementwise("sqrt", "√x")
exp = elementwise("exp", "eˣ")
expm1 = elementwise("expm1", "eˣ − 1, accurate for small x")
log = elementwise("log", "The natural logarithm")
log1p = elementwise("log1p", "log(1 + x), accurate for small x")
sin = elementwise("sin", "The sine")
cos = elementwise("cos", "The cosine")
tan = elementwise("tan", "The tangent")
arcsin = elementwise("arcsin", "The inverse sine")
arccos = elementwise("arccos", "The inverse cosine")
arctan = elementwise("arctan", "The inverse tangent")
sinh = elementwise("sinh", "The hyperbolic sine")
cosh = elementwise("cosh", "The hyperbolic cosine")
tanh = elementwise("tanh", "The hyperbolic tangent")
arcsinh = elementwise("arcsinh", "The inverse hyperbolic sine")
arccosh = elementwise("arccosh", "The inverse hyperbolic cosine")
arctanh = elementwise("arctanh", "The inverse hyperbolic tangent")
erf = elementwise("erf", "The error function")

add = binary("add", "x1 + x2", "add")
subtract = binary("subtract", "x1 − x2", "subtract")
multiply = binary("multiply", "x1·x2", "multiply")
divide = binary("divide", "x1 / x2", "divide", dtype=FLOAT)
true_divide = binary("true_divide", "x1 / x2", "divide", dtype=FLOAT)
maximum = binary("maximum", "The larger of two numbers; equal ones share the gradient", "maximum")
minimum = binary("minimum", "The smaller of two numbers; equal ones share the gradient", "minimum")
mod = binary("mod", "The remainder of x1 / x2, of the sign of x2", "mod")
floor_divide = binary("floor_divide", "x1 / x2, rounded down", "floor_divide")
arctan2 = binary("arctan2", "The angle of the point (x2, x1)", "arctan2", dtype=FLOAT)
equal = binary("equal", "Whether x1 = x2", "equal")
not_equal = binary("not_equal", "Whether x1 ≠ x2", "not_equal")
less = binary("less", "Whether x1 < x2", "less")
less_equal = binary("less_equal", "Whether x1 ≤ x2", "less_equal")
greater = binary("greater", "Whether x1 > x2", "less", swapped=True)
greater_equal = binary("greater_equal", "Whether x1 ≥ x2", "less_equal", swapped=True)
logical_and = binary("logical_and", "Whether both are true", "logical_and", dtype="bool")
logical_or = binary("logical_or", "Whether one is true", "logical_or", dtype="bool")
logical_xor = binary("logical_xor", "Whether exactly one is true", "not_equal", dtype="bool")
logical_not = elementwise("logical_not", "Whether x is false", lambda x: converted(x, "bool"))


def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype. Floats of any precision are float32, and integers int32, so ``cast(x, "float64")`` of floats does nothing.

    Example:

    >>> from fastmlp import ops
    >>> ops.cast([1.7, -1.7], "int32")
    array([ 1, -1], dtype=int32)
    """
    return converted(x, dtype_named(dtype))


def stop_gradient(variable: Any) -> Any:
    """The same value, which counts as a constant in differentiation."""
    x = operand(variable)
    return apply("stop_gradient", x) if isinstance(x, Value) and x.dtype == FLOAT else x


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2, element by element. The gradient of what is not chosen is 0.

    Raises:
        TypeError: x1 or x2 is missing: indices of true elements have a shape that depends on values.
    """
    if x1 is None or x2 is None:
        raise TypeError("ops.where(condition) returns indices whose number depends on values, which is not in fastmlp; pass x1 and x2")
    kinds = {dtype_of(one) for one in (operand(x1), operand(x2))}
    dtype = next(kind for kind in DTYPES if kind in kinds)
    return apply("where", converted(condition, "bool"), converted(x1, dtype), converted(x2, dtype))


def power(x1: Any, x2: Any) -> Any:
    """x1 to the power of x2, element by element; shapes are broadcast."""
    if isinstance(x2, (int, float)) and not isinstance(x2, bool):
        few = _POWERS.get(builtins.float(x2))
        if few is not None and (isinstance(x2, int) or dtype_of(operand(x1)) == FLOAT):
            return few(numeric(x1))
    result = combine("power", x1, x2, dtype=FLOAT)
    return result if FLOAT in (dtype_of(operand(x1)), dtype_of(operand(x2))) else converted(result, "int32")


_POWERS = {1.0: lambda x: x, 2.0: square, 3.0: lambda x: multiply(square(x), x), 4.0: lambda x: square(square(x)), 0.5: sqrt}
"""Powers that need no logarithm."""


def round(x: Any, decimals: int = 0) -> Any:
    """x rounded to this number of decimals; halves to the even neighbour."""
    if not decimals:
        return x if dtype_of(x := operand(x)) != FLOAT else apply("round", x)
    return divide(apply("round", multiply(floating(x), 10.0**decimals)), 10.0**decimals)


def trunc(x: Any) -> Any:
    """x without its decimals, element by element."""
    return multiply(sign(x), floor(abs(x)))


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x, but at least x_min and at most x_max, element by element."""
    return minimum(maximum(x, x_min), x_max)


def reciprocal(x: Any) -> Any:
    """1 / x, element by element."""
    return divide(1.0, x)


def rsqrt(x: Any) -> Any:
    """1 / √x, element by element."""
    return divide(1.0, sqrt(x))


def exp2(x: Any) -> Any:
    """2ˣ, element by element."""
    return exp(multiply(floating(x), math.log(2)))


def log2(x: Any) -> Any:
    """The logarithm to base 2, element by element."""
    return divide(log(x), math.log(2))


def log10(x: Any) -> Any:
    """The logarithm to base 10, element by element."""
    return divide(log(x), math.log(10))


def logaddexp(x1: Any, x2: Any) -> Any:
    """log(eˣ¹ + eˣ²), element by element, without overflow."""
    x1, x2 = floating(x1), floating(x2)
    larger = maximum(x1, x2)
    return add(larger, log1p(exp(subtract(minimum(x1, x2), larger))))


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0, element by element."""
    zero = equal(floating(x2), 0.0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


def isnan(x: Any) -> Any:
    """Whether each element is NaN."""
    x = operand(x)
    return not_equal(x, x)


def isinf(x: Any) -> Any:
    """Whether each element is ∞ or −∞."""
    return equal(abs(floating(x)), np.float32(np.inf))


def isfinite(x: Any) -> Any:
    """Whether each element is neither NaN nor infinite."""
    return less(abs(floating(x)), np.float32(np.inf))


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with other numbers in the place of NaN, ∞ and −∞: by default 0 and the largest and smallest float32."""
    x = floating(x)
    largest = builtins.float(np.finfo(np.float32).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, np.float32(np.inf)), largest if posinf is None else posinf, x)
    return where(equal(x, np.float32(-np.inf)), -largest if neginf is None else neginf, x)
