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

import numpy as np

from fastmlp import utils
from fastmlp._engine import threads
from fastmlp._models.model import Model
from fastmlp._training.metric_arguments import higher_is_better
from fastmlp.errors import NonFiniteLossError
from fastmlp.sweep.grid import FIT, describe, text
from fastmlp.sweep.identity import fingerprint, fingerprint_of_code

__all__ = ["Identity", "Job", "Task", "begin", "identify", "test", "train"]

LIFELINE_CUT = 3
"""The exit status of a worker whose parent has gone or has no more use for it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all runs of a sweep share."""

    build: Callable[..., Model]
    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: tuple[Any, Any] | None = None
    """Samples that only the best combination is measured on."""

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


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a combination before it is trained."""

    text: str
    """All that decides about its numbers but the data and the seed: the model, its first weights, and how it is trained."""
    higher_is_better: dict[str, bool | None]
    """For each metric."""


def identify(combination: Mapping[str, Any]) -> Identity:
    """What identifies the runs of a combination.

    Raises:
        Unidentifiable: A function of the user's own refers to something whose contents can't be seen.
    """
    assert _job is not None
    model = _build(_job, combination, 0)
    about: list[Any] = []
    for describe_it in (model.get_config, model.get_compile_config):
        try:
            about.append(describe_it())
        except (TypeError, ValueError):  # functions of the user's own can't be described
            about.append([_job.build.__module__, getattr(_job.build, "__qualname__", ""), {k: text(v) for k, v in combination.items()}])
    about.append({name: combination[name] for name in FIT if name in combination})
    about.append([fingerprint(*model.get_weights()), fingerprint_of_code(model.layers, model._compiled)])
    return Identity(json.dumps(about, sort_keys=True, default=text), _directions(model))


def _directions(model: Model) -> dict[str, bool | None]:
    compiled = model._compiled
    if compiled is None:
        return {}
    if model.built and compiled.resolvable:
        return {name: model.metric_direction(name) for name in model.metrics_names if name != "loss"}
    return {name: higher_is_better(metric) for name, metric in compiled.metrics()}


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
        numbers = _measure(model, "validation", _job.validation, diverged) | _measure(model, "train", _job.train, diverged)
        results.append(numbers | {"parameters": float(model.count_params()), "seconds": seconds})
    return results


def test(task: Task) -> dict[str, float]:
    """The numbers of a task of one run on the test samples."""
    assert _job is not None
    assert _job.test is not None
    model = _build(_job, task.combination, task.seed)
    diverged = False
    try:
        model.fit(*_job.train, batch_size=task.combination.get("batch_size"), epochs=max(task.runs), verbose=0)
    except NonFiniteLossError:
        diverged = True
    return _measure(model, "test", _job.test, diverged)


def _measure(model: Model, part: str, samples: tuple[Any, Any], diverged: bool) -> dict[str, float]:
    """Loss and metrics as ``part_loss`` …; a metric of several values as one number for each: ``part_f1_0``, ``part_f1_1``."""
    measured = model.evaluate(*samples, verbose=0, return_dict=True)
    numbers: dict[str, float] = {}
    for name, value in ({"loss": measured.pop("loss")} | measured).items():
        if np.ndim(value) == 0:
            numbers[f"{part}_{name}"] = float(value)
        else:
            numbers |= {"_".join(map(str, (part, name, *place))): float(number) for place, number in np.ndenumerate(value)}
    return dict.fromkeys(numbers, math.nan) if diverged else numbers


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
