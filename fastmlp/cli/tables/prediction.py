"""Predictions of models of tables for files, and their scores on files that have the target."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.answers import Answers
from fastmlp.cli.suggestions import find_name
from fastmlp.cli.tables.names import STDIN
from fastmlp.cli.tables.networks import predicted

if TYPE_CHECKING:
    from fastmlp._models.model import Model
    from fastmlp.cli.tables.stored import StoredTable

__all__ = ["predict"]


def predict(model: Model, stored: StoredTable, options: argparse.Namespace) -> Answers:
    """Predict for the files of the command line.

    Raises:
        ValueError: A file lacks a column, or probabilities of a regression are wanted.
    """
    if options.proba and not stored.classes:
        raise ValueError(f"--proba is for classifiers, but {options.model} predicts numbers")
    rows: list[str] = []
    parts: list[NDArray[np.float32]] = []
    identifier = options.id
    for path in options.data:
        table = stored.read(path, options.header, () if identifier is None else (identifier,))
        if identifier is None and not parts and stored.id in table.columns:
            identifier = stored.id
        elif identifier is not None:
            identifier = find_name(identifier, list(table.columns), "column")
        parts.append(predicted(model, stored.features(table), stored.classes))
        if identifier is not None:
            rows += stored.identifiers(table, identifier)
        else:
            name = "" if len(options.data) == 1 else f"{path if path == STDIN else Path(path).name}:"
            rows += [f"{name}{row}" for row in range(table.rows)]
    values = np.concatenate(parts)
    return Answers(
        rows,
        stored.classes or [str(output) for output in range(values.shape[1])],
        values,
        classifies=bool(stored.classes),
        row_title=identifier or "row",
        target=stored.target or ("" if stored.classes else "prediction"),
        probabilities=options.proba,
    )
