"""Interleaved spiral arms: impossible for a linear classifier, a good first task for a small network.

Point ``i`` of the ``n`` points of arm ``k`` lies at radius ``r = (i + 1) / n`` and at angle ``2π·k/classes + 4·r + noise·N(0, 1)``
radians. The data follow the course notes of Stanford's CS231n, "Putting it together: minimal neural network case study".
"""

from __future__ import annotations

import numpy as np

from fastmlp.datasets._points import Labelled, check_count, check_noise, check_seed, label, split

__all__ = ["generate", "load_data"]


def generate(points_per_class: int = 500, classes: int = 3, noise: float = 0.2, seed: int | None = None) -> Labelled:
    """Generates the points of every arm, in random order.

    Args:
        points_per_class: Points on each arm.
        classes: Number of arms.
        noise: Standard deviation of the angle, in radians.
        seed: The random seed; with None, every call draws new points.

    Returns:
        ``x``, float32 ``(classes · points_per_class, 2)``, and ``y``, int64 class labels ``(classes · points_per_class,)``.

    Example:
        >>> from fastmlp.datasets import spiral
        >>> x, y = spiral.generate(points_per_class=100, classes=3, seed=0)
        >>> x.shape, y.shape
        ((300, 2), (300,))
    """
    points_per_class = check_count("points_per_class", points_per_class, 1)
    classes = check_count("classes", classes, 1)
    noise = check_noise(noise)
    rng = np.random.default_rng(check_seed(seed))
    radius = np.arange(1, points_per_class + 1) / points_per_class
    arms = []
    for k in range(classes):
        angle = 2 * np.pi * k / classes + 4 * radius + noise * rng.standard_normal(points_per_class)
        arms.append(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
    return label(arms, rng)


def load_data(
    points_per_class: int = 500, classes: int = 3, noise: float = 0.2, test_fraction: float = 0.2, seed: int | None = 0
) -> tuple[Labelled, Labelled]:
    """The arms, split into training and test set.

    Args:
        points_per_class: Points on each arm, training and test set together.
        classes: Number of arms.
        noise: Standard deviation of the angle, in radians.
        test_fraction: Fraction of each arm's points in the test set, between 0 and 1.
        seed: The random seed; with None, every call draws new data.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: float32 points ``(samples, 2)`` and int64 class labels ``(samples,)``.

    Example:
        >>> from fastmlp.datasets import spiral
        >>> (x_train, y_train), (x_test, y_test) = spiral.load_data()
        >>> x_train.shape, x_test.shape
        ((1200, 2), (300, 2))
    """
    return split(generate(points_per_class, classes, noise, seed), test_fraction, seed)
