"""Layers that change the shape of a row, which costs nothing."""

from __future__ import annotations

import math
from typing import Any

from fastmlp import checks
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer
from fastmlp.shapes import Shape


class Flatten(Layer):
    """Turn rows of any shape into vectors: ``(28, 28)`` becomes ``(784,)``. It costs nothing."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise UnsupportedError(f"Flatten(data_format={data_format!r}) is not in fastmlp; transpose the data to channels last")

    def row_after(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Reshape(Layer):
    """Give rows another shape with as many elements.

    Args:
        target_shape: The shape of a row; one size may be -1, for whatever is left.
    """

    weightless = True

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(target_shape, (list, tuple)):
            raise TypeError(f"target_shape must be a tuple of sizes such as (28, 28), got {target_shape!r}")
        sizes = tuple(size if size == -1 else checks.whole_number("a size in target_shape", size) for size in target_shape)
        if sizes.count(-1) > 1:
            raise ValueError(f"target_shape may leave one size open, got {sizes}")
        self.target_shape = sizes

    def row_after(self, input_shape: Shape) -> Shape:
        elements, known = math.prod(input_shape), -math.prod(self.target_shape)
        open_size = elements // known if -1 in self.target_shape else 0
        shape = tuple(open_size if size == -1 else size for size in self.target_shape)
        if math.prod(shape) != elements:
            raise ValueError(f"rows of shape {input_shape} have {elements} elements, so they can't be reshaped to {self.target_shape}")
        return shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_shape": list(self.target_shape)}
