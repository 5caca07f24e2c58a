"""``fastmlp train FILE --target COLUMN``: what is learned from a file is decided, shown, learned, tested and saved."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fastmlp.cli.output as output
from fastmlp._base.progress import note
from fastmlp.cli.output import plural
from fastmlp.cli.tables import networks, settings
from fastmlp.cli.tables.names import STDIN
from fastmlp.cli.tables.problem import Problem, pose, split
from fastmlp.cli.tables.reading import read_columns
from fastmlp.cli.tables.report import columns_table, listed, scores_table
from fastmlp.cli.tables.scores import Scores
from fastmlp.cli.tables.settings import TableSettings
from fastmlp.cli.tables.stored import describe_problem
from fastmlp.cli.watch import Watch

if TYPE_CHECKING:
    from fastmlp.callbacks import History
    from fastmlp.cli.tables.networks import Rows
    from fastmlp.models import Sequential

__all__ = ["run"]

_SETTINGS = ("hidden", "activation", "dropout", "optimizer", "learning_rate", "batch_size", "epochs")

_TEST_FRACTION = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class _Parts:
    """The rows for training, for the choice of the best epoch, and for the test."""

    train: Rows
    validation: Rows
    test: Rows


def run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run the command for a file; the paths of its results have been checked."""
    named = [options.target, options.id, *options.drop]
    table = read_columns(options.dataset, options.header, [name for name in named if name is not None])
    if options.target is None:
        parser.error(f"--target COLUMN is needed: which column of {table.path} is to be predicted? It has {listed(table.columns, 30)}")
    problem = pose(
        table,
        options.target,
        task=options.task,
        drop=_dropped(options.drop, list(table.columns)),
        identifier=options.id,
        kinds=dict(options.kind),
    )
    if options.header is None and not table.header:
        note(f"fastmlp: {table.path} seems to have no header: the columns are column_1 to column_{len(table.columns)}; see --header")
    for new, old in table.renamed.items():
        note(f"fastmlp: {table.path} has several columns called {old!r}; one of them is called {new!r} here")
    if problem.without_target:
        note(f"fastmlp: {plural(problem.without_target, 'row')} without a value in {problem.target!r} left out")

    from fastmlp import utils
    from fastmlp._engine import threads

    utils.set_random_seed(options.seed)
    if options.threads is not None and options.engine == "native":
        threads.set_num_threads(options.threads)
    parts, chosen = _prepared(problem, options)
    name = "table" if options.dataset == STDIN else Path(table.path).name.partition(".")[0] or "table"
    model = networks.network(problem, parts.train, chosen, options.engine, name)
    console = output.console()
    console.print(columns_table(problem, networks.described_features(model) or {}))
    console.print(f"{problem.task}: {problem.reason}", markup=False)

    watch = Watch(name, chosen.epochs, ("loss", "val_loss", "val_accuracy"))
    with watch:
        history = networks.learn(model, problem, parts.train, parts.validation, chosen, [watch.callback()])
    scores = {"network": networks.score(model, problem, parts.test)} | _baselines(problem, parts, options)
    if options.save is not None:
        from fastmlp.saving import save_model

        save_model(model, options.save, provenance=_provenance(problem, parts, chosen, options, history, scores, watch.seconds))
    if options.plot is not None:
        from fastmlp.cli.tables.plot import plot_table

        values = networks.predicted(model, networks.features_of(problem, parts.test), problem.classes)
        plot_table(history, problem.target, problem.classes, problem.y[parts.test], values).savefig(options.plot)
    console.print(scores_table(f"scores on {plural(len(parts.test), 'test row')}", scores))
    console.print(output.facts(name, _facts(problem, parts, chosen, options, model, history, watch.seconds)))
    _warn(scores)
    return 0


def _dropped(given: list[str], names: list[str]) -> list[str]:
    """The columns of ``--drop``: names with commas between, or one name that has commas."""
    return [name.strip() for text in given for name in ([text] if text in names else text.split(","))]


def _prepared(problem: Problem, options: argparse.Namespace) -> tuple[_Parts, TableSettings]:
    random = np.random.default_rng(options.seed)
    stratified = problem.task == "classification"
    rest, test = split(problem.y, np.arange(problem.table.rows), options.test_fraction or _TEST_FRACTION, stratified, random)
    train, validation = split(problem.y, rest, TableSettings().validation_fraction, stratified, random)
    given = {name: getattr(options, name) for name in _SETTINGS if getattr(options, name) is not None}
    return _Parts(train, validation, test), dataclasses.replace(settings.for_rows(len(train)), **given)


def _baselines(problem: Problem, parts: _Parts, options: argparse.Namespace) -> dict[str, Scores]:
    """Scores of a network without hidden layers, and of a prediction without features."""
    linear = networks.network(problem, parts.train, settings.LINEAR, options.engine, "linear")
    networks.learn(linear, problem, parts.train, parts.validation, settings.LINEAR)
    usual = f"always {problem.classes[int(np.bincount(problem.y[parts.train]).argmax())]!r:.40}" if problem.classes else "always the mean"
    return {
        "logistic regression" if problem.classes else "linear regression": networks.score(linear, problem, parts.test),
        usual: networks.constant_score(problem, parts.train, parts.test),
    }


def _warn(scores: dict[str, Scores]) -> None:
    """Say so if the network is no better than something simpler."""
    names = list(scores)
    kind = "log_loss" if "log_loss" in scores["network"] else "rmse"
    for other in reversed(names[1:]):
        if scores["network"][kind] >= scores[other][kind]:
            note(f"fastmlp: on the test rows the network is no better than {other}: try other --hidden, --dropout, --lr, or more data")
            return


def _provenance(
    problem: Problem,
    parts: _Parts,
    chosen: TableSettings,
    options: argparse.Namespace,
    history: History,
    scores: dict[str, Scores],
    seconds: float,
) -> dict[str, Any]:
    """The training, as recorded in the model file."""
    return {
        "command": "fastmlp train",
        "file": Path(problem.table.path).name,
        "task": problem.task,
        "training_rows": len(parts.train),
        "validation_rows": len(parts.validation),
        "test_rows": len(parts.test),
        "seed": options.seed,
        "batch_size": chosen.batch_size,
        "epochs": len(history.epoch),
        "training_seconds": round(seconds, 3),
        "scores": scores,
        "table": describe_problem(problem, parts.train),
    }


def _facts(
    problem: Problem, parts: _Parts, chosen: TableSettings, options: argparse.Namespace, model: Sequential, history: History, seconds: float
) -> list[tuple[str, object]]:
    losses = history.history["val_loss"]
    best, ran = int(np.argmin(losses)) + 1, len(losses)
    stopped = f"{plural(ran, 'epoch')} of at most {chosen.epochs}" if ran < chosen.epochs else plural(ran, "epoch")
    widths = [f"{plural(len(problem.features), 'column')}", *chosen.hidden, max(1, len(problem.classes) if len(problem.classes) > 2 else 1)]
    rows: list[tuple[str, object]] = [
        ("network", f"{'-'.join(map(str, widths))}, {chosen.activation}, {plural(model.count_params(), 'parameter')}"),
        (
            "training",
            f"{plural(len(parts.train), 'row')}, {stopped}, batch size {chosen.batch_size}, "
            f"{type(model.optimizer).__name__.lower()} at {model.optimizer.learning_rate:g}, seed {options.seed}",
        ),
        ("best epoch", f"{best}, by the loss on {plural(len(parts.validation), 'validation row')}"),
        ("time", output.seconds(seconds)),
        ("engine", output.engine(options.engine)),
        ("model", options.save if options.save is not None else "not saved; --out model.safetensors saves it"),
    ]
    if options.plot is not None:
        rows.append(("plot", options.plot))
    return rows
