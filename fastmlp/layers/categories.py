"""Layers whose inputs are integers, such as categories and words."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Unpack

from numpy.typing import ArrayLike

from fastmlp import initializers
from fastmlp._base import checks
from fastmlp._base.arguments import Choice, Converted, Integer
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight

__all__ = ["CategoryEncoding", "Embedding"]

MAX_NUMBERS = 1 << 24
"""Integers up to this are exact in float32."""


def row_of_codes(mode: str, row: Shape, count: int) -> Shape:
    """The shape of an encoded sample with ``count`` categories."""
    return (*row, count) if mode == "one_hot" and row != (1,) else (count,)


class CategoryEncoding(Layer):
    """Encodes integers from 0 to ``num_tokens - 1`` as one-hot vectors, multi-hot vectors or counts.

    ====================  =========================================  ===========================================================
    ``output_mode``       ``[2, 0, 2]`` with 4 tokens becomes        shape of a sample
    ====================  =========================================  ===========================================================
    ``"multi_hot"``       ``[1, 0, 1, 0]``                           ``(num_tokens,)``
    ``"count"``           ``[1, 0, 2, 0]``                           ``(num_tokens,)``
    ``"one_hot"``         a one-hot vector for each integer          ``(length, num_tokens)``; ``(num_tokens,)`` for one integer
    ====================  =========================================  ===========================================================

    It must be the first layer, or follow a layer whose outputs are integers, such as IntegerLookup. An integer out of range is an error.

    Args:
        num_tokens: The number of categories, ≥ 1.
        output_mode: ``"multi_hot"``, ``"count"`` or ``"one_hot"``.
        sparse: False.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers
    >>> layers.CategoryEncoding(4, output_mode="count")([[2, 0, 2]])
    array([[1., 0., 2., 0.]], dtype=float32)
    """

    weightless = True

    num_tokens = Integer(1, MAX_NUMBERS)
    output_mode = Choice("one_hot", "multi_hot", "count")

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: Literal["multi_hot", "one_hot", "count", "binary"] = "multi_hot",
        sparse: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        if num_tokens is None:
            raise ValueError("CategoryEncoding needs num_tokens=, the maximum integer plus one")
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
    """Replaces each integer from 0 to ``input_dim - 1`` by a learned vector: samples ``(length,)`` become ``(length, output_dim)``.

    It must be the first layer, or follow a layer whose outputs are integers, such as IntegerLookup or Discretization. Put a Flatten or a
    pooling layer between it and a Dense layer. An integer out of range is an error.

    Args:
        input_dim: The number of vectors, ≥ 1.
        output_dim: The size of each vector, ≥ 1.
        embeddings_initializer: Initializer of the table ``(input_dim, output_dim)``.
        mask_zero: False; masks are not supported.
        weights: Initial values of the table, instead of the initializer's.
        embeddings_regularizer: Penalty on the table added to the loss: ``"l2"``, …
        embeddings_constraint: Constraint applied to the table after each update: ``"max_norm"``, …

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
        embeddings_initializer: initializers.InitializerLike = "uniform",
        mask_zero: bool = False,
        weights: ArrayLike | None = None,
        **options: Any,
    ) -> None:
        length = options.pop("input_length", None)
        if length is not None and options.get("input_shape") is None:
            options["input_shape"] = (length,)
        super().__init__(**options)
        self.input_dim, self.output_dim, self.embeddings_initializer = input_dim, output_dim, embeddings_initializer
        if checks.check_bool("mask_zero", mask_zero):
            raise UnsupportedError("Embedding(mask_zero=True) is not in fastmlp; use a separate integer for padding")
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
