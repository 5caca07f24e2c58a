"""Reads tables of numbers from text, for models whose features are numbers without names or kinds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastmlp.cli.tables.text import MISSING, SAMPLE, Record, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Table", "read_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """The samples of a file."""

    values: NDArray[np.float64]
    """``(samples, columns)``"""
    lines: list[int]
    """The line number of each sample, from 1."""
    names: list[str] | None
    """The header, if there is one."""
    doubt: str
    """A warning about the detected header, or an empty string."""


def read_table(path: str, content: bytes, width: int, features: Sequence[str] | None = None, header: bool | None = None) -> Table:
    """Read the table in a text.

    The first line is a header if it has the names of the model's features, or no numbers, or the numbers 0, 1, 2 … that pandas writes for
    columns without names.

    Args:
        path: The name of the file, for messages.
        content: See :func:`~fastmlp.cli.tables.text.read_bytes`.
        width: The number of columns that the model takes.
        features: The names of the model's features, if they are known.
        header: Whether the first line is a header; None to detect it.

    Raises:
        ValueError: A field is not a number, or the header can't be detected. The message has the line number.
    """
    text = Text.of(path, content, width, features or ())
    separator = text.separator
    records = ((line, [field.strip() for field in fields]) for line, fields in text.records())
    sample = [record for record, _ in zip(records, range(SAMPLE), strict=False)]
    if not sample:
        raise ValueError(f"{path} is empty")
    doubt = ""
    if header is None:
        header, doubt = _has_header(path, [fields for _, fields in sample], features, separator)
    names = sample.pop(0)[1] if header else None
    if not sample:
        raise ValueError(f"{path} has no samples, only a header; --no-header reads its first line as data")
    return _numbers(path, sample, records, separator, names, doubt)


def _has_header(path: str, records: Sequence[list[str]], features: Sequence[str] | None, separator: str) -> tuple[bool, str]:
    """Whether the first record is a header, and a warning about that, or an empty string."""
    first, rest = records[0], records[1:]
    if features and set(features) <= set(first):
        return True, ""
    numbers = [_is_number(field if separator == "," else field.replace(",", ".")) for field in first]
    words = [not number and field.lower() not in MISSING for field, number in zip(first, numbers, strict=True)]
    if first == [str(place) for place in range(len(first))] and len(first) > 1:
        counted = bool(rest) and (len(first) > 2 or not any(all(field.lstrip("-").isdigit() for field in fields) for fields in rest))
        shown = ",".join(first[:3]) + (",..." if len(first) > 3 else "")
        if counted:
            return True, f"{path}: the first line, {shown}, is taken for a header; --no-header takes it for data"
        return False, f"{path}: the first line, {shown}, is taken for data; --header takes it for a header"
    if any(words) and any(numbers):
        raise ValueError(
            f"{path}, line 1 has numbers and {first[words.index(True)]!r}: use --header if these are names of columns, or correct the line"
        )
    return any(words), ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text.lower() not in MISSING


def _numbers(path: str, sample: list[Record], records: Iterator[Record], separator: str, names: list[str] | None, doubt: str) -> Table:
    import numpy as np

    width = len(names or sample[0][1])
    lines: list[int] = []
    rows: list[NDArray[np.float64]] = []
    for part in (sample, records):
        for line, fields in part:
            if len(fields) != width:
                than = "the header" if names else f"line {sample[0][0]}"
                raise ValueError(f"{path}, line {line} has {len(fields)} columns, but {than} has {width}")
            try:
                row = list(map(float, fields))
            except ValueError:
                row = [_number(path, line, place, field, separator, names) for place, field in enumerate(fields)]
            if not math.isfinite(sum(row)):
                row = [_number(path, line, place, field, separator, names) for place, field in enumerate(fields)]
            lines.append(line)
            rows.append(np.array(row))
    return Table(np.stack(rows), lines, names, doubt)


def _number(path: str, line: int, place: int, field: str, separator: str, names: list[str] | None) -> float:
    """The finite number in a field, with a decimal comma if commas do not separate; a ValueError with the place if there is none."""
    where = f"{path}, line {line}, column {place + 1}" + (f" ({names[place]!r})" if names else "")
    if field.lower() in MISSING:
        raise ValueError(f"{where} is missing ({field!r}); a network needs a number there, so fill it in or remove the line")
    try:
        number = float(field if separator == "," else field.replace(",", "."))
    except ValueError:
        raise ValueError(f"{where} is {field!r:.40}, which is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{where} is {field}; a network needs a finite number there")
    return number
