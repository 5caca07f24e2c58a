"""The loop over the batches of one epoch or one evaluation: calls of the engine, with callbacks in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from fastmlp._training.accumulators import EngineCall, MetricAccumulator
from fastmlp._training.state import FitState
from fastmlp.callbacks import CallbackList

__all__ = ["CHUNK_SECONDS", "BatchRun", "Model", "abandoning", "run_batches"]

CHUNK_SECONDS = 0.05
"""Approximate duration of a call of the engine. Between calls, Python runs callbacks, updates the progress line and handles Ctrl-C."""


class Model(Protocol):
    """The attributes of a model that the loop uses."""

    stop_training: bool
    fit_progress: FitState | None


@dataclass(slots=True)
class BatchRun:
    """Batches ``first`` … ``stop - 1``, and the accumulator of their loss and metrics. The data may end before ``stop``."""

    accumulator: MetricAccumulator
    first: int
    stop: int
    merged: int = 1
    """The number of the user's batches that are merged into each of these."""
    done: int = 0
    """The number of batches that were completed before."""


def run_batches(model: Model, engine: EngineCall, batches: BatchRun, listeners: CallbackList, phase: str) -> dict[str, Any]:
    """Run batches in calls of about 50 ms, or one by one if a callback has batch methods.

    Args:
        model: ``stop_training`` ends the loop; ``fit_progress`` is updated.
        engine: A call of the engine.
        batches: The batches.
        listeners: The callbacks.
        phase: ``train`` or ``test``.

    Returns:
        The final logs; empty if there was no batch.
    """
    before, after = listeners.batch_methods(phase, "begin"), listeners.batch_methods(phase, "end")
    each = bool(before or after)
    accumulator, first, stop = batches.accumulator, batches.first, batches.stop
    at = first + batches.done
    logs: dict[str, Any] = accumulator.logs() if batches.done else {}
    while at < stop:
        for method in before:
            method(at - first, {})
        limit = 1 if each else listeners._batches_until_pause() if phase == "train" else None
        reached = accumulator.run(engine, at, stop if limit is None else min(at + limit, stop))
        if reached == at:
            break  # end of the data
        at = reached
        if phase == "train" and model.fit_progress is not None:
            model.fit_progress.batches = at - first
        logs = accumulator.logs()
        for method in after:
            method(at - 1 - first, logs)
        if phase == "train" and listeners.pausing:
            listeners._pause(at - 1 - first, logs, accumulator.samples)
        listeners.advance((at - first) * batches.merged, logs)
        if phase == "train" and model.stop_training:
            break
    return logs


@contextmanager
def abandoning(listeners: CallbackList) -> Iterator[None]:
    """Lets callbacks release their resources if an exception ends the loop."""
    try:
        yield
    except BaseException:
        listeners._abandon()
        raise
