"""Layers that read integers: classes, words, anything that is counted and not measured."""

from __future__ import annotations

from typing import Any, ClassVar

from fastmlp import initializers
from fastmlp._base import checks
from fastmlp._base.arguments import Choice, Converted, Integer
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerWeight

__all__ = ["CategoryEncoding", "Embedding"]

MAX_NUMBERS = 1 << 24
"""Integers up to this are exact in float32."""


def row_of_codes(mode: str, row: Shape, count: int) -> Shape:
    """The shape of the codes of a row of numbers, of which there are ``count``."""
    return (*row, count) if mode == "one_hot" and row != (1,) else (count,)


class CategoryEncoding(Layer):
    """Integers 0 … ``num_tokens - 1`` as columns of zeros and ones, or as counts.

    ====================  ===========================================  ================================
    ``output_mode``       what a row ``[2, 0, 2]`` of 4 tokens becomes  shape of a row
    ====================  ===========================================  ================================
    ``"multi_hot"``       ``[1, 0, 1, 0]``                             ``(tokens,)``
    ``"count"``           ``[1, 0, 2, 0]``                             ``(tokens,)``
    ``"one_hot"``         a one-hot row for each number                ``(length, tokens)``; ``(tokens,)`` for a single number
    ====================  ===========================================  ================================

    It must be the first layer, or stand behind one that gives integers, such as IntegerLookup. A number out of range is an error.

    Args:
        num_tokens: How many numbers there are.
        output_mode: One of the three.
    """

    weightless = True

    num_tokens = Integer(1, MAX_NUMBERS)
    output_mode = Choice("one_hot", "multi_hot", "count")

    def __init__(self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **options: Any) -> None:
        super().__init__(**options)
        if num_tokens is None:
            raise ValueError("CategoryEncoding needs num_tokens=, one more than the largest number")
        self.num_tokens = num_tokens
        self.output_mode = "multi_hot" if output_mode == "binary" else output_mode
        if checks.check_bool("sparse", sparse):
            raise UnsupportedError("CategoryEncoding(sparse=True) is not in fastmlp; pass x as a scipy.sparse matrix instead")

    def row_after(self, input_shape: Shape) -> Shape:
        self.require_vector(input_shape)
        return row_of_codes(self.output_mode, input_shape, self.num_tokens)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("category_encoding", settings={"mode": self.output_mode, "tokens": self.num_tokens}),)


class Embedding(Layer):
    """Every integer 0 … ``input_dim - 1`` becomes the row of a learned table: ``(length,)`` becomes ``(length, output_dim)``.

    It must be the first layer, or stand behind one that gives integers, such as IntegerLookup or Discretization; Flatten goes between
    it and a Dense layer. A number out of range is an error.

    Args:
        input_dim: How many numbers there are.
        output_dim: Columns of the table.
        embeddings_initializer: For the table ``(input_dim, output_dim)``.
        mask_zero: False; masks are not in fastmlp.
        weights: The table's first values, instead of the initializer's.
        embeddings_regularizer: What the table adds to the loss: ``"l2"``, …
        embeddings_constraint: What the table is brought back to after each update: ``"max_norm"``, …

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input((3,)), layers.Embedding(100, 8), layers.Flatten(), layers.Dense(1)])
    >>> model([[4, 7, 99]]).shape
    (1, 1)
    """

    only_in_keras: ClassVar = {"activity_regularizer": None, "mask_zero": False}
    ruled: ClassVar = ("embeddings",)
    embeddings = LayerWeight("The table ``(input_dim, output_dim)``, a :class:`~fastmlp.Variable`.")

    input_dim = Integer(1, MAX_NUMBERS)
    output_dim = Integer()
    embeddings_initializer = Converted(initializers.get, initializers.serialize)

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        weights: Any = None,
        **options: Any,
    ) -> None:
        length = options.pop("input_length", None)
        if length is not None and options.get("input_shape") is None:
            options["input_shape"] = (length,)
        super().__init__(**options)
        self.input_dim, self.output_dim, self.embeddings_initializer = input_dim, output_dim, embeddings_initializer
        if checks.check_bool("mask_zero", mask_zero):
            raise UnsupportedError("Embedding(mask_zero=True) is not in fastmlp; keep a number of its own for padding")
        table = self.new_weight("embeddings", (self.input_dim, self.output_dim), self.embeddings_initializer)
        self._weights = [table]
        if weights is not None:
            table.assign(weights[0] if isinstance(weights, list) and len(weights) == 1 else weights)

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        return self._weights

    def row_after(self, input_shape: Shape) -> Shape:
        return (self.require_vector(input_shape), self.output_dim)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("embedding"),)
