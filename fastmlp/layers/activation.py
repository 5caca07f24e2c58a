"""Layers that apply a function to what comes in."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

import fastmlp.layers.axes as axes
from fastmlp import activations, initializers
from fastmlp._base import settings
from fastmlp._base.arguments import Converted, Real
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.activations import Activation as ActivationFunction
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerWeight

__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class _ActivationLayer(Layer):
    """A layer that only applies ``self.activation``."""

    weightless = True
    activation: ActivationFunction

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "activation" and "_sealed" in self.__dict__ and name not in settings.settings_of(type(self)):
            raise AttributeError(f"{type(self).__name__} has its own activation; make a layer Activation({value!r}) instead")
        super().__setattr__(name, value)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        groups = 1 if self.activation.elementwise else math.prod(input_shape[:-1])
        return (Operation("activation", self.activation, groups=groups),)

    def row_after(self, input_shape: Shape) -> Shape:
        if self.activation.elementwise:
            return input_shape
        return (*input_shape[:-1], self.activation.width(self.require_columns(input_shape)))


class Activation(_ActivationLayer):
    """An activation function as a layer of its own.

    Args:
        activation: A name (``"sigmoid"``), an activation, or a pair of functions (value, derivative); see :mod:`fastmlp.activations`.
    """

    activation = Converted(activations.get, activations.serialize)

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activation


class ReLU(_ActivationLayer):
    """``min(x, max_value)`` where x is above the threshold, ``negative_slope * (x - threshold)`` elsewhere; by default ``max(x, 0)``.

    Args:
        max_value: The largest output, at least 0; None for no limit.
        negative_slope: Slope up to the threshold, at least 0.
        threshold: Where the input begins to pass, at least 0.
    """

    max_value = Real(0, optional=True)
    negative_slope = Real(0)
    threshold = Real(0)

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold
        self.activation = activations.make("relu", max_value=self.max_value, negative_slope=self.negative_slope, threshold=self.threshold)


class LeakyReLU(_ActivationLayer):
    """``x`` for x ≥ 0, ``negative_slope * x`` below.

    Args:
        negative_slope: Slope for negative input, 0.3 unless told (the name ``"leaky_relu"`` means 0.2). ``alpha=`` is accepted as well.
    """

    negative_slope = Real(0)

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        self.negative_slope = negative_slope
        self.activation = ActivationFunction("leaky_relu", self.negative_slope)


class ELU(_ActivationLayer):
    """``x`` for x > 0, ``alpha * (exp(x) - 1)`` below (Clevert et al. 2016, "Fast and accurate deep network learning by ELUs").

    Args:
        alpha: How far below 0 the output may go, at least 0.
    """

    alpha = Real(0)

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = alpha
        self.activation = activations.make("elu", alpha=self.alpha)


class Softmax(_ActivationLayer):
    """``exp(x) / sum(exp(x))`` over the columns of each row.

    Args:
        axis: The last axis of a row, -1.
    """

    only_in_keras: ClassVar = {"axis": -1}

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axes.whole_axis(axis)
        self.activation = activations.softmax

    def row_after(self, input_shape: Shape) -> Shape:
        axes.require_last("Softmax", self.axis, input_shape)
        return super().row_after(input_shape)


def _whole_axes(given: Any) -> list[int] | None:
    if given is None:
        return None
    axes = list(given) if isinstance(given, (list, tuple)) else [given]
    if not all(type(axis) is int and axis > 0 for axis in axes):
        raise ValueError(f"shared_axes must be axes of a row, counted from 1, or None, got {given!r}")
    return axes


class PReLU(Layer):
    """``x`` for x > 0, ``alpha * x`` below, with an alpha that is learned for each element of a row.

    He et al. 2015, "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification".

    Args:
        alpha_initializer: For alpha, of the shape of a row.
        shared_axes: Axes along which elements have the same alpha, counted from 1, as the batch axis is 0: ``[1]`` for one alpha a feature
            of rows ``(steps, features)``. None: every element has its own.
        alpha_regularizer: What alpha adds to the loss: ``"l2"``, …
        alpha_constraint: What alpha is brought back to after each update: ``"non_neg"``, …
    """

    ruled: ClassVar = ("alpha",)
    alpha = LayerWeight("The slopes for negative input, a :class:`~fastmlp.Variable`.")

    alpha_initializer = Converted(initializers.get, initializers.serialize)
    shared_axes = Converted(_whole_axes)

    def __init__(self, alpha_initializer: Any = "zeros", shared_axes: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.alpha_initializer = alpha_initializer
        self.shared_axes = shared_axes

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        shared = self._shared(input_shape)
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(input_shape))
        weight = self.new_weight("alpha", shape, self.alpha_initializer, flat=True)
        penalty, bounds = weight.rules
        if len(shape) > 1 and ((penalty and penalty.orthogonal) or (bounds and bounds.kind == "norm" and bounds.axis is not None)):
            raise UnsupportedError(
                f"a penalty on angles and norms along one axis of the alpha of layer {self.name!r}, of shape {shape}, are not in fastmlp; "
                "use L1, L2, NonNeg, or a norm with axis=None"
            )
        return [weight]

    def _shared(self, row: Shape) -> set[int]:
        """Which axes of a row have one alpha, from 0."""
        if any(axis > len(row) for axis in self.shared_axes or ()):
            raise ValueError(
                f"layer {self.name!r} has shared_axes={self.shared_axes}, but gets rows of shape {row}, whose axes are 1 to {len(row)}"
            )
        return {axis - 1 for axis in self.shared_axes or ()}

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        shared = self._shared(input_shape)
        order = sorted(range(len(input_shape)), key=lambda axis: axis not in shared)  # those with one alpha first, as groups
        slopes = Operation("prelu", groups=math.prod(input_shape[axis] for axis in shared))
        if order == sorted(order):
            return (slopes,)
        places = np.arange(math.prod(input_shape)).reshape(input_shape).transpose(order).ravel()
        there, back = (Operation("gather", settings={"gathered": gathered}) for gathered in (places, np.argsort(places)))
        return there, slopes, back
