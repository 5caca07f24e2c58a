"""The worker processes of a sweep: each builds, trains and evaluates models on a single thread, and ends with its parent."""

from __future__ import annotations

import inspect
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from fastmlp import utils
from fastmlp._base.typing import InputData, TargetData
from fastmlp._engine import threads
from fastmlp._models.model import Model
from fastmlp._training.metric_arguments import higher_is_better
from fastmlp.errors import NonFiniteLossError
from fastmlp.sweep.grid import FIT, Combination, describe, text
from fastmlp.sweep.identity import fingerprint, fingerprint_of_code

__all__ = ["Identity", "Job", "Task", "begin", "identify", "test", "train"]

LIFELINE_CUT = 3
"""The exit status of a worker whose parent has ended or closed the lifeline."""


@dataclass(frozen=True, slots=True)
class Job:
    """The data and the build function, common to all runs of a sweep."""

    build: Callable[..., Model]
    train: tuple[InputData, TargetData]
    validation: tuple[InputData, TargetData]
    test: tuple[InputData, TargetData] | None = None
    """Test data for the best combination."""

    def arguments(self, combination: Combination) -> Combination:
        """The arguments of ``build``: the combination without the arguments of ``fit`` that ``build`` has no parameter for."""
        return {name: value for name, value in combination.items() if name not in FIT or name in self.asks_for()}

    def asks_for(self) -> set[str]:
        """The names of the parameters of ``build``."""
        return set(inspect.signature(self.build).parameters)


@dataclass(frozen=True, slots=True)
class Task:
    """Runs that differ only in the number of epochs: one training run, evaluated along the way."""

    combination: Combination
    seed: int
    runs: dict[int, str]
    """The id of each run by its number of epochs, in ascending order."""


_job: Job | None = None


def begin(lifeline: Connection, parents_end: Connection, job: Job) -> None:
    """Turns a new process into a worker.

    Args:
        lifeline: A pipe that ends when the parent closes its end or dies for any reason. This process then ends at once.
        parents_end: The inherited copy of the parent's end, which must be closed.
        job: The job to work on.
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
    """The properties of a combination that are known before training."""

    text: str
    """Everything that determines the results except the data and the seed: the model, its initial weights, and the training arguments."""
    higher_is_better: dict[str, bool | None]
    """For each metric."""


def identify(combination: Combination) -> Identity:
    """Returns the identity of a combination.

    Raises:
        Unidentifiable: A user function refers to an object whose contents can't be inspected.
    """
    assert _job is not None
    model = _build(_job, combination, 0)
    about: list[object] = []
    for describe_it in (model.get_config, model.get_compile_config):
        try:
            about.append(describe_it())
        except (TypeError, ValueError):  # user functions have no configuration
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
    """Returns the results of every run of a task."""
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
    """Returns the results of a task with a single run on the test data."""
    assert _job is not None
    assert _job.test is not None
    model = _build(_job, task.combination, task.seed)
    diverged = False
    try:
        model.fit(*_job.train, batch_size=task.combination.get("batch_size"), epochs=max(task.runs), verbose=0)
    except NonFiniteLossError:
        diverged = True
    return _measure(model, "test", _job.test, diverged)


def _measure(model: Model, part: str, samples: tuple[InputData, TargetData], diverged: bool) -> dict[str, float]:
    """Loss and metrics as ``part_loss`` …; a metric with several values as one column for each: ``part_f1_0``, ``part_f1_1``."""
    measured = model.evaluate(*samples, verbose=0, return_dict=True)
    numbers: dict[str, float] = {}
    for name, value in ({"loss": measured.pop("loss")} | measured).items():
        if np.ndim(value) == 0:
            numbers[f"{part}_{name}"] = float(value)
        else:
            numbers |= {"_".join(map(str, (part, name, *place))): float(number) for place, number in np.ndenumerate(value)}
    return dict.fromkeys(numbers, math.nan) if diverged else numbers


def _build(job: Job, combination: Combination, seed: int) -> Model:
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
