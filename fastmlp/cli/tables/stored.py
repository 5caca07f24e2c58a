"""What a model file knows of the table that it was trained on, and reading other files by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.progress import note
from fastmlp.cli.answers import classes_of
from fastmlp.cli.output import plural
from fastmlp.cli.suggestions import did_you_mean
from fastmlp.cli.tables.columns import NamedTable
from fastmlp.cli.tables.formats import Decimal, Order, numbers
from fastmlp.cli.tables.kinds import Kind, Notation, convert, detect_decimal
from fastmlp.cli.tables.reading import read_columns
from fastmlp.cli.tables.report import listed

if TYPE_CHECKING:
    from fastmlp._models.model import Model
    from fastmlp.cli.tables.networks import Rows
    from fastmlp.cli.tables.problem import Problem

__all__ = ["StoredTable", "describe_problem"]


def describe_problem(problem: Problem, train: Rows) -> dict[str, Any]:
    """What of a problem is stored in the model file, as JSON values: all that is needed to read other files in the same way."""
    usual = np.bincount(problem.y[train]) / len(train) if problem.classes else [problem.y[train].mean()]
    return {
        "target": problem.target,
        "id": problem.id,
        "columns": list(problem.table.columns),
        "header": problem.table.header,
        "left_out": problem.left_out,
        "decimal": problem.decimal,
        "orders": {name: reading.notation.order for name, reading in problem.features.items() if reading.kind == "date"},
        "usual": [float(value) for value in usual],
    }


@dataclass(frozen=True, slots=True)
class StoredTable:
    """What a model file knows of its table."""

    kinds: dict[str, Kind]
    """The columns that the model reads."""
    classes: list[str]
    """The labels of the classes; empty for a regression."""
    target: str | None = None
    id: str | None = None
    columns: tuple[str, ...] = ()
    """All columns of the file that it was trained on."""
    header: bool = True
    """Whether that file had names of columns."""
    decimal: Decimal | None = None
    orders: Mapping[str, str] = field(default_factory=dict)
    """Whether the day or the month comes first, by the columns of dates."""
    usual: tuple[float, ...] = ()
    """The frequencies of the classes, or the mean of the target, among the training rows."""

    @classmethod
    def of(cls, model: Model, provenance: Mapping[str, Any]) -> StoredTable | None:
        """What is known of the table of a model; None if the model does not read tables."""
        from fastmlp.cli.tables.networks import described_features

        features = described_features(model)
        if features is None:
            return None
        kinds = {name: feature["kind"] for name, feature in features.items() if feature["columns"]}
        classes = classes_of(model, provenance)
        described = provenance.get("table")
        if not isinstance(described, Mapping) or not _is_description(described, max(len(classes), 1)):
            return cls(kinds, classes, columns=tuple(kinds))
        return cls(
            kinds,
            classes,
            described["target"],
            described["id"],
            tuple(described["columns"]),
            described["header"],
            described["decimal"],
            described["orders"],
            tuple(described["usual"]),
        )

    def read(self, path: str, header: bool | None, others: Sequence[str] = ()) -> NamedTable:
        """A file with the columns that the model reads.

        Args:
            path: See :func:`~fastmlp.cli.tables.reading.read_columns`.
            header: Whether the file has names of columns; None to detect it.
            others: Columns that are used besides.

        Raises:
            ValueError: It lacks columns.
        """
        table = read_columns(path, header, list(self.kinds))
        if not table.header:
            table = self._named(table, told=header is not None)
        missing = [name for name in self.kinds if name not in table.columns]
        spare = [name for name in table.columns if name not in self.kinds and name not in (*others, self.target, self.id)]
        if missing:
            hints = [f"{name!r}{_hint(name, spare)}" for name in missing[:10]]
            rest = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
            raise ValueError(
                f"{table.path} lacks the column{'s' * (len(missing) > 1)} {', '.join(hints)}{rest}, which the model needs; "
                "add what is not known as an empty column"
            )
        new = [name for name in spare if name not in self.columns]
        if new and table.header:
            note(f"fastmlp: {table.path}: the model does not use {listed(new)}")
        return table

    def _named(self, table: NamedTable, told: bool) -> NamedTable:
        """A file without a header with the names of the columns of the one that the model was trained on."""
        without_target = tuple(name for name in self.columns if name != self.target)
        choices = {len(names): names for names in (tuple(self.kinds), without_target, self.columns)}
        names = choices.get(len(table.columns))
        if names is None:
            raise ValueError(
                f"{table.path} has {len(table.columns)} columns and no header, but the model was trained on {len(self.columns)}: "
                f"{listed(self.columns, 30)}"
            )
        if self.header and not told:
            note(f"fastmlp: {table.path} seems to have no header; its columns are taken for {listed(names)}")
        columns = dict(zip(names, table.columns.values(), strict=True))
        return NamedTable(table.path, columns, table.rows, table.separator, False, table.renamed)

    def features(self, table: NamedTable) -> dict[str, NDArray[Any]]:
        """The values of the columns that the model reads.

        Raises:
            ValueError: No value of a column is of its kind.
        """
        numeric = {name: table.columns[name] for name, kind in self.kinds.items() if kind != "category"}
        decimal = detect_decimal(table.with_columns(numeric), self.decimal)
        return {name: self._values(table, name, kind, decimal) for name, kind in self.kinds.items()}

    def _values(self, table: NamedTable, name: str, kind: Kind, decimal: Decimal) -> NDArray[Any]:
        order: Order = "mdy" if self.orders.get(name) == "mdy" else "dmy"
        reading = convert(table.columns[name], kind, Notation(decimal, order))
        if reading.wrong:
            example = f"{reading.wrong_example!r:.40} in column {name!r}"
            if reading.wrong > 1 and reading.missing == table.rows:
                raise ValueError(f"{table.path} has {example}, which the model knows as a {kind}")
            counted = f"is no {kind}, and counts" if reading.wrong == 1 else f"are no {kind}, and count"
            note(f"fastmlp: {table.path}: {plural(reading.wrong, 'value')} such as {example} {counted} as missing")
        return reading.values

    def identifiers(self, table: NamedTable, name: str) -> list[str]:
        """The fields of a column that identifies rows."""
        fields = ["" if field is None else field for field in table.columns[name].fields()]
        return [fields[code] for code in table.columns[name].codes.tolist()]

    def targets(self, table: NamedTable, target: str) -> NDArray[np.float64]:
        """The codes of the classes in a column, or its numbers; NaN where it is empty.

        Raises:
            ValueError: It has a class that the model does not know, or is no column of numbers.
        """
        column = table.columns[target]
        if not self.classes:
            decimal = detect_decimal(table.with_columns({target: column}), self.decimal)
            return self._values(table, target, "number", decimal)
        codes = np.full(len(column.distinct), np.nan)
        for place, (label, count) in enumerate(zip(column.fields(), column.counts.tolist(), strict=True)):
            if label is None or not count:
                continue
            code = self._code(label)
            if code is None:
                raise ValueError(
                    f"{table.path}: {plural(count, 'row')} of column {target!r} {'has' if count == 1 else 'have'} the class {label!r:.40}, "
                    f"but the model knows {listed(map(repr, self.classes))}"
                )
            codes[place] = code
        return codes[column.codes]

    def _code(self, label: str) -> int | None:
        """The code of a class; 1, 1.0 and 1,0 are the same class where all classes are numbers."""
        if label in self.classes:
            return self.classes.index(label)
        values, wrong = numbers(self.classes, ".")
        found = np.flatnonzero(values == numbers([label], self.decimal or ".")[0])
        if len(found) and not wrong.any():
            return int(found[0])
        similar = [code for code, known in enumerate(self.classes) if _plain(known) == _plain(label)]
        if len(similar) != 1:
            return None
        note(f"fastmlp: the class {label!r:.40} is taken for {self.classes[similar[0]]!r:.40}")
        return similar[0]


def _is_description(stored: Mapping[str, Any], outputs: int) -> bool:
    """Whether a part of a file, which may be anybody's, is what :func:`describe_problem` returns."""
    usual, names = stored.get("usual"), stored.get("columns")
    return (
        all(stored.get(name, 0) is None or isinstance(stored.get(name), str) for name in ("target", "id"))
        and isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and isinstance(stored.get("header"), bool)
        and stored.get("decimal") in (".", ",")
        and isinstance(stored.get("orders"), Mapping)
        and isinstance(usual, list)
        and len(usual) == outputs
        and all(isinstance(value, float) for value in usual)
    )


def _plain(label: str) -> str:
    """A label without what differs between files of the same data: the case, and a full stop at the end, as in the test file of adult."""
    return label.removesuffix(".").casefold()


def _hint(name: str, spare: list[str]) -> str:
    suggestion = did_you_mean(name, spare).removeprefix("; ")
    return f" ({suggestion})" if suggestion else ""
