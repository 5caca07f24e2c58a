"""Numbers, dates and booleans in text, as people and spreadsheets write them: 1,234.50, 1.234,5, $5, 12%, 31.12.2024, 2024-12-31 08:00."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["DATE", "Decimal", "Field", "Order", "booleans", "dates", "is_number", "numbers"]

Field: TypeAlias = str | None
"""A field without blanks around it; None if the value is missing."""
Decimal: TypeAlias = Literal[".", ","]
"""The decimal mark. The other one may group thousands."""
Order: TypeAlias = Literal["dmy", "mdy"]
"""Whether the day or the month comes first, in dates that do not begin with the year."""

DATE = "datetime64[s]"
_BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0, "1": 1.0, "0": 0.0}

_CURRENCY = "$€£¥"


def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    groups = rf"[0-9]{{1,3}}(?P<mark>[{thousands}'’ \u00a0\u202f])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
    number = rf"(?P<whole>{groups}|[0-9]*)(?:{decimal}(?P<fraction>[0-9]*))?(?P<exponent>[eE][+-]?[0-9]+)?"
    return re.compile(rf"(?P<sign>[-+−]?)[{_CURRENCY}]? ?{number} ?[{_CURRENCY}%]?")


_NUMBER = {".": _number_pattern(r"\.", ","), ",": _number_pattern(",", ".")}

_TIME = r"(?:[T,]? ?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)? ?(?P<half>[AaPp]\.?[Mm]\.?)?)?"
_ZONE = r" ?(?:(?P<zone>[+-]\d\d):?(?P<zone_minutes>\d\d)?|Z|UTC|GMT)?"
_DATES = tuple(
    re.compile(day + _TIME + _ZONE)
    for day in (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second_part>\d{1,2})(?P=mark)(?P<year>\d{4})",
        r"(?P<first>\d\d)(?P<mark>[-/.])(?P<second_part>\d\d)(?P=mark)(?P<year>\d\d)",
        r"(?P<day>\d{1,2})\.?[- ](?P<name>[A-Za-z]{3,9})\.?,?[- ](?P<year>\d{4})",
        r"(?P<name>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
    )
)
_MONTHS = {name: k for k, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)}
_PIVOT = 69
"""Years of two digits from here on are in the 20th century, as in POSIX."""


def is_number(text: str) -> bool:
    """Whether a text is a finite number in one of the notations."""
    return any(math.isfinite(_number(text, decimal)) for decimal in (".", ","))


def numbers(fields: Sequence[Field], decimal: Decimal) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The finite numbers in fields.

    Returns:
        The values, NaN where a field is missing or no number, and where it is no number.
    """
    values = np.array([math.nan if field is None else _number(field, decimal) for field in fields], np.float64)
    return values, _wrong(fields, np.isnan(values))


def _number(text: str, decimal: str) -> float:
    """The number in a text; NaN if there is none."""
    if decimal == "." or "." not in text:
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            return value if math.isfinite(value) and "_" not in text else math.nan
    match = _NUMBER[decimal].fullmatch(text)
    if match is None:
        return math.nan
    whole = match["whole"].replace(match["mark"], "") if match["mark"] else match["whole"]
    if not (whole or match["fraction"]):
        return math.nan
    value = float(f"{whole or 0}.{match['fraction'] or 0}{match['exponent'] or ''}")
    if math.isinf(value):
        return math.nan
    return -value if match["sign"] in {"-", "−"} else value


def booleans(fields: Sequence[Field]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """1 for true and 0 for false, or for similar words, in any case; see :func:`numbers`."""
    values = np.array([math.nan if field is None else _BOOLEANS.get(field.lower(), math.nan) for field in fields], np.float64)
    return values, _wrong(fields, np.isnan(values))


def dates(fields: Sequence[Field], order: Order) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """The points in time in fields, in UTC where they have a zone; NaT where there is none. See :func:`numbers`."""
    values = np.array([None if field is None else _date(field, order) for field in fields], DATE)
    return values, _wrong(fields, np.isnat(values))


def _date(text: str, order: Order) -> datetime | None:
    match = next((found for pattern in _DATES if (found := pattern.fullmatch(text))), None)
    if match is None:
        return None
    parts = match.groupdict()
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 1900 if year >= _PIVOT else 2000
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second_part"])
        day, month = (first, second) if order == "dmy" else (second, first)
    else:
        day = int(parts["day"])
        month = _MONTHS.get(parts["name"][:3].lower(), 0) if "name" in parts else int(parts["month"])
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        hour = hour % 12 + (12 if parts["half"].lower().startswith("p") else 0)
    try:
        local = datetime(year, month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0))
        zone = int(parts["zone"] or 0) * 60
        return local - timedelta(minutes=zone + math.copysign(int(parts["zone_minutes"] or 0), zone)) if parts["zone"] else local
    except (ValueError, OverflowError):
        return None


def _wrong(fields: Sequence[Field], empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a value was not found although the field is not missing."""
    return empty & np.fromiter((field is not None for field in fields), bool, len(fields))
