"""What a worker process does: it builds, trains and measures, one thread at work, and ends when nobody needs it any more."""

from __future__ import annotations

import inspect
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from fastmlp import threads, utils
from fastmlp.errors import NonFiniteLossError
from fastmlp.model import Model
from fastmlp.sweep.grid import FIT, describe, text

__all__ = ["Job", "Task", "begin", "identify", "train"]

LIFELINE_CUT = 3
"""The exit status of a worker whose parent has gone or has no more use for it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all runs of a sweep share."""

    build: Callable[..., Model]
    train: tuple[Any, Any]
    test: tuple[Any, Any]

    def arguments(self, combination: Mapping[str, Any]) -> dict[str, Any]:
        """What of a combination ``build`` is called with: all but what is for ``fit``, unless ``build`` asks for that by name."""
        return {name: value for name, value in combination.items() if name not in FIT or name in self.asks_for()}

    def asks_for(self) -> set[str]:
        """Names of the parameters of ``build``."""
        return set(inspect.signature(self.build).parameters)


@dataclass(frozen=True, slots=True)
class Task:
    """Runs that differ in nothing but the number of epochs: one training, measured on its way."""

    combination: dict[str, Any]
    seed: int
    runs: dict[int, str]
    """What identifies each run, by its number of epochs, ascending."""


_job: Job | None = None


def begin(lifeline: Connection, parents_end: Connection, job: Job) -> None:
    """Makes a new process a worker.

    Args:
        lifeline: Ends when the parent closes its end, or dies, however it dies. Then this process ends at once.
        parents_end: A copy that must not keep the lifeline alive.
        job: What to work on.
    """
    global _job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parents_end.close()
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    threads.set_num_threads(1)
    _job = job


def _end_with(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(LIFELINE_CUT)


def identify(combination: Mapping[str, Any]) -> str:
    """All that decides about the numbers of a combination but the data and the seed, as text: the model and how it is trained."""
    assert _job is not None
    model = _build(_job, combination, 0)
    about: list[Any]
    try:
        about = [model.get_config(), model.get_compile_config()]
    except (TypeError, ValueError):  # functions of the user's own can't be described
        about = [_job.build.__module__, getattr(_job.build, "__qualname__", ""), {k: text(v) for k, v in combination.items()}]
    about.append({name: combination[name] for name in FIT if name in combination})
    return json.dumps(about, sort_keys=True, default=text)


def train(task: Task) -> list[dict[str, float]]:
    """The numbers of every run of a task."""
    assert _job is not None
    model = _build(_job, task.combination | {"epochs": max(task.runs)}, task.seed)
    batch_size = task.combination.get("batch_size")
    seconds, done, diverged = 0.0, 0, False
    results = []
    for epochs in task.runs:
        start = time.perf_counter()
        if not diverged:
            try:
                model.fit(*_job.train, batch_size=batch_size, epochs=epochs, initial_epoch=done, verbose=0)
            except NonFiniteLossError:
                diverged = True
        seconds, done = seconds + time.perf_counter() - start, epochs
        measured: dict[str, float] = {}
        for part, (x, y) in (("test", _job.test), ("train", _job.train)):
            numbers = model.evaluate(x, y, verbose=0, return_dict=True)
            numbers = {"loss": numbers.pop("loss"), **numbers}
            measured |= {f"{part}_{name}": math.nan if diverged else float(value) for name, value in numbers.items()}
        results.append(measured | {"parameters": float(model.count_params()), "seconds": seconds})
    return results


def _build(job: Job, combination: Mapping[str, Any], seed: int) -> Model:
    utils.clear_session()
    utils.set_random_seed(seed)
    try:
        model = job.build(**job.arguments(combination))
    except Exception as error:
        error.add_note(f"build was called with {describe(job.arguments(combination)) or 'nothing'}")
        raise
    if not isinstance(model, Model) or not model.compiled:
        what = "a model that is not compiled" if isinstance(model, Model) else f"{model!r:.80}"
        raise TypeError(f"build must return a compiled model, but returned {what}")
    return model
