"""Options of the commands that train, and converters of their values. argparse puts the name of the option before a message."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from fastmlp.cli.tables.kinds import Kind
    from fastmlp.cli.tasks import Task

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The object to which each command adds its parser."""

DATASETS = ("spiral", "moons", "circles", "xor", "gaussians", "mnist")
ENGINES = ("native", "reference")
ABOUT_DATASETS = """\
data sets:
  spiral     arms that wind around each other    2-64-64-3      adam, batches of 32, 100 epochs
  moons      two half circles                    2-64-64-2      the same, 60 epochs
  circles    a circle inside a circle            2-64-64-2      the same, 60 epochs
  xor        four clouds in two classes          2-64-64-2      the same, 40 epochs
  gaussians  round clouds                        2-64-64-3      the same, 20 epochs
  mnist      70,000 handwritten digits           784-512-10     rmsprop, batches of 128, 5 epochs
"""


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the data set's name."""
    parser.add_argument("dataset", nargs="?", default="spiral", choices=DATASETS, metavar="DATASET", help=", ".join(DATASETS))


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of generated data sets."""
    data = parser.add_argument_group("data (generated data sets only)")
    data.add_argument("--points", type=count(2), metavar="N", help="points per class, train and test together")
    data.add_argument("--classes", type=count(2, 100), metavar="N", help="arms of the spiral, or number of clouds")
    data.add_argument("--noise", type=real(0), metavar="SIGMA", help="standard deviation")


def data_options(options: argparse.Namespace, task: Task, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The arguments of ``load_data`` that were given; exits if the data set does not have one of them."""
    wanted = {"points_per_class": options.points, "classes": options.classes, "noise": options.noise}
    given = {name: value for name, value in wanted.items() if value is not None}
    for name in given.keys() - set(task.options):
        parser.error(f"--{name.removesuffix('_per_class')} does not apply to {task.name}")
    return given


def dataset_or_file(text: str) -> str:
    """The name of a data set, of a file that exists or that ends as tables do, or ``-``."""
    from fastmlp.cli.suggestions import did_you_mean
    from fastmlp.cli.tables.names import is_table

    if text in DATASETS or is_table(text) or Path(text).is_file():
        return text
    hint = did_you_mean(text, DATASETS, f"; data sets are {', '.join(DATASETS)}, and files end in .csv, .csv.gz, .tsv, .txt or .parquet")
    raise argparse.ArgumentTypeError(f"invalid choice: {text!r} is neither a data set nor a file{hint}")


def column_kind(text: str) -> tuple[str, Kind]:
    """A column and its kind: ``zip=category``."""
    from fastmlp.cli.suggestions import did_you_mean
    from fastmlp.cli.tables.kinds import KINDS

    name, _, given = text.rpartition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"expected COLUMN=KIND, such as zip=category, got {text!r}")
    kind = next((kind for kind in KINDS if kind == given), None)
    if kind is None:
        raise argparse.ArgumentTypeError(f"the kind must be one of {', '.join(KINDS)}, got {given!r}{did_you_mean(given, KINDS)}")
    return name, kind


def add_header(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--header`` and ``--no-header``."""
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--header", dest="header", action="store_true", default=None, help="the first line of a text has names, no values")
    first.add_argument("--no-header", dest="header", action="store_false", help="the first line of a text has values, no names")


def check_plot(path: str) -> None:
    """Raise an error if no figure can be written to this path."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise ImportError('--plot needs matplotlib: pip install "fastmlp[plot]"') from None
    endings = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix.lower().removeprefix(".") not in endings:
        raise ValueError(f"--plot {path}: the name of a figure must end in .png, .svg or .pdf")
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"--plot {path}: the folder {Path(path).parent} does not exist")


def hidden(text: str) -> tuple[int, ...]:
    """Units of the hidden layers: ``64,64``, or ``none``."""
    if text.lower() in {"none", "0", ""}:
        return ()
    try:
        units = tuple(int(part) for part in text.replace("-", ",").split(","))
    except ValueError:
        units = (0,)
    if min(units) < 1:
        raise argparse.ArgumentTypeError(f"expected integers with commas between, such as 64,64, got {text!r}")
    return units


def activation(text: str) -> str:
    """The name of an activation."""
    from fastmlp import activations

    return _known(activations.get, text)


def optimizer(text: str) -> str:
    """The name of an optimizer."""
    from fastmlp import optimizers

    return _known(optimizers.get, text)


def _known(look_up: Callable[[str], object], name: str) -> str:
    try:
        look_up(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def count(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A converter of arguments to integers from ``minimum`` to ``maximum``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from None
        if value < minimum or (maximum is not None and value > maximum):
            raise argparse.ArgumentTypeError(
                f"must be an integer ≥ {minimum}" + (f" and ≤ {maximum}" if maximum else "") + f", got {value}"
            )
        return value

    return convert


def real(minimum: float, below: float = float("inf")) -> Callable[[str], float]:
    """A converter of arguments to numbers with minimum ≤ value < below."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
        if not minimum <= value < below:
            limits = f"≥ {minimum:g}" + (f" and < {below:g}" if math.isfinite(below) else "")
            raise argparse.ArgumentTypeError(f"must be a number {limits}, got {text}")
        return value

    return convert
