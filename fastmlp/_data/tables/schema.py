"""What is learned of a table: the kinds of its columns, their categories and scales; and tables read by it.

A table becomes a float32 matrix ``(samples, columns)``. Its columns are, in this order and otherwise in that of the table:

- numbers, among them booleans as 0 and 1, dates as days since the earliest one, and durations in days; NaN where they are missing;
- codes of the categories that are encoded one-hot, which have the codes 0 … T − 1 together; an unknown category is −1;
- codes of the categories that are embedded, 0 … R − 1 together; the last code of each column is that of unknown and of rare categories.

A missing category is a category of its own if it was learned, otherwise unknown. Columns that were constant are left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.configs import Config, StoredConfig
from fastmlp._data.tables import constants
from fastmlp._data.tables.column_schema import ColumnSchema
from fastmlp._data.tables.learning import learn_column
from fastmlp._data.tables.source import Table, open_table
from fastmlp._data.tables.values import codes_of, float32_of, numbers_of

__all__ = ["TableSchema"]

_SHOWN = 10


class TableSchema:
    """The columns of a table that was learned.

    Args:
        columns: All of them, in the order of the table.
        named: Whether tables are read by the names of columns; otherwise by their order.
    """

    def __init__(self, columns: Sequence[ColumnSchema], *, named: bool) -> None:
        self.columns, self.named = tuple(columns), named
        self.numbers, self.one_hot, self.embedded = (
            tuple(column for column in self.columns if column.encoding == encoding) for encoding in ("numeric", "one_hot", "embedded")
        )
        self.names = tuple(column.name for column in self.columns)
        self.order = tuple(column.name for column in (*self.numbers, *self.one_hot, *self.embedded))
        """The names of the columns of the matrix."""
        self._codes: list[tuple[str, dict[str | None, int], int]] = []  # the codes of labels, and that of unknown ones
        for columns in (self.one_hot, self.embedded):
            first = 0
            for column in columns:
                known = {label: first + index for index, label in enumerate(column.categories)}
                self._codes.append((column.name, known, first + len(known) if column.encoding == "embedded" else -1))
                first += column.codes

    @classmethod
    def learn(
        cls, given: Any, *, kinds: Mapping[str, str] | None = None, bins: int | None = None, max_one_hot: int = constants.MAX_ONE_HOT
    ) -> TableSchema:
        """Learn a table.

        Args:
            given: The table, see :func:`~fastmlp._data.tables.source.open_table`.
            kinds: The kinds of some columns by name, instead of those that are guessed; ``"drop"`` leaves a column out.
            bins: The maximum number of bins of a number; by default there are bins only if there are enough samples.
            max_one_hot: The maximum number of categories that are encoded one-hot.

        Raises:
            TypeError: It is no table, or a column holds values that no column can hold.
            ValueError: It has no samples, no column that varies or no column of a name in ``kinds``, or a number is infinite.
        """
        table = open_table(given, "the table")
        if not table.samples or not table.count:
            raise ValueError(f"the table has {table.samples} rows and {table.count} columns, so there is nothing to learn")
        names = table.names or tuple(map(str, range(table.count)))
        kinds = {str(name): kind for name, kind in (kinds or {}).items()}
        if unknown := [name for name in kinds if name not in names]:
            raise ValueError(f"kinds names {_with_advice(unknown, names)}, which the table lacks; it has {_listed(names)}")
        if bins is None:
            bins = constants.BINS if table.samples >= constants.SAMPLES_FOR_BINS else 0
        columns = [
            learn_column(table.label(index), name, table.read(index), kinds.get(name), bins=bins, max_one_hot=max_one_hot)
            for index, name in enumerate(names)
        ]
        schema = cls(columns, named=names != tuple(map(str, range(table.count))))  # which pandas gives to columns without names
        if not schema.width:
            raise ValueError(
                f"no column of the table varies in its {table.samples} rows, so there is nothing to learn from: {_listed(names)}"
            )
        return schema

    @property
    def width(self) -> int:
        """The number of columns of the matrix."""
        return len(self.order)

    def read(self, given: Any, title: str = "x", *, single: bool = False) -> NDArray[np.float32]:
        """A table as the matrix ``(samples, width)``.

        Args:
            given: The table.
            title: What to call it in messages.
            single: Whether a list or an array with one axis is a single sample if it has as many values as the table has columns.

        Raises:
            TypeError: It is no table.
            ValueError: It lacks columns, or a value does not fit what was learned; the message names the column and the row.
        """
        table = open_table(given, title, columns=len(self.columns) if single else None)
        places = self._places(table)
        matrix = np.empty((table.samples, self.width), np.float32)
        for at, column in enumerate(self.numbers):
            place = places[column.name]
            label = table.label(place)
            matrix[:, at] = float32_of(label, numbers_of(label, table.read(place), column.kind), column.origin)
        for at, (name, known, unknown) in enumerate(self._codes, len(self.numbers)):
            matrix[:, at] = codes_of(table.read(places[name]), known, unknown)
        return matrix

    def _places(self, table: Table) -> dict[str, int]:
        """The index in a table of each column that is read."""
        found = {} if table.names is None else {name: index for index, name in enumerate(table.names)}
        missing = [name for name in self.order if name not in found]
        if not missing:
            return found
        if table.names is None or not self.named:  # in their order
            if table.count != len(self.columns):
                raise ValueError(
                    f"{table.title} has {table.count} columns, but the encoder was adapted to {len(self.columns)}: {_listed(self.names)}"
                )
            return {name: index for index, name in enumerate(self.names)}
        missing.sort(key=self.names.index)
        spare = [name for name in table.names if name not in self.names]
        raise ValueError(
            f"{table.title} lacks {_with_advice(missing, spare)}, which the encoder was adapted to; add "
            f"{'it' if len(missing) == 1 else 'them'}, with missing values (None or NaN) if the values are not known"
        )

    def get_config(self) -> Config:
        """What was learned, as JSON values."""
        return {"named": self.named, "columns": [column.get_config() for column in self.columns]}

    @classmethod
    def from_config(cls, config: StoredConfig) -> TableSchema:
        """The schema that :meth:`get_config` described; a ValueError if it is malformed."""
        if not isinstance(config, Mapping) or set(config) != {"named", "columns"} or not isinstance(config["columns"], (list, tuple)):
            raise ValueError(f"the schema of a table must have columns, as get_config() returns them, got {config!r:.80}")
        if not isinstance(config["named"], bool):
            raise ValueError(f"named in the schema of a table must be True or False, got {config['named']!r:.80}")
        schema = cls([ColumnSchema.from_config(column) for column in config["columns"]], named=config["named"])
        if len(set(schema.names)) < len(schema.columns) or not schema.width:
            raise ValueError("the schema of a table must have columns of different names, one of which is encoded")
        return schema


def _with_advice(names: Sequence[str], candidates: Sequence[str]) -> str:
    """The columns, each with the most similar candidate, if there is one."""
    similar = {candidate.lower(): candidate for candidate in candidates}
    shown = []
    for name in names[:_SHOWN]:
        close = difflib.get_close_matches(name.lower(), similar, n=1)
        shown.append(f"{name!r}" + (f" (did you mean {similar[close[0]]!r}?)" if close else ""))
    return f"the column{'' if len(names) == 1 else 's'} " + ", ".join(shown) + _rest(names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + _rest(names)


def _rest(names: Sequence[str]) -> str:
    return f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
