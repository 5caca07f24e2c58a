"""Operations that read or return integers: categories, words, bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base.hashing import fingerprint64, siphash
from fastmlp._engine.spec import EXACT_INT_LIMIT, Node, Table
from fastmlp.reference.operation import Arrays, Pass

__all__ = ["CategoryEncoding", "Discretization", "Embedding", "Lookup"]


def one_hot(numbers: np.ndarray, count: int, drops: bool = False) -> np.ndarray:
    """A new last axis of ``count`` columns: 1 at the number, 0 elsewhere; all NaN for what is no number of the range, but 0 for a -1 that
    is dropped."""
    hot = (numbers[..., None] == np.arange(count)).astype(numbers.dtype)
    hot[~hot.any(axis=-1) & ~((numbers == -1) & drops)] = np.nan
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
        """A row of the table gets the sum of the gradients of all positions that look it up."""
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
        hot = one_hot(x, self.node.tokens, self.node.drops)
        if self.mode == "one_hot":
            return hot.reshape(len(x), -1), x
        return hot.sum(axis=1) if self.mode == "count" else hot.max(axis=1), x

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [np.zeros_like(saved)], []


class Replacement:
    """Base class of discretizations and lookups: replaces each number, (rows, width), and passes no gradient."""

    def __init__(self, node: Node, index: int) -> None:
        assert node.table is not None
        self.table: Table = node.table
        self.keys = np.array(node.table.keys, np.float32)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The replacements of numbers."""
        raise NotImplementedError

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return self.of(x).astype(x.dtype), x

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [np.zeros_like(saved)], []


class Discretization(Replacement):
    """Each number becomes the index of its bin: the number of bin boundaries that are not larger."""

    def of(self, numbers: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.keys, numbers, side="right")


class Lookup(Replacement):
    """Each integer becomes its value in a table, or is hashed into a bucket if it is not in the table."""

    def of(self, numbers: np.ndarray) -> np.ndarray:
        result = self._bucketed(numbers)
        if self.keys.size:
            places = np.searchsorted(self.keys, numbers).clip(max=self.keys.size - 1)
            result = np.where(self.keys[places] == numbers, np.array(self.table.values)[places], result)
        return result

    def _bucketed(self, numbers: np.ndarray) -> np.ndarray:
        table = self.table
        known = (np.abs(numbers) < EXACT_INT_LIMIT) & (numbers == np.trunc(numbers)) & (table.buckets > 0)
        whole = np.where(known, numbers, 0).astype(np.int64)
        if table.method == "floormod" or table.buckets < 2:
            return np.where(known, table.first + whole % max(table.buckets, 1), np.nan)
        different, places = np.unique(whole, return_inverse=True)
        texts = [str(number).encode() for number in different.tolist()]
        hashes = [fingerprint64(text) if table.method == "farmhash" else siphash(text, table.salt) for text in texts]
        buckets = np.array([value % table.buckets for value in hashes], np.float64)
        return np.where(known, table.first + buckets[places].reshape(whole.shape), np.nan)
