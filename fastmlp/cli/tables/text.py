"""Tables in text: CSV as spreadsheets, pandas and R write it, also compressed by gzip, in common encodings, as records of fields."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from fastmlp.cli.tables.names import STDIN

__all__ = ["MISSING", "SAMPLE", "Record", "Text", "read_bytes"]

MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-"})
"""Fields, in lower case, that stand for a missing value."""
SAMPLE = 50
"""The number of records that are examined to detect the separator and the header."""
_HEAD = 10_000
"""The number of characters that are examined to detect what is no text."""
_SEPARATORS = "\t;|,"
"""In the order of preference where several fit: commas may also be in numbers, as 1,5 or 1,500."""
_ENCODINGS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BINARY = {
    b"PK\x03\x04": "a workbook or a zip archive; save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an old workbook; save the table as CSV",
    b"PAR1": "a Parquet file; its name must end in .parquet",
}

Record = tuple[int, list[str]]
"""The line number, from 1, at which a record begins, and its fields, which may have blanks around them."""


def read_bytes(path: str) -> bytes:
    """The content of a file, or of the standard input for ``-``; decompressed if it is a gzip file."""
    content = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded text whose separator is known.

    Args:
        path: The name of the file, for messages.
        content: The text.
        separator: The character between fields; ``" "`` for any whitespace.
    """

    path: str
    content: str
    separator: str

    @classmethod
    def of(cls, path: str, content: bytes, width: int | None = None, names: Collection[str] = ()) -> Text:
        """Decode a file and detect its separator.

        Args:
            path: The name of the file, for messages.
            content: See :func:`read_bytes`.
            width: The number of columns, if it is known.
            names: Names that the header may have, if there is one.

        Raises:
            ValueError: The file is not text.
        """
        for start, what in _BINARY.items():
            if content.startswith(start):
                raise ValueError(f"{path} is {what}")
        text = _decoded(content)
        if "\0" in text[:_HEAD]:
            raise ValueError(f"{path} is not a text: it has bytes of zero")
        return cls(path, text, _separator(text, width, names))

    def records(self) -> Iterator[Record]:
        """The records, without blank lines.

        Raises:
            ValueError: A record can't be read, such as one with a field of more than 128 KiB.
        """
        if self.separator == " ":
            yield from ((number, line.split()) for number, line in enumerate(io.StringIO(self.content), start=1) if line.strip())
            return
        reader = csv.reader(io.StringIO(self.content, newline=""), delimiter=self.separator, skipinitialspace=True)
        line = 1
        try:
            for fields in reader:
                if any(map(str.strip, fields)):
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(f"{self.path}, line {line}: {error}") from None


def _decoded(content: bytes) -> str:
    for mark, encoding in _ENCODINGS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    head = content[:200]
    if head.count(b"\0") >= len(head) // 3 > 0:  # two bytes a character, without a mark
        return content.decode("utf-16-le" if head[1::2].count(b"\0") >= head[::2].count(b"\0") else "utf-16-be", "replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _separator(text: str, width: int | None, names: Collection[str]) -> str:
    """The character that splits the first lines best; ``" "`` for any whitespace.

    A separator is better if the first line has more of the expected names, if it splits most lines into an equal number of fields, if that
    is the expected number, and last if the number is larger.
    """
    lines = [line for line, _ in zip(io.StringIO(text, newline=""), range(SAMPLE), strict=False)]

    def fit(separator: str) -> tuple[int, bool, bool, bool, int]:
        try:
            records = [fields for fields in csv.reader(lines, delimiter=separator, skipinitialspace=True) if any(fields)]
        except csv.Error:
            return 0, False, False, False, 0
        counts = [len(fields) for fields in records]
        usual = max(set(counts), key=lambda count: (counts.count(count), count), default=0)
        named = len({field.strip() for field in records[0]}.intersection(names)) if records else 0
        equal = counts[:1] == [usual] and counts.count(usual) >= 0.9 * len(counts)
        return named, usual > 1, usual == width, equal and separator != ",", usual

    best = max(_SEPARATORS, key=fit)
    return best if fit(best)[1] or width == 1 or not any(len(line.split()) > 1 for line in lines) else " "
