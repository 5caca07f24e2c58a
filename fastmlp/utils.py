"""Small helpers: one-hot encoding and repeatable runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import checks, naming, randomness

if TYPE_CHECKING:
    from fastmlp.graph_plotting import plot_model

__all__ = ["clear_session", "plot_model", "set_random_seed", "to_categorical"]


def __getattr__(name: str) -> Any:
    if name == "plot_model":
        from fastmlp.graph_plotting import plot_model

        return plot_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows for class numbers.

    Args:
        x: Class numbers from 0, of any shape; a last axis of size 1 is dropped.
        num_classes: The number of columns; one more than the largest class number unless told.

    Returns:
        A float32 array of shape ``(*x.shape, num_classes)``.

    Raises:
        ValueError: If a class number is negative, not whole, or not below ``num_classes``.

    Example:

    >>> from fastmlp.utils import to_categorical
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "biuf":
        raise TypeError(
            f"to_categorical needs whole numbers, got {labels.dtype}; number the classes first: np.unique(x, return_inverse=True)[1]"
        )
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.floor(labels)).all()):
        raise ValueError("to_categorical needs whole numbers, but x has fractions, NaN or Inf")
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("x is empty, so the number of classes is unknown; give num_classes")
        num_classes = int(labels.max()) + 1
    else:
        num_classes = checks.whole_number("num_classes", num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
        raise ValueError(f"x has the class number {wrong}, but classes go from 0 to {num_classes - 1}")
    one_hot = np.zeros((labels.size, num_classes), np.float32)
    one_hot[np.arange(labels.size), labels.ravel()] = 1
    return one_hot.reshape(*labels.shape, num_classes)


def set_random_seed(seed: int) -> None:
    """Make everything random that follows repeatable: initial weights, shuffling, dropout, and Python's and NumPy's own generators.

    Args:
        seed: From 0 up to 2³² − 1.

    Example:

    >>> from fastmlp import initializers, utils
    >>> utils.set_random_seed(0); a = initializers.HeNormal()((2, 2))
    >>> utils.set_random_seed(0); b = initializers.HeNormal()((2, 2))
    >>> bool((a == b).all())
    True
    """
    import random

    seed = checks.whole_number("seed", seed, 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be below 2**32, got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    randomness.set_seed(seed)


def clear_session() -> None:
    """Let automatic names count from the start again: the next Dense is ``dense``."""
    naming.reset()
