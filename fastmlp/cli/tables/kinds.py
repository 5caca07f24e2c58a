"""What the columns of a file hold: numbers, booleans, dates or categories, detected from their values, and columns that are no features."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.tables import formats
from fastmlp.cli.tables.columns import Column, NamedTable
from fastmlp.cli.tables.formats import Decimal, Field, Order

__all__ = ["KINDS", "Kind", "Notation", "Reading", "convert", "detect_decimal", "guess", "kinds_of"]

Kind: TypeAlias = Literal["number", "boolean", "date", "category"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NUMBERS = 0.9
"""The minimum fraction of the values that are numbers in a column of numbers; the others count as missing."""
_DATES = 0.95
_SAMPLE = 1000
"""The number of distinct fields by which decimal marks, and columns that are no dates, are detected."""
_TEXT = 0.5
"""With more different values than this fraction of the rows, words are free text or keys, from which a network learns nothing."""
_TEXT_VALUES = 20
"""The minimum number of different values of free text."""
_KEY = re.compile(r"(?i:(.*[\W_])?(id|key|index)|unnamed: 0)|.*[a-z]I[dD]")
"""Names of columns that tell rows apart if all their values are different: id, customer_id, PassengerId, pandas' "Unnamed: 0"."""
_COUNTER = re.compile(r"(?i:(.*[\W_])?(row|nr|no|number))|column_1")
"""Names of columns that count the rows if their values do."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How a column's numbers and dates are written."""

    decimal: Decimal = "."
    order: Order = "dmy"


@dataclass(frozen=True, slots=True)
class Reading:
    """A column with its values."""

    kind: Kind
    values: NDArray[Any]
    """float64 with NaN for numbers and booleans, datetime64[s] with NaT for dates, str and None as objects for categories."""
    notation: Notation
    wrong: int = 0
    """How many rows have a value of another kind, which counts as missing."""
    wrong_example: str = ""
    useless: str = ""
    """Why the column should be no feature; an empty string if it should be one."""

    @property
    def missing(self) -> int:
        """The number of rows without a value."""
        return int(self.empty().sum())

    def empty(self) -> NDArray[np.bool_]:
        """Whether each row has no value."""
        if self.kind == "category":
            return np.fromiter((value is None for value in self.values), bool, len(self.values))
        return np.isnat(self.values) if self.kind == "date" else np.isnan(self.values)


def detect_decimal(table: NamedTable, default: Decimal | None = None) -> Decimal:
    """The decimal mark of a file: that of most columns whose numbers can be written with only one of them.

    Args:
        table: The file.
        default: For files that do not tell; by default a comma if the columns are separated by something else and have commas.
    """
    votes: dict[Decimal, int] = {".": 0, ",": 0}
    commas = False
    for column in table.columns.values():
        if column.typed:
            continue
        fields = [field for field in column.distinct[:_SAMPLE] if field is not None and (field[-1].isdigit() or field[0].isdigit())]
        if not any("," in field or "." in field for field in fields):
            continue
        wrong = {decimal: formats.numbers(fields, decimal)[1].mean() for decimal in votes}
        commas |= any("," in field for field in fields) and min(wrong.values()) == 0
        if min(wrong.values()) <= 1 - _NUMBERS and wrong["."] != wrong[","]:
            votes[min(votes, key=wrong.__getitem__)] += 1
    if votes["."] != votes[","]:
        return "." if votes["."] > votes[","] else ","
    if default is not None:
        return default
    return "," if commas and table.separator not in (",", "") else "."


def guess(name: str, column: Column, decimal: Decimal) -> Reading:
    """Detect what a column holds.

    Args:
        name: Its name, by which row numbers are recognized.
        column: The column.
        decimal: The decimal mark of the file.
    """
    fields, counts = column.fields(), column.counts
    present = ~column.missing
    known = int(counts[present].sum())
    if not known:
        return Reading("category", np.full(len(column.codes), None), Notation(decimal), useless="no values")
    if column.typed:
        found = convert(column, "date" if column.distinct.dtype.kind == "M" else "number", Notation(decimal))
    else:
        found = _of_text(column, fields, counts, known, decimal)
    different = int(present[np.unique(column.codes)].sum())
    return replace(found, useless=_useless(name, found, different, known, len(column.codes)))


def convert(column: Column, kind: Kind, notation: Notation) -> Reading:
    """The column's values as those of a kind; values of another kind count as missing."""
    fields = column.fields()
    values: NDArray[Any]
    wrong = np.zeros(len(fields), bool)
    if kind == "category":
        values = np.empty(len(fields), object)
        values[:] = fields
    elif kind == "date":
        values, wrong = (column.distinct, wrong) if column.distinct.dtype.kind == "M" else formats.dates(fields, notation.order)
    elif kind == "boolean":
        values, wrong = formats.booleans(fields)
    elif column.distinct.dtype.kind == "f":
        wrong = np.isinf(column.distinct)
        values = np.where(wrong, np.nan, column.distinct)
    else:
        values, wrong = formats.numbers(fields, notation.decimal)
    return _reading(column, kind, notation, values, wrong)


def _reading(column: Column, kind: Kind, notation: Notation, values: NDArray[Any], wrong: NDArray[np.bool_]) -> Reading:
    """The column with values for its distinct fields, some of which are wrong."""
    example = str(column.distinct[int(np.argmax(wrong))]) if wrong.any() else ""
    return Reading(kind, values[column.codes], notation, int(column.counts[wrong].sum()), example)


def _of_text(column: Column, fields: list[Field], counts: NDArray[np.intp], known: int, decimal: Decimal) -> Reading:
    other: Decimal = "," if decimal == "." else "."
    for mark in (decimal, other):
        # A column of another notation than the file's must be in it without exception.
        numbers, wrong = formats.numbers(fields, mark)
        if counts[wrong].sum() <= (known * (1 - _NUMBERS) if mark == decimal else 0):
            return _reading(column, "number", Notation(mark), numbers, wrong)
    # Other words for true and false are categories, as they are for programs that read the file.
    if all(field is None or field.lower() in ("true", "false") for field in fields):
        return convert(column, "boolean", Notation(decimal))
    sample = [field for field in fields if field is not None][:_SAMPLE]
    if any(not formats.dates(sample, order)[1].all() for order in get_args(Order)):
        orders: tuple[Order, Order] = ("mdy", "dmy") if any("/" in field for field in sample) else ("dmy", "mdy")
        found = {order: formats.dates(fields, order) for order in orders}
        best = min(orders, key=lambda order: counts[found[order][1]].sum())
        dates, wrong = found[best]
        if counts[wrong].sum() <= known * (1 - _DATES):
            return _reading(column, "date", Notation(decimal, best), dates, wrong)
    return convert(column, "category", Notation(decimal))


def _useless(name: str, found: Reading, different: int, known: int, rows: int) -> str:
    if different == 1 and known == rows:
        return "constant"
    if found.kind == "category" and different > max(_TEXT * known, _TEXT_VALUES):
        return f"text: {different:,} different values"
    if found.kind == "number" and different == rows:
        counts = bool((np.diff(found.values) == 1).all())
        if _KEY.fullmatch(name) and (counts or bool((found.values % 1 == 0).all())):
            return "keys"
        if _COUNTER.fullmatch(name) and counts:
            return "row numbers"
    return ""


def kinds_of(table: NamedTable, forced: Mapping[str, Kind], decimal: Decimal) -> dict[str, Reading]:
    """The columns of a table, of the kinds that are given or else detected.

    Raises:
        ValueError: A column has no value of the kind that is given.
    """
    result: dict[str, Reading] = {}
    for name, column in table.columns.items():
        guessed = guess(name, column, decimal)
        if name in forced:
            guessed = _forced(table, name, column, forced[name], guessed)
        result[name] = guessed
    return result


def _forced(table: NamedTable, name: str, column: Column, kind: Kind, guessed: Reading) -> Reading:
    reading = convert(column, kind, guessed.notation)
    if reading.empty().all():
        example = f", such as {reading.wrong_example!r:.40}" if reading.wrong else ""
        raise ValueError(f"{table.path}: no value of column {name!r} is a {kind}{example}")
    return reading
