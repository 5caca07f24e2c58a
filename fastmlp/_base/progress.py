"""What ``fit``, ``evaluate`` and ``predict`` print, in Keras' words.

On a terminal or in a notebook the line is drawn again and again; elsewhere (a file, a pipe, ``TERM=dumb``) only the final line of each
epoch is written. With ``NO_COLOR`` set nothing is coloured.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping

import numpy as np

from fastmlp._base import numeric

BAR_WIDTH = 20
REDRAW_SECONDS = 0.05


def write(text: str) -> None:
    """Print without a line end, at once, with plain characters where the output can't show others."""
    stream = sys.stdout
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.replace("━", "=").replace("─", "-").encode(encoding, "replace").decode(encoding)
    stream.write(text)
    stream.flush()


def is_live() -> bool:
    """True when a line can be drawn over: a notebook, or a terminal that can do more than print."""
    if "ipykernel" in sys.modules:
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _style(text: str, code: str) -> str:
    """``text`` in bold or in colour, unless the user wants none: https://no-color.org."""
    return text if os.environ.get("NO_COLOR") else f"\x1b[{code}m{text}\x1b[0m"


def format_value(value: float | np.ndarray) -> str:
    """Four decimals, or four significant ones for small values; of several values, their mean."""
    value = value if isinstance(value, float) else numeric.mean(value)
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def format_step(seconds: float) -> str:
    """The time of one step: ``6ms/step``."""
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/step"
    return f"{seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/step"


def format_remaining(seconds: float) -> str:
    """The time to go: ``12s``, ``1:05``, ``2:00:00``."""
    whole = int(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}" if whole > 60 else f"{whole}s"


class ProgressLine:
    """The line of one epoch.

    Args:
        target: The number of steps; 0 if unknown: the line is written when they are done.
        verbose: 0 nothing, 1 a bar, 2 one line at the end.
    """

    def __init__(self, target: int, verbose: int) -> None:
        self.target = target
        self.verbose = verbose
        self.live = verbose == 1 and is_live()
        self._start = time.perf_counter()
        self._drawn = 0.0
        self._done = 0
        self._width = 0

    def update(self, step: int, logs: Mapping[str, float]) -> None:
        """Draw ``step`` steps done, if the line is live and was not drawn just now."""
        now = time.perf_counter()
        self._done = step
        if self.live and now - self._drawn >= REDRAW_SECONDS and step < self.target:
            per_step = (now - self._start) / max(step, 1)
            self._drawn = now
            self._draw(step, format_remaining(per_step * (self.target - step)), per_step, logs)

    def finish(self, logs: Mapping[str, float], step: int | None = None) -> None:
        """Write the final line."""
        if not self.verbose:
            return
        self.target = self.target or self._done
        step = self.target if step is None else step
        elapsed = time.perf_counter() - self._start
        per_step = elapsed / max(step, 1)
        if self.verbose == 2:
            write(f"{self._count(step)} - {elapsed:.0f}s - {format_step(per_step)}{self._values(logs)}\n")
            return
        self._draw(step, f"{elapsed:.0f}s", per_step, logs)
        write("\n")

    def abandon(self) -> None:
        """Leave the line as it is; what follows starts on a new one."""
        if self._width:
            write("\n")

    def _draw(self, step: int, clock: str, per_step: float, logs: Mapping[str, float]) -> None:
        count, rest = self._count(step), f"{format_step(per_step)}{self._values(logs)}"
        if not self.live:
            write(f"{count} {'━' * BAR_WIDTH} {clock} {rest}")
            return
        # A line that wraps can't be drawn over: where it is long the bar gives way first, then the last values.
        room = self._columns - 1 - len(count) - len(clock) - len(rest) - 3
        bar = min(BAR_WIDTH, max(room, 0))
        if step < self.target and room < 0:
            rest = rest[: max(room - 1, -len(rest))] + "…"
        filled = bar * step // max(self.target, 1)
        ahead = "─" if os.environ.get("NO_COLOR") else "━"
        drawn = f"{_style('━' * filled, '32')}{_style(ahead * (bar - filled), '37')} " if bar else ""
        width = len(count) + len(clock) + len(rest) + 2 + (bar + 1) * bool(bar)
        write(f"\r{_style(count, '1')} {drawn}{_style(clock, '1')} {rest}" + " " * (self._width - width))
        self._width = min(width, self._columns - 1)

    @property
    def _columns(self) -> int:
        return 120 if "ipykernel" in sys.modules else shutil.get_terminal_size().columns

    def _count(self, step: int) -> str:
        return f"{step:{len(str(self.target))}}/{self.target}"

    @staticmethod
    def _values(logs: Mapping[str, float]) -> str:
        return "".join(f" - {name}: {format_value(value)}" for name, value in logs.items())
