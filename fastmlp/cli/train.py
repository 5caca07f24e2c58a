"""``fastmlp train``: learn a data set, measure on rows held out from training, save and draw the result."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from fastmlp.callbacks import Callback
    from fastmlp.cli.tasks import Data, Task
    from fastmlp.models import Sequential

_DATASETS = ("spiral", "moons", "circles", "xor", "gaussians", "mnist")
_ENGINES = ("native", "reference")
_PIPED_LINES = 10
"""Lines of progress when there is no terminal to draw on."""

_EPILOG = """\
data sets:
  spiral     arms that wind around each other    2-64-64-3      adam, batches of 32, 100 epochs
  moons      two half circles                    2-64-64-2      the same, 60 epochs
  circles    a circle inside a circle            2-64-64-2      the same, 60 epochs
  xor        four clouds in two classes          2-64-64-2      the same, 40 epochs
  gaussians  round clouds                        2-64-64-3      the same, 20 epochs
  mnist      70,000 handwritten digits           784-512-10     rmsprop, batches of 128, 5 epochs

examples:
  fastmlp train
  fastmlp train moons --hidden 16,16 --activation tanh --epochs 200 --plot moons.png
  fastmlp train mnist --dropout 0.2 --epochs 20 --threads 4 --save digits.safetensors

A seed fixes the data, the first weights, the order of the rows and the dropout, so that a run can
be repeated to the last bit. Held-out rows are never trained on.
"""


def add_parser(commands: Any) -> None:
    """Adds ``train`` to the command's parser."""
    parser = commands.add_parser(
        "train",
        help="train a network on a data set",
        description="Train a network on a data set and measure it on held-out rows. Without arguments: three spiral arms.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("dataset", nargs="?", default="spiral", choices=_DATASETS, metavar="DATASET", help=", ".join(_DATASETS))
    network = parser.add_argument_group("network")
    network.add_argument("--hidden", type=_hidden, metavar="64,64", help="units of the hidden layers, or 'none'")
    network.add_argument("--activation", type=_activation, default="relu", metavar="NAME", help="of the hidden layers (default: relu)")
    network.add_argument("--dropout", type=_real(0, 1), default=0.0, metavar="RATE", help="fraction dropped after each hidden layer")
    training = parser.add_argument_group("training")
    training.add_argument("--optimizer", type=_optimizer, metavar="NAME", help="sgd, rmsprop or adam")
    training.add_argument("--learning-rate", type=_real(0), metavar="RATE", help="default: the optimizer's")
    training.add_argument("--batch-size", type=_count(1), metavar="ROWS", help="rows in a minibatch")
    training.add_argument("--epochs", type=_count(1), metavar="N", help="passes over the training rows")
    training.add_argument("--seed", type=_count(0, 2**32 - 1), default=0, metavar="N", help="default: 0")
    training.add_argument("--threads", type=_count(1), metavar="N", help="default: what this machine grants")
    training.add_argument("--engine", choices=_ENGINES, default="native", help="'reference' is readable NumPy, and slow")
    data = parser.add_argument_group("data (generated data sets only)")
    data.add_argument("--points", type=_count(2), metavar="N", help="points per class, train and test together")
    data.add_argument("--classes", type=_count(2, 100), metavar="N", help="arms of the spiral, or number of clouds")
    data.add_argument("--noise", type=_real(0), metavar="SIGMA", help="standard deviation")
    results = parser.add_argument_group("results")
    results.add_argument("--save", metavar="FILE", help="write the trained model to FILE (.safetensors)")
    results.add_argument("--plot", metavar="FILE", help="draw loss, accuracy and, for 2-D data, the decision boundary (.png, .svg, .pdf)")
    parser.set_defaults(run=lambda options: _run(options, parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from fastmlp.cli.tasks import TASKS

    task = TASKS[options.dataset]
    wanted = {"points_per_class": options.points, "classes": options.classes, "noise": options.noise}
    data_options = {name: value for name, value in wanted.items() if value is not None}
    for name in data_options.keys() - set(task.options):
        parser.error(f"--{name.removesuffix('_per_class')} does not apply to {task.name}")
    # A long training must not end in an error that could have come first.
    if options.save is not None:
        _check_save(options.save)
    if options.plot is not None:
        _check_plot(options.plot)

    from fastmlp import threads, utils

    utils.set_random_seed(options.seed)
    if options.threads is not None and options.engine == "native":
        threads.set_num_threads(options.threads)
    data = task.load(options.seed, **data_options)
    model = _model(task, data, options)
    epochs = options.epochs or task.epochs
    progress = _Watch(task.name, epochs)
    with progress:
        history = model.fit(
            data.x_train,
            data.y_train,
            batch_size=options.batch_size or task.batch_size,
            epochs=epochs,
            validation_data=(data.x_test, data.y_test),
            verbose=0,
            callbacks=progress.callback(),
        )
    results = {
        "train": model.evaluate(data.x_train, data.y_train, verbose=0, return_dict=True),
        "test": model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True),
    }
    if options.save is not None:
        from fastmlp.saving import save_model

        save_model(model, options.save, provenance=_provenance(task, data, data_options, options, results, progress.seconds))
    if options.plot is not None:
        from fastmlp.plotting import plot_training

        plot_training(history, model, (data.x_train, data.y_train), (data.x_test, data.y_test)).savefig(options.plot)
    _report(task, data, model, options, results, epochs, progress.seconds)
    return 0


def _check_save(path: str) -> None:
    from fastmlp.files import check_target

    check_target(path, overwrite=True)


def _check_plot(path: str) -> None:
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise ImportError('--plot needs matplotlib: pip install "fastmlp[plot]"') from None
    endings = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix.lower().removeprefix(".") not in endings:
        raise ValueError(f"--plot {path}: a picture's name ends in .png, .svg or .pdf")
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"--plot {path}: the folder {Path(path).parent} does not exist")


def _model(task: Task, data: Data, options: argparse.Namespace) -> Sequential:
    from fastmlp import layers, models, optimizers

    model = models.Sequential([layers.Input((data.features,))], name=task.name)
    for units in task.hidden if options.hidden is None else options.hidden:
        model.add(layers.Dense(units, activation=options.activation))
        if options.dropout:
            model.add(layers.Dropout(options.dropout))
    model.add(layers.Dense(data.classes, activation="softmax"))
    optimizer = optimizers.get(options.optimizer or task.optimizer)
    if options.learning_rate is not None:
        optimizer.learning_rate = options.learning_rate
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], engine=options.engine)
    return model


class _Watch:
    """Shows how training goes, and times it without the measurements on the held-out rows.

    On a terminal it is one bar that is drawn again and again; elsewhere a few lines.
    """

    def __init__(self, name: str, epochs: int) -> None:
        from fastmlp.cli import output

        self.seconds = 0.0
        self._epochs = epochs
        self._console = output.console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if self._console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = ("{task.description}", BarColumn(), "epoch", MofNCompleteColumn(), TimeElapsedColumn(), "{task.fields[numbers]}")
            made = (TextColumn(column) if isinstance(column, str) else column for column in columns)
            self._bar = Progress(*made, console=self._console)
            self._task = self._bar.add_task(name, total=epochs, numbers="")
        self._shown: AbstractContextManager[Any] = self._bar or nullcontext()

    def __enter__(self) -> None:
        self._shown.__enter__()

    def __exit__(self, *details: Any) -> None:
        self._shown.__exit__(*details)

    def callback(self) -> Callback:
        """What ``fit`` calls."""
        from fastmlp.callbacks import Callback

        watch = self

        class Watcher(Callback):
            started = 0.0

            def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
                self.started = time.perf_counter()

            def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
                watch.seconds += time.perf_counter() - self.started

            def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
                watch._show(epoch + 1, logs or {})

        return Watcher()

    def _show(self, epoch: int, logs: Mapping[str, Any]) -> None:
        numbers = f"loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}  held out {logs['val_accuracy']:.4f}"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=epoch, numbers=numbers)
        elif epoch * _PIPED_LINES // self._epochs > (epoch - 1) * _PIPED_LINES // self._epochs:
            self._console.print(f"epoch {epoch}/{self._epochs}  {numbers}", soft_wrap=True)


def _provenance(
    task: Task, data: Data, data_options: Mapping[str, Any], options: argparse.Namespace, results: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """What a model's file remembers of its training; ``predict`` prepares data by it."""
    return {
        "command": "fastmlp train",
        "dataset": task.name,
        "dataset_options": dict(data_options),
        "preparation": data.preparation.describe(),
        "classes": [str(k) for k in range(data.classes)],
        "seed": options.seed,
        "batch_size": options.batch_size or task.batch_size,
        "training_rows": len(data.x_train),
        "test_rows": len(data.x_test),
        "training_seconds": round(seconds, 3),
        "train": results["train"],
        "test": results["test"],
    }


def _report(
    task: Task, data: Data, model: Sequential, options: argparse.Namespace, results: Mapping[str, Any], epochs: int, seconds: float
) -> None:
    from fastmlp.cli import output
    from fastmlp.cli.output import plural

    widths = [data.features, *(task.hidden if options.hidden is None else options.hidden), data.classes]
    optimizer = model.optimizer
    rows: list[tuple[str, object]] = [
        ("test accuracy", _score(results["test"], plural(len(data.x_test), "held-out row"))),
        ("train accuracy", _score(results["train"], plural(len(data.x_train), "row"))),
        ("network", f"{'-'.join(map(str, widths))}, {options.activation}, {plural(model.count_params(), 'parameter')}"),
        (
            "training",
            f"{plural(epochs, 'epoch')}, batch size {options.batch_size or task.batch_size}, {type(optimizer).__name__.lower()} "
            f"at {optimizer.learning_rate:g}, seed {options.seed}",
        ),
        ("time", f"{output.seconds(seconds)}, {len(data.x_train) * epochs / max(seconds, 1e-9):,.0f} rows a second"),
        ("engine", _engine(options.engine)),
    ]
    if options.save is not None:
        rows.append(("model", options.save))
    if options.plot is not None:
        rows.append(("plot", options.plot))
    output.console().print(output.facts(f"{task.name}: {task.what}", rows))


def _score(result: Mapping[str, float], rows: str) -> str:
    return f"{result['accuracy']:.4f}  (loss {result['loss']:.4f}, {rows})"


def _engine(name: str) -> str:
    if name == "reference":
        return "reference (NumPy)"
    from fastmlp import build_info
    from fastmlp.cli.output import plural

    info = build_info()
    return f"native, {info['isa']}, {plural(info['threads'], 'thread')}"


# Types of arguments: argparse puts the name of the option before the message.


def _hidden(text: str) -> tuple[int, ...]:
    if text.lower() in {"none", "0", ""}:
        return ()
    try:
        units = tuple(int(part) for part in text.replace("-", ",").split(","))
    except ValueError:
        units = (0,)
    if min(units) < 1:
        raise argparse.ArgumentTypeError(f"expected whole numbers with commas between, such as 64,64, got {text!r}")
    return units


def _activation(text: str) -> str:
    from fastmlp import activations

    return _known(activations.get, text)


def _optimizer(text: str) -> str:
    from fastmlp import optimizers

    return _known(optimizers.get, text)


def _known(look_up: Callable[[str], object], name: str) -> str:
    try:
        look_up(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def _count(least: int, most: int | None = None) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"must be at least {least}" + (f" and at most {most}" if most else "") + f", got {value}")
        return value

    return convert


def _real(least: float, below: float = float("inf")) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
        if not least <= value < below:
            raise argparse.ArgumentTypeError(f"must be at least {least:g} and below {below:g}, got {text}")
        return value

    return convert
