"""What is added up over batches: the engine's totals, and the metrics that are computed from the predictions it hands out."""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp import errors
from fastmlp._base import checks
from fastmlp._base.numeric import quiet
from fastmlp._engine.spec import Batches
from fastmlp._training.objective import ResolvedObjective
from fastmlp.metrics.base import EngineMetric, from_json, to_json

WINDOW_ROWS = 1 << 16
"""Predictions are kept for this many rows at most, between two looks of the metrics at them."""

_turn = threading.RLock()
"""Held while a metric looks at predictions or goes over to another pass: the user's own objects are shared by all passes."""
_holders: weakref.WeakValueDictionary[int, MetricAccumulator] = weakref.WeakValueDictionary()
"""Which pass measures with an object, by its id."""
_here = threading.local()
"""In ``metrics``, those whose methods this thread is in."""


def _begin_again() -> None:
    """In a child process, where no other thread is left to give up the turn."""
    global _turn
    _turn = threading.RLock()
    _holders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)


class MetricAccumulator:
    """One pass over data: what it runs over, and loss and metrics so far.

    Args:
        objective: What is measured.
        outputs: Columns of the predictions.
        batch_size: Rows of a batch for metrics that want batches; that of the batches unless told.
    """

    def __init__(self, objective: ResolvedObjective, outputs: int, batch_size: int | None = None) -> None:
        self._objective = objective
        self._outputs = outputs
        self._totals = objective.new_totals()
        self._batch_size = batch_size
        self._batches: Batches | None = None
        self._watching: dict[int, Any] = {}
        watching = {place: one.metric for place, one in enumerate(objective.metrics) if not one.in_engine}
        if any(metric is busy for metric in watching.values() for busy in getattr(_here, "metrics", ())):
            raise RuntimeError(errors.INSIDE_METRIC)
        for place, metric in watching.items():
            self._take(place, metric)
        self._window = 0

    def _take(self, place: int, metric: Any) -> None:
        """Measure with the user's own object from its beginning; a pass that is doing so goes on with a copy."""
        with _turn:
            holder = _holders.get(id(metric))
            if holder is not None:
                holder._watching.update({i: copy.deepcopy(metric) for i, own in holder._watching.items() if own is metric})
            _holders[id(metric)] = self
            self._watching[place] = metric
            with _inside(metric):
                metric.reset_state()
            metric._in_pass = True

    def use(self, batches: Batches) -> MetricAccumulator:
        """Run over these batches from now on."""
        room = None
        if self._watching:
            self._window = max(1, WINDOW_ROWS // batches.batch_size)
            rows = min(len(batches.x), self._window * batches.batch_size)
            room = np.empty((rows, self._outputs), np.float32)
        self._batches = replace(batches, predictions=room, objective=self._objective.objectives)
        return self

    def run(self, engine: Callable[[Batches, int, int, np.ndarray], int], first: int, stop: int) -> int:
        """Let the engine run from batch ``first`` on, at most to ``stop - 1``; the number of the next batch."""
        assert self._batches is not None
        if not self._watching:
            return engine(self._batches, first, stop, self._totals)
        reached = engine(self._batches, first, min(stop, first + self._window), self._totals)
        self._look(self._batches, first, reached)
        return reached

    def _look(self, batches: Batches, first: int, stop: int) -> None:
        assert batches.predictions is not None
        start, end = first * batches.batch_size, min(stop * batches.batch_size, len(batches.x))
        rows: Any = slice(start, end) if batches.order is None else batches.order[start:end]
        all_p, all_y = batches.predictions[: end - start], batches.y[rows]
        weights = None if batches.sample_weight is None else batches.sample_weight[rows].reshape(end - start, -1)
        for place in self._watching:
            measured = self._objective.metrics[place]
            of = measured.columns
            p, y = all_p[:, of.predictions], of.of_targets(all_y)
            if of.labels:
                y = y.astype(np.int32)
                y = y if of.row else y[:, 0]
            weight = weights[:, min(of.weights, weights.shape[1] - 1)] if weights is not None and measured.weighted else None
            if of.row:
                p = p.reshape(-1, *of.row)
                y = y.reshape(p.shape[:-1] if of.labels or y.dtype == np.int32 else p.shape)
            whole = self._watching[place].takes_chunks and type(self._watching[place]).__module__.startswith("fastmlp.")
            step = end - start if whole else self._batch_size or batches.batch_size
            for at in range(0, end - start, step):
                part = slice(at, at + step)
                with _turn:  # looked up each time: another pass may have taken the object
                    options = {} if weight is None else {"sample_weight": weight[part]}
                    with _inside(self._watching[place]) as metric:
                        metric.update_state(y[part], p[part], **options)

    @property
    def samples(self) -> int:
        """Samples run over so far."""
        return int(self._totals[1])

    def state(self) -> dict[str, Any]:
        """What has been added up, as JSON values."""
        return {"totals": to_json(self._totals), "metrics": [metric._fit_state() for metric in self._watching.values()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self._totals[:] = from_json(state["totals"])
        for metric, kept in zip(self._watching.values(), state["metrics"], strict=True):
            if kept is None:
                checks.warn(f"the metric {metric.name} is of your own, so its value of the interrupted epoch misses the batches before")
            else:
                metric._restore_fit_state(kept)

    def values(self) -> dict[str, Any]:
        """``loss`` first, then the metrics in the order of ``compile``, so far."""
        with quiet():
            loss, *means = (self._totals[0::2] / self._totals[1::2]).tolist()
        names = [one.name for one in self._objective.metrics]
        values = []
        measured = 0
        for place, one in enumerate(self._objective.metrics):
            if place in self._watching:
                with _inside(self._watching[place]) as metric:
                    values.append(_plain(metric.result()))
                continue
            if isinstance(one.metric, EngineMetric):
                one.metric.total, one.metric.count = self._totals[2 + 2 * measured : 4 + 2 * measured].tolist()
            values.append(means[measured])
            measured += 1
        return self._objective.as_logs(dict(zip(("loss", *names), [loss, *values], strict=True)))

    def finish(self) -> dict[str, Any]:
        """The values at the end of the pass, where metrics may warn of what they have seen."""
        for metric in self._watching.values():
            metric._in_pass = False
        return self.values()

    def logs(self) -> dict[str, Any]:
        """The values under sorted names, as callbacks get them."""
        return dict(sorted(self.values().items()))


@contextmanager
def _inside(metric: Any) -> Iterator[Any]:
    """While a method of the metric runs, which is to begin no pass that it measures."""
    before = getattr(_here, "metrics", ())
    _here.metrics = (*before, metric)
    try:
        yield metric
    finally:
        _here.metrics = before


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
