"""Constraints that are functions of the user's own: applied from Python between two batches, since engines know only their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp._base.numeric import as_caller, as_native
from fastmlp._engine.spec import Batches, Parameter

__all__ = ["constraining"]


def constraining(trainer: Any, network: Any) -> Any:
    """What trains as ``trainer`` does, and applies functions after each batch where parameters have such constraints."""
    described: Sequence[Parameter] = network.plan.parameters
    found = [(index, one) for index, one in enumerate(described) if one.trainable and one.bounds and one.bounds.function]
    return _Constraining(trainer, network, found) if found else trainer


class _Constraining:
    """Trains one batch at a time, with the method of networks.

    Args:
        trainer: Takes the steps.
        network: What it trains.
        constrained: The parameters that have functions, by their indices.
    """

    def __init__(self, trainer: Any, network: Any, constrained: Sequence[tuple[int, Parameter]]) -> None:
        self._trainer, self._network, self._constrained = trainer, network, constrained

    def train(self, batches: Batches, first: int, stop: int, seconds: float, totals: np.ndarray) -> int:
        """See :meth:`fastmlp.reference.Network.train`."""
        deadline = perf_counter() + seconds
        room = batches.predictions
        for index in range(first, stop):
            if room is not None:
                batches = replace(batches, predictions=room[(index - first) * batches.batch_size :])
            self._trainer.train(batches, index, index + 1, 0.0, totals)
            for number, parameter in self._constrained:
                self._network.set_parameter(number, constrained(parameter, self._network.get_parameter(number)))
            if perf_counter() >= deadline:
                return index + 1
        return stop


def constrained(parameter: Parameter, w: np.ndarray) -> np.ndarray:
    """What the parameter's function makes of its values."""
    assert parameter.bounds is not None
    assert parameter.bounds.function is not None
    with as_caller():
        answer = parameter.bounds.function(w)
    name = parameter.bounds.name
    try:
        values = None if answer is None else as_native(answer, w.dtype)
    except (TypeError, ValueError):
        values = None
    if values is None:
        raise TypeError(f"the constraint {name} must return an array of numbers for {parameter.name}, got {answer!r:.80}")
    if values.shape != w.shape:
        raise ValueError(f"the constraint {name} returned an array of shape {values.shape} for {parameter.name} of shape {w.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"the constraint {name} returned NaN or infinite numbers for {parameter.name}")
    return values
