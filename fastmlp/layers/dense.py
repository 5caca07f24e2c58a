"""The layer networks are made of."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from fastmlp import activations, initializers, regularizers
from fastmlp._base.arguments import Boolean, Converted, Integer
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.activity import penalize
from fastmlp.layers.base import Layer, LayerWeight

__all__ = ["Dense"]


class Dense(Layer):
    """``activation(x @ kernel + bias)``: every output sees every input. Rows of more axes than one are taken along the last.

    Args:
        units: The number of outputs; the activation ``glu`` makes half as many of them.
        activation: A name (``"relu"``), an activation, a pair of functions (value, derivative), or None for linear; see
            :mod:`fastmlp.activations` for the list.
        use_bias: Whether a bias is added.
        kernel_initializer: For the kernel ``(inputs, units)``.
        bias_initializer: For the bias ``(units,)``.
        kernel_regularizer: What the kernel adds to the loss: ``"l2"``, ``regularizers.L2(1e-4)``, …
        bias_regularizer: The same for the bias.
        activity_regularizer: What the outputs add to the loss, as a mean over the rows of a batch: ``"l1"``, ``"l2"`` or ``"l1_l2"``.
        kernel_constraint: What the kernel is brought back to after each update: ``"non_neg"``, ``constraints.MaxNorm(3)``, …
        bias_constraint: The same for the bias.

    Example:

    >>> from fastmlp import layers
    >>> layer = layers.Dense(4, activation="relu", input_shape=(3,))
    """

    ruled: ClassVar = ("kernel", "bias")
    kernel = LayerWeight("The kernel ``(inputs, units)``, a :class:`~fastmlp.Variable`.")
    bias = LayerWeight("The bias ``(units,)``, None without one.")

    units = Integer()
    activation = Converted(activations.get, activations.serialize)
    use_bias = Boolean()
    kernel_initializer = Converted(initializers.get, initializers.serialize)
    bias_initializer = Converted(initializers.get, initializers.serialize)
    activity_regularizer = Converted(regularizers.get, regularizers.serialize, omit=None)

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **options,
        )
        self.units = units
        self.activation = activation
        self.activation.width(self.units)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.activity_regularizer = activity_regularizer
        if isinstance(self.activity_regularizer, regularizers.OrthogonalRegularizer):
            raise UnsupportedError("an OrthogonalRegularizer is for weights; activity_regularizer takes L1, L2 or L1L2")

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        weights = [self.new_weight("kernel", (self.require_columns(input_shape), self.units), self.kernel_initializer)]
        if self.use_bias:
            weights.append(self.new_weight("bias", (self.units,), self.bias_initializer))
        return weights

    def row_after(self, input_shape: Shape) -> Shape:
        self.require_columns(input_shape)
        return (*input_shape[:-1], self.activation.width(self.units))

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        groups = math.prod(input_shape[:-1])
        return (
            Operation("dense", groups=groups),
            Operation("activation", self.activation, groups=groups),
            *penalize(self.activity_regularizer),
        )
