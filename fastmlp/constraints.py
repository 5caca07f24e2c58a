"""Constraints: what weights are brought back to after each update.

By name (``kernel_constraint="non_neg"``), as an object (``MaxNorm(3)``), or as a function of your own, from an array of weights to the one
that is kept instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._base.arguments import Converted, Real
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable, Registry
from fastmlp._engine.spec import Bounds

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "max_norm", "min_max_norm", "non_neg", "unit_norm"]

_EPSILON = 1e-7

Axis = int | Sequence[int] | None


class Constraint(Configurable):
    """The base of all constraints. Called with an array, one gives the array that is kept instead.

    Example:

    >>> import numpy as np
    >>> from fastmlp import constraints
    >>> constraints.NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    @quietly
    def __call__(self, w: Any) -> np.ndarray:
        """What an array becomes."""
        array = np.asarray(w, np.float32)
        bounds = self.bounds(array.shape)
        if bounds.kind == "non_negative":
            return np.maximum(array, 0)
        matrix = np.atleast_2d(array)
        norm = np.sqrt(np.square(matrix).sum(axis=bounds.axis, keepdims=True))
        desired = bounds.rate * np.clip(norm, bounds.least, bounds.most) + (1 - bounds.rate) * norm
        return (matrix * (desired / (_EPSILON + norm))).astype(np.float32).reshape(array.shape)

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        """The same for the engines, for weights of this shape; of a class of your own that has only ``__call__``, that."""
        if type(self).__call__ is Constraint.__call__:
            raise NotImplementedError(f"{type(self).__name__} must have a method __call__(w) that returns the weights that are kept")
        return Bounds("function", function=self, name=type(self).__name__)


class FunctionConstraint(Constraint):
    """A function of your own: called after each update with a copy of the weights, it returns those that are kept.

    It runs in Python, once for each batch and weight: some ten microseconds, and training goes batch by batch.

    Args:
        function: From an array to one of the same shape.

    Example:

    >>> import numpy as np
    >>> from fastmlp import constraints
    >>> constraints.get(lambda w: np.clip(w, -1, 1))(np.array([-2.0, 0.5]))
    array([-1. ,  0.5], dtype=float32)
    """

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function

    def __call__(self, w: Any) -> np.ndarray:
        return np.asarray(self.function(np.array(w, np.float32)), np.float32)

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        return Bounds("function", function=self.function, name=getattr(self.function, "__name__", type(self.function).__name__))

    def __repr__(self) -> str:
        return f"FunctionConstraint({self.function!r})"


class NonNeg(Constraint):
    """``max(w, 0)``."""

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        return Bounds("non_negative")


def _checked_axis(axis: Any) -> Axis:
    axes = (axis,) if isinstance(axis, int) and not isinstance(axis, bool) else axis
    if axes is not None and not (isinstance(axes, (list, tuple)) and axes and all(type(one) is int for one in axes)):
        raise TypeError(f"axis must be an integer, several, or None, got {axis!r}")
    return axis


class _Norm(Constraint):
    """Keeps norms between two numbers."""

    least: float
    most: float
    rate: float = 1.0

    axis = Converted(_checked_axis)

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def bounds(self, shape: tuple[int, ...]) -> Bounds:
        given = range(len(shape)) if self.axis is None else (self.axis,) if isinstance(self.axis, int) else self.axis
        if any(not -len(shape) <= one < len(shape) for one in given):
            raise ValueError(f"{self!r} does not fit weights of shape {shape}: they have {len(shape)} axes")
        axes = {one % len(shape) for one in given}
        return Bounds("norm", None if len(axes) == len(shape) else axes.pop(), self.least, self.most, self.rate)


class MaxNorm(_Norm):
    """Shortens vectors of weights that are longer than ``max_value`` (Srivastava et al. 2014, "Dropout").

    Args:
        max_value: The greatest norm.
        axis: Along which norms are taken: 0 for all weights of each unit of a ``(inputs, units)`` kernel, 1 for those of each input, None
            for all.
    """

    least = 0.0
    max_value = Real(0)

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        super().__init__(axis)
        self.max_value = max_value
        self.most = self.max_value


class UnitNorm(_Norm):
    """Gives vectors of weights the norm 1.

    Args:
        axis: See :class:`MaxNorm`.
    """

    least = most = 1.0

    def __init__(self, axis: Axis = 0) -> None:
        super().__init__(axis)


class MinMaxNorm(_Norm):
    """Keeps the norms of vectors of weights between two numbers.

    Args:
        min_value: The least norm.
        max_value: The greatest.
        rate: 1 to bring norms there at once, less for a part of the way after each update.
        axis: See :class:`MaxNorm`.
    """

    min_value = Real(0)
    max_value = Real(0)
    rate = Real(0, 1)

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        super().__init__(axis)
        self.min_value, self.max_value, self.rate = min_value, max_value, rate
        self.least, self.most = self.min_value, checks.check_float("max_value", self.max_value, self.min_value)


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

registry: Registry[Constraint] = Registry("constraint", Constraint, (MaxNorm, MinMaxNorm, NonNeg, UnitNorm), of_function=FunctionConstraint)
deserialize = registry.deserialize


def get(identifier: Any) -> Constraint | None:
    """The constraint meant by a name (``"max_norm"``), a class, an object, a configuration or a function; None for None."""
    return None if identifier is None else registry.get(identifier)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """The configuration of a constraint; None for None."""
    return None if constraint is None else registry.serialize(constraint)
