"""Columns as numbers and as codes, by what is known of them; a value that does not fit is an error that says where it is."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.numeric import quiet
from fastmlp._data.tables.column_schema import KINDS
from fastmlp._data.tables.columns import Column, as_label, describe_value, is_missing

__all__ = ["codes_of", "float32_of", "numbers_of"]

_DAY = np.timedelta64(1, "D").astype("timedelta64[us]")
_BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0}
"""Texts that stand for booleans, in lower case."""


def numbers_of(label: str, column: Column, kind: str, reason: str | None = None) -> NDArray[Any]:
    """A column as numbers ``(samples,)``, with NaN for missing ones: of dates and durations in days, the former since 1970.

    Args:
        label: What to call the column in messages.
        column: The column.
        kind: Its kind, a key of :data:`~fastmlp._data.tables.column_schema.KINDS` but not ``category``.
        reason: Why it must be of that kind, for messages; by default, because it was when the encoder was adapted.

    Raises:
        ValueError: A value is not of that kind.
    """
    if column.content == "nothing":
        return column.array
    if column.content in ("numbers", "booleans") and kind in ("number", "boolean"):
        return column.array
    if column.content == "dates" and kind == "date":
        return np.asarray((column.array - np.datetime64(0, "us")) / _DAY)
    if column.content == "durations" and kind == "duration":
        return np.asarray(column.array / _DAY)
    wanted = reason or f"it held {KINDS[kind]} when the encoder was adapted"
    if column.content != "values":
        row = int(np.argmin(column.array != column.array))  # the first that is not missing
        raise ValueError(_wrong(label, column.array[row], row, wanted))
    parsed = np.empty(len(column.values))
    for index, value in enumerate(column.values):
        try:
            parsed[index] = np.nan if is_missing(value) else _PARSERS[kind](value)
        except (TypeError, ValueError, KeyError):
            here = column.array == index
            if here.any():
                raise ValueError(_wrong(label, value, int(np.argmax(here)), wanted)) from None
    return parsed[column.array]


def _wrong(label: str, value: object, row: int, wanted: str) -> str:
    return f"{label} holds {describe_value(value)} in row {row}, but {wanted}; replace it, by None or NaN if the value is missing"


def _date(value: Any) -> float:
    """The days since 1970 of an ISO date."""
    moment = value if isinstance(value, datetime.date) else datetime.datetime.fromisoformat(value.strip())
    if isinstance(moment, datetime.datetime) and moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return float((np.datetime64(moment, "us") - np.datetime64(0, "us")) / _DAY)


_PARSERS: Mapping[str, Callable[[Any], float]] = {
    "number": float,
    "boolean": lambda value: _BOOLEANS[str(value).strip().lower()],
    "date": _date,
}
"""How values that are not of a kind are read as such: the texts of a CSV file. Durations have none."""


def float32_of(label: str, numbers: NDArray[Any], origin: float) -> NDArray[np.float32]:
    """Numbers as float32, after the origin was subtracted.

    Raises:
        ValueError: A number is infinite, or too large for float32.
    """
    with quiet():
        result = np.asarray((numbers - origin if origin else numbers).astype(np.float32))
    infinite = np.isinf(result)
    if infinite.any():
        row = int(np.argmax(infinite))
        value = float(numbers[row])
        what = f"{value:g}" + (", which is too large for float32 (3.4e38)" if np.isfinite(value) else "")
        raise ValueError(f"{label} is {what} in row {row}; replace it, by NaN if the value is missing")
    return result


def codes_of(column: Column, known: Mapping[str | None, int], unknown: int) -> NDArray[np.float32]:
    """A column as codes ``(samples,)``: those that are ``known`` by their labels, ``unknown`` for other ones."""
    values, indices = column.distinct()
    return np.fromiter((known.get(as_label(value), unknown) for value in values), np.float32, len(values))[indices]
