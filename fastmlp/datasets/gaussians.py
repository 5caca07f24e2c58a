"""Gaussian clusters centred on the corners of a regular polygon: the easiest of the generated data sets.

Cluster ``k`` has its centre at radius 1 and angle ``2π·k/classes``; each coordinate of a point is the centre's plus ``noise·N(0, 1)``.
"""

from __future__ import annotations

import numpy as np

from fastmlp.datasets._points import Labelled, check_count, check_noise, check_seed, label, split

__all__ = ["generate", "load_data"]


def generate(points_per_class: int = 500, classes: int = 3, noise: float = 0.3, seed: int | None = None) -> Labelled:
    """Generates the points of every cluster, in random order.

    Args:
        points_per_class: Points in each cluster.
        classes: Number of clusters.
        noise: Standard deviation of each coordinate; the centres lie on a circle of radius 1.
        seed: The random seed; with None, every call draws new points.

    Returns:
        ``x``, float32 ``(classes · points_per_class, 2)``, and ``y``, int64 class labels ``(classes · points_per_class,)``.

    Example:
        >>> from fastmlp.datasets import gaussians
        >>> x, y = gaussians.generate(points_per_class=100, classes=4, seed=0)
        >>> x.shape, y.shape
        ((400, 2), (400,))
    """
    points_per_class = check_count("points_per_class", points_per_class, 1)
    classes = check_count("classes", classes, 1)
    noise = check_noise(noise)
    rng = np.random.default_rng(check_seed(seed))
    angles = 2 * np.pi * np.arange(classes) / classes
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return label([centre + noise * rng.standard_normal((points_per_class, 2)) for centre in centres], rng)


def load_data(
    points_per_class: int = 500, classes: int = 3, noise: float = 0.3, test_fraction: float = 0.2, seed: int | None = 0
) -> tuple[Labelled, Labelled]:
    """The clusters, split into training and test set.

    Args:
        points_per_class: Points in each cluster, training and test set together.
        classes: Number of clusters.
        noise: Standard deviation of each coordinate; the centres lie on a circle of radius 1.
        test_fraction: Fraction of each cluster's points in the test set, between 0 and 1.
        seed: The random seed; with None, every call draws new data.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: float32 points ``(samples, 2)`` and int64 class labels ``(samples,)``.

    Example:
        >>> from fastmlp.datasets import gaussians
        >>> (x_train, y_train), (x_test, y_test) = gaussians.load_data()
        >>> x_train.shape, x_test.shape
        ((1200, 2), (300, 2))
    """
    return split(generate(points_per_class, classes, noise, seed), test_fraction, seed)
