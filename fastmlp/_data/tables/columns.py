"""One column of a table: what it holds, as an array.

Whatever a column was before, a series of a frame, an array or a list, it becomes numbers, booleans, dates, durations, or integer codes of
its distinct values, so that anything that costs time in Python is done once for each distinct value instead of for each row.
"""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base import checks

__all__ = ["Column", "as_label", "describe_value", "is_missing", "read_column"]

_CONTENTS: dict[str, tuple[type, ...]] = {
    "booleans": (bool, np.bool_),
    "numbers": (bool, np.bool_, numbers.Number, decimal.Decimal),
    "dates": (datetime.date, np.datetime64),
    "durations": (datetime.timedelta, np.timedelta64, datetime.time),
}
"""What a column holds if all its values are of these types; the first that fits."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    content: str
    """``numbers``, ``booleans``, ``dates``, ``durations``, ``values`` of any other types, or ``nothing`` if all are missing."""
    array: NDArray[Any]
    """``(samples,)``: numbers, with NaN where they are missing; ``datetime64[us]`` and ``timedelta64[us]``, with NaT; the indices of
    ``values``."""
    values: Sequence[object] = ()
    """The distinct values, where the content is ``values``; some may be missing values."""

    def distinct(self) -> tuple[Sequence[object], NDArray[np.intp]]:
        """The distinct values, and the index of each sample's value among them."""
        if self.content == "values":
            return self.values, self.array
        found, indices = np.unique(self.array, return_inverse=True)
        return list(found), indices.reshape(-1)


def read_column(name: str, given: Any) -> Column:
    """A column as the user passed it.

    Args:
        name: What to call it in messages.
        given: A series, an array or a list.

    Raises:
        TypeError: It holds values that no column can hold, such as lists or complex numbers.
        ValueError: It has more than one axis.
    """
    library = type(given).__module__.partition(".")[0]
    if library == "pandas":
        return _of_pandas(name, given)
    if library == "pyarrow":
        return _of_pyarrow(name, given)
    if library == "polars":
        return _of_polars(name, given)
    if isinstance(given, np.ndarray) or hasattr(given, "__array__"):
        if checks.is_masked(given):
            raise ValueError(f"{name} has masked elements; fill them first: {name}.filled(numpy.nan)")
        return _of_array(name, np.asarray(given))
    return _of_objects(name, list(given))


def _of_pandas(name: str, series: Any) -> Column:
    kind = series.dtype
    if hasattr(series, "cat") and hasattr(kind, "categories"):
        codes, categories = np.asarray(series.cat.codes.to_numpy(), np.intp), list(series.cat.categories)
        return Column("values", codes % (len(categories) + 1), [*categories, None])  # also if they are numbers
    if isinstance(kind, np.dtype):
        return _of_array(name, np.asarray(series.to_numpy()))
    if getattr(kind, "tz", None) is not None and str(kind).startswith("datetime64"):
        return _of_array(name, np.asarray(series.to_numpy(dtype="datetime64[us]")))
    plain = getattr(kind, "numpy_dtype", None)  # of nullable and of Arrow columns
    if isinstance(plain, np.dtype) and plain.kind in "iuf":
        if series.isna().any():
            return _of_array(name, np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan)))
        return _of_array(name, np.asarray(series.to_numpy(dtype=plain)))
    codes, values = series.factorize()
    return _of_codes(name, np.asarray(codes, np.intp), list(values))


def _of_pyarrow(name: str, given: Any) -> Column:
    kind = str(given.type)
    if kind.startswith("dictionary"):
        given = given.cast(given.type.value_type)  # to_numpy of a dictionary repeats values where some are missing
    if "string" in kind:
        whole = given.combine_chunks() if hasattr(given, "combine_chunks") else given
        encoded = whole.dictionary_encode()
        return _of_codes(name, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.intp), encoded.dictionary.to_pylist())
    return _of_array(name, np.asarray(given.to_numpy(zero_copy_only=False)))


def _of_polars(name: str, given: Any) -> Column:
    if str(given.dtype).startswith(("String", "Categorical", "Enum")):
        values = given.cast(_polars().String).unique().drop_nulls()
        codes = given.cast(_polars().String).cast(_polars().Enum(values)).to_physical().cast(_polars().Int64).fill_null(-1)
        return _of_codes(name, codes.to_numpy().astype(np.intp), values.to_list())
    return _of_array(name, np.asarray(given.to_numpy()))


def _polars() -> Any:
    """The library, which is there if an object of it is."""
    return sys.modules["polars"]


def _of_codes(name: str, codes: NDArray[np.intp], values: list[Any]) -> Column:
    """A column whose distinct values are known: indices, −1 for missing ones."""
    return _of_distinct(name, codes % (len(values) + 1), [*values, None])  # −1 becomes the index of None


def _of_array(name: str, array: NDArray[Any]) -> Column:
    if array.ndim != 1:
        raise ValueError(f"{name} must have one value for each sample, got an array of shape {array.shape}")
    match array.dtype.kind:
        case "f":
            return Column("numbers", array) if not len(array) or not np.isnan(array).all() else _nothing(len(array))
        case "i" | "u":
            return Column("numbers", array)
        case "b":
            return Column("booleans", array)
        case "M":
            return Column("dates", array.astype("datetime64[us]")) if not np.isnat(array).all() else _nothing(len(array))
        case "m":
            return Column("durations", array.astype("timedelta64[us]")) if not np.isnat(array).all() else _nothing(len(array))
        case "c":
            raise TypeError(f"{name} holds complex values; make a column of the real and one of the imaginary parts")
    return _of_objects(name, array.tolist())


def _of_objects(name: str, objects: list[Any]) -> Column:
    try:
        distinct = dict.fromkeys(objects)
    except TypeError:
        row = next(row for row, value in enumerate(objects) if not _is_hashable(value))
        raise TypeError(f"{name} holds {describe_value(objects[row])} in row {row}, but a column has one value for each sample") from None
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    return _of_distinct(name, np.fromiter(map(places.__getitem__, objects), np.intp, len(objects)), list(distinct))


def _of_distinct(name: str, codes: NDArray[np.intp], values: list[Any]) -> Column:
    """A column of any objects: numbers if all distinct ones are, and so on."""
    missing = [is_missing(value) for value in values]
    types = {type(value) for value, absent in zip(values, missing, strict=True) if not absent}
    if not types:
        return _nothing(len(codes))
    content = next((content for content, classes in _CONTENTS.items() if all(issubclass(one, classes) for one in types)), "values")
    if content == "values":
        return Column(content, codes, values)
    if any(issubclass(one, (complex, np.complexfloating)) for one in types):
        raise TypeError(f"{name} holds complex values; make a column of the real and one of the imaginary parts")
    convert, kind = _CONVERSIONS[content]
    converted = [None if absent else convert(value) for value, absent in zip(values, missing, strict=True)]
    return Column(content, np.array(converted, kind)[codes])


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # of an integer
        return math.inf if value > 0 else -math.inf


def _as_date(value: Any) -> Any:
    """A date as NumPy reads it."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def _as_duration(value: Any) -> Any:
    """A duration, or the time since midnight, as NumPy reads it."""
    if isinstance(value, datetime.time):
        return datetime.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    return np.timedelta64(value, "us")


_CONVERSIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "numbers": (_as_number, "float64"),
    "booleans": (float, "float64"),
    "dates": (_as_date, "datetime64[us]"),
    "durations": (_as_duration, "timedelta64[us]"),
}
"""How Python's objects become the values of an array, in which None is NaN or NaT."""


def _nothing(samples: int) -> Column:
    return Column("nothing", np.full(samples, np.nan))


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def is_missing(value: Any) -> bool:
    """Whether a value stands for a missing one: None, NaN, NaT or pandas' NA."""
    if value is None or type(value) is str:
        return value is None
    return type(value).__name__ == "NAType" or bool(value != value)


def as_label(value: Any) -> str | None:
    """A value as the text by which categories are compared, None for a missing one: 1, 1.0 and ``"1"`` are the same category."""
    if type(value) is str:
        return value
    if is_missing(value):
        return None
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def describe_value(value: object) -> str:
    """A value for messages: ``the string 'x'``."""
    kinds: tuple[tuple[Callable[[Any], bool], str], ...] = (
        (lambda value: isinstance(value, str), "the string"),
        (lambda value: isinstance(value, (bool, np.bool_)), "the boolean"),
        (lambda value: isinstance(value, (numbers.Number, decimal.Decimal)), "the number"),
        (lambda value: isinstance(value, (datetime.date, np.datetime64)), "the date"),
    )
    kind = next((kind for fits, kind in kinds if fits(value)), f"a {type(value).__name__},")
    shown = repr(value) if isinstance(value, (str, bytes, list, tuple, dict)) else str(value)
    return f"{kind} {shown if len(shown) <= 60 else shown[:57] + '...'}"
