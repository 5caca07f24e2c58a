"""What the command line says about tables: what becomes of each column, and scores beside those of simpler predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.cli.output import plural, writable
from fastmlp.cli.tables.kinds import Reading
from fastmlp.cli.tables.scores import Scores, formatted, headline

if TYPE_CHECKING:
    from rich.table import Table

    from fastmlp.cli.tables.problem import Problem

__all__ = ["columns_table", "features_table", "listed", "scores_table"]

_EXAMPLES = 3
_CELL = 40
"""The maximum number of characters of an example or of a name."""
_SHOWN_COLUMNS = 100
_CONSEQUENCES = {
    "--drop": "left out, as --drop says",
    "--id": "left out; predictions repeat it",
    "constant": "left out: constant",
    "no values": "left out: it has no values",
    "keys": "left out: keys of the rows; --kind NAME=number keeps it",
    "row numbers": "left out: row numbers; --kind NAME=number keeps it",
}


def columns_table(problem: Problem, features: Mapping[str, Mapping[str, Any]]) -> Table:
    """The columns of a file: their kinds, values, missing values, and what becomes of each.

    Args:
        problem: The file.
        features: What the encoder says of each feature.
    """
    from rich.table import Table
    from rich.text import Text

    table = problem.table
    title = f"{Path(table.path).name}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')}"
    result = Table(title=Text(title), title_justify="left", title_style="bold")
    for name in ("column", "kind", "values", "missing", "becomes"):
        result.add_column(
            name, overflow="fold", style="cyan" if name == "column" else None, justify="right" if name == "missing" else "left"
        )
    for name, column in list(table.columns.items())[:_SHOWN_COLUMNS]:
        if name == problem.target:
            kind, missing, outcome = "classes" if problem.classes else "number", problem.without_target, "the target"
        else:
            reading = problem.columns[name]
            kind, missing = reading.kind, reading.missing
            outcome = _consequence(name, reading, problem.left_out.get(name), features.get(name, {}))
        examples = ", ".join(_cut(text) for text in column.examples(_EXAMPLES))
        result.add_row(*map(Text, (_cut(name), kind, examples, f"{missing:,}" if missing else "", outcome)))
    spare = len(table.columns) - _SHOWN_COLUMNS
    if spare > 0:
        result.add_row(Text(f"and {plural(spare, 'more column')}"))
    return result


def _cut(text: str) -> str:
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _consequence(name: str, reading: Reading, reason: str | None, described: Mapping[str, Any]) -> str:
    if reason is not None:
        return _CONSEQUENCES.get(reason, f"left out: {reason}; --kind NAME=category keeps it").replace("NAME", name)
    text = str(described["becomes"])
    if reading.wrong:
        are = "is" if reading.wrong == 1 else "are"
        text += f"; {plural(reading.wrong, 'value')} such as {_cut(reading.wrong_example)!r} {are} missing"
    return text


def features_table(features: Iterable[Mapping[str, Any]]) -> Table:
    """The columns that a model was trained on, as its encoder describes them."""
    from rich.table import Table
    from rich.text import Text

    result = Table(title=Text("features"), title_justify="left", title_style="bold")
    for name in ("column", "kind", "becomes"):
        result.add_column(name, overflow="fold", style="cyan" if name == "column" else None)
    for feature in features:
        result.add_row(*(Text(str(feature[name])) for name in ("name", "kind", "becomes")))
    return result


def scores_table(title: str, scores: Mapping[str, Scores]) -> Table:
    """Scores of several predictions, one a row."""
    from rich.table import Table
    from rich.text import Text

    result = Table(title=Text(title), title_justify="left", title_style="bold")
    result.add_column("")
    names = list(dict.fromkeys(name for values in scores.values() for name in values))
    for name in names:
        result.add_column(writable(headline(name)), justify="right")
    for place, (who, values) in enumerate(scores.items()):
        cells = [formatted(name, values[name]) if name in values else "" for name in names]
        result.add_row(*(Text(text, style="" if place else "bold") for text in (who, *cells)))
    return result


def listed(names: Iterable[str], shown: int = 10) -> str:
    """The first names with commas between, and how many more there are."""
    every: Sequence[str] = list(names)
    return ", ".join(every[:shown]) + (f" and {len(every) - shown} more" if len(every) > shown else "")
