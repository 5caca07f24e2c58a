"""Checked samples, and which minibatches each epoch runs over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastmlp._base import checks
from fastmlp._engine.spec import Batches, SparseRows

DEFAULT_BATCH_SIZE = 32


@dataclass(slots=True)
class Samples:
    """Checked data: the arrays an engine reads."""

    x: np.ndarray | SparseRows
    y: np.ndarray
    weight: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x)

    def part(self, start: int, stop: int) -> Samples:
        """Samples ``start`` … ``stop - 1``, not copied."""
        return Samples(self.x[start:stop], self.y[start:stop], None if self.weight is None else self.weight[start:stop])

    def batches(self, batch_size: int, order: np.ndarray | None = None) -> Batches:
        """The samples cut into minibatches."""
        return Batches(self.x, self.y, self.weight, order, batch_size)


class BatchSampler:
    """Which batches each epoch runs.

    An epoch is one pass over the samples, in an order of its own. With ``steps`` it has that many batches, and the next epoch
    continues where it ended.

    Args:
        samples: The training data.
        batch_size: Samples per batch; by default 32, or with ``steps`` the size that makes them one pass.
        steps: Batches in an epoch.
        shuffle: Fills in the order of the samples for the pass of this number; None to keep their order.
    """

    def __init__(
        self, samples: Samples, batch_size: int | None, steps: int | None, shuffle: Callable[[int, np.ndarray], None] | None
    ) -> None:
        self.batch_size = batch_size or (-(-len(samples) // steps) if steps else DEFAULT_BATCH_SIZE)
        self._samples = samples
        self._available = -(-len(samples) // self.batch_size)
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
        return f"{self.steps} batches of {self.batch_size} out of {len(self._samples)} samples"

    def epoch(self, number: int) -> tuple[Batches, int, int]:
        """The batches, and the range of them, that the next epoch runs; a pass that begins with it has the order of this number."""
        if self.first is None:
            self.first, self.number = 0, number
        if self._shuffle is not None and self._order_number != self.number:
            if self._order is None:
                self._order = np.empty(len(self._samples), np.uint32)
            self._shuffle(self.number, self._order)
            self._order_number = self.number
        first = self.first
        stop = min(first + self.steps, self._available)
        if stop < first + self.steps:
            checks.warn(
                f"the data ran out after {stop - first} of {self.steps} steps; "
                f"{len(self._samples)} samples are only {self._available} batches of {self.batch_size}, so lower steps_per_epoch",
            )
        self._following = None if stop == self._available else stop
        return self._samples.batches(self.batch_size, self._order), first, stop

    def end_epoch(self) -> None:
        """The epoch is over."""
        self.first = self._following
