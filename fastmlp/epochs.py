"""Checked rows, and which minibatches each epoch runs over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fastmlp import checks, targets
from fastmlp.plan import Batches, SparseRows

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

    def weighted_by_class(self, class_weight: Mapping[int, float] | None) -> Rows:
        """The rows, weighted by their classes if there is a class weight."""
        return self if class_weight is None else replace(self, weight=targets.class_weights_to_rows(class_weight, self.y))

    def batches(self, batch_size: int, order: np.ndarray | None = None) -> Batches:
        """The rows cut into minibatches."""
        return Batches(self.x, self.y, self.weight, order, batch_size)


class EpochPlan:
    """Which batches each epoch runs.

    An epoch is one pass over the rows, in an order of its own. With ``steps`` it is that many batches, and the next epoch goes on where it
    ended.

    Args:
        rows: The training data.
        batch_size: Rows in a batch; 32 unless told, or what makes one pass of ``steps`` batches.
        steps: Batches in an epoch.
        shuffle: Fills an order of rows for a new pass; None for the order of the rows.
    """

    def __init__(self, rows: Rows, batch_size: int | None, steps: int | None, shuffle: Callable[[np.ndarray], None] | None) -> None:
        self.batch_size = batch_size or (-(-len(rows) // steps) if steps else DEFAULT_BATCH_SIZE)
        self._rows = rows
        self._available = -(-len(rows) // self.batch_size)
        self._wanted = steps
        self._shuffle = shuffle
        self._next: int | None = None
        self._order: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self._wanted or self._available

    def epoch(self) -> tuple[Batches, int, int]:
        """The batches, and the range of them, that the next epoch runs."""
        if self._next is None:
            self._next = 0
            if self._shuffle is not None:
                if self._order is None:
                    self._order = np.empty(len(self._rows), np.uint32)
                self._shuffle(self._order)
        first = self._next
        stop = min(first + self.steps, self._available)
        if stop < first + self.steps:
            checks.warn(
                f"the data ran out after {stop - first} of {self.steps} steps; "
                f"{len(self._rows)} rows give only {self._available} batches of {self.batch_size}, so lower steps_per_epoch",
            )
        self._next = None if stop == self._available else stop
        return self._rows.batches(self.batch_size, self._order), first, stop
