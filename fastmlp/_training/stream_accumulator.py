"""Loss and metrics over batches that come one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastmlp._engine.spec import Batches
from fastmlp._training.accumulators import EngineCall, MetricAccumulator
from fastmlp._training.objective import ResolvedObjective
from fastmlp.errors import NonFiniteLossError


class StreamAccumulator(MetricAccumulator):
    """A :class:`MetricAccumulator` whose batches come one by one.

    Args:
        objective: The losses and metrics.
        outputs: Columns of the predictions.
        batches: The batches of an epoch.
        convert: Returns a batch as an engine reads it.
    """

    def __init__(self, objective: ResolvedObjective, outputs: int, batches: Iterator[object], convert: Callable[[object], Batches]) -> None:
        super().__init__(objective, outputs)
        self._coming = batches
        self._convert = convert

    def run(self, engine: EngineCall, first: int, stop: int) -> int:
        """Call the engine to run the next batch; returns the number of the one after it, or ``first`` if there are no more."""
        batch = next(self._coming, None)
        if batch is None:
            return first
        self.use(self._convert(batch))
        try:
            super().run(engine, 0, 1)
        except NonFiniteLossError as error:
            raise type(error)(first) from None
        return first + 1
