"""Turning what users pass as ``x``, ``y`` and weights into the arrays the engines read, or into an error that says what is wrong with it.

Nothing is copied that need not be: C-contiguous float32 (and, for x, uint8) arrays go through as they are, memory maps included, and sparse
matrices stay sparse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp._data.frames as frames
import fastmlp._data.sparse as sparse
from fastmlp import _core
from fastmlp._base import checks
from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import SparseRows
from fastmlp.errors import UnsupportedError

BLOCK_ROWS = 1 << 16
"""Rows that checks look at together: what they note on the way stays in cache, and does not grow with the data."""


def blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The rows in parts of :data:`BLOCK_ROWS`, each with the number of its first row; none of no rows."""
    for first in range(0, len(array), BLOCK_ROWS):
        yield first, array[first : first + BLOCK_ROWS]


def alone(value: Any, row: Shape | None = None, rows: int | None = None) -> Any:
    """The array in a list of one, as models with several inputs take them; anything else as it is.

    A list of one array may also be the list of all samples, of which there is one.

    Args:
        value: What the user passed.
        row: The shape of a sample, where it is known.
        rows: The number of samples, where it is known.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 1 or not hasattr(value[0], "shape"):
        return value
    shape = value[0].shape
    if rows is not None:
        several = shape[:1] == (rows,) and (rows > 1 or len(shape) > 1)
    else:
        several = len(shape) > (1 if row is None else len(row)) or (len(shape) == 1 and row == (1,))
    return value[0] if several else value


def as_array(name: str, value: Any) -> np.ndarray:
    """``value`` as an array of real numbers (or bools) with at least one axis."""
    array: np.ndarray = value if type(value) is np.ndarray else _from_other(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, but holds {_describe(array, value)}")
    if array.ndim == 0:
        raise ValueError(f"{name} must be an array with one row per sample, got the single value {array[()]}")
    return array


def _from_other(name: str, value: Any) -> np.ndarray:
    if value is None:
        raise ValueError(f"{name} is missing (None)")
    if isinstance(value, dict):
        hint = "; class_weight gives each class a weight" if name.endswith("sample_weight") else ""
        raise UnsupportedError(f"{name} is a dict, which is for models with several inputs or outputs; this one takes one array{hint}")
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be an array of numbers, got {value!r:.60}")
    if frames.is_frame(value):
        return frames.to_array(name, value)
    if checks.is_masked(value):
        raise ValueError(f"{name} has masked elements; fill them first: {name}.filled(0)")
    if hasattr(value, "tocsr"):
        raise UnsupportedError(f"{name} is a sparse matrix, but only x may be one; pass {name}.toarray()")
    if isinstance(value, Iterator):
        raise UnsupportedError(f"{name} is a {type(value).__name__}; only x of fit, evaluate and predict may give batches")
    if frames.is_of_a_library(value):
        raise TypeError(
            f"{name} must be an array or a frame, got a {type(value).__name__}; make a frame of it first, as .collect() does of a lazy one"
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        if "inhomogeneous" in str(error) or "sequence" in str(error):
            raise ValueError(f"{name} is ragged: its rows have different lengths, but a network needs them all alike") from error
        raise TypeError(f"{name} can't be read as an array: {error}") from error
    if array.dtype.kind == "O" and array.ndim == 0:
        raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__}")
    return array


def _first_text(value: Any) -> Any:
    """The first string, also bytes, in an array or in lists inside of lists."""
    for item in value if isinstance(value, (list, tuple)) else np.asarray(value).ravel()[:1].tolist():
        found = _first_text(item) if isinstance(item, (list, tuple, np.ndarray)) else item
        if isinstance(found, (str, bytes)):
            return found
    return None


def _describe(array: np.ndarray, value: Any) -> str:
    if array.dtype.kind in "US":
        example = f" such as {_first_text(value)!r:.40}" if array.size else ""
        return f"strings{example}; turn them into numbers first, for example with layers.StringLookup or layers.Hashing"
    if array.dtype.kind == "O":
        kinds = sorted({type(item).__name__ for item in array.flat[:1000]})
        return f"Python objects ({', '.join(kinds[:4])}); make it one numeric array with equal rows: np.array(..., dtype='float32')"
    if array.dtype.kind == "c":
        return "complex values; pass real and imaginary part as columns"
    if array.dtype.kind in "mM":
        return "dates or times; turn them into numbers first"
    return f"{array.dtype} values"


def as_inputs(value: Any, row: Shape, *, name: str = "x", check_finite: bool = True) -> np.ndarray | SparseRows:
    """``x`` as ``(rows, features)``, float32 or uint8, C-contiguous; a sparse matrix as rows without zeros.

    Args:
        value: What the user passed.
        row: The shape of a row the model expects, without the batch axis.
        name: What to call it in messages.
        check_finite: Whether NaN and Inf are errors. Memory maps are not scanned: reading them all first would be the slowest part.

    Raises:
        ValueError: For a wrong rank or width, for NaN or Inf.
        TypeError: For anything that is not numbers.
    """
    if sparse.is_sparse(value):
        return _sparse_inputs(value, row, name, check_finite)
    array = as_array(name, value)
    if array.shape[1:] != row:
        if array.ndim == 1 and row == (1,):
            array = array.reshape(-1, 1)
        else:
            raise ValueError(_wrong_row(name, array.shape, row, value))
    if array.ndim != 2:
        array = array.reshape(len(array), math.prod(row))
    if array.dtype == np.uint8:
        return as_native(array, np.uint8)
    check_finite = check_finite and not isinstance(value, np.memmap)
    return as_float32(name, array, check_finite=check_finite, row=row, columns=None if array is value else frames.column_names(value))


def _sparse_inputs(value: Any, row: Shape, name: str, check_finite: bool) -> SparseRows:
    shape = tuple(value.shape)
    if len(row) != 1:
        raise ValueError(
            f"{name} is a sparse matrix of shape {shape}, but the model expects rows of shape {row}; "
            f"begin the model with Input(shape=({math.prod(row)},)), or pass an array"
        )
    if len(shape) == 1 and shape == row:
        raise ValueError(f"{name} is a sparse array of shape {shape}, but the model expects (rows, {row[0]}); pass {name}.reshape(1, -1)")
    if shape[1:] != row:
        raise ValueError(_wrong_row(name, shape, row, value))
    rows = sparse.as_sparse_rows(name, value)
    at = first_nonfinite(rows.values) if check_finite else -1
    if at >= 0:
        r, c = sparse.place_of(rows, at)
        number = value.tocsr()[r, c]
        raise ValueError(_describe_not_finite(name, f"{r}, {c}", number, int(rows.values.size - np.isfinite(rows.values).sum())))
    return rows


def _wrong_row(name: str, shape: Shape, row: Shape, value: Any) -> str:
    reshaped = f"{name}.reshape(" if hasattr(value, "reshape") else f"np.reshape({name}, "
    if len(row) == 1 and len(shape) == 2:
        return f"{name} has {shape[1]} columns, but the first layer expects {row[0]}"
    wanted = f"(rows, {', '.join(map(str, row))})"
    if len(shape) == 1 and len(row) == 1 and shape[0] == row[0]:
        return f"{name} has shape {shape}, but the model expects {wanted}; for one row, pass {_as_one_row(name, value)}"
    if len(row) == 1 and math.prod(shape[1:]) == row[0]:
        return f"{name} has shape {shape}, but the model expects {wanted}; reshape it: {reshaped}len({name}), -1)"
    if len(row) > 1 and len(shape) == 2 and shape[1] == math.prod(row):
        return f"{name} has shape {shape}, but the model expects {wanted}; reshape it: {reshaped}-1, {', '.join(map(str, row))})"
    return f"{name} has shape {shape}, but the model expects {wanted}"


def _as_one_row(name: str, value: Any) -> str:
    """How to pass a single row as an array of one."""
    if isinstance(value, (list, tuple)):
        return f"[{name}]"
    if hasattr(value, "to_frame"):
        return f"{name}.to_frame().T, or frame.iloc[[i]] instead of frame.iloc[i]"
    return f"{name}[None]" if hasattr(value, "reshape") else f"np.array({name})[None]"


def as_float32(
    name: str, array: np.ndarray, *, check_finite: bool = True, row: Shape | None = None, columns: list[Any] | None = None
) -> np.ndarray:
    """``array`` (two axes) as C-contiguous float32; NaN, Inf and values float32 can't hold are errors that say where."""
    result = as_native(array, np.float32)
    if check_finite and array.dtype.kind == "f":
        at = first_nonfinite(result)
        if at >= 0:
            raise ValueError(_not_finite(name, array, at, row, columns))
    return result


@dataclass(frozen=True, slots=True)
class WholeNumbers:
    """Columns ``begin`` … ``end - 1`` of a network's input, which hold integers ``lowest`` … ``highest``."""

    begin: int
    end: int
    lowest: int
    highest: int
    known: tuple[float, ...] | None = None
    """The only numbers that the first layer knows; None for all."""


def check_whole_numbers(name: str, inputs: np.ndarray | SparseRows, numbers: WholeNumbers) -> None:
    """An error if some columns hold anything but the integers that the first layer reads."""
    begin, end = numbers.begin, numbers.end
    if isinstance(inputs, SparseRows):
        entries = inputs.values[(inputs.columns >= begin) & (inputs.columns < end)]
        if entries.size < len(inputs) * (end - begin):
            entries = np.append(entries, np.float32(0))  # one stands for all zeros
        inputs = entries[:, None]
        begin, end = 0, 1
    values = inputs[:, begin:end]
    known = None if numbers.known is None else np.array(numbers.known, np.float32)
    for first, part in blocks(values):
        bad = ~((part >= numbers.lowest) & (part <= numbers.highest) & (part == np.floor(part)))
        what = f"the first layer reads integers from {numbers.lowest} to {numbers.highest}"
        if numbers.lowest < 0:
            what += " in a model; for larger ones call it on the data before fit: x = layer(data)"
        if known is not None and not bad.any():
            bad = ~np.isin(part, known)
            what = "the vocabulary of the first layer lacks it; give the layer num_oov_indices=1"
        if bad.any():
            at = np.argwhere(bad)[0]
            where = ", ".join(str(i) for i in (first + at[0], *(begin + at[1:])))
            raise ValueError(f"{name}[{where}] is {_shown(part[tuple(at)])}, but {what}")


def _shown(value: Any) -> str:
    """A number with all its digits where it is whole."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:g}"


def first_nonfinite(array: np.ndarray) -> int:
    """The flat index of the first NaN or Inf of a C-contiguous float32 array, -1 if all are finite."""
    return _core.first_nonfinite(array)


def _not_finite(name: str, array: np.ndarray, at: int, row: Shape | None, columns: list[Any] | None) -> str:
    places = np.unravel_index(at, array.shape if row is None else (len(array), *row))
    where = f"{places[0]}, {columns[places[1]]!r}" if columns else ", ".join(map(str, places))
    value = array.ravel()[at] if array.flags.c_contiguous else array[np.unravel_index(at, array.shape)]
    return _describe_not_finite(name, where, value, int(array.size - np.isfinite(array).sum()))


def _describe_not_finite(name: str, where: str, value: Any, count: int) -> str:
    if np.isfinite(value):
        return f"{name}[{where}] is {value:g}, which is too large for float32 (3.4e38); scale {name} down"
    what = "NaN" if np.isnan(value) else "Inf" if value > 0 else "-Inf"
    more = f" ({count} such values in all)" if count > 1 else ""
    return f"{name}[{where}] is {what}{more}; remove these rows or fill the gaps, for example with np.nan_to_num({name})"
