"""Layers that apply a function to what comes in."""

from __future__ import annotations

from typing import Any

from fastmlp import activations, checks
from fastmlp.activations import Activation as ActivationFunction
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, Operation
from fastmlp.shapes import Shape


class _ActivationLayer(Layer):
    """A layer that only applies ``self.activation``."""

    weightless = True
    activation: ActivationFunction

    def operations(self) -> tuple[Operation, ...]:
        return (Operation("activation", self.activation),)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not self.activation.elementwise and len(input_shape) != 1:
            raise ValueError(
                f"layer {self.name!r} takes rows that are vectors, but gets rows of shape {input_shape}; put a Flatten() before it"
            )
        return input_shape


class Activation(_ActivationLayer):
    """An activation function as a layer of its own.

    Args:
        activation: A name (``"sigmoid"``) or an activation.
    """

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "activation": activations.serialize(self.activation)}


class ReLU(_ActivationLayer):
    """``max(x, 0)``, or ``negative_slope * x`` for negative x.

    Args:
        max_value: None; an upper limit is not in fastmlp yet.
        negative_slope: Slope for negative input.
        threshold: 0; other thresholds are not in fastmlp yet.
    """

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        if max_value is not None:
            raise UnsupportedError("ReLU(max_value=...) is not in fastmlp yet; use ReLU() or a bounded activation: 'sigmoid', 'tanh'")
        if checks.number("threshold", threshold, 0.0) != 0:
            raise UnsupportedError("ReLU(threshold=...) is not in fastmlp yet; the bias before it can move the threshold")
        self.negative_slope = checks.number("negative_slope", negative_slope, 0.0)
        self.activation = ActivationFunction("leaky_relu", self.negative_slope) if self.negative_slope else activations.relu

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "negative_slope": self.negative_slope}


class LeakyReLU(_ActivationLayer):
    """``x`` for x ≥ 0, ``negative_slope * x`` below.

    Args:
        negative_slope: Slope for negative input, 0.3 unless told (the name ``"leaky_relu"`` means 0.2). ``alpha=`` is accepted as well.
    """

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        self.negative_slope = checks.number("negative_slope", negative_slope, 0.0)
        self.activation = ActivationFunction("leaky_relu", self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "negative_slope": self.negative_slope}


class Softmax(_ActivationLayer):
    """``exp(x) / sum(exp(x))`` over the columns of each row.

    Args:
        axis: -1; the only axis of a row.
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        if axis not in (-1, 1):
            raise UnsupportedError(f"Softmax(axis={axis!r}) is not in fastmlp yet; rows are vectors, so the axis is -1")
        self.activation = activations.softmax

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}
