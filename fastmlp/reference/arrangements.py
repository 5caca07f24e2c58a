"""Operations that rearrange columns and rows, and those that compute across a row: folds, gathers, pools, dot products.

All arrays are (rows, width). They have no parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.reference.merges import Merge

__all__ = ["ARRANGEMENTS"]

Arrays = Sequence[np.ndarray]


class Fold(Merge):
    """Each row of several parts becomes several rows, so that the following nodes act on each part separately; unfold is the inverse."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return x.reshape(-1, self.node.width), x.shape

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput.reshape(saved)], []


class Gather(Merge):
    """a = some columns of x, in any order and any number of times; dx is the sum of the gradients of each."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return x[:, list(self.node.gathered)], x

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        dx = np.zeros(saved.shape, doutput.dtype)
        np.add.at(dx.T, np.array(self.node.gathered), doutput.T)
        return [dx], []


class Pool(Merge):
    """x is vectors of the same width, end to end."""

    def parts(self, x: np.ndarray) -> np.ndarray:
        """(rows, vectors, width)."""
        return x.reshape(len(x), -1, self.node.width)


class AveragePool(Pool):
    """a = the mean of the vectors; each gets the same part of the gradient."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return self.parts(x).mean(axis=1, dtype=x.dtype), x.shape

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        count = saved[1] // self.node.width
        return [np.tile(doutput / doutput.dtype.type(count), count)], []


class MaximumPool(Pool):
    """a = the largest element in each place of the vectors, which gets the gradient; equal ones share it."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return self.parts(x).max(axis=1), x

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        x = self.parts(saved)
        largest = x == x.max(axis=1, keepdims=True)
        share = largest / largest.sum(axis=1, keepdims=True).astype(doutput.dtype)
        return [(share * doutput[:, None]).reshape(saved.shape)], []


class Dot(Merge):
    """x and y are vectors v of one length, end to end: a[m, n] = v_m of x · v_n of y, dx = da·y, dy = daᵀ·x."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = (side.reshape(len(side), -1, self.node.depth) for side in inputs)
        return (x @ y.transpose(0, 2, 1)).reshape(len(x), -1), (x, y)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        x, y = saved
        da = doutput.reshape(len(x), x.shape[1], y.shape[1])
        return [(da @ y).reshape(len(x), -1), (da.transpose(0, 2, 1) @ x).reshape(len(x), -1)], []


ARRANGEMENTS: dict[str, type[Merge]] = {
    "fold": Fold,
    "unfold": Fold,
    "gather": Gather,
    "average_pool": AveragePool,
    "maximum_pool": MaximumPool,
    "dot": Dot,
}
