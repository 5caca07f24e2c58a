"""Epochs over data that comes in batches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._data.adapters import StreamAdapter

ENDLESS = sys.maxsize


class BatchStream:
    """Epochs over data that comes in batches.

    Each batch is trained separately, with the same engine calls as for arrays, so the weights are those of arrays with the same batches.

    Args:
        name: What to call it in messages.
        source: Where the batches come from.
        steps: Batches in an epoch; by default, as many as there are.
        reorder: Fills an order of the batches for the pass of this number over a data set with a length; None for theirs.
    """

    def __init__(
        self, name: str, source: StreamAdapter, steps: int | None, reorder: Callable[[int, np.ndarray], None] | None = None
    ) -> None:
        self.name = name
        self._source = source
        self._length = source.batch_count()
        if self._length == 0:
            raise ValueError(f"{name} has no batches: its length is 0")
        self._wanted = steps
        self._reorder = reorder
        self._pass: Iterator[object] = iter(())
        self._order = np.zeros(0, np.uint32)
        self._pass_number: int | None = None
        """Which order the pass has that is under way; None if there is none."""
        self._at = 0
        """Batches of the pass that were taken."""
        self._peeked: list[object] = []
        self.number = 0
        """Which order the pass has that the epoch belongs to."""
        self.first: int | None = None
        """The batch of the pass that the epoch begins with; None when a new pass begins."""

    @property
    def steps(self) -> int | None:
        """Batches per epoch, or None if unknown."""
        return self._wanted or self._length

    @property
    def restarts(self) -> bool:
        """Whether there can be a second pass."""
        return self._source.restarts

    def describe(self) -> str:
        """What an epoch is, for a message."""
        amount = "all" if self.steps is None else str(self.steps)
        return f"{amount} batches of a {type(self._source.value).__name__}{'' if self._length is None else f' of {self._length}'}"

    def peek(self, number: int = 0) -> tuple[Any, Any, Any]:
        """The first batch, which is still to come; of a new pass, the order has this number."""
        if not self._peeked:
            if self._pass_number is None:
                self._begin_pass(number)
            batch = self._next()
            if batch is None:
                raise ValueError(f"{self.name} has no batches: it is empty or already exhausted")
            self._at -= 1
            self._peeked.append(batch)
        return self.parts(self._peeked[0])

    def _begin_pass(self, number: int) -> None:
        self._peeked.clear()
        self._pass_number, self._at = number, 0
        if self._length is None:
            self._pass = iter(self._source)
            return
        self._order = np.arange(self._length, dtype=np.uint32)
        if self._reorder is not None:
            self._reorder(number, self._order)

    def _next(self) -> object | None:
        """The next batch of the pass, None behind its end."""
        if self._peeked:
            batch = self._peeked.pop()
        elif self._length is None:
            batch = next(self._pass, None)
        else:
            batch = self._source.batch(int(self._order[self._at])) if self._at < self._length else None
        self._at += batch is not None
        return batch

    def _go_to(self, place: int) -> None:
        """Be before this batch of the pass, as an earlier call of fit was."""
        if self._pass_number is None or (self.restarts and self._pass_number != self.number):
            self._begin_pass(self.number)
        if self._length is not None and self._at != place:
            self._peeked.clear()
            self._at = place
        while self._at < place:
            if self._next() is None:
                raise ValueError(
                    f"{self.name} has only {self._at} of the {place} batches that were trained on before; pass the same data to fit"
                )

    def epoch(self, number: int = 0, done: int = 0) -> Iterator[object]:
        """The batches of the next epoch.

        Args:
            number: The number of the order of a pass that begins with it.
            done: How many batches of it to leave out: an earlier call of fit trained on them.
        """
        self._source.on_epoch_begin()
        if self.first is None:
            self.first, self.number = 0, number
        self._go_to(self.first + done)
        return self._draw(number, done)

    def _draw(self, number: int, done: int) -> Iterator[object]:
        steps = self._wanted or ENDLESS
        while done < steps:
            batch = self._next()
            if batch is None and done == 0 and self._wanted and self.restarts:  # the epoch before ended with the pass
                self.first, self.number = 0, number
                self._begin_pass(number)
                batch = self._next()
            if batch is None:
                break
            done += 1
            yield batch
        if done < steps:
            self._pass_number = None if self.restarts else self._pass_number
            if self._wanted or done == 0:
                checks.warn(
                    f"{self.name} ran out of data after {done} of {self._wanted or 'its'} steps; it must have batches for all epochs, "
                    "or lower steps_per_epoch"
                )

    def end_epoch(self) -> None:
        """The epoch is over; the hook of the data set is called."""
        ended = self._wanted is None or self._pass_number is None or self._at == self._length
        if ended and self.restarts:
            self._pass_number = self.first = None
        else:
            self.first = self._at
        self._source.on_epoch_end()

    def parts(self, batch: object) -> tuple[Any, Any, Any]:
        """A batch as (x, y or None, sample_weight or None)."""
        if not isinstance(batch, (tuple, list)):
            return batch, None, None
        if not 1 <= len(batch) <= 3:
            raise ValueError(f"a batch of {self.name} must be (x, y) or (x, y, sample_weight), got {len(batch)} parts")
        x, y, weight = (*batch, None, None)[:3]
        return x, y, weight
