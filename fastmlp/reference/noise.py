"""Operations that add noise to their inputs during training, against overfitting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp._engine.spec import Node
from fastmlp.reference.operation import Arrays, Pass
from fastmlp.reference.random import deviates, dropout_mask

__all__ = ["AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"]

SELU_LIMIT = -1.6732632423543772 * 1.0507009873554805
"""The limit of SELU at −∞."""


class Noise:
    """Base class: identity outside training, and gradients are multiplied by the factors of the forward pass."""

    def __init__(self, node: Node, index: int) -> None:
        self.rate = node.rate
        self.index = index
        self.mode = node.mode

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return self.add_noise(x, now) if now.trains(self.mode) else (x, None)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """dx = da ∘ factor: dropped elements do not contribute to the loss."""
        return [doutput if saved is None else doutput * saved], []

    def add_noise(self, x: np.ndarray, now: Pass) -> tuple[np.ndarray, np.ndarray | None]:
        """The output, and the factor of each element; None where all are 1."""
        raise NotImplementedError

    def keep_mask(self, x: np.ndarray, now: Pass) -> np.ndarray:
        """True with probability 1 − rate, for each element."""
        return dropout_mask(self.rate, *x.shape, seed=now.seed, node=self.index, iteration=now.iteration)

    def deviates(self, x: np.ndarray, now: Pass) -> np.ndarray:
        """A normal deviate for each element."""
        return deviates(*x.shape, seed=now.seed, node=self.index, iteration=now.iteration)


class Dropout(Noise):
    """Dropout (Srivastava et al., 2014): while training, each element is set to zero with probability ``rate``.

    A unit that cannot rely on other units learns features that are useful on their own. Kept elements are multiplied by 1 / (1 − rate),
    so their expected value stays the same and predictions need no correction. So a = x ∘ scale, where scale is 0 or 1 / (1 − rate), all of
    shape (rows, width).
    """

    def add_noise(self, x: np.ndarray, now: Pass) -> tuple[np.ndarray, np.ndarray | None]:
        scale = self.keep_mask(x, now).astype(x.dtype) * (1 / (1 - self.rate))
        return x * scale, scale


class AlphaDropout(Noise):
    """Dropout for networks of SELU units (Klambauer et al., 2017): dropped elements become SELU's minimum instead of 0.

    A scale and an offset then restore mean 0 and variance 1: out = scale·(x or the minimum) + offset.
    """

    def add_noise(self, x: np.ndarray, now: Pass) -> tuple[np.ndarray, np.ndarray | None]:
        keep_mask = self.keep_mask(x, now)
        scale = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * SELU_LIMIT**2))
        offset = -scale * SELU_LIMIT * self.rate
        a = np.where(keep_mask, x, SELU_LIMIT) * scale + offset
        return a.astype(x.dtype), keep_mask.astype(x.dtype) * scale


class GaussianNoise(Noise):
    """a = x + rate·z with a new normal deviate z for every element; the rate is the standard deviation."""

    def add_noise(self, x: np.ndarray, now: Pass) -> tuple[np.ndarray, np.ndarray | None]:
        return x + (self.rate * self.deviates(x, now)).astype(x.dtype), None


class GaussianDropout(Noise):
    """a = x·(1 + z·√(rate / (1 − rate))): noise of the variance that dropout of this rate has (Srivastava et al., 2014)."""

    def add_noise(self, x: np.ndarray, now: Pass) -> tuple[np.ndarray, np.ndarray | None]:
        stddev = math.sqrt(self.rate / (1 - self.rate))
        factor = (1 + stddev * self.deviates(x, now)).astype(x.dtype)
        return x * factor, factor
