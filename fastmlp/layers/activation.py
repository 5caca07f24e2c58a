"""Layers that apply an activation function to their input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Unpack

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
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight

if TYPE_CHECKING:
    from fastmlp.constraints import ConstraintLike
    from fastmlp.regularizers import RegularizerLike

__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class _ActivationLayer(Layer):
    """A layer that only applies ``self.activation``."""

    weightless = True
    activation: ActivationFunction

    def __setattr__(self, name: str, value: object) -> None:
        if name == "activation" and "_sealed" in self.__dict__ and name not in settings.settings_of(type(self)):
            raise AttributeError(f"the activation of {type(self).__name__} is fixed; use a layer Activation({value!r}) instead")
        super().__setattr__(name, value)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        groups = 1 if self.activation.elementwise else math.prod(input_shape[:-1])
        return (Operation("activation", self.activation, groups=groups),)

    def row_after(self, input_shape: Shape) -> Shape:
        if self.activation.elementwise:
            return input_shape
        return (*input_shape[:-1], self.activation.width(self.require_features(input_shape)))


class Activation(_ActivationLayer):
    """An activation function as a layer.

    Args:
        activation: A name (``"sigmoid"``), an activation, or a function of arrays; see :mod:`fastmlp.activations`.
        options: See :class:`Layer`.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers
    >>> layers.Activation("relu")(np.array([[-1.0, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    activation = Converted(activations.get, activations.serialize)

    def __init__(self, activation: activations.ActivationLike, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.activation = activation


class ReLU(_ActivationLayer):
    """``min(x, max_value)`` where x > threshold, ``negative_slope * (x - threshold)`` elsewhere; by default ``max(x, 0)``.

    Args:
        max_value: The maximum of the output, ≥ 0; by default there is none.
        negative_slope: The slope below the threshold, ≥ 0.
        threshold: The threshold, ≥ 0.
        options: See :class:`Layer`.
    """

    max_value = Real(0, optional=True)
    negative_slope = Real(0)
    threshold = Real(0)

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold
        self.activation = activations.make("relu", max_value=self.max_value, negative_slope=self.negative_slope, threshold=self.threshold)


class _LeakyReLUOptions(LayerOptions, total=False):
    alpha: float


class LeakyReLU(_ActivationLayer):
    """``x`` for x ≥ 0, ``negative_slope * x`` below.

    Args:
        negative_slope: The slope for negative inputs, ≥ 0. The default is 0.3; the activation ``"leaky_relu"`` has 0.2.
        options: See :class:`Layer`. ``alpha`` is another name of ``negative_slope``.
    """

    negative_slope = Real(0)

    def __init__(self, negative_slope: float = 0.3, **options: Unpack[_LeakyReLUOptions]) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        self.negative_slope = negative_slope
        self.activation = ActivationFunction("leaky_relu", self.negative_slope)


class ELU(_ActivationLayer):
    """``x`` for x > 0, ``alpha * (exp(x) - 1)`` below (Clevert et al. 2016, "Fast and accurate deep network learning by ELUs").

    Args:
        alpha: The output approaches −alpha for negative inputs; ≥ 0.
        options: See :class:`Layer`.
    """

    alpha = Real(0)

    def __init__(self, alpha: float = 1.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.alpha = alpha
        self.activation = activations.make("elu", alpha=self.alpha)


class Softmax(_ActivationLayer):
    """``exp(x) / sum(exp(x))`` over the features of each sample.

    Args:
        axis: -1, the last axis.
        options: See :class:`Layer`.
    """

    only_in_keras: ClassVar = {"axis": -1}

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = axes.single_axis(axis)
        self.activation = activations.softmax

    def row_after(self, input_shape: Shape) -> Shape:
        axes.require_last("Softmax", self.axis, input_shape)
        return super().row_after(input_shape)


def _shared_axes(given: int | Sequence[int] | None) -> list[int] | None:
    if given is None:
        return None
    axes = list(given) if isinstance(given, Sequence) else [given]
    if not all(type(axis) is int and axis > 0 for axis in axes):
        raise ValueError(f"shared_axes must be axes of a sample, counted from 1, or None, got {given!r}")
    return axes


class _PReLUOptions(LayerOptions, total=False):
    alpha_regularizer: RegularizerLike
    alpha_constraint: ConstraintLike


class PReLU(Layer):
    """``x`` for x > 0, ``alpha * x`` below, where alpha is learned, by default one for each element of a sample.

    He et al. 2015, "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification".

    Args:
        alpha_initializer: Initializer of alpha, which has the shape of a sample with the shared axes set to 1.
        shared_axes: Axes along which elements share one alpha. The batch axis is 0, so ``[1]`` shares alpha along the steps of samples
            ``(steps, features)``. By default no axis is shared.
        alpha_regularizer: Penalty on alpha added to the loss: ``"l2"``, …
        alpha_constraint: Constraint applied to alpha after each update: ``"non_neg"``, …
        options: See :class:`Layer`.

    Raises:
        ValueError: ``shared_axes`` are not axes of a sample.
    """

    ruled: ClassVar = ("alpha",)
    alpha = LayerWeight("The slopes for negative inputs, a :class:`~fastmlp.Variable`.")

    alpha_initializer = Converted(initializers.get, initializers.serialize)
    shared_axes = Converted(_shared_axes)

    def __init__(
        self,
        alpha_initializer: initializers.InitializerLike = "zeros",
        shared_axes: int | Sequence[int] | None = None,
        **options: Unpack[_PReLUOptions],
    ) -> None:
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
                f"orthogonal regularizers and norms along one axis are not in fastmlp for the alpha of layer {self.name!r}, whose shape is "
                f"{shape}; use L1, L2, NonNeg, or a norm with axis=None"
            )
        return [weight]

    def _shared(self, row: Shape) -> set[int]:
        """The shared axes of a sample, counted from 0."""
        if any(axis > len(row) for axis in self.shared_axes or ()):
            raise ValueError(
                f"shared_axes of layer {self.name!r} must be axes of samples of shape {row}, 1 to {len(row)}, got {self.shared_axes}"
            )
        return {axis - 1 for axis in self.shared_axes or ()}

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        shared = self._shared(input_shape)
        order = sorted(range(len(input_shape)), key=lambda axis: axis not in shared)  # the shared axes first, as groups
        slopes = Operation("prelu", groups=math.prod(input_shape[axis] for axis in shared))
        if order == sorted(order):
            return (slopes,)
        places = np.arange(math.prod(input_shape)).reshape(input_shape).transpose(order).ravel()
        there, back = (Operation("gather", settings={"gathered": gathered}) for gathered in (places, np.argsort(places)))
        return there, slopes, back
