"""Regularization layers: they disturb their inputs during training, against overfitting."""

from __future__ import annotations

from typing import Any, ClassVar

from fastmlp._base.arguments import Integer, Real
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp.layers.base import Layer

__all__ = ["AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"]


class _Noise(Layer):
    """A layer that does nothing but while training."""

    weightless = True
    op: ClassVar[str]
    rate: float
    seed = Integer(0, optional=True)

    def __init__(self, seed: int | None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed

    @property
    def differs_in_training(self) -> bool:
        return self.rate > 0

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.op, rate=self.rate),) if self.rate else ()


class _Dropout(_Noise):
    rate = Real(0, below=1)

    def __init__(self, rate: float, seed: int | None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.rate = rate


class Dropout(_Dropout):
    """While training, set a random fraction of the inputs to 0 and scale the others up, so that their sum stays the same on average.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    Args:
        rate: The fraction to set to 0, from 0 up to but not including 1.
        seed: Not used: the model's seed decides, so that a resumed run drops the same elements.
    """

    only_in_keras: ClassVar = {"noise_shape": None}
    op = "dropout"

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed, noise_shape=noise_shape, **options)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks: mean and variance stay what they were, because the dropped take SELU's lowest value.

    Klambauer et al. 2017, "Self-normalizing neural networks".

    Args:
        rate: The fraction to drop, from 0 up to but not including 1.
        seed: Not used: the model's seed decides.
    """

    only_in_keras: ClassVar = {"noise_shape": None}
    op = "alpha_dropout"

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed, noise_shape=noise_shape, **options)


class GaussianDropout(_Dropout):
    """While training, multiply every input by a normal deviate of mean 1 and standard deviation ``sqrt(rate / (1 - rate))``.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", section 10.

    Args:
        rate: Of the dropout whose noise has the same variance; from 0 up to but not including 1.
        seed: Not used: the model's seed decides.
    """

    op = "gaussian_dropout"

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed, **options)


class GaussianNoise(_Noise):
    """While training, add a normal deviate to every input.

    Args:
        stddev: The standard deviation, from 0 to 1.
        seed: Not used: the model's seed decides.
    """

    op = "gaussian_noise"

    stddev = Real(0, 1)

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.stddev = stddev

    @property
    def rate(self) -> float:  # type: ignore[override]
        return self.stddev
