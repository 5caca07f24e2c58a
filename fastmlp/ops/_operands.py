"""Arguments of the functions: operands of one dtype, axes, shapes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastmlp._program.recording import TraceError, Value, apply, as_operand, combine, converted, dtype_of, shape_of, where_called
from fastmlp._program.types import FLOAT, Shape, shown

__all__ = [
    "Axes",
    "apply",
    "axes_of",
    "axis_of",
    "batch_of",
    "combine",
    "converted",
    "dtype_of",
    "elementwise",
    "floating",
    "numeric",
    "operand",
    "shape_of",
    "shown",
    "sizes",
]

Axes: TypeAlias = int | Sequence[int] | None
"""One axis, several, or None for all."""

_DTYPE_OF = {"f": FLOAT, "i": "int32", "u": "int32", "b": "bool"}


def operand(x: Any) -> Any:
    """A symbolic value or an array: float32, int32 or boolean."""
    x = as_operand(x)
    return converted(x, dtype_of(x))


def floating(x: Any) -> Any:
    """The same in float32."""
    return converted(x, FLOAT)


def numeric(x: Any) -> Any:
    """The same, with integers instead of booleans."""
    x = as_operand(x)
    dtype = dtype_of(x)
    return converted(x, "int32" if dtype == "bool" else dtype)


def dtype_named(dtype: Any, default: str = FLOAT) -> str:
    """The dtype that computes what Keras' dtype means here: every float is float32, every integer int32."""
    if dtype is None:
        return default
    try:
        return _DTYPE_OF[np.dtype(dtype).kind]
    except (TypeError, KeyError):
        if dtype == "bfloat16":
            return FLOAT
        raise TraceError(f"dtype must be that of real numbers or booleans, got {dtype!r}{where_called()}") from None


def axis_of(x: Any, axis: Any) -> int:
    """An axis of ``x``, counted from the first."""
    rank = len(shape_of(x))
    index = operator.index(axis)
    if not -rank <= index < rank:
        raise TraceError(f"axis {index} is out of range for a value of shape {shown(shape_of(x))}{where_called()}")
    return index % rank


def axes_of(x: Any, axis: Axes) -> tuple[int, ...]:
    """Axes of ``x`` in ascending order; all of them for None."""
    if axis is None:
        return tuple(range(len(shape_of(x))))
    given = axis if isinstance(axis, (list, tuple)) else [axis]
    axes = [axis_of(x, one) for one in given]
    if len(set(axes)) != len(axes):
        raise TraceError(f"axis {axis!r} names an axis twice{where_called()}")
    return tuple(sorted(axes))


def batch_of(value: Any) -> int | None:
    """m, if a value is m times the number of samples of a batch, as the result of ``ops.shape`` is; otherwise None."""
    if not isinstance(value, Value) or value.number < value.recorder.inputs:
        return None
    instruction = value.recorder.instructions[value.number - value.recorder.inputs]
    if instruction.op == "samples":
        return 1
    if instruction.op == "multiply":
        factors = [value.recorder.value(number) for number in instruction.inputs]
        for one, other in (factors, factors[::-1]):
            constant = value.recorder.constants.get(other.number)
            if constant is not None and constant.ndim == 0 and (of := batch_of(one)):
                return of * int(constant)
    return None


def sizes(shape: Any) -> list[int]:
    """The sizes of a shape argument, with −m − 1 for m times the number of samples, so that −1 is still the size to find."""
    given = shape if isinstance(shape, (list, tuple)) else [shape]
    found = []
    for size in given:
        batch = 1 if size is None else batch_of(size)
        found.append(-batch - 1 if batch is not None else operator.index(size))
    return found


def reshaped(x: Any, shape: Any) -> Any:
    """``x`` with another shape, in which one size may be −1."""
    x = operand(x)
    have, want = shape_of(x), sizes(shape)
    if want.count(-1) > 1 or any(size == 0 and 0 not in have for size in want):
        raise TraceError(f"a value of shape {shown(have)} can't have the shape {tuple(shape)!r}{where_called()}")
    target = [size + 1 if size < -1 else size for size in want]
    total = int(np.prod(have, dtype=np.int64))
    if -1 in want:
        place = want.index(-1)
        others = int(np.prod([size for index, size in enumerate(target) if index != place], dtype=np.int64))
        if others == 0 or total % others:
            raise TraceError(f"a value of shape {shown(have)} can't have the shape {tuple(shape)!r}{where_called()}")
        target[place] = total // others
    elif total < 0 < int(np.prod(target, dtype=np.int64)):
        raise TraceError(
            f"a value of shape {shown(have)} can't have the shape {tuple(target)}: the size of a batch is not known yet; use −1, or "
            f"ops.shape(x)[0]{where_called()}"
        )
    return apply("reshape", x, shape=tuple(target))


def kept(x: Any, axes: tuple[int, ...], result: Any, keepdims: bool) -> Any:
    """The result of a reduction of ``x``, with axes of size 1 if ``keepdims``."""
    if not keepdims:
        return result
    shape: Shape = tuple(1 if axis in axes else size for axis, size in enumerate(shape_of(x)))
    if axes and 0 in axes and shape_of(x)[:1] and shape_of(x)[0] < 0:
        shape = (1, *shape[1:])
    return apply("reshape", result, shape=shape)


def elementwise(name: str, doc: str, prepare: Callable[[Any], Any] = floating, primitive: str | None = None) -> Callable[[Any], Any]:
    """A function of this name for an elementwise operation of one operand."""

    def function(x: Any) -> Any:
        return apply(primitive or name, prepare(x))

    function.__name__ = function.__qualname__ = name
    function.__module__ = "fastmlp.ops"
    function.__doc__ = f"{doc}, element by element."
    return function


def binary(name: str, doc: str, primitive: str, *, dtype: str | None = None, swapped: bool = False) -> Callable[[Any, Any], Any]:
    """A function of this name for an elementwise operation of two operands, which are broadcast."""

    def function(x1: Any, x2: Any) -> Any:
        return combine(primitive, x2, x1, dtype=dtype) if swapped else combine(primitive, x1, x2, dtype=dtype)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "fastmlp.ops"
    function.__doc__ = f"{doc}, element by element; shapes are broadcast."
    return function
