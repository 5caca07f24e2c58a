"""``fastmlp sweep``: train every combination of network and training settings on a data set, in parallel, and compare them in a table."""

from __future__ import annotations

import argparse
import functools
import sys
from typing import TYPE_CHECKING, Any

import fastmlp.cli.arguments as arguments
from fastmlp._base.progress import ProgressLine, note

if TYPE_CHECKING:
    from fastmlp.cli.tasks import Data, Task
    from fastmlp.sweep import Results, Run

_AXES = ("hidden", "activation", "dropout", "optimizer", "learning_rate", "batch_size", "epochs")
"""Every file has a column for each of these, so that a sweep can be continued with values for more of them."""
_SORT = {"accuracy": "validation_accuracy", "loss": "validation_loss", "seconds": "seconds", "parameters": "parameters"}
_PIPED_LINES = 10
"""The number of progress lines without a terminal."""

_EPILOG = f"""\
{arguments.ABOUT_DATASETS}
examples:
  fastmlp sweep spiral --hidden 16 64,64 --learning-rate 0.001 0.01 --activation relu tanh --epochs 20 100 --out sweep.csv
  fastmlp sweep moons --epochs 1 2 5 10 20 50 --hidden 4 16 64 --plot epochs.png
  fastmlp sweep mnist --hidden 32 128 512 --dropout 0 0.2 --epochs 5 --seeds 2 --out digits.csv --markdown

Every option of network and training takes one or several values, and every combination of them is
trained with several seeds: mean and standard deviation are shown. A run has a core to itself, and its
numbers do not depend on how many others there are. Runs that differ in their epochs alone are one training.

Half of the data set's test samples are for validation: they choose the best combination, which therefore
looks a little too good on them. The other half has no part in that; the best is measured on it once, at the end.

With --out, a run is in the file as soon as it is done. Stop the sweep whenever you like, Ctrl-C or
kill -9, and run the same command again: it goes on with what is missing. More values, or more seeds,
may be added then too.
"""


def add_parser(commands: arguments.Commands) -> None:
    """Add ``sweep`` to the command's parser."""
    parser = commands.add_parser(
        "sweep",
        help="compare networks and settings on a data set",
        description="Train every combination of the settings, in parallel, and compare them on validation samples in one table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    arguments.add_dataset(parser)
    several: dict[str, Any] = {"nargs": "+"}
    network = parser.add_argument_group("network (one value or several)")
    network.add_argument("--hidden", type=arguments.hidden, metavar="64,64", help="units of the hidden layers, or 'none'", **several)
    network.add_argument("--activation", type=arguments.activation, metavar="NAME", help="of the hidden layers (default: relu)", **several)
    network.add_argument("--dropout", type=arguments.real(0, 1), metavar="RATE", help="fraction dropped after each hidden layer", **several)
    training = parser.add_argument_group("training (one value or several)")
    training.add_argument("--optimizer", type=arguments.optimizer, metavar="NAME", help="sgd, rmsprop, adam, ...", **several)
    training.add_argument("--learning-rate", "--lr", type=arguments.real(0), metavar="RATE", help="default: the optimizer's", **several)
    training.add_argument("--batch-size", type=arguments.count(1), metavar="N", help="samples in a batch", **several)
    training.add_argument("--epochs", type=arguments.count(1), metavar="N", help="passes over the training samples", **several)
    runs = parser.add_argument_group("runs")
    runs.add_argument("--seeds", type=arguments.count(1, 10_000), default=3, metavar="N", help="trainings of each combination (default: 3)")
    runs.add_argument("--workers", type=arguments.count(1), metavar="N", help="processes (default: the cores this machine grants)")
    runs.add_argument("--engine", choices=arguments.ENGINES, default="native", help="'reference' is readable NumPy, and slow")
    arguments.add_data_options(parser)
    results = parser.add_argument_group("results")
    results.add_argument("--out", metavar="FILE", help="keep the numbers of every run in FILE (.csv), and go on from there the next time")
    results.add_argument("--sort", choices=_SORT, metavar="COLUMN", help=f"order of the table: {', '.join(_SORT)} (default: accuracy)")
    results.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    results.add_argument("--plot", metavar="FILE", help="draw the accuracy against what varies most (.png, .svg, .pdf)")
    parser.set_defaults(run=lambda options: _run(options, parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from fastmlp.cli.tasks import TASKS, network

    task = TASKS[options.dataset]
    data_options = arguments.data_options(options, task, parser)
    for name in _AXES:
        given = getattr(options, name) or []
        if len(set(given)) < len(given):
            parser.error(f"--{name.replace('_', '-')} has the same value twice")
    if options.plot is not None:
        arguments.check_plot(options.plot)

    from fastmlp import sweep
    from fastmlp.utils import split_dataset

    data = task.load(0, **data_options)
    build = functools.partial(network, data.shape, data.classes, engine=options.engine, name=task.name)
    validation, test = split_dataset((data.x_test, data.y_test), 0.5, shuffle=True, seed=0)
    bar = _Bar(task.name, options.out)
    try:
        with bar:
            results = sweep.run(
                build,
                _grid(task, options),
                (data.x_train, data.y_train),
                validation,
                test_data=test,
                seeds=options.seeds,
                out=options.out,
                workers=options.workers,
                verbose=0,
                on_progress=bar.show,
            )
    except sweep.SweepInterrupted as stop:
        if stop.results:
            _report(task, data, stop.results, options)
        print(stop, file=sys.stderr)
        raise
    _report(task, data, results, options)
    return 0


def _grid(task: Task, options: argparse.Namespace) -> dict[str, list[Any]]:
    usual = {
        "hidden": task.hidden,
        "activation": "relu",
        "dropout": 0.0,
        "optimizer": task.optimizer,
        "learning_rate": None,
        "batch_size": task.batch_size,
        "epochs": task.epochs,
    }
    return {name: getattr(options, name) or [usual[name]] for name in _AXES}


class _Bar:
    """Draws the progress line of a sweep, once the workers have started."""

    def __init__(self, name: str, file: str | None) -> None:
        self._name, self._file = name, file
        self._line: ProgressLine | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.abandon()

    def show(self, done: int, total: int, latest: Run | None) -> None:
        """The progress function of ``sweep.run``."""
        from fastmlp.cli.output import plural

        if latest is None and done:
            note(f"{done:,} of {plural(total, 'run')} found in {self._file}")
        if self._line is None:
            self._line = ProgressLine(total, name=self._name, unit="run", done=done, lines=_PIPED_LINES, stream=sys.stderr)
        if latest is not None or self._line.live:
            self._line.show(done, {} if latest is None else {"validation_accuracy": latest.numbers["validation_accuracy"]})


def _report(task: Task, data: Data, results: Results, options: argparse.Namespace) -> None:
    from rich.table import Table
    from rich.text import Text

    import fastmlp.cli.output as output
    from fastmlp.sweep.grid import describe
    from fastmlp.sweep.results import spread

    if options.plot is not None:
        from fastmlp.plotting import plot_sweep

        plot_sweep(results).savefig(options.plot)
    if options.sort is not None:
        results = results.sorted(_SORT[options.sort])
    tested = len(data.x_test) - len(data.x_test) // 2
    title = f"{task.name}: {task.what}, {len(data.x_train):,} training, {len(data.x_test) // 2:,} validation and {tested:,} test samples"
    same = describe({name: value for name, value in results.best.combination.items() if name not in results.varying})
    notes = [f"Mean ± standard deviation over {output.plural(options.seeds, 'seed')}." if options.seeds > 1 else "One seed."]
    if same:
        notes.append(f"The same for all: {same}.")
    if results.test is not None:
        accuracy, loss = (spread(results.test, f"test_{name}") for name in ("accuracy", "loss"))
        notes.append(f"Test of the best by {results.score.replace('_', ' ')}: accuracy {accuracy}, loss {loss}.")
    note = output.writable(" ".join(notes))
    if options.markdown:
        print(output.writable(f"{title}\n\n{results.markdown()}\n{note}"))
        return
    console = output.console()
    if not console.is_terminal:
        console.width = output.WIDE_PIPE
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    axes = len(results.varying)
    for number, name in enumerate(results.header()):
        table.add_column(Text(name), justify="left" if number < axes else "right", no_wrap=number < axes)
    for number, cells in enumerate(results.cells()):
        table.add_row(*(Text(output.writable(cell)) for cell in cells), style="bold green" if number == 0 else None)
    console.print(table)
    console.print(note, style="dim", markup=False, soft_wrap=True)
