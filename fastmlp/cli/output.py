"""Output of the commands: tables that are readable in pipes too, and formatted numbers."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 120
WIDE_PIPE = 160
"""The width of the widest table, so that cells are not wrapped without a terminal."""
_ASCII = str.maketrans({"µ": "u", "×": "x", "±": "+/-", "–": "-", "−": "-", "·": "*", "²": "2"})


def console(*, stderr: bool = False) -> Console:
    """A console for the terminal, or of fixed width if the output is piped."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of columns and classes may have characters that the terminal lacks.
        sys.stdout.reconfigure(errors="replace")
    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def facts(title: str, rows: Iterable[tuple[str, object]]) -> Table:
    """A table with two columns, names and values."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(str(value)))
    return table


def seconds(value: float) -> str:
    """``9.5 ms``, ``0.24 s``, ``12.3 s``, ``2 min 05 s``."""
    if value < 0.1:
        return f"{value * 1000:.1f} ms"
    if value < 100:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60:02} s"


def engine(name: str) -> str:
    """The engine with its instruction set and threads."""
    if name == "reference":
        return "reference (NumPy)"
    from fastmlp import build_info

    info = build_info()
    return f"native, {info['isa']}, {plural(info['threads'], 'thread')}"


def plural(count: int, noun: str) -> str:
    """``1 epoch``, ``2 epochs``, ``12,000 samples``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def writable(text: str) -> str:
    """The text, with ASCII replacements if the standard output can't encode it."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_ASCII)
    return text
