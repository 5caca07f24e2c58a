"""Operations that read whole numbers: classes, words, anything that is counted and not measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.plan import Node
from fastmlp.reference.operation import Arrays, Pass

__all__ = ["CategoryEncoding", "Embedding"]


def one_hot(numbers: np.ndarray, count: int) -> np.ndarray:
    """A new last axis of ``count`` columns: 1 at the number, 0 elsewhere; all NaN for what is no number of the range."""
    hot = (numbers[..., None] == np.arange(count)).astype(numbers.dtype)
    hot[~hot.any(axis=-1)] = np.nan
    return hot


class Embedding:
    """Every number of a row is replaced by that row of a table, which is learned (Bengio et al., 2003).

    Shapes: x (rows, length), table (entries, columns), a (rows, length·columns). It is what a dense layer does to a one-hot row, without
    the multiplications by 0.
    """

    def __init__(self, node: Node, index: int) -> None:
        pass

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        (table,) = parameters
        known = (x >= 0) & (x < len(table)) & (x == np.floor(x))
        numbers = np.where(known, x, 0).astype(np.int64)
        a = np.where(known[..., None], table[numbers], np.nan).astype(table.dtype)
        return a.reshape(len(x), -1), (x, numbers, known)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """A row of the table gets the sum of the gradients of all places where it stands."""
        x, numbers, known = saved
        (table,) = parameters
        dtable = np.zeros_like(table)
        np.add.at(dtable, numbers[known], doutput.reshape(*x.shape, -1)[known])
        return [np.zeros_like(x)], [dtable]


class CategoryEncoding:
    """Numbers become columns of zeros and ones (``one_hot``, ``multi_hot``), or say how often each number stands in a row (``count``)."""

    def __init__(self, node: Node, index: int) -> None:
        self.mode = node.mode
        self.node = node

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        hot = one_hot(x, self.node.tokens)
        if self.mode == "one_hot":
            return hot.reshape(len(x), -1), x
        return hot.sum(axis=1) if self.mode == "count" else hot.max(axis=1), x

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [np.zeros_like(saved)], []
