"""The loop over the batches of one epoch or one evaluation: calls of the engine, and the callbacks between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._engine.spec import Batches
from fastmlp._training.accumulators import MetricAccumulator
from fastmlp.callbacks import CallbackList


def run_epoch(
    model: Any,
    run: Callable[[Batches, int, int, np.ndarray], int],
    first: int,
    stop: int,
    tally: MetricAccumulator,
    listeners: CallbackList,
    phase: str,
    merged: int = 1,
    done: int = 0,
) -> dict[str, float]:
    """Run batches ``first`` … ``stop - 1`` in calls of about 50 ms, or one by one if a callback listens.

    Args:
        model: Whose ``stop_training`` ends it, and whose ``fit_progress`` is told how far it is.
        run: A call of the engine.
        first: The first batch.
        stop: The one behind the last; the data may run out before.
        tally: What runs over the batches and adds up.
        listeners: The callbacks.
        phase: ``train`` or ``test``.
        merged: How many of the user's batches one of these is.
        done: How many are done already.

    Returns:
        The logs at the end; empty if there was no batch.
    """
    each = listeners.listens_to_batches(phase)
    before = getattr(listeners, f"on_{phase}_batch_begin")
    after = getattr(listeners, f"on_{phase}_batch_end")
    at = first + done
    logs: dict[str, Any] = tally.logs() if done else {}
    while at < stop:
        if each:
            before(at - first)
        limit = 1 if each else listeners._batches_until_pause() if phase == "train" else None
        reached = tally.run(run, at, stop if limit is None else min(at + limit, stop))
        if reached == at:
            break  # the data ran out
        at = reached
        if phase == "train" and model.fit_progress is not None:
            model.fit_progress.batches = at - first
        logs = tally.logs()
        if each:
            after(at - 1 - first, logs)
        if phase == "train":
            listeners._pause(at - 1 - first, logs, tally.rows)
        listeners.advance((at - first) * merged, logs)
        if phase == "train" and model.stop_training:
            break
    return logs
