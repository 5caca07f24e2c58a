"""Regularizers: penalties added to the loss, which keep weights small, sparse or orthogonal.

They are given by name (``kernel_regularizer="l2"``) or as an object (``L2(1e-4)``). The loss that ``fit`` and ``evaluate`` report includes
the penalty, computed from the weights before each update, and the gradient includes its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, SupportsFloat, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base.arguments import Choice, Real
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable, Registry
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Penalty
from fastmlp.errors import UnsupportedError

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "get", "l1", "l1_l2", "l2", "orthogonal_regularizer"]


class Regularizer(Configurable):
    """The base class of all regularizers. A regularizer called on an array returns the penalty.

    Example:

    >>> import numpy as np
    >>> from fastmlp import regularizers
    >>> regularizers.L2(0.5)(np.ones((2, 3)))
    3.0
    """

    @quietly
    def __call__(self, x: ArrayLike) -> float:
        """The penalty of an array of weights.

        Raises:
            ValueError: The penalty is not defined for arrays of this shape.
        """
        penalty, array = self.penalty(), np.asarray(x, np.float64)
        self.check_shape(array.shape)
        total = penalty.l1 * float(np.abs(array).sum()) + penalty.l2 * float(np.square(array).sum())
        if penalty.orthogonal:
            total += penalty.orthogonal * _mean_cosine(array.T if penalty.columns else array)
        return total

    def penalty(self) -> Penalty:
        """The penalty as the engines take it. For a user-defined class that only has ``__call__``, :func:`of_function` finds it."""
        return of_function(self).penalty()

    def check_shape(self, shape: Shape) -> None:
        """Raise a ValueError if the penalty is not defined for arrays of this shape."""


class L1L2(Regularizer):
    """``l1·Σ|w| + l2·Σw²`` (Zou & Hastie 2005, "Regularization and variable selection via the elastic net").

    Args:
        l1: Factor of the sum of absolute values, ≥ 0.
        l2: Factor of the sum of squares, ≥ 0.

    Example:

    >>> from fastmlp import layers, regularizers
    >>> layer = layers.Dense(8, kernel_regularizer=regularizers.L1L2(l1=1e-5, l2=1e-4))
    """

    l1 = Real(0, default=0.0)
    l2 = Real(0, default=0.0)

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = l1
        self.l2 = l2

    def penalty(self) -> Penalty:
        return Penalty(l1=self.l1, l2=self.l2)


class L1(Regularizer):
    """``l1·Σ|w|``, which drives many weights towards 0 (Tibshirani 1996, "Regression shrinkage and selection via the lasso").

    Args:
        l1: Factor of the sum of absolute values, ≥ 0.
    """

    l1 = Real(0, default=0.01)

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = l1

    def penalty(self) -> Penalty:
        return Penalty(l1=self.l1)


class L2(Regularizer):
    """``l2·Σw²``, without a factor of ½ (Krogh & Hertz 1991, "A simple weight decay can improve generalization").

    Args:
        l2: Factor of the sum of squares, ≥ 0.
    """

    l2 = Real(0, default=0.01)

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = l2

    def penalty(self) -> Penalty:
        return Penalty(l2=self.l2)


class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean |cosine| over all pairs of rows, or of columns, of a kernel; 0 if there is only one.

    Every batch computes the products of all pairs, about as much work as a layer with that many inputs and units.

    Args:
        factor: Factor of the mean, ≥ 0.
        mode: ``"rows"`` makes the weights of different inputs orthogonal, ``"columns"`` those of different units.

    Raises:
        ValueError: An unknown ``mode``; or, when the layer is built, weights that are not a matrix.
    """

    factor = Real(0)
    mode = Choice("rows", "columns")

    def __init__(self, factor: float = 0.01, mode: Literal["rows", "columns"] = "rows") -> None:
        self.factor = factor
        self.mode = mode

    def penalty(self) -> Penalty:
        return Penalty(orthogonal=self.factor, columns=self.mode == "columns")

    def check_shape(self, shape: Shape) -> None:
        if len(shape) != 2:
            raise ValueError(f"OrthogonalRegularizer is for matrices, not for weights of shape {shape}")


RegularizerFunction: TypeAlias = Callable[[NDArray[np.float32]], SupportsFloat]
"""From an array of weights to the penalty, a number."""


def of_function(function: RegularizerFunction) -> L1L2:
    """The :class:`L1L2` regularizer equal to a user-defined function.

    The engines do not call Python for a penalty, so l1 and l2 are found by calling the function on a few arrays.

    Raises:
        UnsupportedError: The function is not ``l1·Σ|w| + l2·Σw²`` for any l1 and l2.

    Example:

    >>> import numpy as np
    >>> from fastmlp import regularizers
    >>> regularizers.get(lambda w: 0.5 * np.sum(np.square(w)))
    L1L2(l1=0.0, l2=0.5)
    """

    def value(w: NDArray[np.float32]) -> float:
        return float(np.asarray(function(w)))

    def rounded(number: float) -> float:
        return max(0.0, float(f"{number:.6g}"))  # as the user wrote it, even if the function computes in float32

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
        raise UnsupportedError(f"the regularizer {name} can't be used: it failed when called on an array of weights: {error}") from error
    raise UnsupportedError(
        f"the regularizer {name} is not of the form l1·Σ|w| + l2·Σw², the only one the engines compute for functions; use L1, L2, L1L2 or "
        "OrthogonalRegularizer"
    )


def _mean_cosine(w: NDArray[np.float64]) -> float:
    """The mean |cosine| over all pairs of different rows."""
    x = w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-7)
    cosines = np.abs(x @ x.T)
    return float((cosines.sum() - np.trace(cosines)) / max(len(w) * (len(w) - 1), 1))


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

registry: Registry[Regularizer] = Registry("regularizer", Regularizer, (L1, L2, L1L2, OrthogonalRegularizer), of_function=of_function)
deserialize = registry.deserialize

RegularizerLike: TypeAlias = str | Regularizer | type[Regularizer] | RegularizerFunction | StoredConfig | None
"""What :func:`get` accepts."""


def get(identifier: RegularizerLike) -> Regularizer | None:
    """The regularizer that an argument such as ``kernel_regularizer`` refers to; None for None.

    Args:
        identifier: A name (``"l2"``), a class, an object, a configuration, or a function that :func:`of_function` accepts.

    Raises:
        ValueError: Nothing has this name.
        TypeError: It is none of these.
    """
    return None if identifier is None else registry.get(identifier)


def serialize(regularizer: Regularizer | None) -> Config | None:
    """The configuration of a regularizer; None for None."""
    return None if regularizer is None else registry.serialize(regularizer)
