"""What a sweep found: its runs, and a row for every combination."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from fastmlp.sweep.grid import Combination, text, varying

__all__ = ["Results", "Row", "Run", "SweepInterrupted"]


@dataclass(frozen=True, slots=True)
class Run:
    """One training."""

    combination: Combination
    seed: int
    numbers: dict[str, float]
    """``test_loss``, ``train_loss``, both of every metric, ``parameters``, and ``seconds`` of training; NaN if the loss was not finite."""


@dataclass(frozen=True, slots=True)
class Row:
    """A combination, over all its seeds."""

    combination: Combination
    runs: tuple[Run, ...]

    def mean(self, name: str) -> float:
        """The mean of a number over the seeds; NaN if a run diverged."""
        return math.fsum(run.numbers[name] for run in self.runs) / len(self.runs)

    def deviation(self, name: str) -> float:
        """The standard deviation (n − 1) of a number over the seeds; 0 for one seed, NaN if a run diverged."""
        values = [run.numbers[name] for run in self.runs]
        if not all(map(math.isfinite, values)):
            return math.nan
        return statistics.stdev(values) if len(values) > 1 else 0.0

    @property
    def diverged(self) -> bool:
        """True if the loss of a run was not finite."""
        return not math.isfinite(self.mean("test_loss"))


class Results(Sequence[Row]):
    """The rows of a sweep, best first; printed, it is a table.

    Best is the highest held-out accuracy, or the lowest held-out loss for models without that metric; :meth:`sorted` takes another column.

    Args:
        runs: The runs, in the order of the grid.
        seeds: How many runs a combination has when all are done.
        rows: The rows in an order of their own.
    """

    def __init__(self, runs: Sequence[Run], seeds: int, rows: Sequence[Row] | None = None) -> None:
        self.runs = list(runs)
        self.seeds = seeds
        grouped: dict[tuple[str, ...], list[Run]] = {}
        for run in runs:
            grouped.setdefault(tuple(map(text, run.combination.values())), []).append(run)
        self._rows = [Row(group[0].combination, tuple(group)) for group in grouped.values()] if rows is None else list(rows)
        if rows is None:
            self._rows = self._by(self.score)

    @property
    def score(self) -> str:
        """The column that says which row is best: a held-out accuracy, or ``test_loss``."""
        accuracies = [name for name in self.columns if name.startswith("test_") and name.endswith(("accuracy", "_acc"))]
        return accuracies[0] if accuracies else "test_loss"

    @property
    def columns(self) -> list[str]:
        """Names of the numbers."""
        return list(self.runs[0].numbers) if self.runs else []

    @property
    def varying(self) -> list[str]:
        """Names of the grid that have more than one value."""
        return list(varying([row.combination for row in self]))

    @property
    def best(self) -> Row:
        """The first row."""
        if not self._rows:
            raise ValueError("the sweep has no results yet")
        return self._rows[0]

    def sorted(self, column: str, reverse: bool | None = None) -> Results:
        """The same results in the order of a column, diverged rows last.

        Args:
            column: One of :attr:`columns`.
            reverse: Whether the highest comes first; accuracies do unless told.
        """
        if self.runs and column not in self.columns:
            raise ValueError(f"there is no column {column!r}; the columns are {', '.join(self.columns)}")
        return Results(self.runs, self.seeds, self._by(column, reverse))

    def _by(self, column: str, reverse: bool | None = None) -> list[Row]:
        highest = column.endswith(("accuracy", "_acc")) if reverse is None else reverse

        def place(row: Row) -> tuple[bool, float, float]:
            value = row.mean(column)
            return row.diverged or math.isnan(value), -value if highest else value, row.mean("test_loss")

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
        """The names of the table's columns: first what varies, then what came out of it."""
        return [*(name.replace("_", " ") for name in self.varying), *(name for name, _ in self._shown())]

    def cells(self) -> list[list[str]]:
        """The table's rows."""
        shown, axes = self._shown(), self.varying
        return [[*(text(row.combination[name]) for name in axes), *(show(row) for _, show in shown)] for row in self]

    def markdown(self) -> str:
        """The table in Markdown."""
        aligned = ["---"] * len(self.varying) + ["---:"] * len(self._shown())
        return "".join(f"| {' | '.join(line)} |\n" for line in (self.header(), aligned, *self.cells()))

    _repr_markdown_ = markdown
    """What a notebook shows."""

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
        """Titles of the columns of numbers, and what stands in them."""
        if not self.runs:
            return []
        metrics = [name.removeprefix("test_") for name in self.columns if name.startswith("test_") and name != "test_loss"]
        shown = [(f"held-out {name}", _spread(f"test_{name}")) for name in [*metrics, "loss"]]
        shown += [(f"train {name}", _spread(f"train_{name}")) for name in metrics or ["loss"]]
        titled: list[tuple[str, Callable[[Row], str]]] = [(title.replace("_", " "), show) for title, show in shown]
        titled.append(("parameters", lambda row: f"{row.mean('parameters'):,.0f}"))
        titled.append(("seconds", lambda row: f"{row.mean('seconds'):.{2 if row.mean('seconds') >= 1 else 4}f}"))
        if any(len(row.runs) < self.seeds for row in self):
            titled.append(("runs", lambda row: f"{len(row.runs)} of {self.seeds}"))
        return titled


def _spread(name: str) -> Callable[[Row], str]:
    """Mean and deviation of a number."""

    def show(row: Row) -> str:
        mean = row.mean(name)
        if not math.isfinite(mean):
            return "diverged" if row.diverged else f"{mean}"
        value = f"{mean:.4f}" if mean == 0 or 1e-3 <= abs(mean) < 1e6 else f"{mean:.3e}"
        return value if len(row.runs) == 1 else f"{value} ± {row.deviation(name):.4f}"

    return show


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep. What was done before it is in ``results``, and in the file if there is one.

    Args:
        results: The runs that are done.
        message: How to go on.
    """

    def __init__(self, results: Results, message: str) -> None:
        super().__init__(message)
        self.results = results
