"""Pooling layers, which reduce a sequence of vectors to one vector."""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

from fastmlp._base.arguments import Boolean
from fastmlp._base.shapes import Shape
from fastmlp._graph.operation import Operation
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerOptions

__all__ = ["GlobalAveragePooling1D", "GlobalMaxPooling1D"]


class _GlobalPooling1D(Layer):
    """The base class of layers that reduce samples ``(steps, features)`` to ``(features,)``."""

    weightless = True
    op: ClassVar[str]

    keepdims = Boolean()

    def __init__(
        self, data_format: Literal["channels_last"] | None = None, keepdims: bool = False, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise UnsupportedError(f"{type(self).__name__}(data_format={data_format!r}) is not in fastmlp; put a Permute((2, 1)) before it")
        self.keepdims = keepdims

    def row_after(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 2:
            raise ValueError(f"layer {self.name!r} needs samples of shape (steps, features), got {input_shape}")
        return (1, input_shape[1]) if self.keepdims else (input_shape[1],)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation(self.op, settings={"width": input_shape[1]}),)


class GlobalAveragePooling1D(_GlobalPooling1D):
    """The mean over the steps of a sample: ``(steps, features)`` becomes ``(features,)``.

    Args:
        data_format: None or ``"channels_last"``.
        keepdims: Whether to keep the axis of the steps, with size 1.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input((20,)), layers.Embedding(1000, 16), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    >>> model.output_shape
    (None, 1)
    """

    only_in_keras: ClassVar = {"data_format": "channels_last"}
    op = "average_pool"


class GlobalMaxPooling1D(_GlobalPooling1D):
    """The maximum over the steps of a sample: ``(steps, features)`` becomes ``(features,)``.

    Args:
        data_format: None or ``"channels_last"``.
        keepdims: Whether to keep the axis of the steps, with size 1.
        options: See :class:`Layer`.
    """

    only_in_keras: ClassVar = {"data_format": "channels_last"}
    op = "maximum_pool"
