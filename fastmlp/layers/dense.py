"""The layer networks are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import activations, checks, initializers
from fastmlp.initializers import Initializer
from fastmlp.layers.base import Layer, Operation
from fastmlp.shapes import Shape
from fastmlp.weights import Weight


class Dense(Layer):
    """``activation(x @ kernel + bias)``: every output sees every input.

    Args:
        units: The number of outputs.
        activation: A name (``"relu"``), an activation, a pair of functions (value, derivative), or None for linear; see
            :mod:`fastmlp.activations` for the list.
        use_bias: Whether a bias is added.
        kernel_initializer: For the kernel ``(inputs, units)``.
        bias_initializer: For the bias ``(units,)``.

    Example:

    >>> from fastmlp import layers
    >>> layer = layers.Dense(4, activation="relu", input_shape=(3,))
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = checks.whole_number("units", units)
        self.activation = activations.get(activation)
        self.use_bias = checks.flag("use_bias", use_bias)
        self.kernel_initializer: Initializer = initializers.get(kernel_initializer)
        self.bias_initializer: Initializer = initializers.get(bias_initializer)

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        weights = [Weight(self.name, "kernel", (self.require_vector(input_shape), self.units), self.kernel_initializer)]
        if self.use_bias:
            weights.append(Weight(self.name, "bias", (self.units,), self.bias_initializer))
        return weights

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (self.units,)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return Operation("dense"), Operation("activation", self.activation)

    @property
    def kernel(self) -> np.ndarray:
        """A copy of the kernel ``(inputs, units)``."""
        return self._weight(0)

    @property
    def bias(self) -> np.ndarray | None:
        """A copy of the bias ``(units,)``, None without one."""
        return self._weight(1) if self.use_bias else None

    def _weight(self, index: int) -> np.ndarray:
        if not self.built:
            raise ValueError(
                f"layer {self.name!r} has no weights yet: it does not know its input shape; give input_shape=, or build the model"
            )
        return self._weights[index].read()

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.registry.serialize(self.kernel_initializer),
            "bias_initializer": initializers.registry.serialize(self.bias_initializer),
        }
