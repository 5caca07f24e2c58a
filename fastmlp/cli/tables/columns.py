"""Named columns of a file.

A column holds its distinct fields and, for each row, which of them it has: kinds are detected and values converted once for each distinct
field, and a file with millions of rows does not become millions of strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastmlp.cli.tables.formats import Field

__all__ = ["Column", "NamedTable"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file."""

    distinct: NDArray[Any]
    """Fields without blanks around them as objects, None if missing; if the file has types, float64 with NaN or datetime64[s]."""
    codes: NDArray[np.int32]
    """The index in ``distinct`` for each row."""

    @property
    def typed(self) -> bool:
        """Whether the file has numbers or dates in this column, not text."""
        return self.distinct.dtype != object

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Whether each distinct field stands for a missing value."""
        if self.typed:
            return np.isnat(self.distinct) if self.distinct.dtype.kind == "M" else np.isnan(self.distinct)
        return np.fromiter((field is None for field in self.distinct), bool, len(self.distinct))

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many rows have each distinct field."""
        return np.bincount(self.codes, minlength=len(self.distinct))

    def fields(self) -> list[Field]:
        """The distinct fields as text."""
        if not self.typed:
            return list(self.distinct)
        missing = self.missing.tolist()
        shown = self.distinct.astype(str) if self.distinct.dtype.kind == "M" else [f"{value:.15g}" for value in self.distinct.tolist()]
        return [None if gone else str(text) for gone, text in zip(missing, shown, strict=True)]

    def examples(self, count: int) -> list[str]:
        """The first different values."""
        return list(islice((field for field in self.fields() if field is not None), count))

    def of_rows(self, rows: NDArray[Any]) -> Column:
        """The same column with a selection of the rows."""
        return Column(self.distinct, self.codes[rows])


@dataclass(frozen=True, slots=True)
class NamedTable:
    """The columns of a file by name."""

    path: str
    columns: dict[str, Column]
    rows: int
    separator: str
    """An empty string if the file has types."""
    header: bool
    """Whether the names are those of the file; otherwise they are column_1, column_2, …"""
    renamed: dict[str, str]
    """Columns whose name an earlier one has already, by their new names."""

    def select(self, rows: NDArray[Any]) -> NamedTable:
        """The table with a selection of its rows, a mask or indices."""
        chosen = np.arange(self.rows)[rows]
        columns = {name: column.of_rows(chosen) for name, column in self.columns.items()}
        return replace(self, columns=columns, rows=len(chosen))

    def with_columns(self, columns: Mapping[str, Column]) -> NamedTable:
        """The table with other columns of as many rows."""
        return replace(self, columns=dict(columns))
