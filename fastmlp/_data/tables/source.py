"""Tables of any kind as named columns: frames of pandas, polars and pyarrow, dicts, lists and arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.tables.columns import Column, read_column

__all__ = ["Table", "open_table"]


class Table:
    """The columns of a table, which are read one by one.

    Args:
        title: What to call the table in messages.
        names: The names of the columns, None if they have only an order.
        samples: The number of samples.
        count: The number of columns.
        column: Returns a column by its index, as the user passed it.
    """

    def __init__(self, title: str, names: Sequence[object] | None, samples: int, count: int, column: Callable[[int], Any]) -> None:
        self.title, self.samples, self.count = title, samples, count
        self.names = None if names is None else tuple(map(str, names))
        self._column = column
        if self.names is not None and len(set(self.names)) < len(self.names):
            repeated = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"{title} has several columns called {repeated!r}; rename them or drop all but one")

    def label(self, index: int) -> str:
        """What to call a column in messages."""
        return f"column {index if self.names is None else repr(self.names[index])} of {self.title}"

    def read(self, index: int) -> Column:
        """A column by its index."""
        label = self.label(index)
        column = read_column(label, self._column(index))
        if len(column.array) != self.samples:
            raise ValueError(f"{label} has {len(column.array)} values, but {self.label(0)} has {self.samples}; columns have equal lengths")
        return column


def open_table(given: Any, title: str = "x", *, columns: int | None = None) -> Table:
    """A table as the user passed it; nothing is read yet.

    Args:
        given: A frame, a dict of columns or of the values of one sample, a list of dicts or of rows, or an array ``(samples, columns)``.
        title: What to call it in messages.
        columns: For a single sample without names: the number of its values, by which a list or an array with one axis is taken for one.

    Raises:
        TypeError: It is no table.
        ValueError: It has several columns of one name, or rows of different lengths.
    """
    if given is None:
        raise ValueError(f"{title} is missing (None)")
    if isinstance(given, Mapping):
        return _of_mapping(given, title)
    if isinstance(given, (list, tuple)):
        return _of_list(list(given), title, columns)
    frame = choose_adapter(given).columns()
    if frame is not None:
        labels, series = zip(*frame, strict=True) if given.shape[1] else ((), ())
        return Table(title, labels, len(given), len(labels), series.__getitem__)
    if not hasattr(given, "__array__"):
        raise TypeError(_no_table(given, title))
    if getattr(given, "ndim", 1) == 1 and not isinstance(given, np.ndarray):
        return _of_series(given, title, columns)
    return _of_array(given, title, columns)


def _of_series(series: Any, title: str, columns: int | None) -> Table:
    """A series of pandas whose labels are names is a row of a frame; others are a column."""
    labels = list(series.index) if hasattr(series, "iloc") else []
    if labels and all(isinstance(label, str) for label in labels):
        return Table(title, labels, 1, len(labels), lambda index: [series.iloc[index]])
    if columns is not None and len(series) == columns:
        return _of_array(series, title, columns)
    return Table(title, None, len(series), 1, lambda index: series)


def _of_array(given: Any, title: str, columns: int | None) -> Table:
    if checks.is_masked(given):
        raise ValueError(f"{title} has masked elements; fill them first: {title}.filled(numpy.nan)")
    array = np.asarray(given)
    if names := array.dtype.names:
        return Table(title, names, array.size, len(names), lambda index: array.ravel()[names[index]])
    if array.ndim == 1:
        array = array[None] if columns is not None and len(array) == columns else array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{title} has shape {array.shape}, but a table has two axes: samples and columns")
    return Table(title, None, len(array), array.shape[1], lambda index: array[:, index])


def _of_mapping(given: Mapping[Any, Any], title: str) -> Table:
    names, values = list(given), list(given.values())
    if not values:
        raise ValueError(f"{title} is an empty dict; a table has at least one column")
    if not any(_is_column(value) for value in values):
        return Table(title, names, 1, len(names), lambda index: [values[index]])
    for name, value in given.items():
        if not _is_column(value):
            raise ValueError(f"column {name!r} of {title} is the single value {value!r:.60}; pass a list with one value for each sample")
    return Table(title, names, len(values[0]), len(names), values.__getitem__)


def _is_column(value: object) -> bool:
    """Whether a value of a dict is a column rather than one value of a single sample."""
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes)) and getattr(value, "ndim", 1) > 0


def _of_list(rows: list[Any], title: str, columns: int | None) -> Table:
    if not rows:
        raise ValueError(f"{title} is empty; pass a table with at least one sample")
    if isinstance(rows[0], Mapping):
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise TypeError(f"row {number} of {title} is {row!r:.60}, but row 0 is a dict; pass rows of one kind")
        names = list(dict.fromkeys(name for row in rows for name in row))
        return Table(title, names, len(rows), len(names), lambda index: [row.get(names[index]) for row in rows])
    if not _is_column(rows[0]):
        row = next((row for row in rows if _is_column(row)), None)
        if row is not None:
            raise ValueError(f"row 0 of {title} is {rows[0]!r:.60}, but another is {row!r:.60}; pass rows of equal lengths")
        rows = [rows] if columns is not None and len(rows) == columns else [[value] for value in rows]
    width = len(rows[0])
    for number, row in enumerate(rows):
        if not _is_column(row) or len(row) != width:
            raise ValueError(f"row {number} of {title} is {row!r:.60}, but row 0 has {width} values; pass rows of equal lengths")
    return Table(title, None, len(rows), width, lambda index: [row[index] for row in rows])


def _no_table(given: object, title: str) -> str:
    what = f"{given!r:.60}" if isinstance(given, (str, bytes)) else f"a {type(given).__name__}"
    advice = ""
    if isinstance(given, str):
        advice = "; read a file first, for example with pandas.read_csv"
    elif hasattr(given, "collect"):
        advice = "; make a frame of it first: .collect()"
    elif hasattr(given, "toarray"):
        advice = "; make an array of it first: .toarray()"
    return f"{title} must be a table: a frame, a dict of columns, a list of rows or an array, got {what}{advice}"
