"""Checked rows, and which minibatches each epoch runs over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fastmlp._base import checks
from fastmlp._engine.spec import Batches, SparseRows

DEFAULT_BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Rows:
    """Checked data: the arrays an engine reads."""

    x: np.ndarray | SparseRows
    y: np.ndarray
    weight: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x)

    def part(self, start: int, stop: int) -> Rows:
        """Rows ``start`` … ``stop - 1``, not copied."""
        return Rows(self.x[start:stop], self.y[start:stop], None if self.weight is None else self.weight[start:stop])

    def batches(self, batch_size: int, order: np.ndarray | None = None) -> Batches:
        """The rows cut into minibatches."""
        return Batches(self.x, self.y, self.weight, order, batch_size)


class BatchSampler:
    """Which batches each epoch runs.

    An epoch is one pass over the rows, in an order of its own. With ``steps`` it is that many batches, and the next epoch goes on where it
    ended.

    Args:
        rows: The training data.
        batch_size: Rows in a batch; 32 unless told, or what makes one pass of ``steps`` batches.
        steps: Batches in an epoch.
        shuffle: Fills an order of rows for the pass of this number; None for the order of the rows.
    """

    def __init__(self, rows: Rows, batch_size: int | None, steps: int | None, shuffle: Callable[[int, np.ndarray], None] | None) -> None:
        self.batch_size = batch_size or (-(-len(rows) // steps) if steps else DEFAULT_BATCH_SIZE)
        self._rows = rows
        self._available = -(-len(rows) // self.batch_size)
        self._wanted = steps
        self._shuffle = shuffle
        self._order: np.ndarray | None = None
        self._order_number = -1
        self.number = 0
        """Which order the pass has that the epoch belongs to."""
        self.first: int | None = None
        """The batch of the pass that the epoch begins with; None when a new pass begins."""
        self._following: int | None = None

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self._wanted or self._available

    def describe(self) -> str:
        """What an epoch is, for a message."""
        return f"{self.steps} batches of {self.batch_size} out of {len(self._rows)} rows"

    def epoch(self, number: int) -> tuple[Batches, int, int]:
        """The batches, and the range of them, that the next epoch runs; a pass that begins with it has the order of this number."""
        if self.first is None:
            self.first, self.number = 0, number
        if self._shuffle is not None and self._order_number != self.number:
            if self._order is None:
                self._order = np.empty(len(self._rows), np.uint32)
            self._shuffle(self.number, self._order)
            self._order_number = self.number
        first = self.first
        stop = min(first + self.steps, self._available)
        if stop < first + self.steps:
            checks.warn(
                f"the data ran out after {stop - first} of {self.steps} steps; "
                f"{len(self._rows)} rows give only {self._available} batches of {self.batch_size}, so lower steps_per_epoch",
            )
        self._following = None if stop == self._available else stop
        return self._rows.batches(self.batch_size, self._order), first, stop

    def end_epoch(self) -> None:
        """The epoch is over."""
        self.first = self._following


class Source(Protocol):
    """The batches of a fit, and its position in them: a :class:`BatchSampler` or a :class:`~fastmlp._training.batch_stream.BatchStream`."""

    first: int | None
    number: int

    def describe(self) -> str: ...
    def end_epoch(self) -> None: ...


class Counter(Protocol):
    """What adds up an epoch: a :class:`~fastmlp._training.accumulators.MetricAccumulator`, or one that is fed."""

    def state(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...


class FitState:
    """Where a call of ``fit`` stands between two batches, so that another call can go on from there.

    Args:
        source: Which batches it runs.
        listeners: Its callbacks.
        epoch: The first epoch, from 0.
    """

    def __init__(self, source: Source, listeners: Any, epoch: int) -> None:
        self._source = source
        self.listeners = listeners
        self.epoch = epoch
        self.batches = 0
        """Batches done in the epoch."""
        self._tally: Counter | None = None
        self._interrupted: Mapping[str, Any] = {}

    def begin_epoch(self, epoch: int, tally: Counter) -> None:
        """What adds up an epoch; it goes on from where the epoch was interrupted."""
        self.epoch = epoch
        self._tally = tally
        if self.batches:
            tally.restore(self._interrupted)

    def end_epoch(self) -> None:
        """All batches of the epoch are done."""
        self._source.end_epoch()
        self.epoch += 1
        self.batches = 0

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "epoch": self.epoch,
            "batches": self.batches,
            "tally": self._tally.state() if self._tally is not None and self.batches else {},
            "first": self._source.first,
            "number": self._source.number,
            "data": self._source.describe(),
        }

    def restore(self, state: Mapping[str, Any], path: Any) -> None:
        """Go on from a :meth:`state` found in ``path``; a ValueError if it is of other data."""
        inside_a_pass = state["batches"] or state["first"] is not None
        if inside_a_pass and state["data"] != self._source.describe():
            raise ValueError(
                f"{path} holds an epoch of {state['data']}, but this fit has {self._source.describe()}; "
                f"give fit what it had, or delete {path}"
            )
        self.epoch, self.batches, self._interrupted = state["epoch"], state["batches"], state["tally"]
        self._source.first, self._source.number = state["first"], state["number"]
