"""``fastmlp train``: train on a data set or on a file, evaluate on test samples, save and plot the result."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import fastmlp.cli.arguments as arguments
from fastmlp._base.progress import note
from fastmlp.cli.watch import Watch

if TYPE_CHECKING:
    from fastmlp.cli.tasks import Data, Task
    from fastmlp.models import Sequential

_EPILOG = f"""\
{arguments.ABOUT_DATASETS}
examples:
  fastmlp train
  fastmlp train moons --hidden 16,16 --activation tanh --epochs 200 --plot moons.png
  fastmlp train mnist --dropout 0.2 --epochs 20 --threads 4 --save digits.safetensors
  fastmlp train mnist --to-accuracy 0.99
  fastmlp train houses.csv --target price --drop id,notes --out houses.safetensors
  fastmlp train adult.csv.gz --no-header --target 15 --plot adult.png
  zcat log.tsv.gz | fastmlp train - --target outcome --id ticket --task classification

A file may be CSV (separated by commas, semicolons, tabs or blanks, packed by gzip or not), or Parquet with pyarrow. What its columns
hold is detected and shown: numbers (also 1,234.5 and 1.234,5, $5 and 12%), dates, true and false, or categories; empty fields, ?, NA and
similar ones are missing values. Columns that are constant, that count the rows, or that have a different text in most rows are left
out. A target of words is predicted by its classes, one of numbers as a number. By default the network has two layers of 256, dropout of
0.1, and trains with adam until the validation loss has not decreased for 16 epochs, 256 at most.

A seed determines the data, the initial weights, the order of the samples and the dropout, so that
a run can be reproduced to the last bit. Test samples are never trained on.
"""


def add_parser(commands: arguments.Commands) -> None:
    """Add ``train`` to the command's parser."""
    parser = commands.add_parser(
        "train",
        help="train a network on a data set or a file",
        description="Train a network on a data set, or on a file with a table, and evaluate it on test samples. "
        "Without arguments: three spiral arms.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "dataset",
        nargs="?",
        default="spiral",
        type=arguments.dataset_or_file,
        metavar="DATASET|FILE",
        help=f"{', '.join(arguments.DATASETS)}, or a file: .csv, .csv.gz, .tsv, .txt, .parquet, or - for the standard input",
    )
    _add_file_options(parser)
    network = parser.add_argument_group("network")
    network.add_argument("--hidden", type=arguments.hidden, metavar="64,64", help="units of the hidden layers, or 'none'")
    network.add_argument("--activation", type=arguments.activation, metavar="NAME", help="of the hidden layers (default: relu)")
    network.add_argument("--dropout", type=arguments.real(0, 1), metavar="RATE", help="fraction dropped after each hidden layer")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--to-accuracy",
        nargs="?",
        type=arguments.real(0, 1),
        const=0.99,
        metavar="FRACTION",
        help="use the fastest recipe for this test accuracy (mnist: up to 0.99, the default), and fail below it; other options change it",
    )
    training.add_argument("--optimizer", type=arguments.optimizer, metavar="NAME", help="sgd, rmsprop or adam")
    training.add_argument("--learning-rate", "--lr", type=arguments.real(0), metavar="RATE", help="default: the optimizer's")
    training.add_argument("--batch-size", type=arguments.count(1), metavar="N", help="samples in a batch")
    training.add_argument("--epochs", type=arguments.count(1), metavar="N", help="passes over the training samples")
    training.add_argument("--seed", type=arguments.count(0, 2**32 - 1), default=0, metavar="N", help="default: 0")
    training.add_argument("--threads", type=arguments.count(1), metavar="N", help="default: what this machine grants")
    training.add_argument("--engine", choices=arguments.ENGINES, default="native", help="'reference' is readable NumPy, and slow")
    arguments.add_data_options(parser)
    results = parser.add_argument_group("results")
    results.add_argument("--save", "--out", metavar="FILE", help="write the trained model to FILE (.safetensors)")
    results.add_argument(
        "--plot",
        metavar="FILE",
        help="draw loss, accuracy, and the decision boundary of 2-D data or the predictions for a file's test rows (.png, .svg, .pdf)",
    )
    parser.set_defaults(run=lambda options: _run(options, parser))


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    table = parser.add_argument_group("table (FILE only; COLUMN is a name, or a number from 1)")
    table.add_argument("--target", metavar="COLUMN", help="the column to predict")
    table.add_argument("--task", choices=("classification", "regression"), help="default: by the values of the target")
    table.add_argument("--drop", action="append", default=[], metavar="A,B", help="columns to leave out")
    table.add_argument("--id", metavar="COLUMN", help="a column that identifies rows; it is left out, and repeated in predictions")
    table.add_argument(
        "--kind",
        action="append",
        default=[],
        type=arguments.column_kind,
        metavar="COLUMN=KIND",
        help="what a column holds, if it is not detected: number, boolean, date or category",
    )
    table.add_argument("--test-fraction", type=arguments.real(0.01, 1), metavar="FRACTION", help="of rows for the test (default: 0.2)")
    arguments.add_header(table)


_FILE_OPTIONS = ("target", "task", "drop", "id", "kind", "test_fraction", "header")
_DATASET_OPTIONS = ("points", "classes", "noise", "to_accuracy")


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    # An invalid path must be an error before the long training, not after it.
    file = options.dataset not in arguments.DATASETS
    for name in _DATASET_OPTIONS if file else _FILE_OPTIONS:
        if getattr(options, name) not in (None, []):
            parser.error(f"--{name.replace('_', '-')} does not apply to {'files' if file else options.dataset}")
    if options.save is not None:
        _check_save(options.save)
    if options.plot is not None:
        arguments.check_plot(options.plot)
    if file:
        from fastmlp.cli.tables.training import run

        return run(options, parser)
    options.activation, options.dropout = options.activation or "relu", options.dropout or 0.0
    task = _task(options, parser)
    data_options = arguments.data_options(options, task, parser)

    from fastmlp import utils
    from fastmlp._engine import threads

    utils.set_random_seed(options.seed)
    if options.threads is not None and options.engine == "native":
        threads.set_num_threads(options.threads)
    data = task.load(options.seed, **data_options)
    model = _model(task, data, options)
    x, y = (task.batches(data, options.seed), None) if task.deformed else (data.x_train, data.y_train)
    progress = Watch(task.name, task.epochs)
    with progress:
        history = model.fit(
            x,
            y,
            batch_size=None if task.deformed else task.batch_size,
            epochs=task.epochs,
            validation_data=(data.x_test, data.y_test) if options.to_accuracy is None else None,
            verbose=0,
            callbacks=progress.callback(),
        )
    last_epoch = {name: values[-1] for name, values in history.history.items()}
    results = {  # a recipe's whole run should be short, so the training samples are not evaluated after it
        "train": model.evaluate(data.x_train, data.y_train, verbose=0, return_dict=True) if options.to_accuracy is None else last_epoch,
        "test": model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True),
    }
    if options.save is not None:
        from fastmlp.saving import save_model

        save_model(model, options.save, provenance=_provenance(task, data, data_options, options, results, progress.seconds))
    if options.plot is not None:
        from fastmlp.plotting import plot_training

        plot_training(history, model, (data.x_train, data.y_train), (data.x_test, data.y_test)).savefig(options.plot)
    _report(task, data, model, options, results, progress.seconds)
    reached = results["test"]["accuracy"]
    if options.to_accuracy is not None and reached < options.to_accuracy:
        note(f"fastmlp: the test accuracy is {reached:.4f}, less than the {options.to_accuracy:g} of --to-accuracy")
        return 1
    return 0


def _task(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Task:
    """The data set with its default settings, or with those of the fastest recipe for an accuracy, and the options that were given."""
    from fastmlp.cli.tasks import RECIPES, TASKS

    task, target = TASKS[options.dataset], options.to_accuracy
    if target is not None:
        recipes = RECIPES.get(task.name)
        if recipes is None:
            parser.error(f"--to-accuracy does not apply to {task.name}: there are recipes for {', '.join(RECIPES)}")
        if target > max(recipes):
            parser.error(f"argument --to-accuracy: must be a number ≤ {max(recipes)}, which the best recipe reaches, got {target:g}")
        task = next(recipe for accuracy, recipe in recipes.items() if accuracy >= target)
    names = ("hidden", "optimizer", "learning_rate", "batch_size", "epochs")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return dataclasses.replace(task, **given)


def _check_save(path: str) -> None:
    from fastmlp._base.files import check_target

    check_target(path, overwrite=True)


def _model(task: Task, data: Data, options: argparse.Namespace) -> Sequential:
    from fastmlp.cli.tasks import network

    return network(
        data.shape,
        data.classes,
        task.hidden,
        options.activation,
        options.dropout,
        task.optimizer,
        task.schedule(len(data.x_train)),
        options.engine,
        task.name,
        task.label_smoothing,
    )


def _provenance(
    task: Task, data: Data, data_options: Mapping[str, Any], options: argparse.Namespace, results: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """The training, as recorded in the model file."""
    return {
        "command": "fastmlp train",
        "dataset": task.name,
        "dataset_options": dict(data_options),
        "classes": [str(k) for k in range(data.classes)],
        "seed": options.seed,
        "batch_size": task.batch_size,
        "training_rows": len(data.x_train),
        "test_rows": len(data.x_test),
        "training_seconds": round(seconds, 3),
        "train": results["train"],
        "test": results["test"],
    }


def _report(task: Task, data: Data, model: Sequential, options: argparse.Namespace, results: Mapping[str, Any], seconds: float) -> None:
    import fastmlp.cli.output as output
    from fastmlp.cli.output import plural

    widths = [data.features, *task.hidden, data.classes]
    optimizer = type(model.optimizer).__name__.lower()
    rate = f"in one cycle up to {task.learning_rate:g}" if task.one_cycle else f"at {model.optimizer.learning_rate:g}"
    in_training = "" if options.to_accuracy is None else " in the last epoch"
    rows: list[tuple[str, object]] = [
        ("test accuracy", _score(results["test"], plural(len(data.x_test), "sample"))),
        ("train accuracy", _score(results["train"], plural(len(data.x_train), "sample") + in_training)),
        ("network", f"{'-'.join(map(str, widths))}, {options.activation}, {plural(model.count_params(), 'parameter')}"),
        (
            "training",
            f"{plural(task.epochs, 'epoch')}, batch size {task.batch_size}, {optimizer} {rate}, seed {options.seed}",
        ),
        ("time", f"{output.seconds(seconds)}, {len(data.x_train) * task.epochs / max(seconds, 1e-9):,.0f} samples/s"),
        ("engine", output.engine(options.engine)),
    ]
    if options.save is not None:
        rows.append(("model", options.save))
    if options.plot is not None:
        rows.append(("plot", options.plot))
    output.console().print(output.facts(f"{task.name}: {task.what}", rows))


def _score(result: Mapping[str, float], samples: str) -> str:
    return f"{result['accuracy']:.4f}  (loss {result['loss']:.4f}, {samples})"
