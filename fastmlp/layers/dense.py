"""The layer networks are made of."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from fastmlp import activations, initializers, regularizers
from fastmlp._base import checks
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.initializers import Initializer
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
        self.units = checks.check_int("units", units)
        self.activation = activations.get(activation)
        self.activation.width(self.units)
        self.use_bias = checks.check_bool("use_bias", use_bias)
        self.kernel_initializer: Initializer = initializers.get(kernel_initializer)
        self.bias_initializer: Initializer = initializers.get(bias_initializer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
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

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.registry.serialize(self.kernel_initializer),
            "bias_initializer": initializers.registry.serialize(self.bias_initializer),
        }
        if self.activity_regularizer is None:  # Keras leaves it out too
            return config
        return {**config, "activity_regularizer": regularizers.serialize(self.activity_regularizer)}
