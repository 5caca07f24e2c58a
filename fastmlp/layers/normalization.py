"""Normalization layers, which keep activations near mean 0 and variance 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import fastmlp.layers.axes as axes
from fastmlp import initializers
from fastmlp._base.arguments import Boolean, Converted, Real
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight

if TYPE_CHECKING:
    from fastmlp.constraints import ConstraintLike
    from fastmlp.initializers import InitializerLike
    from fastmlp.regularizers import RegularizerLike

__all__ = ["BatchNormalization", "LayerNormalization", "RMSNormalization"]


class _Normalization(Layer):
    """A normalization with a learned scale gamma and shift beta."""

    ruled: ClassVar = ("beta", "gamma")
    gamma = LayerWeight("The scale of the normalized features, a :class:`~fastmlp.Variable`; None without ``scale``.")
    beta = LayerWeight("The offset of the normalized features, a :class:`~fastmlp.Variable`; None without ``center``.")

    axis = Converted(axes.single_axis)
    epsilon = Real(0)
    center = Boolean()
    scale = Boolean()
    beta_initializer = Converted(initializers.get, initializers.serialize)
    gamma_initializer = Converted(initializers.get, initializers.serialize)

    def __init__(
        self,
        axis: int | Sequence[int],
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: InitializerLike,
        gamma_initializer: InitializerLike,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        shape = (axes.require_last(type(self).__name__, self.axis, input_shape),)
        weights = [self.new_weight("gamma", shape, self.gamma_initializer)] if self.scale else []
        return weights + ([self.new_weight("beta", shape, self.beta_initializer)] if self.center else [])


class _NormalizationOptions(LayerOptions, total=False):
    beta_regularizer: RegularizerLike
    gamma_regularizer: RegularizerLike
    beta_constraint: ConstraintLike
    gamma_constraint: ConstraintLike


class _BatchNormalizationOptions(_NormalizationOptions, total=False):
    renorm: bool
    renorm_clipping: Mapping[str, float] | None
    renorm_momentum: float
    synchronized: bool


class _LayerNormalizationOptions(_NormalizationOptions, total=False):
    rms_scaling: bool


class BatchNormalization(_Normalization):
    """Normalizes each feature over the batch: ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Training uses the mean and variance of the batch, and updates moving averages of them. ``predict``, ``evaluate`` and a frozen layer use
    the moving averages. Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift".

    Args:
        axis: -1, the features.
        momentum: The weight of the old value in each update of the moving averages, between 0 and 1.
        epsilon: Added to the variance, ≥ 0.
        center: Whether beta is added.
        scale: Whether to multiply by gamma.
        beta_initializer: Initializer of beta ``(features,)``.
        gamma_initializer: Initializer of gamma ``(features,)``.
        moving_mean_initializer: Initializer of the moving mean ``(features,)``.
        moving_variance_initializer: Initializer of the moving variance ``(features,)``.
        beta_regularizer, gamma_regularizer: Penalties on beta and gamma added to the loss: ``"l2"``, …
        beta_constraint, gamma_constraint: Constraints applied to beta and gamma after each update: ``"non_neg"``, …

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Activation("relu")])
    >>> [weight.shape for weight in model.layers[1].weights]
    [(8,), (8,), (8,), (8,)]
    """

    only_in_keras: ClassVar = {"synchronized": False, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}
    moving_mean = LayerWeight("The moving mean of each feature, a :class:`~fastmlp.Variable`.")
    moving_variance = LayerWeight("The moving variance of each feature, a :class:`~fastmlp.Variable`.")

    momentum = Real(0, 1)
    moving_mean_initializer = Converted(initializers.get, initializers.serialize)
    moving_variance_initializer = Converted(initializers.get, initializers.serialize)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        **options: Unpack[_BatchNormalizationOptions],
    ) -> None:
        if options.pop("renorm", False):
            raise UnsupportedError("BatchNormalization(renorm=True) is not in fastmlp; use larger batches, or LayerNormalization()")
        options.pop("renorm_clipping", None)
        options.pop("renorm_momentum", None)
        if options.pop("synchronized", False):
            raise UnsupportedError("BatchNormalization(synchronized=True) is not in fastmlp, which uses one device; remove the argument")
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, **options)
        self.momentum = momentum
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        shape = (axes.require_last(type(self).__name__, self.axis, input_shape),)
        return [
            *super().make_weights(input_shape),
            Weight(self.name, "moving_mean", shape, self.moving_mean_initializer, trainable=False),
            Weight(self.name, "moving_variance", shape, self.moving_variance_initializer, trainable=False),
        ]

    @property
    def differs_in_training(self) -> bool:
        return self.trainable

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        settings = {"epsilon": self.epsilon, "momentum": self.momentum, "mode": "" if self.trainable else "inference"}
        return (Operation("batch_normalization", groups=math.prod(input_shape[:-1]), settings=settings),)


class LayerNormalization(_Normalization):
    """Normalizes each sample over its features: ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Ba, Kiros and Hinton 2016, "Layer normalization".

    Args:
        axis: -1, the features.
        epsilon: Added to the variance, ≥ 0.
        center: Whether beta is added.
        scale: Whether to multiply by gamma.
        beta_initializer: Initializer of beta ``(features,)``.
        gamma_initializer: Initializer of gamma ``(features,)``.
        beta_regularizer, gamma_regularizer: Penalties on beta and gamma added to the loss: ``"l2"``, …
        beta_constraint, gamma_constraint: Constraints applied to beta and gamma after each update: ``"non_neg"``, …
    """

    only_in_keras: ClassVar = {"rms_scaling": False}

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        **options: Unpack[_LayerNormalizationOptions],
    ) -> None:
        if options.pop("rms_scaling", False):
            raise UnsupportedError("LayerNormalization(rms_scaling=True) is not in fastmlp; use RMSNormalization()")
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, **options)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("layer_normalization", groups=math.prod(input_shape[:-1]), settings={"epsilon": self.epsilon}),)


class RMSNormalization(Layer):
    """Divides each sample by the root mean square of its features: ``scale * x / sqrt(mean(x²) + epsilon)``.

    Zhang and Sennrich 2019, "Root mean square layer normalization".

    Args:
        axis: -1, the features.
        epsilon: Added to the mean square, ≥ 0.
        options: See :class:`Layer`.
    """

    scale = LayerWeight("The scale of the normalized features, a :class:`~fastmlp.Variable`.")

    axis = Converted(axes.single_axis)
    epsilon = Real(0)

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis, self.epsilon = axis, epsilon

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        return [Weight(self.name, "scale", (axes.require_last(type(self).__name__, self.axis, input_shape),), initializers.get("ones"))]

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("rms_normalization", groups=math.prod(input_shape[:-1]), settings={"epsilon": self.epsilon}),)


NORMALIZATIONS: dict[str, type[Layer]] = {"batch": BatchNormalization, "layer": LayerNormalization, "rms": RMSNormalization}
"""The normalizations for a hidden layer, by short names."""
