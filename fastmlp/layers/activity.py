"""Penalties on what layers give."""

from __future__ import annotations

from typing import Any

from fastmlp import regularizers
from fastmlp._base.arguments import Real
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Penalty
from fastmlp._graph.operation import Operation
from fastmlp.layers.base import Layer

__all__ = ["ActivityRegularization"]


class ActivityRegularization(Layer):
    """Leave the inputs as they are, and add ``l1·Σ|x| + l2·Σx²`` to the loss, as a mean over the rows of a batch.

    Args:
        l1: At least 0. Makes most of what a layer gives very small (Glorot et al. 2011, "Deep sparse rectifier neural networks").
        l2: At least 0.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Dense(8, "relu", input_shape=(4,)), layers.ActivityRegularization(l1=1e-3), layers.Dense(2)])
    """

    weightless = True

    l1 = Real(0)
    l2 = Real(0)

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.l1, self.l2 = l1, l2
        self.activity_regularizer = regularizers.L1L2(self.l1, self.l2)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return penalize(self.activity_regularizer)


def penalize(regularizer: regularizers.Regularizer | None) -> tuple[Operation, ...]:
    """The step that such a penalty takes, if it asks for anything."""
    penalty = Penalty() if regularizer is None else regularizer.penalty()
    return () if penalty == Penalty() else (Operation("activity", settings={"penalty": penalty}),)
