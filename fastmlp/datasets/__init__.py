"""Data sets: five generated ones with two features, and Keras' data sets for dense networks, which are downloaded and cached.

Each module has ``load_data()``, which returns ``(x_train, y_train), (x_test, y_test)``. The generated ones also have ``generate()``, which
returns all points as one pair ``x, y``.

Example:
    >>> from fastmlp.datasets import spiral
    >>> (x_train, y_train), (x_test, y_test) = spiral.load_data()
    >>> x_train.shape, x_test.shape
    ((1200, 2), (300, 2))
"""

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


def __getattr__(name: str) -> object:
    return keras_names.missing("datasets", name)
