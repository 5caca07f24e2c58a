"""Tables of pandas, polars and pyarrow, read column by column; an error names the column that is not numbers.

None of these libraries is imported: whoever passes such an object has it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from fastmlp._base.shapes import Shape
from fastmlp._data.adapters.arrays import ArrayAdapter
from fastmlp._data.adapters.base import DataAdapter, Selection
from fastmlp._data.conversion import TABLE_ADVICE, describe_contents, is_features

LIBRARIES = ("pandas", "polars", "pyarrow")


class FrameAdapter(DataAdapter):
    """Frames, tables, series and columns of pandas, polars and pyarrow."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self._array: np.ndarray | None = None
        self._is_single = not hasattr(value, "columns")
        """Whether it is a column rather than a table."""
        self.feature_names = None if self._is_single else list(value.column_names if hasattr(value, "column_names") else value.columns)

    @classmethod
    def accepts(cls, value: object) -> bool:
        return _library(value) in LIBRARIES and hasattr(value, "__len__") and (hasattr(value, "shape") or hasattr(value, "to_numpy"))

    def as_array(self, name: str) -> np.ndarray:
        """``(samples, features)`` for a table, ``(samples,)`` for a series, in the type that holds all columns."""
        if self._array is None:
            self._array = self._read(name)
        return self._array

    def _read(self, name: str) -> np.ndarray:
        if self._is_single:
            return _numbers(name, self.value)
        columns = [_numbers(f"column {label!r} of {name}", column) for label, column in self._columns()]
        samples = len(self.value)
        if not columns:
            return np.empty((samples, 0), np.float32)
        kind = np.result_type(*columns)
        array = np.empty((samples, len(columns)), np.float32 if kind.kind in "iu" and kind != np.uint8 else kind)
        for place, column in enumerate(columns):
            array[:, place] = column
        return array

    def columns(self) -> Iterator[tuple[Hashable, Any]] | None:
        return None if self._is_single else self._columns()

    def _columns(self) -> Iterator[tuple[Hashable, Any]]:
        """The labels of a table and its columns."""
        frame, library = self.value, _library(self.value)
        if library == "pandas":
            yield from ((label, frame.iloc[:, place]) for place, label in enumerate(frame.columns))
        elif library == "polars":
            yield from zip(frame.columns, frame.get_columns(), strict=True)
        else:
            yield from zip(frame.column_names, frame.columns, strict=True)

    def select_features(self, places: Sequence[int]) -> DataAdapter:
        frame, library = self.value, _library(self.value)
        if library == "pyarrow":
            return FrameAdapter(frame.select(places))
        return FrameAdapter(frame.iloc[:, places] if library == "pandas" else frame[:, places])

    def as_batch(self, sample_shape: Shape | None) -> DataAdapter:
        if not self._is_single or sample_shape is None or len(sample_shape) != 1 or sample_shape == (1,):
            return self
        if _library(self.value) == "pandas" and hasattr(self.value, "to_frame"):  # a row of a frame is a series of its values
            return FrameAdapter(self.value.to_frame().T.infer_objects())
        return ArrayAdapter(self.as_array("x")[None])

    def sample_count(self) -> int:
        return len(self.value)

    def take(self, which: Selection) -> Any:
        library = _library(self.value)
        if library == "pandas" and hasattr(self.value, "iloc"):
            return self.value.iloc[which]
        if library == "pyarrow" and not isinstance(which, slice):
            return self.value.take(which)
        return self.value[which] if library in ("polars", "pyarrow") else np.asarray(self.value)[which]

    def stored_arrays(self) -> Iterator[np.ndarray]:
        if self._is_single:
            return super().stored_arrays()
        return (_as_numpy(column) for _, column in self._columns())

    def _advice_for_one(self, name: str) -> str:
        if hasattr(self.value, "to_frame"):
            return f"{name}.to_frame().T, or frame.iloc[[i]] instead of frame.iloc[i]"
        return super()._advice_for_one(name)


class LazyFrameAdapter(DataAdapter):
    """What else these libraries have, such as lazy frames and groups of rows: it holds no values, and an error says what to do."""

    @classmethod
    def accepts(cls, value: object) -> bool:
        return _library(value) in LIBRARIES

    def as_array(self, name: str) -> np.ndarray:
        kind = type(self.value).__name__
        raise TypeError(f"{name} must be an array or a frame, got a {kind}; make a frame of it first, as .collect() does of a lazy one")


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def _numbers(what: str, column: Any) -> np.ndarray:
    """One column as an array of numbers or bools."""
    missing = _missing(column)
    kind = _named_type(column)
    if kind.startswith(("categor", "enum", "dictionary")):
        advice = TABLE_ADVICE if is_features(what) else "turn it into integer class labels, such as its codes"
        raise TypeError(f"{what} is categorical; {advice}")
    if missing:
        advice = f", or {TABLE_ADVICE}" if is_features(what) else ""
        raise ValueError(
            f"{what} has {missing} missing value{'s' if missing > 1 else ''}; fill or drop {'them' if missing > 1 else 'it'} first{advice}"
        )
    array = _as_numpy(column)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} holds {describe_contents(what, array)}")
    return array


def _missing(column: Any) -> int:
    """How many values are missing; NaN in a column of plain floats is a value, which is looked at later."""
    count = getattr(column, "null_count", None)
    if count is not None:
        return int(count() if callable(count) else count)
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"
    return 0 if plain else int(column.isna().sum())


def _named_type(column: Any) -> str:
    return str(getattr(column, "dtype", None) or getattr(column, "type", "")).lower()


def _as_numpy(column: Any) -> np.ndarray:
    if _library(column) == "pyarrow":
        return np.asarray(column.to_numpy(zero_copy_only=False))
    kind = getattr(getattr(column, "dtype", None), "numpy_dtype", None)  # of nullable and of Arrow columns
    if isinstance(kind, np.dtype) and kind.kind in "biuf":
        return np.asarray(column.to_numpy(dtype=kind))
    return np.asarray(column.to_numpy())
