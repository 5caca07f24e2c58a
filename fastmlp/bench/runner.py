"""Measures frameworks on a case in turns.

Every framework runs in a process of its own, and the processes take turns (A B C A B C …), so that a slow moment of the machine meets them
all; between its turns a process waits for a line on its standard input. A figure is the median over the rounds.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastmlp.bench.peers as peers
from fastmlp.bench.cases import Case

__all__ = ["CaseResult", "Timing", "measure"]

_BACKGROUND = 0.15
"""Processors that threads which only keep house may take: they count as none."""


_SETTLING = 0.1
"""Seconds before a turn: the threads of some frameworks go on waiting for work, busily, for tens of milliseconds after theirs."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What one framework took on one case."""

    microseconds: tuple[float, ...]
    """Of a step or a call, one number a round."""
    processors: tuple[float, ...]
    """Processors kept busy, one number a round: processor time over time."""

    @property
    def median(self) -> float:
        """Microseconds of a step or a call."""
        return statistics.median(self.microseconds)

    @property
    def threads(self) -> int:
        """How many threads worked, as far as the processor time shows: one that waits for the others part of the time counts."""
        return max(1, math.ceil(statistics.median(self.processors) - _BACKGROUND))


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What every framework took on one case, fastmlp first."""

    case: Case
    timings: dict[str, Timing]
    left_out: dict[str, str]
    """The frameworks that could not run the case, and why."""


def measure(
    case: Case, frameworks: Sequence[str], rounds: int, threads: int | None = None, tick: Callable[[str], object] = lambda framework: None
) -> CaseResult:
    """Measures the frameworks on one case.

    Args:
        case: One of :data:`fastmlp.bench.cases.CASES`.
        frameworks: Names of :func:`fastmlp.bench.peers.installed`.
        rounds: Timed rounds of each, at least 1.
        threads: The most threads each may use; None leaves that to it.
        tick: Called with a framework's name before it warms up, and before each of its rounds.

    Returns:
        The times. A framework that fails is left out, with the last line of its error.
    """
    workers = {name: _Worker(case.name, name, threads) for name in frameworks}
    left_out: dict[str, str] = {}
    try:
        for _ in range(1 + rounds):
            for name, worker in workers.items():
                if name not in left_out:
                    tick(name)
                    time.sleep(_SETTLING)
                    try:
                        worker.take_turn()
                    except ChildProcessError as error:
                        left_out[name] = str(error)
    finally:
        for worker in workers.values():
            worker.stop()
    timings = {name: worker.timing(case.repeats) for name, worker in workers.items() if name not in left_out}
    return CaseResult(case, timings, left_out)


class _Worker:
    """A process that measures one framework on one case when it is its turn. Its first turn is for warming up."""

    def __init__(self, case: str, framework: str, threads: int | None) -> None:
        # It imports what this process would import, wherever that comes from.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        # A file, because nobody would read a pipe while a framework fills it with warnings.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self._turns: list[tuple[float, float]] = []
        """Seconds and processor seconds of every turn."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fastmlp.bench.worker", case, framework],
            env=os.environ | peers.environment(threads) | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, and we stop the workers
        )

    def take_turn(self) -> None:
        """Runs one round; raises ChildProcessError with the last line of the error if the process ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise ChildProcessError(self._last_words())
        seconds, busy = json.loads(answer)
        self._turns.append((seconds, busy))

    def _last_words(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with status {status}"

    def timing(self, repeats: int) -> Timing:
        """All turns but the first, of ``repeats`` steps or calls each."""
        timed = self._turns[1:]
        return Timing(tuple(seconds / repeats * 1e6 for seconds, _ in timed), tuple(busy / seconds for seconds, busy in timed))

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()
