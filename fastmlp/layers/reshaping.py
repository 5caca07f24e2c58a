"""Layers that change the shape of a row, which costs nothing."""

from __future__ import annotations

import math
from typing import Any

from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer
from fastmlp.shapes import Shape


class Flatten(Layer):
    """Turn rows of any shape into vectors: ``(28, 28)`` becomes ``(784,)``. It costs nothing."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise UnsupportedError(f"Flatten(data_format={data_format!r}) is not in fastmlp yet; transpose the data to channels last")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)
