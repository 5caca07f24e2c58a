"""Batches of randomly deformed images, so that a network is trained on new variants of the same images in every epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastmlp._data.pydataset import PyDataset

__all__ = ["DeformedImages"]

_DEFORMATIONS = 4000
"""Deformations to draw from: computing one takes longer than applying it."""


class DeformedImages(PyDataset):
    """Images that are rotated, scaled, sheared and shifted at random. Every epoch has new deformations and a new order.

    Each pixel of the result is that of the original nearest to its origin, or 0 if that is outside the image. (Simard, Steinkraus & Platt
    2003, "Best practices for convolutional neural networks applied to visual document analysis".)

    Args:
        images: uint8 ``(samples, height, width)``; 0 is the background.
        labels: ``(samples,)``.
        batch_size: Samples in a batch.
        seed: Determines the deformations and the order.
        rotation: Maximum angle, in degrees.
        scaling: Maximum relative change of height and width, each with a factor of its own.
        shear: Maximum shift of a row relative to the one above it, in pixels.
        shift: Maximum shift along each axis, in pixels.

    Example:
        >>> import numpy as np
        >>> from fastmlp._data.deformations import DeformedImages
        >>> batches = DeformedImages(np.zeros((100, 28, 28), np.uint8), np.zeros(100, int), batch_size=32, seed=0)
        >>> len(batches), batches[0][0].shape
        (4, (32, 28, 28))
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.integer],
        batch_size: int,
        seed: int,
        *,
        rotation: float = 10.0,
        scaling: float = 0.1,
        shear: float = 0.1,
        shift: float = 1.5,
    ) -> None:
        super().__init__()
        count, *self._shape = images.shape
        self._row = images[0].size + 1
        self._pixels = np.zeros((count, self._row), np.uint8)
        """Each image, followed by a pixel of the background."""
        self._pixels[:, :-1] = images.reshape(count, -1)
        self._labels = labels
        self._batch_size = batch_size
        self._rng = np.random.default_rng(seed)
        self._origins = self._draw_origins(np.deg2rad(rotation), scaling, shear, shift)
        """The place of the original of each pixel, for each deformation."""
        self.on_epoch_end()

    def _draw_origins(self, rotation: float, scaling: float, shear: float, shift: float) -> NDArray[np.intp]:
        def draw(limit: float) -> NDArray[np.float64]:
            return self._rng.uniform(-limit, limit, (_DEFORMATIONS, 1))

        height, width = self._shape
        y, x = np.indices((height, width)).reshape(2, 1, -1) - np.reshape([(height - 1) / 2, (width - 1) / 2], (2, 1, 1))
        angle, tilt = draw(rotation), draw(shear)
        sine, cosine = np.sin(angle), np.cos(angle)
        from_y = (1 + draw(scaling)) * (cosine * y - sine * x) + draw(shift) + (height - 1) / 2
        from_x = (1 + draw(scaling)) * (sine * y + cosine * x) + tilt * y + draw(shift) + (width - 1) / 2
        row, column = np.rint(from_y).astype(np.intp), np.rint(from_x).astype(np.intp)
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return np.where(inside, row * width + column, self._row - 1)

    def __len__(self) -> int:
        return -(-len(self._pixels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
        batch = slice(index * self._batch_size, (index + 1) * self._batch_size)
        samples = self._order[batch]
        places = self._origins[self._choice[batch]]
        places += samples[:, None] * self._row
        return self._pixels.ravel().take(places, mode="clip").reshape(-1, *self._shape), self._labels[samples]

    def on_epoch_end(self) -> None:
        """Draw the order and the deformations of the next epoch."""
        self._order = self._rng.permutation(len(self._pixels))
        self._choice = self._rng.integers(0, len(self._origins), len(self._pixels))
