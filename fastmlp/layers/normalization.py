"""Layers that keep what passes them near mean 0 and variance 1."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import fastmlp.layers.axes as axes
from fastmlp import initializers
from fastmlp._base.arguments import Boolean, Converted, Real
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerWeight

__all__ = ["BatchNormalization", "LayerNormalization", "RMSNormalization"]


class _Normalization(Layer):
    """A normalization with a learned scale gamma and shift beta."""

    ruled: ClassVar = ("beta", "gamma")
    gamma = LayerWeight("What the normalized columns are multiplied by, a :class:`~fastmlp.Variable`; None without ``scale``.")
    beta = LayerWeight("What is added to them; None without ``center``.")

    axis = Converted(axes.single_axis)
    epsilon = Real(0)
    center = Boolean()
    scale = Boolean()
    beta_initializer = Converted(initializers.get, initializers.serialize)
    gamma_initializer = Converted(initializers.get, initializers.serialize)

    def __init__(
        self, axis: Any, epsilon: float, center: bool, scale: bool, beta_initializer: Any, gamma_initializer: Any, **options: Any
    ) -> None:
        super().__init__(**options)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        shape = (axes.require_last(type(self).__name__, self.axis, input_shape),)
        weights = [self.new_weight("gamma", shape, self.gamma_initializer)] if self.scale else []
        return weights + ([self.new_weight("beta", shape, self.beta_initializer)] if self.center else [])


class BatchNormalization(_Normalization):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, column by column.

    While training, mean and variance are those of the batch; moving ones follow them, and take their place in ``predict`` and ``evaluate``,
    and while the layer is frozen. Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift".

    Args:
        axis: -1; the columns.
        momentum: How much of the moving mean and variance stays after each batch.
        epsilon: Added to the variance.
        center: Whether there is a beta.
        scale: Whether there is a gamma.
        beta_initializer: For beta ``(columns,)``.
        gamma_initializer: For gamma ``(columns,)``.
        moving_mean_initializer: For the moving mean ``(columns,)``.
        moving_variance_initializer: For the moving variance ``(columns,)``.
        beta_regularizer, gamma_regularizer: What beta or gamma adds to the loss: ``"l2"``, …
        beta_constraint, gamma_constraint: What beta or gamma is brought back to after each update: ``"non_neg"``, …

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Activation("relu")])
    >>> [weight.shape for weight in model.layers[1].weights]
    [(8,), (8,), (8,), (8,)]
    """

    only_in_keras: ClassVar = {"synchronized": False, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}
    moving_mean = LayerWeight("The mean of each column that predictions use, a :class:`~fastmlp.Variable`.")
    moving_variance = LayerWeight("The variance of each column that predictions use.")

    momentum = Real(0, 1)
    moving_mean_initializer = Converted(initializers.get, initializers.serialize)
    moving_variance_initializer = Converted(initializers.get, initializers.serialize)

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        **options: Any,
    ) -> None:
        if options.pop("renorm", False):
            raise UnsupportedError("BatchNormalization(renorm=True) is not in fastmlp; use larger batches, or LayerNormalization()")
        options.pop("renorm_clipping", None)
        options.pop("renorm_momentum", None)
        if options.pop("synchronized", False):
            raise UnsupportedError("BatchNormalization(synchronized=True) is not in fastmlp; there is one device, so leave it out")
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
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with the mean and variance of each row.

    Ba, Kiros and Hinton 2016, "Layer normalization".

    Args:
        axis: -1; the columns.
        epsilon: Added to the variance.
        center: Whether there is a beta.
        scale: Whether there is a gamma.
        beta_initializer: For beta ``(columns,)``.
        gamma_initializer: For gamma ``(columns,)``.
        beta_regularizer, gamma_regularizer: What beta or gamma adds to the loss: ``"l2"``, …
        beta_constraint, gamma_constraint: What beta or gamma is brought back to after each update: ``"non_neg"``, …
    """

    only_in_keras: ClassVar = {"rms_scaling": False}

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **options: Any,
    ) -> None:
        if options.pop("rms_scaling", False):
            raise UnsupportedError("LayerNormalization(rms_scaling=True) is not in fastmlp; use RMSNormalization()")
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, **options)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("layer_normalization", groups=math.prod(input_shape[:-1]), settings={"epsilon": self.epsilon}),)


class RMSNormalization(Layer):
    """``scale * x / sqrt(mean(x²) + epsilon)`` with the mean of each row.

    Zhang and Sennrich 2019, "Root mean square layer normalization".

    Args:
        axis: -1; the columns.
        epsilon: Added to the mean square.
    """

    scale = LayerWeight("What the normalized columns are multiplied by, a :class:`~fastmlp.Variable`.")

    axis = Converted(axes.single_axis)
    epsilon = Real(0)

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.axis, self.epsilon = axis, epsilon

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        return [Weight(self.name, "scale", (axes.require_last(type(self).__name__, self.axis, input_shape),), initializers.get("ones"))]

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("rms_normalization", groups=math.prod(input_shape[:-1]), settings={"epsilon": self.epsilon}),)
