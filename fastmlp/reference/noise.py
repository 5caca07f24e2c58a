"""Operations that disturb what passes them while training, so that the network does not learn the data by heart: see also Dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp._engine.spec import Node
from fastmlp.reference.operation import Arrays, Pass
from fastmlp.reference.random import deviates, dropout_mask

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

SELU_LIMIT = -1.6732632423543772 * 1.0507009873554805
"""What SELU gives for -∞."""


class AlphaDropout:
    """Dropout for networks of SELU units (Klambauer et al., 2017): the dropped take SELU's lowest value, not 0.

    A scale and an offset then give the whole its mean 0 and variance 1 back: out = scale·(x or the lowest value) + offset.
    """

    def __init__(self, node: Node, index: int) -> None:
        self.rate = node.rate
        self.index = index
        self.mode = node.mode

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        if not now.trains(self.mode):
            return x, None
        kept = dropout_mask(self.rate, *x.shape, seed=now.seed, node=self.index, iteration=now.iteration)
        scale = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * SELU_LIMIT**2))
        offset = -scale * SELU_LIMIT * self.rate
        a = np.where(kept, x, SELU_LIMIT) * scale + offset
        return a.astype(x.dtype), kept.astype(x.dtype) * scale

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """dx = scale·da where x was kept."""
        return [doutput * saved], []


class GaussianNoise:
    """a = x + stddev·z with a new normal deviate z for every element."""

    def __init__(self, node: Node, index: int) -> None:
        self.stddev = node.rate
        self.index = index
        self.mode = node.mode

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        if not now.trains(self.mode):
            return x, None
        z = deviates(*x.shape, seed=now.seed, node=self.index, iteration=now.iteration)
        return x + (self.stddev * z).astype(x.dtype), None

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput], []


class GaussianDropout:
    """a = x·(1 + z·√(rate / (1 − rate))): noise of the variance that dropout of this rate has (Srivastava et al., 2014)."""

    def __init__(self, node: Node, index: int) -> None:
        self.stddev = math.sqrt(node.rate / (1 - node.rate))
        self.index = index
        self.mode = node.mode

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        if not now.trains(self.mode):
            return x, None
        factor = (1 + self.stddev * deviates(*x.shape, seed=now.seed, node=self.index, iteration=now.iteration)).astype(x.dtype)
        return x * factor, factor

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput * saved], []
