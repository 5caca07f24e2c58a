"""Layers that add noise to their inputs in training, against overfitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from fastmlp._base.arguments import Integer, Real
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp.layers.base import Layer, LayerOptions

__all__ = ["AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"]


class _Noise(Layer):
    """A layer that adds noise in training and is the identity in inference."""

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
    """In training, sets a random fraction of the inputs to 0 and scales the others by ``1 / (1 - rate)``, which keeps the expected sum.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    Args:
        rate: The fraction of inputs that are set to 0, 0 ≤ rate < 1.
        noise_shape: None; every element is dropped independently.
        seed: Ignored: the model's seed determines the noise, so that a resumed run drops the same elements.
        options: See :class:`Layer`.
    """

    only_in_keras: ClassVar = {"noise_shape": None}
    op = "dropout"

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(rate, seed, noise_shape=noise_shape, **options)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks: dropped inputs are set to the minimum of SELU, which preserves mean and variance.

    Klambauer et al. 2017, "Self-normalizing neural networks".

    Args:
        rate: The fraction of inputs that are dropped, 0 ≤ rate < 1.
        noise_shape: None; every element is dropped independently.
        seed: Ignored: the model's seed determines the noise.
        options: See :class:`Layer`.
    """

    only_in_keras: ClassVar = {"noise_shape": None}
    op = "alpha_dropout"

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(rate, seed, noise_shape=noise_shape, **options)


class GaussianDropout(_Dropout):
    """In training, multiplies each input by Gaussian noise with mean 1 and standard deviation ``sqrt(rate / (1 - rate))``.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", section 10.

    Args:
        rate: The rate of the dropout with the same variance, 0 ≤ rate < 1.
        seed: Ignored: the model's seed determines the noise.
        options: See :class:`Layer`.
    """

    op = "gaussian_dropout"

    def __init__(self, rate: float, seed: int | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(rate, seed, **options)


class GaussianNoise(_Noise):
    """In training, adds Gaussian noise with mean 0 to each input.

    Args:
        stddev: The standard deviation of the noise, between 0 and 1.
        seed: Ignored: the model's seed determines the noise.
        options: See :class:`Layer`.
    """

    op = "gaussian_noise"

    stddev = Real(0, 1)

    def __init__(self, stddev: float, seed: int | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(seed, **options)
        self.stddev = stddev

    @property
    def rate(self) -> float:  # type: ignore[override]
        return self.stddev
