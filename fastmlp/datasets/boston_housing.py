"""Boston housing: 506 districts with 13 features and the median price of a house in thousands of dollars (Harrison and Rubinfeld, 1978).

One of the features was constructed on the assumption that the proportion of Black residents affects prices. Use the data set only to
discuss such choices; use :mod:`fastmlp.datasets.california_housing` to learn regression.
"""

from __future__ import annotations

import os

from fastmlp.datasets._files import RemoteFile
from fastmlp.datasets._tables import Pair, existing, split_table

__all__ = ["load_data"]

_FILE = RemoteFile("boston_housing", "boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5")


def load_data(path: str | os.PathLike[str] = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Pair, Pair]:
    """Loads the data set, which is downloaded once and cached. The split and order are those of Keras.

    Args:
        path: A local ``.npz`` file with the arrays ``x`` and ``y``; by default that of the data set.
        test_split: The fraction of the samples in the test set, 0 ≤ test_split < 1.
        seed: The seed of the order of the samples.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: float64 arrays ``(404, 13)``, ``(404,)``, ``(102, 13)`` and ``(102,)``.

    Raises:
        DownloadError: The file is not on this machine and can't be downloaded; the message says where to put it manually.

    Example:
        >>> from fastmlp.datasets import boston_housing
        >>> (x_train, y_train), (x_test, y_test) = boston_housing.load_data()  # doctest: +SKIP
    """
    return split_table(existing(path, _FILE), test_split, seed)
