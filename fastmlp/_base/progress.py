"""The progress display: one line, the same for ``fit``, ``evaluate``, ``predict``, sweeps, benchmarks, downloads and the command line.

    469/469 ━━━━━━━━━━━━━━━━━━━━ 0s 812us/step - accuracy: 0.9256 - loss: 0.2586

On a terminal or in a notebook the line is redrawn in place, fitted to the width; the time is what remains, and at the end what has
passed. Elsewhere (a file, a pipe, ``TERM=dumb``) lines are only added. With ``NO_COLOR`` set there are no colors. The bar, the styles and
the widths are rich's, which is imported when the first line is drawn.
"""

from __future__ import annotations

import functools
import os
import sys
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self, TextIO

import numpy as np

from fastmlp._base import numeric

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["BYTES", "ProgressLine", "Unit", "format_remaining", "format_step", "format_value", "is_live", "note", "write"]

BAR_WIDTH = 20
REDRAW_SECONDS = 0.05
NOTEBOOK_COLUMNS = 120

_unfinished: weakref.WeakSet[ProgressLine] = weakref.WeakSet()
"""The lines that stand on a terminal and are still redrawn."""


def write(text: str, stream: TextIO | None = None) -> None:
    """Print without a line end, at once, with replacements for characters that the stream, by default ``sys.stdout``, can't encode."""
    stream = stream or sys.stdout
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.encode(encoding, "replace").decode(encoding)
    stream.write(text)
    stream.flush()


def note(text: str) -> None:
    """Print a line to the standard error, above the progress line if one is drawn there."""
    for line in list(_unfinished):
        line.erase()
    print(text, file=sys.stderr, flush=True)


def is_live(stream: TextIO | None = None) -> bool:
    """True when a line of the stream, by default ``sys.stdout``, can be redrawn: a notebook, or a terminal that can do more than print."""
    stream = stream or sys.stdout
    return _in_notebook() or (stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"))


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules


def format_value(value: float | np.ndarray) -> str:
    """Four decimals, or four significant ones for small values; of several values, their mean."""
    value = value if isinstance(value, float) else numeric.mean(value)
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def format_step(seconds: float, unit: str = "step") -> str:
    """The time of one step: ``6ms/step``."""
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/{unit}"


def format_remaining(seconds: float) -> str:
    """The remaining time: ``12s``, ``1:05``, ``2:00:00``."""
    whole = int(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}" if whole > 60 else f"{whole}s"


class Unit:
    """What a progress line counts.

    Args:
        name: One of them: ``"step"``, ``"epoch"``, ``"run"``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def count(self, done: int, total: int) -> str:
        """``" 12/469"``; ``"12"`` with a total of 0, which is unknown."""
        return f"{done:{len(str(total))}}/{total}" if total else str(done)

    def speed(self, seconds: float) -> str:
        """From the seconds that one of them takes."""
        return format_step(seconds, self.name)


class _Bytes(Unit):
    def count(self, done: int, total: int) -> str:
        from rich.filesize import decimal

        return f"{decimal(done)}/{decimal(total)}" if total else decimal(done)

    def speed(self, seconds: float) -> str:
        from rich.filesize import decimal

        return f"{decimal(int(1 / seconds))}/s" if seconds else ""


BYTES = _Bytes("byte")


class ProgressLine:
    """The line of one loop: an epoch, a download, a sweep.

    As a context manager it ends the line, finished or not, before an exception is shown.

    Args:
        total: The number of steps; 0 if unknown: then there is a count instead of a bar.
        verbose: 0 nothing, 1 a bar, 2 one line without a bar at the end.
        name: Stands before the count.
        unit: What is counted, ``"step"`` or a :class:`Unit`.
        done: Steps done before.
        lines: How many lines to write, evenly spaced, where a line can't be redrawn.
        stream: Where to, by default ``sys.stdout``.
    """

    def __init__(
        self,
        total: int,
        verbose: int = 1,
        *,
        name: str = "",
        unit: str | Unit = "step",
        done: int = 0,
        lines: int = 1,
        stream: TextIO | None = None,
    ) -> None:
        self.total = total
        self.verbose = verbose
        self.live = verbose == 1 and is_live(stream)
        self._name = f"{name} " if name else ""
        self._unit = Unit(unit) if isinstance(unit, str) else unit
        self._lines = lines
        self._stream = stream
        self._first = self._done = done
        self._start = time.perf_counter()
        self._drawn = 0.0
        self._width = 0
        """Columns of the line that stands on the terminal."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def show(self, done: int, values: Mapping[str, float] | str = "") -> None:
        """Draw ``done`` steps done: :meth:`update`, or :meth:`finish` if these are all."""
        if done < self.total:
            self.update(done, values)
        else:
            self.finish(values)

    def update(self, done: int, values: Mapping[str, float] | str = "") -> None:
        """Draw ``done`` steps done, unless that was drawn just now.

        Args:
            done: Steps done; when all are, :meth:`finish` draws the line.
            values: Names and values, or a text, to stand at the end of the line.
        """
        now = time.perf_counter()
        before, self._done = self._done, done
        if self.total and done >= self.total:
            return
        if self.live and now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            remaining = self._per_step(now - self._start) * (self.total - done)
            self._redraw(format_remaining(remaining) if self.total and done > self._first else "", now - self._start, values)
        elif self.verbose == 1 and not self.live and self.total and done * self._lines // self.total > before * self._lines // self.total:
            self._write_line(now - self._start, values)

    def finish(self, values: Mapping[str, float] | str = "") -> None:
        """Write the final line."""
        if not self.verbose:
            return
        self.total = self._done = self.total or self._done
        elapsed = time.perf_counter() - self._start
        if self.live:
            self._redraw(f"{elapsed:.0f}s", elapsed, values)
            self.abandon()
        else:
            self._write_line(elapsed, values)

    def abandon(self) -> None:
        """Leave the line as it is; what follows starts on a new one."""
        if self._width:
            write("\n", self._stream)
            self._forget()

    def erase(self) -> None:
        """Take the line away; the next :meth:`update` draws it again."""
        if self._width:
            write("\r" + " " * self._width + "\r", self._stream)
            self._forget()
            self._drawn = 0.0

    def _forget(self) -> None:
        self._width = 0
        _unfinished.discard(self)

    def _per_step(self, elapsed: float) -> float:
        return elapsed / max(self._done - self._first, 1)

    def _write_line(self, elapsed: float, values: Mapping[str, float] | str) -> None:
        count, rest = self._count(), self._speed_and(values, elapsed)
        if self.verbose == 2:
            write(f"{count} - {elapsed:.0f}s - {rest}\n", self._stream)
        else:
            bar = self._bar(self._console(), BAR_WIDTH)
            write(f"{count} {bar.plain} {elapsed:.0f}s {rest}\n", self._stream)

    def _redraw(self, clock: str, elapsed: float, values: Mapping[str, float] | str) -> None:
        from rich.color import ColorSystem

        console = self._console()
        columns = console.width - 1  # a line that fills the last column wraps on some terminals, and then can't be drawn over
        line = self._line(console, columns, clock, self._speed_and(values, elapsed))
        if self._done != self.total:
            line.truncate(columns, overflow="ellipsis")
        colors = ColorSystem.STANDARD if console.color_system else None
        drawn = "".join(text if style is None else style.render(text, color_system=colors) for text, style, _ in line.render(console))
        _unfinished.add(self)
        write(f"\r{drawn}{' ' * (self._width - line.cell_len)}", self._stream)
        self._width = max(min(line.cell_len, columns), 1)

    def _line(self, console: Console, columns: int, clock: str, rest: str) -> Text:
        """The line; where it is long the bar gives way first."""
        from rich.text import Text

        count, clock = self._count(), f"{clock} " if clock else ""
        line = Text.assemble((count, "bold"), " ")
        width = min(BAR_WIDTH, columns - len(count) - len(clock) - len(rest) - 2) if self.total else 0
        if width > 0:
            line.append_text(self._bar(console, width)).append(" ")
        return line.append(clock, "bold").append(rest)

    def _bar(self, console: Console, width: int) -> Text:
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        # Colors that can be told from light and from dark backgrounds.
        bar = ProgressBar(self.total, self._done, width, style="bright_black", complete_style="green", finished_style="green")
        drawn = Text.assemble(*((segment.text, segment.style or "") for segment in console.render(bar)))
        drawn.pad_right(width - drawn.cell_len)  # without colors, rich draws no remainder
        return drawn

    def _console(self) -> Console:
        colored = self.live and not os.environ.get("NO_COLOR")
        return _console(self._stream or sys.stdout, self.live, colored, NOTEBOOK_COLUMNS if _in_notebook() else None)

    def _speed_and(self, values: Mapping[str, float] | str, elapsed: float) -> str:
        known = self._done > self._first or self._done == self.total
        return f"{self._unit.speed(self._per_step(elapsed)) if known else ''}{_shown(values)}"

    def _count(self) -> str:
        return f"{self._name}{self._unit.count(self._done, self.total)}"


def _shown(values: Mapping[str, float] | str) -> str:
    if isinstance(values, str):
        return f" - {values}" if values else ""
    return "".join(f" - {name}: {format_value(value)}" for name, value in values.items())


@functools.lru_cache(maxsize=4)
def _console(stream: TextIO, live: bool, colored: bool, columns: int | None) -> Console:
    """Rich's view of a stream: what it can encode, how wide it is, and which escape codes it understands."""
    from rich.console import Console

    return Console(
        file=stream,
        force_terminal=live,
        force_jupyter=False,  # which would show every drawing in a notebook as an output of its own
        legacy_windows=False,
        color_system="standard" if colored else None,
        width=columns,
    )
