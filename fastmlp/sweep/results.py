"""The results of a sweep: its runs, and one row per combination."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import overload

from fastmlp.sweep.grid import Combination, text, varying

__all__ = ["Results", "Row", "Run", "SweepInterrupted", "check_column", "spread"]


_ACCURACIES = ("accuracy", "_acc")
"""Endings of column names for which higher is better, even if the metric is unknown."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run."""

    combination: Combination
    seed: int
    numbers: dict[str, float]
    """The results by column: ``validation_loss``, ``train_loss``, the same for every metric, ``parameters``, and ``seconds`` of training;
    NaN if the loss became NaN or infinite.

    A metric with several values has one column for each: ``validation_f1_0``, ``validation_f1_1``."""


@dataclass(frozen=True, slots=True)
class Row:
    """The results of one combination over all its seeds."""

    combination: Combination
    runs: tuple[Run, ...]

    def mean(self, name: str) -> float:
        """The mean of a column over the seeds; NaN if a run diverged."""
        values = self._values(name)
        return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else sum(values) / len(values)

    def deviation(self, name: str) -> float:
        """The standard deviation (n − 1) of a column over the seeds; 0 for one seed, NaN if a run diverged."""
        values = self._values(name)
        if not all(map(math.isfinite, values)):
            return math.nan
        return statistics.stdev(values) if len(values) > 1 else 0.0

    @property
    def diverged(self) -> bool:
        """True if the loss of a run became NaN or infinite."""
        return not math.isfinite(self.mean(next((name for name in self.runs[0].numbers if name.endswith("_loss")), "validation_loss")))

    def _values(self, name: str) -> list[float]:
        check_column(name, self.runs[0].numbers)
        return [run.numbers[name] for run in self.runs]


def check_column(name: str, columns: Collection[str]) -> None:
    """Raises ValueError if there is no such column."""
    if name in columns:
        return
    hint = ""
    if name.startswith(("test_", "val_")) and f"validation_{name.partition('_')[2]}" in columns:
        hint = "; columns of validation data start with validation_"
    raise ValueError(f"there is no column {name!r}; the columns are {', '.join(columns)}{hint}")


class Results(Sequence[Row]):
    """The results of a sweep, one row per combination, best first; printing it shows a table.

    The best row has the highest validation accuracy; without an accuracy, the highest value of the first metric for which higher is better,
    such as AUC; without such a metric, the lowest validation loss. :meth:`sorted` sorts by another column.

    Args:
        runs: The runs, in the order of the grid.
        seeds: The number of runs per combination.
        rows: The rows, if already sorted.
        higher_is_better: For each metric; by default derived from its name.
        monitor: The column that determines the best row.

    Attributes:
        test: The results of the best combination on the test data, if any: ``test_loss`` and the metrics.

    Raises:
        ValueError: There is no column ``monitor``.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        seeds: int,
        rows: Sequence[Row] | None = None,
        higher_is_better: Mapping[str, bool | None] | None = None,
        monitor: str | None = None,
    ) -> None:
        self.runs = list(runs)
        self.seeds = seeds
        self.test: Row | None = None
        self._higher = dict(higher_is_better or {})
        self._monitor = monitor
        if monitor is not None and runs:
            check_column(monitor, self.columns)
        grouped: dict[tuple[str, ...], list[Run]] = {}
        for run in runs:
            grouped.setdefault(tuple(map(text, run.combination.values())), []).append(run)
        self._rows = [Row(group[0].combination, tuple(group)) for group in grouped.values()] if rows is None else list(rows)
        if rows is None:
            self._rows = self._by(self.score)

    @property
    def score(self) -> str:
        """The column that determines the best row, such as ``validation_accuracy``, ``validation_auc`` or ``validation_loss``."""
        if self._monitor is not None:
            return self._monitor
        of_metrics = [name for name in self.columns if name.startswith("validation_")]
        accuracies = [name for name in of_metrics if name.endswith(_ACCURACIES)]
        higher = [name for name in of_metrics if self._higher.get(name.removeprefix("validation_"))]
        return (accuracies or higher or ["validation_loss"])[0]

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.runs[0].numbers) if self.runs else []

    @property
    def varying(self) -> list[str]:
        """The hyperparameters with more than one value."""
        return list(varying([row.combination for row in self]))

    @property
    def best(self) -> Row:
        """The best row."""
        if not self._rows:
            raise ValueError("the sweep has no results yet")
        return self._rows[0]

    def sorted(self, column: str, reverse: bool | None = None) -> Results:
        """Returns the results sorted by a column, diverged rows and those without a value last.

        Args:
            column: One of :attr:`columns`.
            reverse: Whether to sort in descending order; by default if higher is better.

        Raises:
            ValueError: There is no such column.
        """
        if self.runs:
            check_column(column, self.columns)
        found = Results(self.runs, self.seeds, self._by(column, reverse), self._higher, self._monitor)
        found.test = self.test
        return found

    def _is_higher_better(self, column: str) -> bool:
        name = column.removeprefix("validation_").removeprefix("train_")
        while name not in self._higher and name.rpartition("_")[2].isdigit():  # one value of several
            name = name.rpartition("_")[0]
        known = self._higher.get(name)
        return column.endswith(_ACCURACIES) if known is None else known

    def _by(self, column: str, reverse: bool | None = None) -> list[Row]:
        highest = self._is_higher_better(column) if reverse is None else reverse

        def place(row: Row) -> tuple[bool, float, float]:
            value = row.mean(column)
            return row.diverged or math.isnan(value), -value if highest else value, row.mean("validation_loss")

        return sorted(self._rows, key=place)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    # As text

    def header(self) -> list[str]:
        """The headings of the table: the hyperparameters that vary, then the results."""
        return [*(name.replace("_", " ") for name in self.varying), *(name for name, _ in self._shown())]

    def cells(self) -> list[list[str]]:
        """The rows of the table."""
        shown, axes = self._shown(), self.varying
        return [[*(text(row.combination[name]) for name in axes), *(show(row) for _, show in shown)] for row in self]

    def markdown(self) -> str:
        """The table in Markdown."""
        aligned = ["---"] * len(self.varying) + ["---:"] * len(self._shown())
        return "".join(f"| {' | '.join(line)} |\n" for line in (self.header(), aligned, *self.cells()))

    _repr_markdown_ = markdown
    """For notebooks."""

    def __str__(self) -> str:
        lines, numbers = [self.header(), *self.cells()], len(self._shown())
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        left = len(widths) - numbers
        return "\n".join(
            "  ".join(cell.ljust(w) if at < left else cell.rjust(w) for at, (cell, w) in enumerate(zip(line, widths, strict=True))).rstrip()
            for line in lines
        )

    def __repr__(self) -> str:
        return f"<{len(self)} combinations in {len(self.runs)} runs>"

    def _shown(self) -> list[tuple[str, Callable[[Row], str]]]:
        """The headings of the result columns, and functions that format their cells."""
        if not self.runs:
            return []
        names = [name.removeprefix("validation_") for name in self.columns if name.startswith("validation_")]
        metrics = [name for name in names if name != "loss"]
        shown = [*(f"validation_{name}" for name in [*metrics, "loss"]), *(f"train_{name}" for name in metrics or ["loss"])]
        titled: list[tuple[str, Callable[[Row], str]]] = [(name.replace("_", " "), partial(spread, name=name)) for name in shown]
        titled.append(("parameters", lambda row: f"{row.mean('parameters'):,.0f}"))
        titled.append(("seconds", lambda row: f"{row.mean('seconds'):.{2 if row.mean('seconds') >= 1 else 4}f}"))
        if any(len(row.runs) < self.seeds for row in self):
            titled.append(("runs", lambda row: f"{len(row.runs)} of {self.seeds}"))
        return titled


def spread(row: Row, name: str) -> str:
    """The mean and standard deviation of a column as text."""
    mean = row.mean(name)
    if not math.isfinite(mean):
        return "diverged" if row.diverged else f"{mean}"
    value = f"{mean:.4f}" if mean == 0 or 1e-3 <= abs(mean) < 1e6 else f"{mean:.3e}"
    return value if len(row.runs) == 1 else f"{value} ± {row.deviation(name):.4f}"


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep. ``results`` has the completed runs, which are also in the file if there is one.

    Args:
        results: The completed runs.
        message: How to resume.
    """

    def __init__(self, results: Results, message: str) -> None:
        super().__init__(message)
        self.results = results
