"""Constraints that are user functions: applied in Python between batches, because engines only implement the built-in ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.numeric import as_caller, as_native
from fastmlp._engine.network import Network, Trainer
from fastmlp._engine.spec import Batches, Parameter, Plan

__all__ = ["ConstrainedTrainer", "apply_constraints", "function_constraints"]


def function_constraints(plan: Plan) -> tuple[tuple[int, Parameter], ...]:
    """The trainable parameters with constraints that are functions, and their indices."""
    return tuple((index, one) for index, one in enumerate(plan.parameters) if one.trainable and one.bounds and one.bounds.function)


class ConstrainedTrainer:
    """Trains one batch at a time, and applies constraints that are functions after each batch.

    Args:
        trainer: Trains the batches.
        network: The network that is trained.
        constrained: The :func:`function_constraints` of its plan.
    """

    def __init__(self, trainer: Trainer, network: Network, constrained: Sequence[tuple[int, Parameter]]) -> None:
        self._trainer, self._network, self._constrained = trainer, network, constrained

    def train(self, batches: Batches, first: int, stop: int, seconds: float, totals: NDArray[np.float64]) -> int:
        """See :meth:`fastmlp._engine.network.Trainer.train`."""
        deadline = perf_counter() + seconds
        predictions = batches.predictions
        for index in range(first, stop):
            if predictions is not None:
                batches = replace(batches, predictions=predictions[(index - first) * batches.batch_size :])
            self._trainer.train(batches, index, index + 1, 0.0, totals)
            apply_constraints(self._network, self._constrained)
            if perf_counter() >= deadline:
                return index + 1
        return stop


def apply_constraints(network: Network, constrained_parameters: Sequence[tuple[int, Parameter]]) -> None:
    """Apply the :func:`function_constraints` of a network's plan."""
    for number, parameter in constrained_parameters:
        network.set_parameter(number, constrained(parameter, network.get_parameter(number)))


def constrained(parameter: Parameter, w: np.ndarray) -> np.ndarray:
    """The values of a parameter after applying its constraint."""
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
