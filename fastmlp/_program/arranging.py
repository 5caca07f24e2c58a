"""Operations that move elements: shapes, selections of an axis, concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp._program.elementwise import where
from fastmlp._program.recording import Value, apply
from fastmlp._program.table import Op, add, check_axes, same_dtype
from fastmlp._program.types import Type, batched, check_size, elements, shown


def _reshape(types: Sequence[Type], shape: tuple[int, ...]) -> Type:
    (x,) = types
    check_size(shape)
    if batched(x.shape) != batched(shape) or elements(x.shape) != elements(shape):
        raise ValueError(f"a value of shape {shown(x.shape)} can't have the shape {shown(shape)}")
    return Type(x.dtype, shape)


def _reshaped_back(g: Value, y: Value, x: Value, shape: tuple[int, ...]) -> Value:
    return apply("reshape", g, shape=x.type.shape)


add(Op("reshape", 1, _reshape, lambda x, shape: np.reshape(x, shape), (_reshaped_back,), {"shape": "shape"}))


def _transpose(types: Sequence[Type], axes: tuple[int, ...]) -> Type:
    (x,) = types
    if sorted(axes) != list(range(len(x.shape))):
        raise ValueError(f"the axes of a transposition must be all of 0 … {len(x.shape) - 1}, got {axes!r:.80}")
    if batched(x.shape) and axes[0] != 0:
        raise ValueError("the batch axis must stay the first one: samples can't be transposed to columns")
    return Type(x.dtype, tuple(x.shape[axis] for axis in axes))


def _transposed_back(g: Value, y: Value, x: Value, axes: tuple[int, ...]) -> Value:
    return apply("transpose", g, axes=tuple(axes.index(axis) for axis in range(len(axes))))


add(Op("transpose", 1, _transpose, lambda x, axes: np.transpose(x, axes), (_transposed_back,), {"axes": "axes"}))


def _check_inner(name: str, x: Type, axis: int) -> None:
    check_axes((axis,), x.shape)
    if batched(x.shape) and axis == 0:
        raise ValueError(f"{name} along the batch axis is not supported: the number of samples is not known while a function is recorded")


def _take(types: Sequence[Type], axis: int, indices: tuple[int, ...]) -> Type:
    (x,) = types
    _check_inner("selecting", x, axis)
    if any(not 0 <= index < x.shape[axis] for index in indices):
        raise ValueError(f"indices must be from 0 to {x.shape[axis] - 1}, got {indices!r:.80}")
    return Type(x.dtype, (*x.shape[:axis], len(indices), *x.shape[axis + 1 :]))


def _chosen(x: Any, axis: int, indices: tuple[int, ...]) -> Any:
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    if len(indices) and step > 0 and indices == tuple(range(indices[0], indices[-1] + 1, step)):
        return x[(slice(None),) * axis + (slice(indices[0], indices[-1] + 1, step),)]  # a view
    return np.take(x, np.array(indices, np.intp), axis)


def _put_back(g: Value, y: Value, x: Value, axis: int, indices: tuple[int, ...]) -> Value:
    return apply("put", g, axis=axis, indices=indices, count=x.type.shape[axis])


add(Op("take", 1, _take, _chosen, (_put_back,), {"axis": "axis", "indices": "indices"}))


def _put(types: Sequence[Type], axis: int, indices: tuple[int, ...], count: int) -> Type:
    (x,) = types
    _check_inner("placing", x, axis)
    if len(indices) != x.shape[axis] or any(not 0 <= index < count for index in indices):
        raise ValueError(f"there must be an index from 0 to {count - 1} for each of {x.shape[axis]} places, got {indices!r:.80}")
    return Type(x.dtype, (*x.shape[:axis], count, *x.shape[axis + 1 :]))


def _placed(x: Any, axis: int, indices: tuple[int, ...], count: int) -> Any:
    result = np.zeros((*x.shape[:axis], count, *x.shape[axis + 1 :]), x.dtype)
    place: Any = (slice(None),) * axis + (np.array(indices, np.intp),)
    (np.logical_or if x.dtype.kind == "b" else np.add).at(result, place, x)
    return result


def _taken_back(g: Value, y: Value, x: Value, axis: int, indices: tuple[int, ...], count: int) -> Value:
    return apply("take", g, axis=axis, indices=indices)


add(Op("put", 1, _put, _placed, (_taken_back,), {"axis": "axis", "indices": "indices", "count": "count"}))


def _concatenate(types: Sequence[Type], axis: int) -> Type:
    first = types[0]
    _check_inner("concatenating", first, axis)
    rests = {(*one.shape[:axis], *one.shape[axis + 1 :]) for one in types if len(one.shape) == len(first.shape)}
    if len(rests) != 1 or any(len(one.shape) != len(first.shape) for one in types):
        raise ValueError(f"the shapes {', '.join(str(shown(one.shape)) for one in types)} can't be concatenated along axis {axis}")
    size = sum(one.shape[axis] for one in types)
    return Type(same_dtype("concatenate", types), (*first.shape[:axis], size, *first.shape[axis + 1 :]))


def _part(g: Value, y: Value, *inputs: Value, axis: int, place: int) -> Value:
    start = sum(one.type.shape[axis] for one in inputs[:place])
    return apply("take", g, axis=axis, indices=tuple(range(start, start + inputs[place].type.shape[axis])))


add(Op("concatenate", None, _concatenate, lambda *xs, axis: np.concatenate(xs, axis), (_part,), {"axis": "axis"}))


def _gather(types: Sequence[Type]) -> Type:
    x, indices = types
    if indices.dtype != "int32":
        raise TypeError(f"indices must be int32, got {indices.dtype}")
    if len(x.shape) != len(indices.shape) or x.shape[:-1] != indices.shape[:-1] or not x.shape or (len(x.shape) == 1 and batched(x.shape)):
        raise ValueError(f"the indices of shape {shown(indices.shape)} do not fit values of shape {shown(x.shape)} along the last axis")
    if x.shape[-1] == 0:
        raise ValueError("nothing can be selected from an axis of size 0")
    check_size((*indices.shape, x.shape[-1]))  # of the gradient
    return Type(x.dtype, indices.shape)


def _gathered(x: Any, indices: Any) -> Any:
    """x[…, index], and 0 for an index out of range."""
    size = x.shape[-1]
    inside = (indices >= 0) & (indices < size)
    return np.where(inside, np.take_along_axis(x, np.clip(indices, 0, size - 1).astype(np.intp), -1), x.dtype.type(0))


def _scattered(g: Value, y: Value, x: Value, indices: Value) -> Value:
    places = x.recorder.constant(np.arange(x.type.shape[-1], dtype=np.int32))
    columns = apply("reshape", indices, shape=(*indices.type.shape, 1))
    weights = apply("reshape", g, shape=(*g.type.shape, 1))
    return apply("sum", where(apply("equal", columns, places), weights, 0.0), axes=(indices.ndim - 1,))


add(Op("gather", 2, _gather, _gathered, (_scattered, None)))


def _samples(types: Sequence[Type], shape: tuple[int, ...]) -> Type:
    if shape != (-1,):
        raise ValueError(f"the shape of samples is that of a batch, (-1,), got {shape!r:.80}")
    return Type("int32", ())


add(Op("samples", 0, _samples, lambda shape: np.array(shape[0], np.int32), (), {"shape": "shape"}))
