"""SciPy's sparse matrices: converted to the CSR arrays that the engines read, never to a dense array.

SciPy is not imported here; it has been imported if such a matrix exists. Values are converted to float32 once, row starts to int64 and
columns to int32; arrays that have these dtypes are not copied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import _core
from fastmlp._base.numeric import as_native, quiet
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters.base import DataAdapter, Selection
from fastmlp._data.conversion import describe_not_finite
from fastmlp._engine.spec import SparseRows
from fastmlp.errors import UnsupportedError

_MAX_COLUMNS = 2**31 - 1


class CompressedRows(Protocol):
    """A matrix in SciPy's format CSR."""

    @property
    def shape(self) -> Shape: ...
    @property
    def indptr(self) -> ArrayLike: ...
    @property
    def indices(self) -> ArrayLike: ...
    @property
    def data(self) -> ArrayLike: ...
    def __getitem__(self, which: Selection | tuple[int, int]) -> Any: ...


class SparseAdapter(DataAdapter):
    """The matrices and arrays of ``scipy.sparse``, whatever their format, and those like them."""

    _compressed: CompressedRows | None = None

    @classmethod
    def accepts(cls, value: object) -> bool:
        return hasattr(value, "tocsr") and hasattr(value, "shape") and not isinstance(value, np.ndarray)

    def as_array(self, name: str) -> np.ndarray:
        raise UnsupportedError(f"{name} is a sparse matrix, but only x may be one; pass {name}.toarray()")

    def shape(self, name: str) -> Shape:
        return tuple(self.value.shape)

    def as_inputs(self, sample_shape: Shape, *, name: str = "x", check_finite: bool = True, gaps: np.ndarray | None = None) -> SparseRows:
        shape = tuple(self.value.shape)
        if len(sample_shape) != 1:
            raise ValueError(
                f"{name} is a sparse matrix of shape {shape}, but the model expects samples of shape {sample_shape}; "
                f"begin the model with Input(shape=({math.prod(sample_shape)},)), or pass an array"
            )
        if len(shape) == 1 and shape == sample_shape:
            raise ValueError(
                f"{name} is a sparse array of shape {shape}, but the model expects (samples, {sample_shape[0]}); pass {name}.reshape(1, -1)"
            )
        if shape[1:] != sample_shape:
            raise ValueError(self._wrong_shape(name, shape, sample_shape))
        rows = as_sparse_rows(name, self._csr())
        at = _core.first_nonfinite(rows.values) if check_finite else -1
        if at >= 0:
            place = int(np.searchsorted(rows.starts, at, side="right")) - 1, int(rows.columns[at])
            count = int(rows.values.size - np.isfinite(rows.values).sum())
            raise ValueError(describe_not_finite(name, f"{place[0]}, {place[1]}", self._csr()[place], count))
        return rows

    def sample_count(self) -> int:
        return int(self.value.shape[0])

    def take(self, which: Selection) -> Any:
        return self._csr()[which]

    def stored_arrays(self) -> Iterator[np.ndarray]:
        matrix = self._csr()
        for part in (self.value.shape, matrix.indptr, matrix.indices, matrix.data):
            yield np.asarray(part)

    def _csr(self) -> CompressedRows:
        if self._compressed is None:
            self._compressed = self.value.tocsr()
        return self._compressed


def as_sparse_rows(name: str, matrix: CompressedRows) -> SparseRows:
    """A matrix as the engines read it, in a copy where it is not in order; the matrix stays as it is.

    Entries that share a place are added, in the order they are stored: numbers with a fraction in their own type, as ``toarray`` does it,
    integers as 64-bit integers.

    Raises:
        TypeError: If its values are not real numbers.
        ValueError: If its arrays contradict each other.
    """
    rows, width = matrix.shape
    starts, columns, values = (np.asarray(part) for part in (matrix.indptr, matrix.indices, matrix.data))
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, but holds {values.dtype} values")
    if width > _MAX_COLUMNS:
        raise ValueError(f"{name} has {width} features, but a layer takes at most {_MAX_COLUMNS}")
    starts = _checked_starts(name, starts, rows, min(len(columns), len(values)))
    columns, values = (part[starts[0] : starts[-1]] for part in (columns, values))
    starts -= starts[0]
    if columns.size and (columns.min() < 0 or columns.max() >= width):
        at = int(np.flatnonzero((columns < 0) | (columns >= width))[0])
        row = int(np.searchsorted(starts, at, side="right")) - 1
        raise ValueError(f"row {row} of {name} has an entry in column {columns[at]}, but there are only columns 0 … {width - 1}")
    columns = as_native(columns, np.int32)
    if _core.first_bad_row(starts, columns, width) >= 0:
        starts, columns, values = _in_order(starts, columns, values)
    return SparseRows(starts, columns, as_native(values, np.float32), width)


def _checked_starts(name: str, starts: np.ndarray, rows: int, entries: int) -> np.ndarray:
    """A copy of a matrix's ``indptr``, int64."""
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or len(starts) != rows + 1:
        raise ValueError(f"{name}.indptr must be {rows + 1} integers, one more than there are rows, but has shape {starts.shape}")
    starts = starts.astype(np.int64)
    if starts[0] < 0 or starts[-1] > entries or (np.diff(starts) < 0).any():
        raise ValueError(f"{name}.indptr must ascend from 0 to at most {entries}, the number of entries; the matrix is damaged")
    return starts


def _in_order(starts: np.ndarray, columns: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same entries with ascending columns in every row, and one for each place."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((columns, rows))  # stable: entries of one place stay in the order they are stored
    rows, columns, values = rows[order], columns[order], values[order]
    is_new = np.ones(len(rows), bool)
    is_new[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
    if values.dtype.kind in "iu" and values.dtype.itemsize < 8:
        values = values.astype(np.int64)
    sums = np.zeros(int(is_new.sum()), values.dtype)
    with quiet():
        np.add.at(sums, np.cumsum(is_new) - 1, values)
    rows, columns = rows[is_new], columns[is_new]
    return np.searchsorted(rows, np.arange(len(starts))).astype(np.int64), np.ascontiguousarray(columns), sums
