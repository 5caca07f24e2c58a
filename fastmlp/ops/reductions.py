"""Reductions along axes, and what is made of them: means, norms, softmax, one-hot vectors, the largest elements."""

from __future__ import annotations

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

import fastmlp.ops.elementwise as e
from fastmlp._program.recording import TraceError, where_called
from fastmlp._program.types import FLOAT
from fastmlp.ops._operands import (
    Axes,
    apply,
    axes_of,
    axis_of,
    converted,
    dtype_named,
    dtype_of,
    floating,
    kept,
    numeric,
    operand,
    reshaped,
    shape_of,
)

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "normalize",
    "one_hot",
    "prod",
    "softmax",
    "std",
    "sum",
    "top_k",
    "var",
]


def _reduced(name: str, x: Any, axis: Axes, keepdims: bool) -> Any:
    axes = axes_of(x, axis)
    return kept(x, axes, apply(name, x, axes=axes), keepdims)


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The sum along axes.

    Args:
        x: Numbers or booleans.
        axis: One or several axes; None for all.
        keepdims: Whether they stay as axes of size 1.
    """
    return _reduced("sum", numeric(x), axis, keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product along axes; see :func:`sum`."""
    x = numeric(x)
    return _reduced("prod", converted(x, dtype_named(dtype, dtype_of(x))), axis, keepdims)


def max(x: Any, axis: Axes = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The maximum along axes, or ``initial`` if that is larger; equal ones share the gradient. See :func:`sum`."""
    result = _reduced("max", operand(x), axis, keepdims)
    return result if initial is None else e.maximum(result, initial)


def min(x: Any, axis: Axes = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The minimum along axes, or ``initial`` if that is smaller; equal ones share the gradient. See :func:`sum`."""
    result = _reduced("min", operand(x), axis, keepdims)
    return result if initial is None else e.minimum(result, initial)


def amax(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The maximum along axes; see :func:`max`."""
    return max(x, axis, keepdims)


def amin(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The minimum along axes; see :func:`min`."""
    return min(x, axis, keepdims)


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether an element along the axes is true; see :func:`sum`."""
    return _reduced("max", converted(x, "bool"), axis, keepdims)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether all elements along the axes are true; see :func:`sum`."""
    return _reduced("min", converted(x, "bool"), axis, keepdims)


def count_nonzero(x: Any, axis: Axes = None) -> Any:
    """The number of elements along axes that are not 0."""
    return sum(converted(x, "bool"), axis)


def _count(x: Any, axes: tuple[int, ...]) -> Any:
    """The number of elements along axes; symbolic, if the batch axis is one of them."""
    size = math.prod(shape_of(x)[axis] for axis in axes)
    if size >= 0:
        return builtins.float(size)
    return e.multiply(e.cast(x.recorder.record("samples", (), {"shape": (-1,)}), FLOAT), builtins.float(-size))


def mean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The mean along axes; see :func:`sum`.

    Example:

    >>> from fastmlp import ops
    >>> ops.mean([[1.0, 2.0], [3.0, 6.0]], axis=1)
    array([1.5, 4.5], dtype=float32)
    """
    x = floating(x)
    axes = axes_of(x, axis)
    return e.divide(_reduced("sum", x, axes, keepdims), _count(x, axes))


def average(x: Any, axis: Axes = None, weights: Any = None) -> Any:
    """The mean along axes, or with weights Σ weight·x / Σ weight."""
    if weights is None:
        return mean(x, axis)
    weights = floating(weights)
    if len(shape_of(weights)) == 1 and len(shape_of(operand(x))) > 1 and isinstance(axis, int):
        shape = [1] * len(shape_of(x))
        shape[axis] = -1
        weights = reshaped(weights, shape)
    product = e.multiply(x, weights)
    spread = e.add(weights, e.multiply(product, 0.0))
    return e.divide(sum(product, axis), sum(spread, axis))


def var(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The variance along axes, the mean of (x − mean)²; see :func:`sum`."""
    x = floating(x)
    return mean(e.square(e.subtract(x, mean(x, axis, keepdims=True))), axis, keepdims)


def std(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The standard deviation along axes; see :func:`var`."""
    return e.sqrt(var(x, axis, keepdims))


def logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """log Σ eˣ along axes, without overflow; see :func:`sum`."""
    x = floating(x)
    largest = e.stop_gradient(max(x, axis, keepdims=True))
    largest = e.where(e.isfinite(largest), largest, 0.0)
    result = e.add(e.log(sum(e.exp(e.subtract(x, largest)), axis, keepdims=True)), largest)
    return result if keepdims else sum(result, axis)


def norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Any:
    """The norm of vectors along an axis, or of all elements: (Σ \\|x\\|ᵖ)^(1/p).

    Args:
        x: Numbers.
        ord: p: 2 by default, 1, another number, ``np.inf`` for the largest \\|x\\|, 0 for the number of elements that are not 0.
        axis: One axis, or None for all elements; with ``ord`` None or ``"fro"`` also two.
        keepdims: Whether axes stay as axes of size 1.
    """
    x = floating(x)
    if isinstance(axis, (list, tuple)) and len(axis) > 1 and ord not in (None, "fro"):
        raise TraceError(f"norms of matrices other than Frobenius' are not in fastmlp, got ord={ord!r}{where_called()}")
    if ord in (None, 2, "fro"):
        return e.sqrt(sum(e.square(x), axis, keepdims))
    if ord == 1:
        return sum(e.abs(x), axis, keepdims)
    if ord == 0:
        return e.cast(sum(e.not_equal(x, 0.0), axis, keepdims), FLOAT)
    if ord in (np.inf, -np.inf):
        return (max if ord > 0 else min)(e.abs(x), axis, keepdims)
    return e.power(sum(e.power(e.abs(x), ord), axis, keepdims), 1.0 / ord)


def normalize(x: Any, axis: int = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm along an axis, which is at least ``epsilon``, by default 10⁻⁷."""
    x = floating(x)
    return e.divide(x, e.maximum(norm(x, order, axis, keepdims=True), 1e-7 if epsilon is None else epsilon))


def _place(name: str, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = numeric(x)
    if axis is None:
        result = apply(name, reshaped(x, [-1]), axis=0)
        return reshaped(result, [1] * len(shape_of(x))) if keepdims else result
    axis = axis_of(x, axis)
    return kept(x, (axis,), apply(name, x, axis=axis), keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index of the largest element along an axis, int32; of equal ones the first."""
    return _place("argmax", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index of the smallest element along an axis, int32; of equal ones the first."""
    return _place("argmin", x, axis, keepdims)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The sums of the elements up to each along an axis; of all elements as one vector for None."""
    x = numeric(x)
    x = converted(x, dtype_named(dtype, dtype_of(x)))
    return apply("cumsum", reshaped(x, [-1]), axis=0) if axis is None else apply("cumsum", x, axis=axis_of(x, axis))


def softmax(x: Any, axis: Axes = -1) -> Any:
    """eˣ / Σ eˣ along one or several axes.

    Example:

    >>> from fastmlp import ops
    >>> ops.softmax([[0.0, 0.0]])
    array([[0.5, 0.5]], dtype=float32)
    """
    x = floating(x)
    exponentials = e.exp(e.subtract(x, e.stop_gradient(max(x, axis, keepdims=True))))
    return e.divide(exponentials, sum(exponentials, axis, keepdims=True))


def log_softmax(x: Any, axis: Axes = -1) -> Any:
    """log softmax(x) along one or several axes."""
    x = floating(x)
    shifted = e.subtract(x, e.stop_gradient(max(x, axis, keepdims=True)))
    return e.subtract(shifted, e.log(sum(e.exp(shifted), axis, keepdims=True)))


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> Any:
    """Vectors with a 1 at the index that x holds, and 0 elsewhere; all 0 for an index out of range.

    Args:
        x: Indices; floats are truncated.
        num_classes: The length of the vectors.
        axis: Where their axis is inserted; last by default.
        dtype: float32 by default.
    """
    x = converted(x, "int32")
    result = e.equal(reshaped_with_last(x), np.arange(num_classes, dtype=np.int32))
    rank = len(shape_of(x)) + 1
    if axis not in (-1, rank - 1):
        order = list(range(rank - 1))
        order.insert(axis % rank, rank - 1)
        result = apply("transpose", result, axes=tuple(order))
    return converted(result, dtype_named(dtype))


def reshaped_with_last(x: Any) -> Any:
    """x with another axis of size 1 at the end."""
    return apply("reshape", x, shape=(*shape_of(x), 1))


class TopK(NamedTuple):
    """What :func:`top_k` returns."""

    values: Any
    """The largest elements, in descending order."""
    indices: Any
    """Where they are, int32."""


def top_k(x: Any, k: int, sorted: bool = True) -> TopK:
    """The k largest elements along the last axis and their indices, in descending order."""
    x = numeric(x)
    indices = apply("top_k", x, count=int(k))
    return TopK(apply("gather", x, indices), indices)
