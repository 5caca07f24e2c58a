"""Learning what a column of a table holds, and how it is encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastmlp._base import checks
from fastmlp._data.tables import constants
from fastmlp._data.tables.bins import edges_of
from fastmlp._data.tables.column_schema import KINDS, ColumnSchema
from fastmlp._data.tables.columns import Column, as_label
from fastmlp._data.tables.values import float32_of, numbers_of

__all__ = ["learn_column"]

_KIND_OF = {"numbers": "number", "booleans": "boolean", "dates": "date", "durations": "duration", "values": "category", "nothing": "number"}
"""The kind of a column by its content."""
_SMALLEST_SPREAD = 1e-30
"""Columns whose values differ by less are constant: the scale would not be a number of float32."""


def learn_column(label: str, name: str, column: Column, kind: str | None, *, bins: int, max_one_hot: int) -> ColumnSchema:
    """What is learned of a column.

    Args:
        label: What to call it in messages.
        name: Its name.
        column: The column, with at least one sample.
        kind: Its kind as the user gave it, ``"drop"`` to leave it out; None to guess it.
        bins: The maximum number of bins of a number.
        max_one_hot: The maximum number of categories that are encoded one-hot.

    Raises:
        ValueError: A value is not of the given kind, or is not finite.
    """
    guessed = _KIND_OF[column.content]
    if kind == "drop":
        return ColumnSchema(name, guessed, "dropped")
    if kind is None and column.content == "values":
        _warn_of_numbers(label, name, column.values, max_one_hot)
    if (kind or guessed) == "category":
        return _category(name, column, max_one_hot)
    reason = None if kind is None else f"kinds={{{name!r}: {kind!r}}} says that it holds {KINDS[kind]}"
    kind = kind or guessed
    return _number(label, name, numbers_of(label, column, kind, reason), kind, bins)


def _warn_of_numbers(label: str, name: str, values: Sequence[object], max_one_hot: int) -> None:
    """Warn if most of many strings are numbers, as in a file where ``?`` stands for a missing one."""
    texts = [value for value in values if isinstance(value, str)]
    others = [text for text in texts if not _is_number(text)]
    if len(texts) > max(max_one_hot, 10 * len(others)):
        but = f", but for {', '.join(map(repr, others[:3]))}{', ...' if len(others) > 3 else ''}" if others else ""
        checks.warn(
            f"{label} holds strings that are numbers{but}, which become {len(texts)} categories; convert them to numbers, and those that "
            f"stand for missing values to None, or say that they are categories: TableEncoder(kinds={{{name!r}: 'category'}})"
        )


def _is_number(text: str) -> bool:
    """Whether a string is a number, and not a code such as 01234."""
    try:
        return np.isfinite(float(text)) and not (text[:1] == "0" and text[1:].isdigit())
    except ValueError:
        return False


def _category(name: str, column: Column, max_one_hot: int) -> ColumnSchema:
    values, indices = column.distinct()
    found: Counter[str | None] = Counter()
    for value, count in zip(values, np.bincount(indices, minlength=len(values)).tolist(), strict=True):
        if count:
            found[as_label(value)] += count
    if len(found) < 2:
        return ColumnSchema(name, "category", "constant")
    encoding = "one_hot"
    labels = list(found)
    if len(found) > max_one_hot:
        encoding = "embedded"
        labels = [label for label, count in found.most_common(constants.MAX_CATEGORIES) if count >= constants.MIN_COUNT]
        if not labels:
            return ColumnSchema(name, "category", "unique")
    ordered = (*sorted(label for label in labels if label is not None), *([None] if None in labels else []))
    return ColumnSchema(name, "category", encoding, missing=None in found, categories=ordered)


def _number(label: str, name: str, numbers: NDArray[np.generic], kind: str, bins: int) -> ColumnSchema:
    exact = numbers.astype(np.float64)
    float32_of(label, exact, 0.0)  # an error if one is infinite
    absent = np.isnan(exact)
    ascending = np.sort(exact[~absent])
    missing = bool(absent.any())
    if not len(ascending):
        return ColumnSchema(name, kind, "constant")
    origin = _origin(ascending, kind)
    values = float32_of(label, ascending, origin)
    center, spread = _center_and_spread(values)
    if spread < _SMALLEST_SPREAD:
        return ColumnSchema(name, kind, "numeric" if missing else "constant", missing=missing, origin=origin, center=center)
    edges = edges_of(values, bins) if bins and kind != "boolean" else ()
    if len(edges) < 3:
        edges = ()  # a single bin is what scaling is already
    return ColumnSchema(name, kind, "numeric", missing, origin, float(np.float32(center)), float(np.float32(1 / spread)), edges)


def _origin(ascending: NDArray[np.float64], kind: str) -> float:
    """What is subtracted in float64: for dates the earliest, for other numbers what float32 would not resolve."""
    if kind == "date":
        return float(ascending[0])
    spread = _value_at(ascending, 0.75) - _value_at(ascending, 0.25) or float(ascending[-1] - ascending[0])
    largest = max(abs(float(ascending[0])), abs(float(ascending[-1])))
    return _value_at(ascending, 0.5) if largest * 2.0**-24 > constants.RESOLUTION * spread > 0 else 0.0


def _center_and_spread(ascending: NDArray[np.floating]) -> tuple[float, float]:
    """Mean and standard deviation, to which outliers contribute no more than the 1st and the 99th percentile; of all values if these are
    equal."""
    low, high = (_value_at(ascending, share) for share in (constants.OUTLIERS, 1 - constants.OUTLIERS))
    exact = ascending.astype(np.float64)
    if high - low >= _SMALLEST_SPREAD:
        exact = exact.clip(low, high)
    return float(exact.mean()), float(exact.std())


def _value_at(ascending: NDArray[np.floating], share: float) -> float:
    """The value below which a share of sorted values lies, interpolated between neighbours."""
    place = share * (len(ascending) - 1)
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return float(ascending[below]) + (place - below) * (float(ascending[above]) - float(ascending[below]))
