"""Predictions as a table, CSV or JSON, on the standard output or in a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastmlp._models.model import Model

__all__ = ["Answers", "classes_of", "for_classes", "write"]

_TABLE_ROWS, _TABLE_COLUMNS = 20, 10


@dataclass(frozen=True, slots=True)
class Answers:
    """The predictions: a name for each sample, and a column for each output."""

    rows: list[str]
    columns: list[str]
    """The names of the outputs, or of the classes."""
    values: NDArray[np.float32]
    """``(samples, outputs)``"""
    classifies: bool
    row_title: str = "row"
    target: str = ""
    """The name of what is predicted, if it is known."""
    probabilities: bool = True
    """Whether those of classes are shown."""

    def classes(self) -> list[str]:
        """The predicted class of each sample; empty for a model that is not a classifier."""
        return [self.columns[k] for k in self.values.argmax(axis=1)] if self.classifies else []

    @property
    def class_title(self) -> list[str]:
        """The title of the class, if there is one."""
        return [self.target or "class"] if self.classifies else []

    def titles(self, probability: str, output: str) -> list[str]:
        """Titles of the values that are shown, from patterns with the name in place of ``{}``."""
        if not self.classifies:
            return [self.target] if self.target and len(self.columns) == 1 else [output.format(name) for name in self.columns]
        return [probability.format(name) for name in self.columns] if self.probabilities else []


def classes_of(model: Model, provenance: Mapping[str, Any]) -> list[str]:
    """The labels of the classes that a model predicts; empty for a model that is not a classifier."""
    assert model.plan is not None
    closing, width = model.plan.nodes[-1].activation, model.output_shape[-1]
    count = (width or 0) if closing == "softmax" else 2 if closing == "sigmoid" and width == 1 else 0
    names = model.class_names or provenance.get("classes")
    return [str(name) for name in (names if isinstance(names, list) and len(names) == count else range(count))]


def for_classes(values: NDArray[np.float32], classes: Sequence[str]) -> NDArray[np.float32]:
    """The predictions with a column for each class: a single column is the probability of the second of two classes."""
    import numpy as np

    return np.concatenate([1 - values, values], axis=1) if classes and values.shape[1] == 1 else values


def write(answers: Answers, options: argparse.Namespace) -> None:
    """Write the predictions as the options ``out``, ``json`` and ``csv`` say; a file is written whole or not at all."""
    from fastmlp._base.files import replacing

    as_json = options.json or (options.out is not None and not options.csv and Path(options.out).suffix.lower() == ".json")
    if options.out is not None:
        with replacing(Path(options.out)) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            (_print_json if as_json else _print_csv)(answers, file)
    elif as_json:
        _print_json(answers, sys.stdout)
    elif options.csv:
        _print_csv(answers, sys.stdout)
    else:
        _print_table(answers)


def _print_json(answers: Answers, file: TextIO) -> None:
    records: list[dict[str, Any]] = [{answers.row_title: row} for row in answers.rows]
    for record, name in zip(records, answers.classes(), strict=False):
        record[answers.class_title[0]] = name
    for record, values in zip(records, answers.values.tolist(), strict=True):
        if not answers.classifies:
            record |= {answers.target: values[0]} if answers.target and len(values) == 1 else {"outputs": values}
        elif answers.probabilities:
            record["probabilities"] = dict(zip(answers.columns, values, strict=True))
    print(json.dumps(records, indent=1), file=file)


def _print_csv(answers: Answers, file: TextIO) -> None:
    import csv

    writer = csv.writer(file, lineterminator="\n")
    titles = answers.titles("p_{}", "output_{}")
    writer.writerow([answers.row_title, *answers.class_title, *titles])
    classes = answers.classes()
    # Outputs in the units of a target may be large, and are written with all digits of a float32.
    digits = ".6g" if answers.classifies or not answers.target else ".9g"
    for i, row in enumerate(answers.rows):
        writer.writerow([row, *classes[i : i + 1], *(f"{value:{digits}}" for value in answers.values[i].tolist()[: len(titles)])])


def _print_table(answers: Answers) -> None:
    from rich.table import Table
    from rich.text import Text

    import fastmlp.cli.output as output

    table = Table()
    table.add_column(Text(answers.row_title), overflow="fold")
    for title in answers.class_title:
        table.add_column(Text(title), style="bold green")
    titles = answers.titles("p({})", "output {}")
    shown = titles[:_TABLE_COLUMNS]
    for title in shown:
        table.add_column(Text(title), justify="right")
    classes = answers.classes()
    digits = ".4f" if answers.classifies or not answers.target else ".6g"
    for i, row in enumerate(answers.rows[:_TABLE_ROWS]):
        best = int(answers.values[i].argmax()) if answers.classifies else -1
        values = answers.values[i, : len(shown)].tolist()
        cells = [Text(f"{value:{digits}}", style="bold" if k == best else "") for k, value in enumerate(values)]
        table.add_row(Text(row), *(Text(name) for name in classes[i : i + 1]), *cells)
    console = output.console()
    console.print(table)
    hidden = []
    if len(answers.rows) > _TABLE_ROWS:
        hidden.append(output.plural(len(answers.rows) - _TABLE_ROWS, "more row"))
    if len(titles) > _TABLE_COLUMNS:
        hidden.append(output.plural(len(titles) - _TABLE_COLUMNS, "more column"))
    if hidden:
        console.print(f"and {' and '.join(hidden)}: --csv or --json print all")
