"""The fully connected layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Unpack

from fastmlp import activations, initializers, regularizers
from fastmlp._base.arguments import Boolean, Converted, Integer
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.activity import penalize
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight

if TYPE_CHECKING:
    from fastmlp.activations import ActivationLike
    from fastmlp.constraints import ConstraintLike
    from fastmlp.initializers import InitializerLike
    from fastmlp.regularizers import RegularizerLike

__all__ = ["Dense"]


class Dense(Layer):
    """A fully connected layer: ``activation(x @ kernel + bias)``, applied along the last axis.

    Input ``(samples, …, inputs)``, output ``(samples, …, units)``.

    Args:
        units: The number of outputs, ≥ 1. With the activation ``glu`` the layer has half as many outputs.
        activation: A name (``"relu"``), an activation, a function of arrays, or None for linear; see
            :mod:`fastmlp.activations`.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel ``(inputs, units)``.
        bias_initializer: Initializer of the bias ``(units,)``.
        kernel_regularizer: Penalty on the kernel added to the loss: ``"l2"``, ``regularizers.L2(1e-4)``, …
        bias_regularizer: Penalty on the bias.
        activity_regularizer: Penalty on the outputs, averaged over the samples of a batch: ``"l1"``, ``"l2"`` or ``"l1_l2"``.
        kernel_constraint: Constraint applied to the kernel after each update: ``"non_neg"``, ``constraints.MaxNorm(3)``, …
        bias_constraint: Constraint applied to the bias.
        options: See :class:`Layer`.

    Raises:
        ValueError: ``units`` is less than 1, or a name is unknown.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers
    >>> layer = layers.Dense(4, activation="relu", input_shape=(3,))
    >>> layer(np.zeros((2, 3))).shape
    (2, 4)
    """

    ruled: ClassVar = ("kernel", "bias")
    kernel = LayerWeight("The kernel ``(inputs, units)``, a :class:`~fastmlp.Variable`.")
    bias = LayerWeight("The bias ``(units,)``; None if ``use_bias`` is False.")

    units = Integer()
    activation = Converted(activations.get, activations.serialize)
    use_bias = Boolean()
    kernel_initializer = Converted(initializers.get, initializers.serialize)
    bias_initializer = Converted(initializers.get, initializers.serialize)
    activity_regularizer = Converted(regularizers.get, regularizers.serialize, optional=True, omit=None)

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **options: Unpack[LayerOptions],
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
        if activity_regularizer is not None and isinstance(self.activity_regularizer, regularizers.OrthogonalRegularizer):
            raise UnsupportedError("OrthogonalRegularizer is a penalty on weights; activity_regularizer must be L1, L2 or L1L2")

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        weights = [self.new_weight("kernel", (self.require_features(input_shape), self.units), self.kernel_initializer)]
        if self.use_bias:
            weights.append(self.new_weight("bias", (self.units,), self.bias_initializer))
        return weights

    def row_after(self, input_shape: Shape) -> Shape:
        self.require_features(input_shape)
        return (*input_shape[:-1], self.activation.width(self.units))

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        groups = math.prod(input_shape[:-1])
        return (
            Operation("dense", groups=groups),
            Operation("activation", self.activation, groups=groups),
            *penalize(self.activity_regularizer),
        )
