"""``fastmlp train``: train on a data set, evaluate on its test samples, save and plot the result."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import fastmlp.cli.arguments as arguments
from fastmlp._base.progress import ProgressLine, note

if TYPE_CHECKING:
    from fastmlp.callbacks import Callback
    from fastmlp.cli.tasks import Data, Task
    from fastmlp.models import Sequential

_PIPED_LINES = 10
"""The number of progress lines without a terminal."""

_EPILOG = f"""\
{arguments.ABOUT_DATASETS}
examples:
  fastmlp train
  fastmlp train moons --hidden 16,16 --activation tanh --epochs 200 --plot moons.png
  fastmlp train mnist --dropout 0.2 --epochs 20 --threads 4 --save digits.safetensors
  fastmlp train mnist --to-accuracy 0.99

A seed determines the data, the initial weights, the order of the samples and the dropout, so that
a run can be reproduced to the last bit. Test samples are never trained on.
"""


def add_parser(commands: arguments.Commands) -> None:
    """Add ``train`` to the command's parser."""
    parser = commands.add_parser(
        "train",
        help="train a network on a data set",
        description="Train a network on a data set and evaluate it on test samples. Without arguments: three spiral arms.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    arguments.add_dataset(parser)
    network = parser.add_argument_group("network")
    network.add_argument("--hidden", type=arguments.hidden, metavar="64,64", help="units of the hidden layers, or 'none'")
    network.add_argument(
        "--activation", type=arguments.activation, default="relu", metavar="NAME", help="of the hidden layers (default: relu)"
    )
    network.add_argument(
        "--dropout", type=arguments.real(0, 1), default=0.0, metavar="RATE", help="fraction dropped after each hidden layer"
    )
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
    results.add_argument("--plot", metavar="FILE", help="draw loss, accuracy and, for 2-D data, the decision boundary (.png, .svg, .pdf)")
    parser.set_defaults(run=lambda options: _run(options, parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    task = _task(options, parser)
    data_options = arguments.data_options(options, task, parser)
    # An invalid path must be an error before the long training, not after it.
    if options.save is not None:
        _check_save(options.save)
    if options.plot is not None:
        arguments.check_plot(options.plot)

    from fastmlp import utils
    from fastmlp._engine import threads

    utils.set_random_seed(options.seed)
    if options.threads is not None and options.engine == "native":
        threads.set_num_threads(options.threads)
    data = task.load(options.seed, **data_options)
    model = _model(task, data, options)
    x, y = (task.batches(data, options.seed), None) if task.deformed else (data.x_train, data.y_train)
    progress = _Watch(task.name, task.epochs)
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


class _Watch:
    """Draws the progress line of training, and times training without the evaluation on the test samples."""

    def __init__(self, name: str, epochs: int) -> None:
        self.seconds = 0.0
        self._line = ProgressLine(epochs, name=name, unit="epoch", lines=_PIPED_LINES, stream=sys.stderr)

    def __enter__(self) -> None:
        self._line.__enter__()

    def __exit__(self, *details: object) -> None:
        self._line.__exit__(*details)

    def callback(self) -> Callback:
        """The callback for ``fit``."""
        from fastmlp.callbacks import Callback

        watch = self

        class Watcher(Callback):
            started = 0.0

            def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
                self.started = time.perf_counter()

            def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
                watch.seconds += time.perf_counter() - self.started
                self.started = math.inf

            def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
                logs = logs or {}
                watch.seconds += max(0.0, time.perf_counter() - self.started)  # 0 if the epoch ended with a test
                watch._line.show(epoch + 1, {name: logs[name] for name in ("loss", "accuracy", "val_accuracy") if name in logs})

        return Watcher()


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
        ("engine", _engine(options.engine)),
    ]
    if options.save is not None:
        rows.append(("model", options.save))
    if options.plot is not None:
        rows.append(("plot", options.plot))
    output.console().print(output.facts(f"{task.name}: {task.what}", rows))


def _score(result: Mapping[str, float], samples: str) -> str:
    return f"{result['accuracy']:.4f}  (loss {result['loss']:.4f}, {samples})"


def _engine(name: str) -> str:
    if name == "reference":
        return "reference (NumPy)"
    from fastmlp import build_info
    from fastmlp.cli.output import plural

    info = build_info()
    return f"native, {info['isa']}, {plural(info['threads'], 'thread')}"
