"""Loss and metrics of an epoch whose batches come one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastmlp._engine.spec import Batches
from fastmlp._training.accumulators import MetricAccumulator
from fastmlp._training.objective import ResolvedObjective
from fastmlp.errors import NonFiniteLossError


class StreamAccumulator(MetricAccumulator):
    """A :class:`MetricAccumulator` whose batches come one by one.

    Args:
        objective: What is measured.
        outputs: Columns of the predictions.
        batches: The batches of an epoch.
        convert: From a batch to what an engine reads.
    """

    def __init__(self, objective: ResolvedObjective, outputs: int, batches: Iterator[Any], convert: Callable[[Any], Batches]) -> None:
        super().__init__(objective, outputs)
        self._fed = batches
        self._convert = convert

    def run(self, engine: Callable[[Batches, int, int, np.ndarray], int], first: int, stop: int) -> int:
        """Let the engine run the next batch; the number of the one behind it, or ``first`` if there are no more."""
        batch = next(self._fed, None)
        if batch is None:
            return first
        self.use(self._convert(batch))
        try:
            super().run(engine, 0, 1)
        except NonFiniteLossError as error:
            raise type(error)(first) from None
        return first + 1
