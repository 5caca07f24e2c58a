"""California housing: 20,640 districts with 8 features and the median price of a house in dollars (Pace and Barry, 1997).

The features are median income, median age of a house, average rooms, average bedrooms, population, average occupants, latitude and
longitude. Their ranges differ widely: start the model with a ``Normalization`` layer.
"""

from __future__ import annotations

import os

from fastmlp.datasets._files import RemoteFile
from fastmlp.datasets._tables import Pair, existing, split_table

__all__ = ["load_data"]

_FILE = RemoteFile("california_housing", "california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f")
_SMALL = 600


def load_data(
    version: str = "large", path: str | os.PathLike[str] = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Pair, Pair]:
    """Loads the data set, which is downloaded once and cached. The split and order are those of Keras.

    Args:
        version: ``"large"`` for all 20,640 samples, ``"small"`` for the first 600.
        path: A local ``.npz`` file with the arrays ``x`` and ``y``; by default that of the data set.
        test_split: The fraction of the samples in the test set, 0 ≤ test_split < 1.
        seed: The seed of the order of the samples.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: arrays ``(16512, 8)``, ``(16512,)``, ``(4128, 8)`` and ``(4128,)`` of the large version.

    Raises:
        DownloadError: The file is not on this machine and can't be downloaded; the message says where to put it manually.

    Example:
        >>> from fastmlp.datasets import california_housing
        >>> (x_train, y_train), (x_test, y_test) = california_housing.load_data()  # doctest: +SKIP
    """
    if version not in ("small", "large"):
        raise ValueError(f"version must be 'small' or 'large', got {version!r}")
    return split_table(existing(path, _FILE), test_split, seed, _SMALL if version == "small" else None)
