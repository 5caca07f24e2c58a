"""Helpers of the benchmark scripts: interleaved rounds, tables, and the style of plots.

Results are medians over interleaved rounds, so that changes in the speed of the machine affect everything that is compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)

BLUE, ORANGE, GREEN, PURPLE, GREY = "#1f5fbf", "#d9730d", "#2e8540", "#7d3c98", "#7a7a7a"


def count(text: str) -> int:
    """Parses an argument that must be an integer ≥ 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer ≥ 1, not {text!r}")
    return int(text)


def parser_of(script: str, documentation: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of the script."""
    return argparse.ArgumentParser(
        prog=Path(script).name, description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def seconds_of(run: Callable[[], object]) -> float:
    """The time of one call, in seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(runs: Mapping[Key, Callable[[], object]], rounds: int) -> dict[Key, list[float]]:
    """The seconds of each run in each of several interleaved rounds, after one warm-up round."""
    times: dict[Key, list[float]] = {key: [] for key in runs}
    for _ in range(1 + rounds):
        for key, run in runs.items():
            times[key].append(seconds_of(run))
    return {key: seconds[1:] for key, seconds in times.items()}


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: str = "") -> None:
    """Prints a table, in plain characters if the output supports no others."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if notes:
        console.print(notes, style="dim", markup=False)


def number(value: float) -> str:
    """A number with about three significant digits and thousands separators."""
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def bytes_text(value: float) -> str:
    """``12.3 MB``."""
    unit, scale = ("kB", 1e3) if value < 1e6 else ("MB", 1e6) if value < 1e9 else ("GB", 1e9)
    return f"{number(value / scale)} {unit}"


def classifier(widths: Sequence[int], activation: str = "relu") -> Any:
    """A network of dense layers, compiled with Adam and cross-entropy."""
    from fastmlp import layers, models

    model = models.Sequential([layers.Input(shape=(widths[0],))])
    for units in widths[1:-1]:
        model.add(layers.Dense(units, activation=activation))
    model.add(layers.Dense(widths[-1], activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


def on_threads(number: int, run: Callable[[], object]) -> Callable[[], object]:
    """Calls ``run`` with fastmlp limited to ``number`` threads."""
    import fastmlp

    def limited() -> None:
        fastmlp.set_num_threads(number)
        run()

    return limited


def private_bytes() -> int:
    """The anonymous resident memory of this process in bytes; 0 where it is not available."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def figure(panels: int, title: str, about: str, width: float = 4.6, height: float = 3.9) -> tuple[Any, list[Any]]:
    """A figure with panels side by side, a title above and a caption below, and its axes; the size of a panel is in inches."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        sys.exit('a picture needs matplotlib: pip install "fastmlp[plot]"')
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#999999",
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.grid": True,
            "grid.color": "#e6e6e6",
            "grid.linewidth": 0.7,
            "legend.frameon": False,
            "lines.linewidth": 1.6,
        }
    )
    drawing, axes = plt.subplots(1, panels, figsize=(width * panels, height), squeeze=False, layout="constrained")
    drawing.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    drawing.supxlabel(about, x=0.01, ha="left", fontsize=9, color=GREY)
    return drawing, list(axes[0])


def save(drawing: Any, file: Path) -> None:
    """Saves the figure with 64 colours, which keeps the file small."""
    from PIL import Image

    drawing.savefig(file, dpi=110, facecolor="white")
    with Image.open(file) as picture:
        small = picture.convert("RGB").quantize(64)
    small.save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1e3:.0f} kB")


def plain_log_axis(axis: Any, ticks: Sequence[float]) -> None:
    """Ticks of a logarithmic axis (``axes.xaxis`` or ``axes.yaxis``) as plain numbers: 1, 8, 64, 4k."""
    axis.set_major_locator(_fixed(ticks))
    axis.set_major_formatter(lambda value, _: short(value))
    axis.set_minor_locator(_fixed([]))


def _fixed(ticks: Sequence[float]) -> Any:
    from matplotlib.ticker import FixedLocator

    return FixedLocator(list(ticks))


def short(value: float) -> str:
    """``64``, ``4096``, ``10k``, ``0.1``."""
    for scale, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale and value % scale == 0:
            return f"{value / scale:g}{suffix}"
    return f"{value:g}"
