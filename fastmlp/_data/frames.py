"""Tables of pandas, polars and pyarrow as arrays, or an error that names the column that is none.

None of these libraries is imported: whoever passes such an object has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def is_frame(value: Any) -> bool:
    """True for frames, tables, series and columns of pandas, polars and pyarrow."""
    return is_of_a_library(value) and hasattr(value, "__len__") and (hasattr(value, "shape") or hasattr(value, "to_numpy"))


def is_of_a_library(value: Any) -> bool:
    """True for everything of pandas, polars and pyarrow, such as groups of rows and lazy frames, which have no values yet."""
    return type(value).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")


def column_names(value: Any) -> list[Any] | None:
    """The names of a frame's columns; None for anything else."""
    if isinstance(value, np.ndarray) or not is_frame(value) or _is_single(value):
        return None
    return list(value.column_names if hasattr(value, "column_names") else value.columns)


def columns(value: Any) -> list[np.ndarray]:
    """The columns of a frame, of whatever type they are."""
    return [_as_numpy(column) for _, column in _columns(value)]


def pick(value: Any, places: list[int]) -> Any:
    """The columns of a frame in these places, as a frame."""
    library = type(value).__module__.partition(".")[0]
    return value.select(places) if library == "pyarrow" else value.iloc[:, places] if library == "pandas" else value[:, places]


def as_row(value: Any) -> Any:
    """A Series of pandas that is a row of a frame as a frame again; anything else as it is."""
    is_series = type(value).__module__.partition(".")[0] == "pandas" and _is_single(value) and hasattr(value, "to_frame")
    return value.to_frame().T.infer_objects() if is_series else value


def to_array(name: str, value: Any) -> np.ndarray:
    """A frame as ``(rows, columns)``, a series as ``(rows,)``: numbers, in the type that holds them all.

    Args:
        name: What to call the frame in messages.
        value: Something :func:`is_frame` is true for.

    Raises:
        TypeError: A column is not numbers.
        ValueError: A column has missing values.
    """
    if _is_single(value):
        return _numbers(name, value)
    columns = [_numbers(f"column {label!r} of {name}", column) for label, column in _columns(value)]
    if not columns:
        return np.empty((len(value), 0), np.float32)
    kind = np.result_type(*columns)
    array = np.empty((len(value), len(columns)), np.float32 if kind.kind in "iu" and kind != np.uint8 else kind)
    for place, column in enumerate(columns):
        array[:, place] = column
    return array


def _is_single(value: Any) -> bool:
    return not hasattr(value, "columns")


def _columns(value: Any) -> Iterator[tuple[Any, Any]]:
    library = type(value).__module__.partition(".")[0]
    if library == "pandas":
        yield from ((label, value.iloc[:, place]) for place, label in enumerate(value.columns))
    elif library == "polars":
        yield from zip(value.columns, value.get_columns(), strict=True)
    else:
        yield from zip(value.column_names, value.columns, strict=True)


def _numbers(what: str, column: Any) -> np.ndarray:
    """One column as an array of numbers or bools."""
    missing = _missing(column)
    kind = _named_type(column)
    if kind.startswith(("categor", "enum", "dictionary")):
        raise TypeError(f"{what} is categorical; encode it first: one column per category (get_dummies, to_dummies), or its number for y")
    if missing:
        raise ValueError(
            f"{what} has {missing} missing value{'s' if missing > 1 else ''}; fill or drop {'them' if missing > 1 else 'it'} first"
        )
    array = _as_numpy(column)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} holds {_describe(array)}")
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
    if type(column).__module__.partition(".")[0] == "pyarrow":
        return np.asarray(column.to_numpy(zero_copy_only=False))
    kind = getattr(getattr(column, "dtype", None), "numpy_dtype", None)  # of nullable and of Arrow columns
    if isinstance(kind, np.dtype) and kind.kind in "biuf":
        return np.asarray(column.to_numpy(dtype=kind))
    return np.asarray(column.to_numpy())


def _describe(array: np.ndarray) -> str:
    if array.dtype.kind in "mM" or "datetime" in str(array.dtype):
        return "dates or times; turn them into numbers first"
    if array.dtype.kind in "OUST" and array.size and isinstance(array.flat[0], str):
        return f"strings such as {str(array.flat[0])!r:.40}; turn them into numbers first"
    if array.dtype.kind == "O" and array.size:
        kind = type(array.flat[0]).__name__
        if kind in ("Timestamp", "datetime", "date", "time", "Timedelta", "timedelta"):
            return "dates or times; turn them into numbers first"
        return f"Python objects ({kind}); turn them into numbers first"
    return f"{array.dtype} values; turn them into numbers first"
