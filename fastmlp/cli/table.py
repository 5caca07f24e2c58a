"""Reads tables of numbers from text: CSV as spreadsheets, pandas and R write it, also compressed by gzip, in common encodings."""

from __future__ import annotations

import csv
import gzip
import io
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Table", "read_bytes", "read_table"]

STDIN = "-"
_SEPARATORS = ",;\t|"
_SAMPLE = 50
"""The number of records that are examined to detect the separator and the header."""
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
_ENCODINGS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))

Record = tuple[int, list[str]]
"""The line number, from 1, at which a record begins, and its fields."""


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


def read_bytes(path: str) -> bytes:
    """The content of a file, or of the standard input for ``-``; decompressed if it is a gzip file."""
    content = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None


def read_table(path: str, content: bytes, width: int, features: Sequence[str] | None = None, header: bool | None = None) -> Table:
    """Read the table in a text.

    The first line is a header if it has the names of the model's features, or no numbers, or the numbers 0, 1, 2 … that pandas writes for
    columns without names.

    Args:
        path: The name of the file, for messages.
        content: See :func:`read_bytes`.
        width: The number of columns that the model takes.
        features: The names of the model's features, if they are known.
        header: Whether the first line is a header; None to detect it.

    Raises:
        ValueError: A field is not a number, or the header can't be detected. The message has the line number.
    """
    text = _decoded(content)
    separator = _separator(text, width)
    records = _records(path, text, separator)
    sample = [record for record, _ in zip(records, range(_SAMPLE), strict=False)]
    if not sample:
        raise ValueError(f"{path} is empty")
    doubt = ""
    if header is None:
        header, doubt = _has_header(path, [fields for _, fields in sample], features, separator)
    names = sample.pop(0)[1] if header else None
    if not sample:
        raise ValueError(f"{path} has no samples, only a header; --no-header reads its first line as data")
    return _numbers(path, sample, records, separator, names, doubt)


def _decoded(content: bytes) -> str:
    for mark, encoding in _ENCODINGS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    head = content[:200]
    if head.count(b"\0") >= len(head) // 3 > 0:  # two bytes a character, without a mark
        return content.decode("utf-16-le" if head[1::2].count(b"\0") >= head[::2].count(b"\0") else "utf-16-be", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _separator(text: str, width: int) -> str:
    """The character that splits the first lines into ``width`` fields, otherwise into the maximum; " " for any whitespace."""
    lines = [line for line, _ in zip(io.StringIO(text, newline=""), range(_SAMPLE), strict=False)]

    def fit(separator: str) -> tuple[bool, bool, int]:
        try:
            counts = [len(fields) for fields in csv.reader(lines, delimiter=separator) if any(fields)]
        except csv.Error:
            return False, False, 0
        usual = max(set(counts), key=counts.count, default=0)
        return usual > 1, usual == width, usual

    best = max(_SEPARATORS, key=fit)
    return best if fit(best)[0] or width == 1 or not any(len(line.split()) > 1 for line in lines) else " "


def _records(path: str, text: str, separator: str) -> Iterator[Record]:
    """The records, without blank lines."""
    if separator == " ":
        yield from ((number, line.split()) for number, line in enumerate(io.StringIO(text), start=1) if line.strip())
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    line = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield line, [field.strip() for field in fields]
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {line}: {error}") from None


def _has_header(path: str, records: Sequence[list[str]], features: Sequence[str] | None, separator: str) -> tuple[bool, str]:
    """Whether the first record is a header, and a warning about that, or an empty string."""
    first, rest = records[0], records[1:]
    if features and set(features) <= set(first):
        return True, ""
    numbers = [_is_number(field if separator == "," else field.replace(",", ".")) for field in first]
    words = [not number and field.lower() not in _MISSING for field, number in zip(first, numbers, strict=True)]
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
    return "_" not in text and text.lower() not in _MISSING


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
    if field.lower() in _MISSING:
        raise ValueError(f"{where} is missing ({field!r}); a network needs a number there, so fill it in or remove the line")
    try:
        number = float(field if separator == "," else field.replace(",", "."))
    except ValueError:
        raise ValueError(f"{where} is {field!r:.40}, which is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{where} is {field}; a network needs a finite number there")
    return number
