"""Reductions along axes, cumulative sums, and matrix products. Equal maxima share the gradient, as in JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp._program.elementwise import where
from fastmlp._program.recording import Value, apply
from fastmlp._program.table import Op, add, check_axes, numbers_only
from fastmlp._program.types import FLOAT, MAX_ELEMENTS, Type, batched, broadcast, elements

MAX_WORK = 1 << 28
"""The maximum number of multiplications of a matrix product, for each sample."""


def spread(g: Value, shape: tuple[int, ...], axes: tuple[int, ...]) -> Value:
    """Undo the loss of axes in a reduction: a value of the input's shape."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return apply("broadcast_to", apply("reshape", g, shape=kept), shape=shape)


def _reduction(name: str, forward: Callable[..., Any], gradient: Callable[..., Value], takes: Sequence[str], empty: bool) -> None:
    def rule(types: Sequence[Type], axes: tuple[int, ...]) -> Type:
        (x,) = types
        if x.dtype not in takes:
            raise TypeError(f"{name} takes {' or '.join(takes)}, got {x.dtype}")
        check_axes(axes, x.shape)
        if not empty and any(x.shape[axis] == 0 for axis in axes):
            raise ValueError(f"{name} over an axis of size 0 has no value")
        return Type(x.dtype, tuple(size for axis, size in enumerate(x.shape) if axis not in axes))

    add(Op(name, 1, rule, forward, (gradient,), {"axes": "axes"}))


def _sum_gradient(g: Value, y: Value, x: Value, axes: tuple[int, ...]) -> Value:
    return spread(g, x.type.shape, axes)


def _extreme_gradient(g: Value, y: Value, x: Value, axes: tuple[int, ...]) -> Value:
    chosen = where(apply("equal", x, spread(y, x.type.shape, axes)), 1.0, 0.0)
    count = spread(apply("sum", chosen, axes=axes), x.type.shape, axes)
    return spread(g, x.type.shape, axes) * chosen / count


def _prod_gradient(g: Value, y: Value, x: Value, axes: tuple[int, ...]) -> Value:
    """The product of the other elements, also where one of them is 0."""
    zero = apply("equal", x, x.recorder.constant(np.float32(0)))
    zeros = spread(apply("sum", where(zero, 1.0, 0.0), axes=axes), x.type.shape, axes)
    others = spread(apply("prod", where(zero, 1.0, x), axes=axes), x.type.shape, axes)
    none, one = zeros < 0.5, apply("logical_and", zero, zeros < 1.5)
    return spread(g, x.type.shape, axes) * where(none, others / where(zero, 1.0, x), where(one, others, 0.0))


_reduction("sum", lambda x, axes: np.sum(x, axes, dtype=x.dtype), _sum_gradient, (FLOAT, "int32"), True)
_reduction("prod", lambda x, axes: np.prod(x, axes, dtype=x.dtype), _prod_gradient, (FLOAT, "int32"), True)
_reduction("max", lambda x, axes: np.max(x, axes), _extreme_gradient, (FLOAT, "int32", "bool"), False)
_reduction("min", lambda x, axes: np.min(x, axes), _extreme_gradient, (FLOAT, "int32", "bool"), False)


def _along(name: str) -> Callable[..., Any]:
    def rule(types: Sequence[Type], axis: int) -> Type:
        (x,) = types
        numbers_only(name, x.dtype)
        check_axes((axis,), x.shape)
        if batched(x.shape) and axis == 0:
            raise ValueError(f"{name} along the batch axis is not supported; the values of samples must not depend on their order")
        if name == "cumsum":
            return x
        if x.shape[axis] == 0:
            raise ValueError(f"{name} over an axis of size 0 has no value")
        return Type("int32", x.shape[:axis] + x.shape[axis + 1 :])

    return rule


def _cumsum_gradient(g: Value, y: Value, x: Value, axis: int) -> Value:
    backwards = tuple(reversed(range(x.type.shape[axis])))
    g = apply("cumsum", apply("take", g, axis=axis, indices=backwards), axis=axis)
    return apply("take", g, axis=axis, indices=backwards)


_AXIS = {"axis": "axis"}
add(Op("argmax", 1, _along("argmax"), lambda x, axis: np.asarray(np.argmax(x, axis), np.int32), (None,), _AXIS))
add(Op("argmin", 1, _along("argmin"), lambda x, axis: np.asarray(np.argmin(x, axis), np.int32), (None,), _AXIS))
add(Op("cumsum", 1, _along("cumsum"), lambda x, axis: np.cumsum(x, axis, dtype=x.dtype), (_cumsum_gradient,), _AXIS))


def _top_k(types: Sequence[Type], count: int) -> Type:
    (x,) = types
    numbers_only("top_k", x.dtype)
    if not x.shape or (batched(x.shape) and len(x.shape) == 1) or not 1 <= count <= x.shape[-1]:
        raise ValueError(f"top_k takes between 1 and all elements of the last axis, which must not be the batch axis; got {count}")
    return Type("int32", (*x.shape[:-1], count))


def _largest(x: Any, count: int) -> Any:
    return np.argsort(-x, axis=-1, kind="stable")[..., :count].astype(np.int32)


add(Op("top_k", 1, _top_k, _largest, (None,), {"count": "count"}))


def _matmul(types: Sequence[Type]) -> Type:
    a, b = types
    if (a.dtype, b.dtype) != (FLOAT, FLOAT):
        raise TypeError(f"matmul takes float32, got {a.dtype} and {b.dtype}")
    if len(a.shape) < 2 or len(b.shape) < 2:
        raise ValueError(f"matmul takes arrays of at least two axes, got {len(a.shape)} and {len(b.shape)}")
    if (batched(b.shape) and len(b.shape) == 2) or a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"the shapes {a} and {b} do not fit matmul, (…, rows, inner) @ (…, inner, columns), none of whose inner axes may be the batch's"
        )
    of_rows = batched(a.shape) and len(a.shape) == 2
    if of_rows and len(b.shape) > 2:
        raise ValueError(f"the rows of a matrix product may be a batch only if both are matrices, got {a} and {b}")
    shape = (*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    if elements(shape) * a.shape[-1] > MAX_WORK or elements(shape) > MAX_ELEMENTS:
        raise ValueError(f"the matrix product of {a} and {b} is too large")
    return Type(FLOAT, shape)


def _swapped(x: Value) -> Value:
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return apply("transpose", x, axes=order)


def _matmul_left(g: Value, y: Value, a: Value, b: Value) -> Value:
    return apply("matmul", g, _swapped(b))


def _matmul_right(g: Value, y: Value, a: Value, b: Value) -> Value:
    """aᵀg; with samples as rows, the sum over them of outer products."""
    if not (batched(a.type.shape) and a.ndim == 2):
        return apply("matmul", _swapped(a), g)
    columns = apply("reshape", a, shape=(*a.type.shape, 1))
    rows = apply("reshape", g, shape=(g.type.shape[0], 1, g.type.shape[1]))
    return apply("sum", columns * rows, axes=(0,))


add(Op("matmul", 2, _matmul, np.matmul, (_matmul_left, _matmul_right)))
