"""Accumulation of loss and metrics over batches: totals of the engine, and metrics that Python computes from predictions."""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp import errors
from fastmlp._base import checks
from fastmlp._base.numeric import quiet
from fastmlp._engine.spec import Batches
from fastmlp._training.objective import ResolvedObjective
from fastmlp.metrics import Metric
from fastmlp.metrics.base import EngineMetric, from_json, to_json

EngineCall: TypeAlias = Callable[[Batches, int, int, NDArray[np.float64]], int]
"""Runs batches ``first`` … ``stop - 1``, or as many as fit in a time limit, adds to the totals, and returns the index of the next batch."""

WINDOW_SAMPLES = 1 << 16
"""Maximum number of samples whose predictions are stored for the metrics that Python computes."""

_lock = threading.RLock()
"""Protects metric objects, which several accumulators may share, while they read predictions or change accumulators."""
_accumulators: weakref.WeakValueDictionary[int, MetricAccumulator] = weakref.WeakValueDictionary()
"""By id of a metric object, the accumulator that uses it."""
_thread = threading.local()
"""``metrics`` contains the metrics whose methods are running in this thread."""


def _reset_in_child() -> None:
    """Called in a forked child process, where the thread that held the lock does not exist."""
    global _lock
    _lock = threading.RLock()
    _accumulators.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


class MetricAccumulator:
    """Accumulates loss and metrics over the batches of an epoch or an evaluation.

    Args:
        objective: The losses and metrics.
        batch_size: Samples per batch, for metrics that depend on batches; by default that of the batches passed to :meth:`use`.
    """

    def __init__(self, objective: ResolvedObjective, batch_size: int | None = None) -> None:
        self._objective = objective
        self._totals = np.zeros(objective.totals, np.float64)
        self._batch_size = batch_size
        self._batches: Batches | None = None
        self._in_python: dict[int, Metric] = {}
        """The metrics that Python computes, by their index among the metrics of the objective."""
        if objective.in_python:
            self._claim_metrics(objective.in_python)
        self._window = 0

    def _claim_metrics(self, metrics: Mapping[int, Metric]) -> None:
        if any(metric is busy for busy in getattr(_thread, "metrics", ()) for metric in metrics.values()):
            raise RuntimeError(errors.INSIDE_METRIC)
        for place, metric in metrics.items():
            self._claim(place, metric)

    def _claim(self, place: int, metric: Metric) -> None:
        """Reset a metric object and use it; another accumulator that uses it continues with a copy."""
        with _lock:
            other = _accumulators.get(id(metric))
            if other is not None:
                other._in_python.update({i: copy.deepcopy(metric) for i, own in other._in_python.items() if own is metric})
            _accumulators[id(metric)] = self
            self._in_python[place] = metric
            with _inside(metric):
                metric.reset_state()
            metric._in_pass = True

    def use(self, batches: Batches) -> MetricAccumulator:
        """Run over these batches from now on, whose ``predictions`` and ``objective`` are set."""
        if self._in_python:
            self._window = max(1, WINDOW_SAMPLES // batches.batch_size)
            samples = min(len(batches.x), self._window * batches.batch_size)
            batches.predictions = np.empty((samples, self._objective.prediction_columns), np.float32)
        batches.objective = self._objective.objectives
        self._batches = batches
        return self

    def run(self, engine: EngineCall, first: int, stop: int) -> int:
        """Run the engine from batch ``first`` to at most ``stop - 1``; returns the index of the next batch."""
        assert self._batches is not None
        if not self._in_python:
            return engine(self._batches, first, stop, self._totals)
        reached = engine(self._batches, first, min(stop, first + self._window), self._totals)
        self._update_metrics(self._batches, first, reached)
        return reached

    def _update_metrics(self, batches: Batches, first: int, stop: int) -> None:
        """Update the metrics that Python computes, with the predictions for batches ``first`` … ``stop - 1``."""
        assert batches.predictions is not None
        start, end = first * batches.batch_size, min(stop * batches.batch_size, len(batches.x))
        which = slice(start, end) if batches.order is None else batches.order[start:end]
        all_p, all_y = batches.predictions[: end - start], batches.y[which]
        weights = None if batches.sample_weight is None else batches.sample_weight[which].reshape(end - start, -1)
        for place in self._in_python:
            measured = self._objective.metrics[place]
            p, y = measured.columns.metric_arguments(all_p, all_y)
            column = None if weights is None else min(measured.columns.weights, weights.shape[1] - 1)
            weight = weights[:, column] if weights is not None and measured.weighted else None
            whole = self._in_python[place].takes_chunks and type(self._in_python[place]).__module__.startswith("fastmlp.")
            step = end - start if whole else self._batch_size or batches.batch_size
            for at in range(0, end - start, step):
                part = slice(at, at + step)
                with _lock:  # looked up each time: another accumulator may have claimed the object
                    options = {} if weight is None else {"sample_weight": weight[part]}
                    with _inside(self._in_python[place]) as metric:
                        metric.update_state(y[part], p[part], **options)

    @property
    def samples(self) -> int:
        """The number of samples so far."""
        return int(self._totals[1])

    def state(self) -> dict[str, Any]:
        """The accumulated sums, as JSON values."""
        return {"totals": to_json(self._totals), "metrics": [metric._fit_state() for metric in self._in_python.values()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a :meth:`state`."""
        self._totals[:] = from_json(state["totals"])
        for metric, kept in zip(self._in_python.values(), state["metrics"], strict=True):
            if kept is None:
                checks.warn(
                    f"the state of the custom metric {metric.name} can't be restored, so its value for the interrupted epoch only includes "
                    "the batches after resuming"
                )
            else:
                metric._restore_fit_state(kept)

    def values(self) -> dict[str, Any]:
        """Loss and metrics so far, in the order in which ``evaluate`` lists them."""
        return self._named(self._objective.log_names)

    def logs(self) -> dict[str, Any]:
        """The values sorted by name, as passed to callbacks."""
        return self._named(self._objective.sorted_names)

    def _named(self, names: Sequence[str]) -> dict[str, Any]:
        """The values with these names, in this order."""
        totals = self._totals.tolist()
        values: dict[str, Any] = {"loss": _quotient(totals[0], totals[1])}
        measured = 2
        for place, one in enumerate(self._objective.metrics):
            if place in self._in_python:
                with _inside(self._in_python[place]) as metric:
                    values[one.name] = _plain(metric.result())
                continue
            total, count = totals[measured : measured + 2]
            if isinstance(one.metric, EngineMetric):
                one.metric.total, one.metric.count = total, count
            values[one.name] = _quotient(total, count)
            measured += 2
        return {name: values[name] for name in names}

    def finish(self) -> dict[str, Any]:
        """The final values; metrics may warn about the data they have read."""
        for metric in self._in_python.values():
            metric._in_pass = False
        return self.values()


@contextmanager
def _inside(metric: Metric) -> Iterator[Metric]:
    """Marks that a method of the metric is running, which must not start an accumulator that uses the metric."""
    before = getattr(_thread, "metrics", ())
    _thread.metrics = (*before, metric)
    try:
        yield metric
    finally:
        _thread.metrics = before


def _quotient(total: float, count: float) -> float:
    """``total / count``, or what IEEE 754 says of a division by zero."""
    if count:
        return total / count
    with quiet():
        return float(np.divide(total, count))


def _plain(value: object) -> float | np.ndarray:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
