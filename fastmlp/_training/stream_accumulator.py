"""Accumulation of loss and metrics over a stream of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastmlp._engine.spec import Batches
from fastmlp._training.accumulators import EngineCall, MetricAccumulator
from fastmlp._training.objective import ResolvedObjective
from fastmlp.errors import NonFiniteLossError


class StreamAccumulator(MetricAccumulator):
    """A :class:`MetricAccumulator` for a stream of batches.

    Args:
        objective: The losses and metrics.
        batches: The batches of an epoch.
        convert: Converts a batch to the arrays that an engine reads.
    """

    def __init__(self, objective: ResolvedObjective, batches: Iterator[object], convert: Callable[[object], Batches]) -> None:
        super().__init__(objective)
        self._coming = batches
        self._convert = convert

    def run(self, engine: EngineCall, first: int, stop: int) -> int:
        """Run the engine on the next batch; returns the index of the following batch, or ``first`` at the end of the stream."""
        batch = next(self._coming, None)
        if batch is None:
            return first
        self.use(self._convert(batch))
        try:
            super().run(engine, 0, 1)
        except NonFiniteLossError as error:
            raise type(error)(first) from None
        return first + 1
