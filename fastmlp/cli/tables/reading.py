"""Files of tables as named columns: text (CSV and similar) and Parquet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.tables import formats
from fastmlp.cli.tables.columns import Column, NamedTable
from fastmlp.cli.tables.names import PARQUET_ENDINGS, STDIN
from fastmlp.cli.tables.text import MISSING, SAMPLE, Record, Text, read_bytes

if TYPE_CHECKING:
    from fastmlp.cli.tables.formats import Field

__all__ = ["read_columns"]

_CHUNK = 20_000
"""The number of records that are converted to columns at a time."""


def read_columns(path: str, header: bool | None = None, expected: Collection[str] = ()) -> NamedTable:
    """Read a file.

    Args:
        path: A Parquet file by its ending, otherwise text; ``-`` for the standard input.
        header: Whether the first line of a text has the names of the columns; None to detect it.
        expected: Names of columns that the file should have; the first line is a header if it has one of them.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It can't be read; the message has the line.
        ImportError: A Parquet file is given, and pyarrow is not installed.
    """
    if path != STDIN and not Path(path).is_file():
        raise FileNotFoundError(f"{path} is a folder, not a file" if Path(path).is_dir() else f"there is no file {path}")
    if path.lower().endswith(PARQUET_ENDINGS):
        from fastmlp.cli.tables.parquet import read_parquet

        given, columns = read_parquet(path)
        names, renamed = _unique(given)
        rows = len(columns[0].codes) if columns else 0
        return _checked(NamedTable(path, dict(zip(names, columns, strict=True)), rows, "", True, renamed))
    return _checked(_read_text("standard input" if path == STDIN else path, read_bytes(path), header, expected))


def _checked(table: NamedTable) -> NamedTable:
    if not table.rows:
        raise ValueError(f"{table.path} has no rows" + ", only a header; --no-header reads its first line as data" * bool(table.separator))
    return table


# Text


def _read_text(path: str, content: bytes, header: bool | None, expected: Collection[str]) -> NamedTable:
    text = Text.of(path, content, names=expected)
    records = text.records()
    sample = list(islice(records, SAMPLE))
    if not sample:
        raise ValueError(f"{path} is empty")
    if header is None:
        header = _has_header([[field.strip() for field in fields] for _, fields in sample], expected)
    first = [field.strip() for field in sample.pop(0)[1]] if header else None
    records, first = _aligned(sample, records, first)
    width = len(first) if first is not None else len(sample[0][1])
    names, renamed = _unique([name or f"column_{place}" for place, name in enumerate(first or [""] * width, start=1)])
    columns = _factorized(path, records, width, "the header" if header else f"line {sample[0][0]}")
    return NamedTable(path, dict(zip(names, columns, strict=True)), len(columns[0].codes), text.separator, header, renamed)


def _has_header(records: Sequence[Sequence[str]], expected: Collection[str]) -> bool:
    """Whether the first record has names.

    It does if it has an expected name, or a word above numbers, or if it is 0, 1, 2 …, as pandas writes it. It does not if it has another
    number, or if most of its fields are also values of their columns. Numbers as expected names may be those of places.
    """
    first, rest = records[0], records[1:]
    if any(field in expected and not field.lstrip("-").isdigit() for field in first):
        return True
    if len(first) > 2 and first == [str(place) for place in range(len(first))]:
        return True
    columns = [[fields[place] for fields in rest if place < len(fields)] for place in range(len(first))]
    words = [field.lower() not in MISSING and not formats.is_number(field) for field in first]
    for word, column in zip(words, columns, strict=True):
        values = [field for field in column if field.lower() not in MISSING]
        if word and values and all(map(formats.is_number, values)):
            return True
    if any(map(formats.is_number, first)):
        return False
    repeated = sum(field in column for field, column in zip(first, columns, strict=True))
    return repeated <= len(first) / 2


def _aligned(sample: list[Record], records: Iterator[Record], first: list[str] | None) -> tuple[Iterator[Record], list[str] | None]:
    """All records and the header; a header without a name for the names of rows, as R writes it, gets one, and an empty last field goes."""
    every = chain(sample, records)
    if first is None or not sample or any(len(fields) != len(first) + 1 for _, fields in sample):
        return every, first
    if all(not fields[-1].strip() for _, fields in sample):
        return ((line, fields[:-1] if len(fields) > len(first) and not fields[-1].strip() else fields) for line, fields in every), first
    return every, ["", *first]


def _factorized(path: str, records: Iterable[Record], width: int, like: str) -> list[Column]:
    """The columns of the records; a ValueError if one has not ``width`` fields, as ``like`` has."""
    indices: list[defaultdict[str, int]] = [_numbering() for _ in range(width)]
    parts: list[list[NDArray[np.int32]]] = [[] for _ in range(width)]
    iterator = iter(records)
    while chunk := list(islice(iterator, _CHUNK)):
        rows = [fields for _, fields in chunk]
        if set(map(len, rows)) != {width}:
            line, fields = next(record for record in chunk if len(record[1]) != width)
            raise ValueError(f"{path}, line {line} has {len(fields)} columns, but {like} has {width}")
        for index, part, column in zip(indices, parts, zip(*rows, strict=True), strict=True):
            part.append(np.fromiter(map(index.__getitem__, column), np.int32, len(chunk)))
    empty = np.empty(0, np.int32)
    return [_merged(list(index), np.concatenate(part or [empty])) for index, part in zip(indices, parts, strict=True)]


def _numbering() -> defaultdict[str, int]:
    """A dict that numbers its keys in the order in which they are looked up."""
    made: defaultdict[str, int] = defaultdict()
    made.default_factory = made.__len__
    return made


def _merged(raw: list[str], codes: NDArray[np.int32]) -> Column:
    """The column with blanks removed and all spellings of a missing value merged."""
    index: defaultdict[Field, int] = defaultdict()
    index.default_factory = index.__len__
    stripped = (field.strip() for field in raw)
    places = [index[None if field.lower() in MISSING else field] for field in stripped]
    distinct = np.empty(len(index), object)
    distinct[:] = list(index)
    return Column(distinct, codes if len(index) == len(raw) else np.array(places, np.int32)[codes])


def _unique(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The names, with .1, .2 … behind those that occurred before, and these by their new names."""
    taken = set(names)
    result: list[str] = []
    renamed: dict[str, str] = {}
    for name in names:
        if name not in result:
            result.append(name)
            continue
        new = next(candidate for k in range(1, len(names) + 1) if (candidate := f"{name}.{k}") not in taken)
        taken.add(new)
        renamed[new] = name
        result.append(new)
    return result, renamed
