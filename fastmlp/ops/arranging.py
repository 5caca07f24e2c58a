"""Shapes, selections and combinations of axes; arrays of given values; dtypes and shapes as values."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

import fastmlp.ops.elementwise as e
import fastmlp.ops.reductions as r
from fastmlp._program.recording import TraceError, Value, as_operand, where_called
from fastmlp._program.types import DTYPES, FLOAT, broadcast
from fastmlp.ops._operands import Axes, apply, axes_of, axis_of, converted, dtype_named, dtype_of, operand, reshaped, shape_of, shown, sizes

__all__ = [
    "arange",
    "broadcast_to",
    "concatenate",
    "convert_to_numpy",
    "convert_to_tensor",
    "expand_dims",
    "eye",
    "flip",
    "full",
    "full_like",
    "hstack",
    "identity",
    "is_tensor",
    "linspace",
    "moveaxis",
    "ndim",
    "ones",
    "ones_like",
    "pad",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "shape",
    "size",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "take_along_axis",
    "tile",
    "transpose",
    "unstack",
    "vstack",
    "zeros",
    "zeros_like",
]


def reshape(x: Any, newshape: Any) -> Any:
    """x with another shape, in which one size may be −1. In a recorded function the batch axis stays the first one."""
    return reshaped(x, newshape)


def ravel(x: Any) -> Any:
    """x as a vector."""
    return reshaped(x, [-1])


def expand_dims(x: Any, axis: Axes) -> Any:
    """x with axes of size 1 inserted, whose places in the result are ``axis``."""
    x = operand(x)
    given: Any = axis if isinstance(axis, (list, tuple)) else [axis]
    rank = len(shape_of(x)) + len(given)
    places = {operator.index(one) % rank for one in given}
    rest = iter(shape_of(x))
    return apply("reshape", x, shape=tuple(1 if place in places else next(rest) for place in range(rank)))


def squeeze(x: Any, axis: Axes = None) -> Any:
    """x without axes of size 1: those of ``axis``, or all."""
    x = operand(x)
    have = shape_of(x)
    axes = [place for place, size in enumerate(have) if size == 1] if axis is None else axes_of(x, axis)
    if builtins.any(have[place] != 1 for place in axes):
        raise TraceError(f"axis {axis!r} of shape {shown(have)} does not have size 1{where_called()}")
    return apply("reshape", x, shape=tuple(size for place, size in enumerate(have) if place not in axes))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """x with its axes in another order, by default reversed. In a recorded function the batch axis stays the first one."""
    x = operand(x)
    order = range(len(shape_of(x)) - 1, -1, -1) if axes is None else [axis_of(x, axis) for axis in axes]
    return apply("transpose", x, axes=tuple(order))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    x = operand(x)
    order = list(range(len(shape_of(x))))
    first, second = axis_of(x, axis1), axis_of(x, axis2)
    order[first], order[second] = order[second], order[first]
    return apply("transpose", x, axes=tuple(order))


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """x with an axis moved to another place."""
    x = operand(x)
    start, end = axis_of(x, source), axis_of(x, destination)
    order = [axis for axis in range(len(shape_of(x))) if axis != start]
    order.insert(end, start)
    return apply("transpose", x, axes=tuple(order))


def broadcast_to(x: Any, shape: Any) -> Any:
    """x repeated along axes until it has this shape."""
    target = tuple(size + 1 if size < 0 else size for size in sizes(shape))
    result = apply("broadcast_to", operand(x), shape=target)
    return result if isinstance(result, Value) else np.array(result)


def _list(xs: Any, expand: int | None = None) -> list[Any]:
    """Operands of one dtype."""
    if not isinstance(xs, (list, tuple)):
        xs = unstack(xs)
    given = [as_operand(one) for one in xs]
    if not given:
        raise TraceError(f"there must be at least one array{where_called()}")
    kinds = {dtype_of(one) for one in given}
    dtype = next(kind for kind in DTYPES if kind in kinds)
    items = [converted(one, dtype) for one in given]
    return items if expand is None else [expand_dims(one, expand) for one in items]


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along an axis, other than the batch axis."""
    items = _list(xs)
    return apply("concatenate", *items, axis=axis_of(items[0], axis))


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape as parts of an array with another axis."""
    items = _list(x, axis)
    return apply("concatenate", *items, axis=axis_of(items[0], axis))


def hstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along their second axis, vectors along their only one."""
    return concatenate(xs, 0 if len(shape_of(operand(xs[0]))) == 1 else 1)


def vstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along their first axis, vectors as its elements."""
    return concatenate([expand_dims(one, 0) if len(shape_of(operand(one))) == 1 else one for one in xs], 0)


def _selected(x: Any, axis: int, indices: Any) -> Any:
    """The elements at constant indices along an axis; negative ones count from the end."""
    size = shape_of(x)[axis]
    found = tuple(index + size if index < 0 and size >= 0 else index for index in map(int, indices))
    return apply("take", x, axis=axis, indices=found)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """The parts of x along an axis: that many of equal size, or those that begin at these indices."""
    x = operand(x)
    axis = axis_of(x, axis)
    size = shape_of(x)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        if indices_or_sections < 1 or size < 0 or size % indices_or_sections:
            raise TraceError(
                f"axis {axis} of shape {shown(shape_of(x))} can't be split into {indices_or_sections} equal parts{where_called()}"
            )
        starts = list(range(0, size, size // int(indices_or_sections))) if size else [0] * int(indices_or_sections)
    else:
        starts = [0, *(builtins.min(builtins.max(int(one) + (size if one < 0 else 0), 0), size) for one in indices_or_sections)]
    return [_selected(x, axis, range(start, end)) for start, end in zip(starts, [*starts[1:], size], strict=True)]


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The parts of x along an axis, without that axis."""
    x = operand(x)
    axis = axis_of(x, axis)
    return [squeeze(_selected(x, axis, [place]), axis) for place in range(_known_size(x, axis))]


def _known_size(x: Any, axis: int) -> int:
    size = shape_of(x)[axis]
    if size < 0:
        raise TraceError(
            f"the size of a batch is not known while a function is recorded, so it can't be gone through in Python{where_called()}"
        )
    return size


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements at indices along an axis; of x as a vector for None.

    Symbolic indices select from an array of constants, and those out of range select 0; others must be in range, and negative ones count
    from the end.
    """
    x = operand(x)
    if axis is None:
        x, axis = reshaped(x, [-1]), 0
    axis = axis_of(x, axis)
    before, after = shape_of(x)[:axis], shape_of(x)[axis + 1 :]
    if not isinstance(indices, Value):
        chosen = np.asarray(indices)
        if chosen.dtype.kind not in "iu":
            raise TraceError(f"indices must be integers, got dtype {chosen.dtype}{where_called()}")
        return apply("reshape", _selected(x, axis, chosen.ravel()), shape=(*before, *chosen.shape, *after))
    if axis or (isinstance(x, Value) and shape_of(x)[0] < 0):
        raise TraceError(f"symbolic indices of ops.take select along the first axis of constants; use ops.take_along_axis{where_called()}")
    places = converted(indices, "int32")
    places = e.where(e.less(places, 0), e.add(places, shape_of(x)[0]), places)
    chosen = r.one_hot(places, shape_of(x)[0])
    table = apply("reshape", converted(x, FLOAT), shape=(shape_of(x)[0], int(np.prod(after, dtype=np.int64))))
    rows = shape_of(indices)
    flat = apply("reshape", chosen, shape=(int(np.prod(rows, dtype=np.int64)), shape_of(x)[0]))
    result = apply("reshape", apply("matmul", flat, table), shape=(*rows, *after))
    return converted(result, dtype_of(x))


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """x[…, indices[…, j], …]: for each place of the other axes, elements along ``axis``. An index out of range selects 0."""
    x, indices = operand(x), converted(indices, "int32")
    if axis is None:
        x, indices, axis = reshaped(x, [-1]), reshaped(indices, [-1]), 0
    axis = axis_of(x, axis)
    last = len(shape_of(x)) - 1
    x, indices = (moveaxis(one, axis, last) if axis != last else one for one in (x, indices))
    size = shape_of(x)[-1]
    indices = e.where(e.less(indices, 0), e.add(indices, size), indices)
    try:
        lead = broadcast(shape_of(x)[:-1], shape_of(indices)[:-1])
    except ValueError as error:
        raise TraceError(f"{error}{where_called()}") from None
    x = apply("broadcast_to", x, shape=(*lead, size))
    indices = apply("broadcast_to", indices, shape=(*lead, shape_of(indices)[-1]))
    result = apply("gather", x, indices)
    return moveaxis(result, last, axis) if axis != last else result


def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """Each element along an axis ``repeats`` times; of x as a vector for None."""
    x = operand(x)
    if axis is None:
        x, axis = reshaped(x, [-1]), 0
    axis = axis_of(x, axis)
    return _selected(x, axis, np.repeat(np.arange(_known_size(x, axis)), repeats))


def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """x several times along each axis."""
    x = operand(x)
    counts = [int(one) for one in np.ravel(repeats)]
    rank = builtins.max(len(counts), len(shape_of(x)))
    counts = [1] * (rank - len(counts)) + counts
    if rank > len(shape_of(x)):
        x = expand_dims(x, list(range(rank - len(shape_of(x)))))
    for axis, count in enumerate(counts):
        if count != 1:
            x = _selected(x, axis, np.tile(np.arange(_known_size(x, axis)), count))
    return x


def flip(x: Any, axis: Axes = None) -> Any:
    """x with the elements along axes in reverse order."""
    x = operand(x)
    for one in axes_of(x, axis):
        x = _selected(x, one, range(_known_size(x, one) - 1, -1, -1))
    return x


def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """x with the elements along an axis moved by ``shift`` places, the last ones to the beginning."""
    x = operand(x)
    if axis is None:
        return reshaped(roll(reshaped(x, [-1]), shift, 0), [size if size >= 0 else None for size in shape_of(x)])
    axis = axis_of(x, axis)
    return _selected(x, axis, np.roll(np.arange(_known_size(x, axis)), shift))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with elements added before and after those of each axis.

    Args:
        x: An array.
        pad_width: How many: a number, (before, after), or such a pair for each axis.
        mode: ``"constant"``, ``"edge"``, ``"reflect"`` or ``"symmetric"``, as in NumPy.
        constant_values: The constant, by default 0.
    """
    x = operand(x)
    have = shape_of(x)
    if mode not in ("constant", "edge", "reflect", "symmetric"):
        raise TraceError(f"mode must be 'constant', 'edge', 'reflect' or 'symmetric', got {mode!r}{where_called()}")
    widths = np.broadcast_to(np.asarray(pad_width, np.int64), (len(have), 2)).tolist()
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        size = _known_size(x, axis)
        if mode != "constant":
            x = _selected(x, axis, np.pad(np.arange(size), (before, after), mode=mode))  # type: ignore[call-overload]
            continue
        x = apply("put", x, axis=axis, indices=tuple(range(before, before + size)), count=before + size + after)
        if constant_values:
            inside = np.zeros(before + size + after, bool)
            inside[before : before + size] = True
            shape = [1] * len(have)
            shape[axis] = -1
            x = e.where(inside.reshape(shape), x, constant_values)
    return x


def shape(x: Any) -> tuple[Any, ...]:
    """The sizes of the axes: integers, and for the batch axis of a recorded function a symbolic integer."""
    x = as_operand(x)
    if not isinstance(x, Value):
        return np.shape(x)
    samples = x.recorder.record("samples", (), {"shape": (-1,)})
    return tuple(size if size >= 0 else samples if size == -1 else samples * -size for size in shape_of(x))


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(shape_of(as_operand(x)))


def size(x: Any) -> Any:
    """The number of elements; a symbolic integer if x has a batch axis."""
    result: Any = 1
    for one in shape(x):
        result = one * result
    return result


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """x as a float32, int32 or boolean array, or the symbolic value itself."""
    x = operand(x)
    return converted(x, dtype_named(dtype, dtype_of(x)))


def convert_to_numpy(x: Any) -> np.ndarray:
    """x as a NumPy array; an error for a symbolic value, which has no numbers yet."""
    return np.asarray(x)


def is_tensor(x: Any) -> bool:
    """Whether x is an array or a symbolic value."""
    return isinstance(x, (np.ndarray, Value))


def zeros(shape: Any, dtype: Any = None) -> Any:
    """An array of zeros, by default float32; see :func:`full`."""
    return full(shape, 0, dtype or FLOAT)


def ones(shape: Any, dtype: Any = None) -> Any:
    """An array of ones, by default float32; see :func:`full`."""
    return full(shape, 1, dtype or FLOAT)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one value.

    Args:
        shape: Its sizes, of which the first may be ``ops.shape(x)[0]`` in a recorded function.
        fill_value: The value.
        dtype: By default that of the value.
    """
    value = converted(fill_value, dtype_named(dtype, dtype_of(operand(fill_value))))
    given = shape if isinstance(shape, (list, tuple)) else [shape]
    symbolic = next((one for one in given if isinstance(one, Value)), None)
    if symbolic is not None and not isinstance(value, Value):
        value = symbolic.recorder.constant(value)
    return broadcast_to(value, shape)


def _like(x: Any, value: Any, dtype: Any) -> Any:
    x = operand(x)
    constant = converted(value, dtype_named(dtype, dtype_of(x)))
    if isinstance(x, Value) and not isinstance(constant, Value):
        constant = x.recorder.constant(constant)
    result = apply("broadcast_to", constant, shape=shape_of(x))
    return result if isinstance(result, Value) else np.array(result)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape and dtype of x."""
    return _like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape and dtype of x."""
    return _like(x, 1, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value in the shape and dtype of x."""
    return _like(x, fill_value, dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> np.ndarray:
    """The numbers from ``start`` (0 if there is no ``stop``) to below ``stop``; int32, or float32 if one of them is a float."""
    if builtins.any(isinstance(one, Value) for one in (start, stop, step)):
        raise TraceError(f"the size of ops.arange can't be symbolic; it must be known while a function is recorded{where_called()}")
    values = np.arange(start) if stop is None else np.arange(start, stop, 1 if step is None else step)
    return np.asarray(values, DTYPES[dtype_named(dtype, "int32" if values.dtype.kind in "iu" else FLOAT)])


def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None) -> np.ndarray:
    """``num`` numbers at equal distances from ``start`` to ``stop``."""
    return np.linspace(start, stop, num, endpoint).astype(DTYPES[dtype_named(dtype)])


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:
    """A matrix of N rows and M columns with ones on the k-th diagonal."""
    return np.eye(N, M, k, DTYPES[dtype_named(dtype)])


def identity(n: int, dtype: Any = None) -> np.ndarray:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def getitem(x: Value, key: Any) -> Any:
    """x[key] for integers, slices, ``...``, None, and a list of integers."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if builtins.any(isinstance(one, Value) or (isinstance(one, (np.ndarray, list)) and np.asarray(one).dtype == bool) for one in keys):
        raise TraceError(
            "a symbolic value can't be indexed by values or masks, because the shape of the result would depend on values; use ops.where, "
            f"ops.take_along_axis or ops.one_hot{where_called()}"
        )
    used = builtins.sum(one is not None and one is not Ellipsis for one in keys)
    if used > x.ndim:
        raise TraceError(f"there are {used} indices for a value of shape {x.shape}{where_called()}")
    rest = [slice(None)] * (x.ndim - used)
    place = next((index for index, one in enumerate(keys) if one is Ellipsis), None)
    keys = [*keys, *rest] if place is None else [*keys[:place], *rest, *keys[place + 1 :]]
    result: Any = x
    axis = 0
    dropped: list[int] = []
    added: list[int] = []
    for one in keys:
        if one is None:
            added.append(axis - len(dropped) + len(added))
            continue
        if isinstance(one, slice):
            if one != slice(None):
                if shape_of(result)[axis] < 0:
                    raise TraceError(f"samples can't be selected: a function must treat all samples of a batch alike{where_called()}")
                result = _selected(result, axis, range(shape_of(result)[axis])[one])
        elif isinstance(one, (list, np.ndarray)):
            result = _selected(result, axis, one)
        else:
            result = _selected(result, axis, [operator.index(one)])
            dropped.append(axis)
        axis += 1
    result = squeeze(result, tuple(dropped)) if dropped else result
    return expand_dims(result, added) if added else result
