"""Interleaved measurement of several frameworks on a case.

Every framework runs in its own process, and the rounds are interleaved (A B C A B C …), so that a slow phase of the machine affects all of
them; between rounds a process waits on its standard input. Figures are medians over the rounds.
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
"""Processor use (in CPUs) of housekeeping threads, which is not counted as a thread."""


_SETTLING = 0.1
"""Seconds before a round: threads of some frameworks keep spinning for tens of milliseconds after theirs."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of one framework on one case."""

    microseconds: tuple[float, ...]
    """Per step or call, one value per round."""
    processors: tuple[float, ...]
    """CPUs kept busy, one value per round: processor time divided by wall-clock time."""

    @property
    def median(self) -> float:
        """Microseconds per step or call."""
        return statistics.median(self.microseconds)

    @property
    def threads(self) -> int:
        """The number of active threads, estimated from the processor time; a thread that is idle part of the time counts."""
        return max(1, math.ceil(statistics.median(self.processors) - _BACKGROUND))


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The times of every framework on one case, fastmlp first."""

    case: Case
    timings: dict[str, Timing]
    left_out: dict[str, str]
    """The frameworks that could not run the case, with the reason."""


def measure(
    case: Case, frameworks: Sequence[str], rounds: int, threads: int | None = None, tick: Callable[[str], object] = lambda framework: None
) -> CaseResult:
    """Measures the frameworks on one case.

    Args:
        case: One of :data:`fastmlp.bench.cases.CASES`.
        frameworks: Names from :func:`fastmlp.bench.peers.installed`.
        rounds: The number of timed rounds of each, ≥ 1.
        threads: The maximum number of threads of each; None for its own default.
        tick: Called with the name of a framework before its warm-up and before each of its rounds.

    Returns:
        The times. A framework that fails is omitted, with the last line of its error as the reason.
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
    """A process that measures one framework on one case. Its first round is the warm-up."""

    def __init__(self, case: str, framework: str, threads: int | None) -> None:
        # The process has the same import path as this one.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        # A file, because a pipe could fill up with warnings that are not read meanwhile.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self._turns: list[tuple[float, float]] = []
        """Wall-clock and processor seconds of every round."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fastmlp.bench.worker", case, framework],
            env=os.environ | peers.environment(threads) | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only this process, which stops the workers
        )

    def take_turn(self) -> None:
        """Runs one round; raises ChildProcessError with the last line of the error if the process ends."""
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
        """The times of all rounds but the first, of ``repeats`` steps or calls each."""
        timed = self._turns[1:]
        return Timing(tuple(seconds / repeats * 1e6 for seconds, _ in timed), tuple(busy / seconds for seconds, busy in timed))

    def stop(self) -> None:
        """Kills the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()
