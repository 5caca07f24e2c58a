"""Two interleaving half circles, as scikit-learn's ``make_moons`` generates them.

With ``t`` evenly spaced over ``[0, π]``, class 0 is ``(cos t, sin t)`` and class 1 is ``(1 - cos t, 0.5 - sin t)``, each coordinate plus
``noise·N(0, 1)``.
"""

from __future__ import annotations

import numpy as np

from fastmlp.datasets._points import Labelled, check_count, check_noise, check_seed, label, split

__all__ = ["generate", "load_data"]


def generate(points_per_class: int = 500, noise: float = 0.1, seed: int | None = None) -> Labelled:
    """Generates the points of both moons, in random order.

    Args:
        points_per_class: Points on each moon.
        noise: Standard deviation of each coordinate; the moons have radius 1.
        seed: The random seed; with None, every call draws new points.

    Returns:
        ``x``, float32 ``(2 · points_per_class, 2)``, and ``y``, int64 class labels ``(2 · points_per_class,)``.

    Example:
        >>> from fastmlp.datasets import moons
        >>> x, y = moons.generate(points_per_class=100, seed=0)
        >>> x.shape, y.shape
        ((200, 2), (200,))
    """
    points_per_class = check_count("points_per_class", points_per_class, 1)
    noise = check_noise(noise)
    rng = np.random.default_rng(check_seed(seed))
    t = np.linspace(0, np.pi, points_per_class)
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    return label([moon + noise * rng.standard_normal(moon.shape) for moon in (upper, lower)], rng)


def load_data(
    points_per_class: int = 500, noise: float = 0.1, test_fraction: float = 0.2, seed: int | None = 0
) -> tuple[Labelled, Labelled]:
    """The moons, split into training and test set.

    Args:
        points_per_class: Points on each moon, training and test set together.
        noise: Standard deviation of each coordinate; the moons have radius 1.
        test_fraction: Fraction of each moon's points in the test set, between 0 and 1.
        seed: The random seed; with None, every call draws new data.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: float32 points ``(samples, 2)`` and int64 class labels ``(samples,)``.

    Example:
        >>> from fastmlp.datasets import moons
        >>> (x_train, y_train), (x_test, y_test) = moons.load_data()
        >>> x_train.shape, x_test.shape
        ((800, 2), (200, 2))
    """
    return split(generate(points_per_class, noise, seed), test_fraction, seed)
