"""The inputs of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import DTypeLike

from fastmlp._base import checks, keywords, shapes
from fastmlp._base.configs import Config
from fastmlp._graph.symbolic import Call, ModelLike, Tensor
from fastmlp.layers.base import Layer

__all__ = ["Input", "InputLayer"]


_UNSUPPORTED = dict.fromkeys(("sparse", "ragged", "tensor", "input_tensor", "optional"), "inputs are dense arrays")


def is_integer(dtype: object) -> bool:
    """True for the integer dtypes that Keras has for Embedding and CategoryEncoding; here inputs are float32, which holds them exactly."""
    return str(getattr(dtype, "__name__", dtype)) in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")


class InputLayer(Layer):
    """The layer that an input of a model belongs to; see :func:`Input`."""

    only_in_keras: ClassVar = {"sparse": False, "ragged": False, "optional": False}

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if batch_shape is not None:
            if shape is not None:
                raise ValueError("shape and batch_shape mean the same; pass only one of them")
            shape = shapes.without_batch_axis("batch_shape", batch_shape)
        elif "input_shape" in options:
            shape = options.pop("input_shape")
        if shape is None:
            raise ValueError("Input needs shape=, the shape of one sample: Input(shape=(784,))")
        if batch_size is not None:
            checks.check_int("batch_size", batch_size)
        checks.reject_unknown("Input", options, _UNSUPPORTED)
        super().__init__(name=name, dtype=None if is_integer(dtype) else dtype)
        self.build_rows(shapes.row_shape("shape", shape))

    def tensor(self) -> Tensor:
        """A new symbolic tensor, the input of a functional model."""
        assert self.output_row is not None
        call = Call(self, (), [self.output_row])
        self.calls.add(call)
        return call.outputs[0]

    @property
    def input(self) -> Tensor:
        return self.output

    def chains(self) -> list[ModelLike]:
        """An empty list: it is not among the ``layers`` of a ``Sequential`` model."""
        return []

    def get_config(self) -> Config:
        return {"name": self.name, "batch_shape": [None, *(self.input_row or ())]}


@keywords.answering
def Input(
    shape: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    *,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **options: Any,
) -> Tensor:
    """The input of a model: the first entry of a Sequential model, or the symbolic tensor that a functional model starts from.

    Args:
        shape: The shape of one sample, without the batch axis: ``(784,)``, or ``(28, 28)`` before a Flatten.
        batch_size: Validated but ignored: batches may have any size.
        dtype: None, ``"float32"``, or an integer type for Embedding and CategoryEncoding.
        batch_shape: The shape with the batch axis in front, instead of ``shape``: ``(None, 784)``.
        name: The layer's name.
        options: Arguments of Keras that fastmlp does not have raise an error.

    Returns:
        A symbolic tensor.

    Raises:
        ValueError: Neither or both of ``shape`` and ``batch_shape`` are given, or a size is unknown or not positive.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input(shape=(3,)), layers.Dense(2)])
    >>> model.count_params()
    8
    """
    return InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name, **options).tensor()
