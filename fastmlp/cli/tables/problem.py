"""A file as a problem to learn: which column is the target, what kind of task that is, which columns are features, which rows test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.suggestions import find_name
from fastmlp.cli.tables.columns import Column, NamedTable
from fastmlp.cli.tables.formats import Decimal
from fastmlp.cli.tables.kinds import Kind, Notation, Reading, convert, detect_decimal, guess, kinds_of

__all__ = ["Problem", "TaskKind", "class_labels", "pose", "split"]

TaskKind: TypeAlias = Literal["classification", "regression"]

MINIMUM_ROWS = 10
MAXIMUM_CLASSES = 1000
_FEW_CLASSES = 100
"""The maximum number of different numbers with which a regression says that it could be a classification."""
_NUMBERED_CLASSES = 20
"""The maximum number of different integers 0, 1, 2 … or 1, 2, 3 … that are classes rather than numbers."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be learned from which columns."""

    table: NamedTable
    """The rows that have a target."""
    decimal: Decimal
    target: str
    task: TaskKind
    reason: str
    """Why it is this task, in words."""
    classes: list[str]
    """The labels of the classes, in the order of their codes; empty for a regression."""
    y: NDArray[Any]
    """Codes of classes, int64, or numbers, float64."""
    without_target: int
    """The number of rows without a target, which are not used."""
    columns: dict[str, Reading]
    """All columns but the target."""
    left_out: dict[str, str]
    """Columns that are no features, each with the reason."""
    id: str | None
    """The column that identifies rows, if there is one."""

    @property
    def features(self) -> dict[str, Reading]:
        """The columns from which the target is learned."""
        return {name: reading for name, reading in self.columns.items() if name not in self.left_out}


def pose(
    table: NamedTable,
    target: str,
    *,
    task: TaskKind | None = None,
    drop: Sequence[str] = (),
    identifier: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> Problem:
    """Decide what is to be learned from a file.

    Args:
        table: The file.
        target: The column to predict: its name or its number from 1, or negative from the end.
        task: By default decided by the values of the target.
        drop: Columns that are no features, by name or number.
        identifier: A column that identifies rows, by name or number.
        kinds: The kinds of some columns by name; those of others are detected.

    Raises:
        ValueError: There is no such column, or nothing can be learned from the file.
    """
    target = _column(table, target)
    for new, old in table.renamed.items():
        if target in (new, old):
            raise ValueError(f"{table.path} has several columns called {old!r}; rename all but one to make clear which is the target")
    dropped = {_column(table, name): "--drop" for name in drop}
    if identifier is not None:
        identifier = _column(table, identifier)
        dropped[identifier] = "--id"
    forced = {_column(table, name): kind for name, kind in (kinds or {}).items()}
    if target in dropped:
        raise ValueError(f"column {target!r} is the target, and can't be given to {dropped[target]} as well")

    decimal = detect_decimal(table)
    known = ~table.columns[target].missing[table.columns[target].codes]
    without = int(len(known) - known.sum())
    if without:
        table = table.select(known)
    reading = guess(target, table.columns[target], decimal) if table.rows else None
    if reading is None or table.rows < MINIMUM_ROWS:
        raise ValueError(
            f"{table.path} has {table.rows} rows with a value in {target!r}, but at least {MINIMUM_ROWS} are needed to train and test"
        )
    if target in forced:
        reading = convert(table.columns[target], forced[target], reading.notation)
    chosen, reason = _task(table, target, reading, task)
    classes, y = _targets(table, target, reading, chosen)
    if np.isnan(y).any():
        kept = ~np.isnan(y)
        without += int((~kept).sum())
        table, y = table.select(kept), y[kept]
    if classes:
        y = y.astype(np.int64)
    features = table.with_columns({name: column for name, column in table.columns.items() if name != target})
    columns = kinds_of(features, {name: kind for name, kind in forced.items() if name != target}, decimal)
    left_out = {name: column.useless for name, column in columns.items() if column.useless and name not in forced} | dropped
    if len(left_out) == len(columns):
        reasons = ", ".join(f"{name} ({reason})" for name, reason in list(left_out.items())[:10])
        raise ValueError(f"{table.path} has no column from which {target!r} could be learned" + (f": {reasons}" if reasons else ""))
    return Problem(table, decimal, target, chosen, reason, classes, y, without, columns, left_out, identifier)


def _column(table: NamedTable, name: str) -> str:
    """The name of a column that was given by its name or number; a ValueError if there is none."""
    try:
        return find_name(name, list(table.columns), "column")
    except ValueError as error:
        raise ValueError(f"{error}" + f"; {table.path} seems to have no header, see --header" * (not table.header)) from None


def _task(table: NamedTable, target: str, reading: Reading, wanted: TaskKind | None) -> tuple[TaskKind, str]:
    """The task, and why."""
    if reading.kind == "date" and wanted != "classification":
        raise ValueError(f"the target {target!r} holds dates, which can't be predicted; choose another column, or write numbers into it")
    values = [] if reading.kind == "category" else np.unique(reading.values[~reading.empty()]).tolist()
    numbers = f"{target!r} has numbers from {values[0]:g} to {values[-1]:g}" if reading.kind == "number" else ""
    if wanted == "regression":
        if not numbers:
            example = table.columns[target].examples(1)[0]
            raise ValueError(f"a regression needs numbers in the target {target!r}, which has {example!r:.40}; use --task classification")
        return "regression", numbers
    different = len(set(_labels(table.columns[target], reading)) - {None})
    classes = f"{target!r} has {different:,} classes"
    if wanted == "classification" or not numbers or len(values) <= 2:
        return "classification", classes
    if len(values) <= _NUMBERED_CLASSES and values[0] in (0, 1) and np.array_equal(np.diff(values), np.ones(len(values) - 1)):
        return "classification", f"{classes}, {values[0]:g} to {values[-1]:g}; --task regression predicts a number"
    hint = f"; --task classification predicts one of {different} classes" if different <= _FEW_CLASSES else ""
    return "regression", numbers + hint


def _labels(column: Column, reading: Reading) -> list[str | None]:
    """The class of each row: numbers in one notation, so that 1, 1.0 and "1" are the same class."""
    return class_labels(column, reading.kind, reading.notation)


def class_labels(column: Column, kind: Kind, notation: Notation) -> list[str | None]:
    """The label of each row, None where there is none."""
    reading = convert(Column(column.distinct, np.arange(len(column.distinct), dtype=np.int32)), kind, notation)
    if kind == "number":
        labels = [None if np.isnan(value) else f"{value:.15g}" for value in reading.values.tolist()]
    elif kind == "category":
        labels = list(reading.values)
    else:
        labels = column.fields()
    return [labels[code] for code in column.codes.tolist()]


def _targets(table: NamedTable, target: str, reading: Reading, task: TaskKind) -> tuple[list[str], NDArray[Any]]:
    """The classes and their codes, NaN for rows without one, or numbers."""
    column = table.columns[target]
    if task == "regression":
        if len(np.unique(reading.values[~reading.empty()])) < 2:
            raise ValueError(f"{table.path}: all values of the target {target!r} are equal, so there is nothing to learn")
        return [], reading.values
    labels = _labels(column, reading)
    found = {label for label in labels if label is not None}
    if len(found) < 2:
        raise ValueError(f"{table.path}: the target {target!r} has one class only, {next(iter(found))!r:.40}, so there is nothing to learn")
    if len(found) > MAXIMUM_CLASSES or len(found) > 0.5 * len(labels):
        advice = "; use --task regression" if reading.kind == "number" else "; choose a target with fewer"
        raise ValueError(f"{table.path}: the target {target!r} has {len(found):,} classes in {len(labels):,} rows{advice}")
    classes = sorted(found, key=float) if reading.kind == "number" else sorted(found)
    codes = {label: code for code, label in enumerate(classes)}
    return classes, np.array([np.nan if label is None else codes[label] for label in labels])


def split(
    y: NDArray[Any], rows: NDArray[np.intp], fraction: float, stratified: bool, random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split rows at random.

    Args:
        y: The targets of all rows.
        rows: The indices of the rows to split.
        fraction: The fraction of the second part.
        stratified: Whether each class has this fraction, rounded; the first part has at least one row of each class. The second part has at
            least one row in all.
        random: The source of randomness.

    Returns:
        The indices of both parts, each in ascending order.
    """
    groups = [rows[y[rows] == value] for value in np.unique(y[rows])] if stratified else [rows]
    second: list[NDArray[np.intp]] = []
    owed = 0.0
    for group in groups:
        # What rounding takes from a class, the next ones get.
        share = len(group) * fraction + owed
        count = min(int(share + 0.5), len(group) - 1)
        owed = share - count if count < len(group) - 1 else 0.0
        second.append(random.permutation(group)[:count])
    if not any(map(len, second)):
        second.append(random.permutation(max(groups, key=len))[:1])
    taken = np.sort(np.concatenate(second))
    return np.setdiff1d(rows, taken, assume_unique=True), taken
