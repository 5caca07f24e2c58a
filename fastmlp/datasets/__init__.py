"""Data sets that are ready to train on: five generated ones with two features, and those of Keras, which are downloaded.

Each module has ``load_data()``, which gives ``(x_train, y_train), (x_test, y_test)``; the generated ones also have ``generate()``, which
gives all points as one pair ``x, y``.

Example:
    >>> from fastmlp.datasets import spiral
    >>> (x_train, y_train), (x_test, y_test) = spiral.load_data()
    >>> x_train.shape, x_test.shape
    ((1200, 2), (300, 2))
"""

from typing import Any

from fastmlp._base import keras_names
from fastmlp.datasets import (
    boston_housing,
    california_housing,
    circles,
    fashion_mnist,
    gaussians,
    imdb,
    mnist,
    moons,
    reuters,
    spiral,
    xor,
)

__all__ = [
    "boston_housing",
    "california_housing",
    "circles",
    "fashion_mnist",
    "gaussians",
    "imdb",
    "mnist",
    "moons",
    "reuters",
    "spiral",
    "xor",
]


def __getattr__(name: str) -> Any:
    return keras_names.missing("datasets", name)
