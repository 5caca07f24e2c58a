"""Regularizers: what weights add to the loss, so that they stay small, sparse or orthogonal.

By name (``kernel_regularizer="l2"``) or as an object (``L2(1e-4)``). The penalty of the weights before each update is part of the loss that
``fit`` and ``evaluate`` report, and its derivative part of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.arguments import Choice, Real
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable, Registry
from fastmlp._engine.spec import Penalty
from fastmlp.errors import UnsupportedError

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "get", "l1", "l1_l2", "l2", "orthogonal_regularizer"]


class Regularizer(Configurable):
    """The base of all regularizers. Called with an array, one gives its penalty.

    Example:

    >>> import numpy as np
    >>> from fastmlp import regularizers
    >>> regularizers.L2(0.5)(np.ones((2, 3)))
    3.0
    """

    @quietly
    def __call__(self, x: Any) -> Any:
        """The penalty of an array."""
        penalty, array = self.penalty(), np.asarray(x, np.float64)
        self.check_shape(array.shape)
        total = penalty.l1 * float(np.abs(array).sum()) + penalty.l2 * float(np.square(array).sum())
        if penalty.orthogonal:
            total += penalty.orthogonal * _mean_cosine(array.T if penalty.columns else array)
        return total

    def penalty(self) -> Penalty:
        """The same for the engines; of a class of your own that has only ``__call__``, what :func:`of_function` finds."""
        return of_function(self).penalty()

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """An error if there is no such penalty for arrays of this shape."""


class L1L2(Regularizer):
    """``l1·Σ|w| + l2·Σw²`` (Zou & Hastie 2005, "Regularization and variable selection via the elastic net").

    Args:
        l1: At least 0.
        l2: At least 0.
    """

    l1 = Real(0, default=0.0)
    l2 = Real(0, default=0.0)

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = l1
        self.l2 = l2

    def penalty(self) -> Penalty:
        return Penalty(l1=self.l1, l2=self.l2)


class L1(Regularizer):
    """``l1·Σ|w|``, which makes many weights very small (Tibshirani 1996, "Regression shrinkage and selection via the lasso").

    Args:
        l1: At least 0.
    """

    l1 = Real(0, default=0.01)

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = l1

    def penalty(self) -> Penalty:
        return Penalty(l1=self.l1)


class L2(Regularizer):
    """``l2·Σw²``, without a factor ½ (Krogh & Hertz 1991, "A simple weight decay can improve generalization").

    Args:
        l2: At least 0.
    """

    l2 = Real(0, default=0.01)

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = l2

    def penalty(self) -> Penalty:
        return Penalty(l2=self.l2)


class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean of |cosine| over all pairs of rows of a kernel, or of columns; 0 where there is only one.

    Every batch needs the products of all pairs, about as much work as a layer with as many inputs and outputs as there are rows.

    Args:
        factor: At least 0.
        mode: ``"rows"``: the inputs' weights become orthogonal to each other; ``"columns"``: the units'.
    """

    factor = Real(0)
    mode = Choice("rows", "columns")

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = factor
        self.mode = mode

    def penalty(self) -> Penalty:
        return Penalty(orthogonal=self.factor, columns=self.mode == "columns")

    def check_shape(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(f"OrthogonalRegularizer is for matrices, not for weights of shape {shape}")


def of_function(function: Callable[[Any], Any]) -> L1L2:
    """The regularizer that a function of the user's own computes, found by calling it: the engines compute no others.

    Raises:
        UnsupportedError: It is not ``l1·Σ|w| + l2·Σw²`` for any l1 and l2.

    Example:

    >>> import numpy as np
    >>> from fastmlp import regularizers
    >>> regularizers.get(lambda w: 0.5 * np.sum(np.square(w)))
    L1L2(l1=0.0, l2=0.5)
    """

    def value(w: np.ndarray) -> float:
        return float(np.asarray(function(w)))

    def rounded(number: float) -> float:
        return max(0.0, float(f"{number:.6g}"))  # as it was typed, also where the function computes in float32

    name = getattr(function, "__name__", type(function).__name__)
    try:
        once, twice = value(np.ones((2, 3), np.float32)) / 6, value(np.full((2, 3), 2, np.float32)) / 6
        found = L1L2(rounded(2 * once - twice / 2), rounded(twice / 2 - once))
        for seed, shape in enumerate([(5, 4), (1, 7), (3, 1)]):
            w = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
            if not abs(value(w) - found(w)) <= 1e-4 * max(abs(found(w)), 1e-6):
                break
        else:
            return found
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise UnsupportedError(f"the regularizer {name} can't be used: it failed for an array of weights: {error}") from error
    raise UnsupportedError(
        f"the regularizer {name} is not a sum of |w| and w², and the engines compute no others; use L1, L2, L1L2 or OrthogonalRegularizer"
    )


def _mean_cosine(w: np.ndarray) -> float:
    x = w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-7)
    cosines = np.abs(x @ x.T)
    return float((cosines.sum() - np.trace(cosines)) / max(len(w) * (len(w) - 1), 1))


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

registry: Registry[Regularizer] = Registry("regularizer", Regularizer, (L1, L2, L1L2, OrthogonalRegularizer), of_function=of_function)
deserialize = registry.deserialize


def get(identifier: Any) -> Regularizer | None:
    """The regularizer meant by a name (``"l2"``), a class, an object, a configuration or a function; None for None."""
    return None if identifier is None else registry.get(identifier)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """The configuration of a regularizer; None for None."""
    return None if regularizer is None else registry.serialize(regularizer)
