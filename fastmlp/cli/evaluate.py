"""``fastmlp evaluate``: scores of a model of tables on a file that has the target."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import fastmlp.cli.arguments as arguments

if TYPE_CHECKING:
    from fastmlp.cli.tables.scores import Scores
    from fastmlp.cli.tables.stored import StoredTable

_EPILOG = """\
examples:
  fastmlp evaluate houses.safetensors sold-this-year.csv
  zcat test.csv.gz | fastmlp evaluate adult.safetensors - --no-header --json

The scores are accuracy, log-loss and, for two classes, the area under the ROC curve, or root mean squared error, mean absolute error and
R². Beside them are those of a prediction that is always the same: the frequencies of the classes in training, or the mean.
"""


def add_parser(commands: arguments.Commands) -> None:
    """Add ``evaluate`` to the command's parser."""
    parser = commands.add_parser(
        "evaluate",
        help="score a saved model on a file",
        description="Compare the predictions of a model that was trained on a file with the targets in another file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="a model that was trained on a file (.safetensors)")
    parser.add_argument("data", metavar="FILE", help=".csv, .csv.gz, .tsv, .txt, .parquet, or - for the standard input")
    parser.add_argument("--target", metavar="COLUMN", help="the column with the targets (default: that of the training)")
    arguments.add_header(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from fastmlp.cli.tables.stored import StoredTable
    from fastmlp.errors import UnsupportedError
    from fastmlp.saving import describe, load_model

    provenance = describe(options.model)["provenance"]
    model = load_model(options.model, compile=False)
    stored = StoredTable.of(model, provenance)
    if stored is None:
        raise UnsupportedError(f"{options.model} is no model of tables; use it from Python: fastmlp.load_model(...).evaluate(x, y)")
    rows, scores = _scores(model, stored, options)
    if options.json:
        print(json.dumps({"rows": rows, "scores": scores}, indent=1))
        return 0

    import fastmlp.cli.output as output
    from fastmlp.cli.tables.report import scores_table

    output.console().print(scores_table(f"scores on {output.plural(rows, 'row')}", scores))
    return 0


def _scores(model: Any, stored: StoredTable, options: argparse.Namespace) -> tuple[int, dict[str, Scores]]:
    """The number of rows with a target, and the scores of the model and of a constant prediction."""
    import numpy as np

    from fastmlp._base.progress import note
    from fastmlp.cli.output import plural
    from fastmlp.cli.suggestions import find_name
    from fastmlp.cli.tables.networks import predicted
    from fastmlp.cli.tables.scores import classification_scores, regression_scores
    from fastmlp.errors import UnsupportedError

    target = options.target or stored.target
    if target is None:
        raise ValueError(f"{options.model} does not have the name of its target; give it with --target")
    table = stored.read(options.data, options.header, (target,))
    target = find_name(target, list(table.columns), "column")
    y = stored.targets(table, target)
    known = ~np.isnan(y)
    if not known.any():
        raise ValueError(f"{table.path} has no value in the column {target!r}")
    if not known.all():
        note(f"fastmlp: {plural(int((~known).sum()), 'row')} without a value in {target!r} left out")
        table, y = table.select(known), y[known]
    values = predicted(model, stored.features(table), stored.classes)
    if stored.classes:
        codes = y.astype(np.int64)
        usual = np.array(stored.usual or np.bincount(codes, minlength=len(stored.classes)) / len(codes))
        name = f"always {stored.classes[int(usual.argmax())]!r:.40}"
        constant = np.tile(usual, (len(codes), 1))
        return len(y), {"model": classification_scores(codes, values), name: classification_scores(codes, constant)}
    if values.shape[1] > 1:
        raise UnsupportedError(
            f"{options.model} predicts {values.shape[1]} numbers; use it from Python: fastmlp.load_model(...).evaluate(x, y)"
        )
    constant = np.full(len(y), stored.usual[0] if stored.usual else y.mean())
    return len(y), {"model": regression_scores(y, values[:, 0]), "always the mean": regression_scores(y, constant)}
