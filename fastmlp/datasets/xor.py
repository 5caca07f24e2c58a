"""Exclusive or (XOR) with noise, which a single layer can't learn (Minsky and Papert, "Perceptrons", 1969).

Points lie around the four corners ``(±1, ±1)``, each coordinate plus ``noise·N(0, 1)``. Class 0 is around the two corners whose signs
agree, class 1 around the two whose signs differ.
"""

from __future__ import annotations

import numpy as np

from fastmlp.datasets._points import Labelled, check_count, check_noise, check_seed, label, split

__all__ = ["generate", "load_data"]


def generate(points_per_class: int = 500, noise: float = 0.3, seed: int | None = None) -> Labelled:
    """Generates the points around the four corners, in random order.

    Args:
        points_per_class: Points of each class, shared by its two corners.
        noise: Standard deviation of each coordinate; neighbouring corners are 2 apart.
        seed: The random seed; with None, every call draws new points.

    Returns:
        ``x``, float32 ``(2 · points_per_class, 2)``, and ``y``, int64 class labels ``(2 · points_per_class,)``.

    Example:
        >>> from fastmlp.datasets import xor
        >>> x, y = xor.generate(points_per_class=100, seed=0)
        >>> x.shape, y.shape
        ((200, 2), (200,))
    """
    points_per_class = check_count("points_per_class", points_per_class, 1)
    noise = check_noise(noise)
    rng = np.random.default_rng(check_seed(seed))
    sign = np.where(np.arange(points_per_class) % 2, -1.0, 1.0)
    same, different = np.stack([sign, sign], axis=1), np.stack([sign, -sign], axis=1)
    return label([corners + noise * rng.standard_normal(corners.shape) for corners in (same, different)], rng)


def load_data(
    points_per_class: int = 500, noise: float = 0.3, test_fraction: float = 0.2, seed: int | None = 0
) -> tuple[Labelled, Labelled]:
    """The points, split into training and test set.

    Args:
        points_per_class: Points of each class, training and test set together.
        noise: Standard deviation of each coordinate; neighbouring corners are 2 apart.
        test_fraction: Fraction of each class's points in the test set, between 0 and 1.
        seed: The random seed; with None, every call draws new data.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: float32 points ``(samples, 2)`` and int64 class labels ``(samples,)``.

    Example:
        >>> from fastmlp.datasets import xor
        >>> (x_train, y_train), (x_test, y_test) = xor.load_data()
        >>> x_train.shape, x_test.shape
        ((800, 2), (200, 2))
    """
    return split(generate(points_per_class, noise, seed), test_fraction, seed)
