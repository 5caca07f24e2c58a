"""One column of a table: what it holds, as an array.

Whatever a column was before, a series of a frame, an array or a list, it becomes numbers, booleans, dates, durations, or integer codes of
its distinct values, so that anything that costs time in Python is done once for each distinct value instead of for each row.
"""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
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
        if str(given.type).startswith("dictionary"):
            given = given.cast(given.type.value_type)  # to_numpy of a dictionary repeats values where some are missing
        return _of_array(name, np.asarray(given.to_numpy(zero_copy_only=False)))
    if library == "polars":
        return _of_array(name, np.asarray(given.to_numpy()))
    if isinstance(given, np.ndarray) or hasattr(given, "__array__"):
        if checks.is_masked(given):
            raise ValueError(f"{name} has masked elements; fill them first: {name}.filled(numpy.nan)")
        return _of_array(name, np.asarray(given))
    return _of_objects(name, list(given))


def _of_pandas(name: str, series: Any) -> Column:
    kind = series.dtype
    if hasattr(series, "cat") and hasattr(kind, "categories"):
        values = [*series.cat.categories, None]
        return Column("values", np.asarray(series.cat.codes.to_numpy(), np.intp) % len(values), values)  # -1 becomes the index of None
    if isinstance(kind, np.dtype):
        return _of_array(name, np.asarray(series.to_numpy()))
    if getattr(kind, "tz", None) is not None and str(kind).startswith("datetime64"):
        return _of_array(name, np.asarray(series.to_numpy(dtype="datetime64[us]")))
    plain = getattr(kind, "numpy_dtype", None)  # of nullable and of Arrow columns
    if isinstance(plain, np.dtype) and plain.kind in "iuf":
        if series.isna().any():
            return _of_array(name, np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan)))
        return _of_array(name, np.asarray(series.to_numpy(dtype=plain)))
    return _of_objects(name, np.asarray(series.to_numpy(dtype=object)).tolist())


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
    present = [value for value in distinct if not is_missing(value)]
    if not present:
        return _nothing(len(objects))
    types = {type(value) for value in present}
    for content, classes in _CONTENTS.items():
        if all(issubclass(one, classes) for one in types):
            return _typed(name, content, objects, distinct)
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    return Column("values", np.fromiter(map(places.__getitem__, objects), np.intp, len(objects)), list(distinct))


def _typed(name: str, content: str, objects: list[Any], distinct: dict[Any, Any]) -> Column:
    """A column of objects that are all numbers, booleans, dates or durations, or missing."""
    if content in ("numbers", "booleans"):
        if any(isinstance(value, (complex, np.complexfloating)) for value in distinct):
            raise TypeError(f"{name} holds complex values; make a column of the real and one of the imaginary parts")
        numbers = {value: math.nan if is_missing(value) else _as_number(value) for value in distinct}
        return Column(content, np.array([numbers[value] for value in objects], np.float64))
    convert, kind = (_as_date, "datetime64[us]") if content == "dates" else (_as_duration, "timedelta64[us]")
    times = {value: None if is_missing(value) else convert(value) for value in distinct}
    return Column(content, np.array([times[value] for value in objects], kind))


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
