"""A circle inside a larger circle, as scikit-learn's ``make_circles`` generates them.

With ``t`` evenly spaced over ``[0, 2π)``, class 0 is ``(cos t, sin t)`` and class 1 is ``factor·(cos t, sin t)``, each coordinate plus
``noise·N(0, 1)``.
"""

from __future__ import annotations

import numpy as np

from fastmlp.datasets._points import Labelled, check_count, check_noise, check_seed, label, split

__all__ = ["generate", "load_data"]


def generate(points_per_class: int = 500, noise: float = 0.08, seed: int | None = None, factor: float = 0.5) -> Labelled:
    """Generates the points of both circles, in random order.

    Args:
        points_per_class: Points on each circle.
        noise: Standard deviation of each coordinate; the outer circle has radius 1.
        seed: The random seed; with None, every call draws new points.
        factor: Radius of the inner circle, between 0 and 1.

    Returns:
        ``x``, float32 ``(2 · points_per_class, 2)``, and ``y``, int64 class labels ``(2 · points_per_class,)``.

    Example:
        >>> from fastmlp.datasets import circles
        >>> x, y = circles.generate(points_per_class=100, seed=0)
        >>> x.shape, y.shape
        ((200, 2), (200,))
    """
    points_per_class = check_count("points_per_class", points_per_class, 1)
    noise = check_noise(noise)
    if not 0 < factor < 1:
        raise ValueError(f"factor, the radius of the inner circle, must be > 0 and < 1, got {factor}")
    rng = np.random.default_rng(check_seed(seed))
    t = 2 * np.pi * np.arange(points_per_class) / points_per_class
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    return label([circle + noise * rng.standard_normal(circle.shape) for circle in (outer, factor * outer)], rng)


def load_data(
    points_per_class: int = 500, noise: float = 0.08, test_fraction: float = 0.2, seed: int | None = 0
) -> tuple[Labelled, Labelled]:
    """The circles, split into training and test set.

    Args:
        points_per_class: Points on each circle, training and test set together.
        noise: Standard deviation of each coordinate; the outer circle has radius 1, the inner one 0.5.
        test_fraction: Fraction of each circle's points in the test set, between 0 and 1.
        seed: The random seed; with None, every call draws new data.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: float32 points ``(samples, 2)`` and int64 class labels ``(samples,)``.

    Example:
        >>> from fastmlp.datasets import circles
        >>> (x_train, y_train), (x_test, y_test) = circles.load_data()
        >>> x_train.shape, x_test.shape
        ((800, 2), (200, 2))
    """
    return split(generate(points_per_class, noise, seed), test_fraction, seed)
