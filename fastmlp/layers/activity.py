"""Penalties on the outputs of layers."""

from __future__ import annotations

from typing import Unpack

from fastmlp import regularizers
from fastmlp._base.arguments import Real
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Penalty
from fastmlp._graph.operation import Operation
from fastmlp.layers.base import Layer, LayerOptions

__all__ = ["ActivityRegularization"]


class ActivityRegularization(Layer):
    """Returns its input, and adds ``l1·Σ|x| + l2·Σx²``, averaged over the samples of a batch, to the loss.

    An l1 penalty makes activations sparse: Glorot et al. 2011, "Deep sparse rectifier neural networks".

    Args:
        l1: Factor of the sum of absolute values, ≥ 0.
        l2: Factor of the sum of squares, ≥ 0.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Dense(8, "relu", input_shape=(4,)), layers.ActivityRegularization(l1=1e-3), layers.Dense(2)])
    """

    weightless = True

    l1 = Real(0)
    l2 = Real(0)

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.l1, self.l2 = l1, l2
        self.activity_regularizer = regularizers.L1L2(self.l1, self.l2)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return penalize(self.activity_regularizer)


def penalize(regularizer: regularizers.Regularizer | None) -> tuple[Operation, ...]:
    """The operation that adds a penalty on activities to the loss; none if the penalty is 0."""
    penalty = None if regularizer is None else regularizer.penalty()
    return () if penalty in (None, Penalty()) else (Operation("activity", settings={"penalty": penalty}),)
