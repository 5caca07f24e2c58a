"""The shape of the data at the head of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from fastmlp._base import checks, keywords, shapes
from fastmlp._graph.symbolic import Call, Tensor
from fastmlp.layers.base import Layer

__all__ = ["Input", "InputLayer"]


def is_whole(dtype: Any) -> bool:
    """True for the dtypes Embedding and CategoryEncoding read in Keras; here all numbers arrive as float32, which holds them exactly."""
    return str(getattr(dtype, "__name__", dtype)) in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")


class InputLayer(Layer):
    """The shape of one row of the data; see :func:`Input`."""

    only_in_keras: ClassVar = {"sparse": False, "ragged": False, "optional": False}

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if batch_shape is not None:
            if shape is not None:
                raise ValueError("give shape or batch_shape, not both")
            shape = shapes.without_batch_axis("batch_shape", batch_shape)
        elif "input_shape" in options:
            shape = options.pop("input_shape")
        if shape is None:
            raise ValueError("Input needs shape=, the shape of one row: Input(shape=(784,))")
        if batch_size is not None:
            checks.check_int("batch_size", batch_size)
        checks.reject_unknown(
            "Input", options, dict.fromkeys(("sparse", "ragged", "tensor", "input_tensor", "optional"), "inputs are dense arrays")
        )
        super().__init__(name=name, dtype=None if is_whole(dtype) else dtype)
        self.build_rows(shapes.row_shape("shape", shape))

    def tensor(self) -> Tensor:
        """Where functional models begin."""
        assert self.output_row is not None
        call = Call(self, (), [self.output_row])
        self.calls.add(call)
        return call.outputs[0]

    @property
    def input(self) -> Any:
        return self.output

    def chains(self) -> list[Any]:
        """None: a ``Sequential`` does not count it among its layers."""
        return []

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "batch_shape": [None, *(self.input_row or ())]}


@keywords.answering
def Input(
    shape: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    *,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **options: Any,
) -> Tensor:
    """Say what one row of the data looks like: at the head of a Sequential model, or as the tensor that a functional model begins with.

    Args:
        shape: The shape of one row, without the batch axis: ``(784,)``, or ``(28, 28)`` before a Flatten.
        batch_size: Checked and not used: any number of rows may come.
        dtype: None, ``"float32"``, or a type of integers for Embedding and CategoryEncoding.
        batch_shape: The shape with the batch axis in front: ``(None, 784)``.
        name: The layer's name.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input(shape=(3,)), layers.Dense(2)])
    >>> model.count_params()
    8
    """
    return InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name, **options).tensor()
