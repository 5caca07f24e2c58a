"""Constraints: projections applied to weights after each update.

They are given by name (``kernel_constraint="non_neg"``), as an object (``MaxNorm(3)``), or as a user-defined function from an array of
weights to the array that replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base import checks
from fastmlp._base.arguments import Converted, Real
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable, Registry
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Bounds

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "max_norm", "min_max_norm", "non_neg", "unit_norm"]

_EPSILON = 1e-7

Axis: TypeAlias = int | Sequence[int] | None

ConstraintFunction: TypeAlias = Callable[[NDArray[np.float32]], np.ndarray]
"""From an array of weights to the array of the same shape that replaces it."""


class Constraint(Configurable):
    """The base class of all constraints. A constraint called on an array of weights returns the array that replaces it.

    Example:

    >>> import numpy as np
    >>> from fastmlp import constraints
    >>> constraints.NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    @quietly
    def __call__(self, w: ArrayLike) -> NDArray[np.float32]:
        """The weights after the constraint is applied, a float32 array of the same shape.

        Raises:
            ValueError: The constraint's axes do not exist in arrays of this shape.
        """
        array = np.asarray(w, np.float32)
        bounds = self.bounds(array.shape)
        if bounds.kind == "non_negative":
            return np.maximum(array, 0, dtype=np.float32)
        matrix = np.atleast_2d(array)
        norm = np.sqrt(np.square(matrix).sum(axis=bounds.axis, keepdims=True))
        desired = bounds.rate * np.clip(norm, bounds.min_value, bounds.max_value) + (1 - bounds.rate) * norm
        return (matrix * (desired / (_EPSILON + norm))).astype(np.float32).reshape(array.shape)

    def bounds(self, shape: Shape) -> Bounds:
        """The constraint as the engines take it, for weights of this shape. For a user-defined class it is the object itself."""
        if type(self).__call__ is Constraint.__call__:
            raise NotImplementedError(f"{type(self).__name__} must have a method __call__(w) that returns the constrained weights")
        return Bounds("function", function=self, name=type(self).__name__)


class FunctionConstraint(Constraint):
    """A user-defined function as a constraint: called after each update with a copy of the weights, it returns the constrained weights.

    It runs in Python once per batch and weight, which takes about ten microseconds each time, and training then returns to Python after
    every batch.

    Args:
        function: From a float32 array to an array of the same shape.

    Example:

    >>> import numpy as np
    >>> from fastmlp import constraints
    >>> constraints.get(lambda w: np.clip(w, -1, 1))(np.array([-2.0, 0.5]))
    array([-1. ,  0.5], dtype=float32)
    """

    def __init__(self, function: ConstraintFunction) -> None:
        self.function = function

    def __call__(self, w: ArrayLike) -> NDArray[np.float32]:
        return np.asarray(self.function(np.array(w, np.float32)), np.float32)

    def bounds(self, shape: Shape) -> Bounds:
        return Bounds("function", function=self.function, name=getattr(self.function, "__name__", type(self.function).__name__))

    def __repr__(self) -> str:
        return f"FunctionConstraint({self.function!r})"


class NonNeg(Constraint):
    """``max(w, 0)``."""

    def bounds(self, shape: Shape) -> Bounds:
        return Bounds("non_negative")


def _checked_axis(axis: Axis) -> Axis:
    axes = (axis,) if isinstance(axis, int) and not isinstance(axis, bool) else axis
    if axes is not None and not (isinstance(axes, (list, tuple)) and axes and all(type(one) is int for one in axes)):
        raise TypeError(f"axis must be an integer, a tuple of integers, or None, got {axis!r}")
    return axis


class _Norm(Constraint):
    """Keeps the norms of vectors of weights between a minimum and a maximum."""

    least: float
    most: float
    rate: float = 1.0

    axis = Converted(_checked_axis)

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def bounds(self, shape: Shape) -> Bounds:
        given = range(len(shape)) if self.axis is None else (self.axis,) if isinstance(self.axis, int) else self.axis
        if any(not -len(shape) <= one < len(shape) for one in given):
            raise ValueError(f"{self!r} can't be applied to weights of shape {shape}, which have {len(shape)} axes")
        axes = {one % len(shape) for one in given}
        return Bounds("norm", None if len(axes) == len(shape) else axes.pop(), self.least, self.most, self.rate)


class MaxNorm(_Norm):
    """Scales down vectors of weights whose norm exceeds ``max_value`` (Srivastava et al. 2014, "Dropout").

    Args:
        max_value: The maximum norm, ≥ 0.
        axis: Axis along which norms are computed: 0 for the incoming weights of each unit of a kernel ``(inputs, units)``, 1 for the
            outgoing weights of each input, None for all weights together.

    Example:

    >>> import numpy as np
    >>> from fastmlp import constraints
    >>> constraints.MaxNorm(5)(np.array([[6.0], [8.0]])).round(4)
    array([[3.],
           [4.]], dtype=float32)
    """

    least = 0.0
    max_value = Real(0)

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        super().__init__(axis)
        self.max_value = max_value
        self.most = self.max_value


class UnitNorm(_Norm):
    """Scales vectors of weights to norm 1.

    Args:
        axis: See :class:`MaxNorm`.
    """

    least = most = 1.0

    def __init__(self, axis: Axis = 0) -> None:
        super().__init__(axis)


class MinMaxNorm(_Norm):
    """Scales vectors of weights so that their norms lie between ``min_value`` and ``max_value``.

    Args:
        min_value: The minimum norm, ≥ 0.
        max_value: The maximum norm, ≥ ``min_value``.
        rate: The fraction of the correction that each update makes, between 0 and 1; 1 enforces the bounds after every update.
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

ConstraintLike: TypeAlias = str | Constraint | type[Constraint] | ConstraintFunction | StoredConfig | None
"""What :func:`get` accepts."""


def get(identifier: ConstraintLike) -> Constraint | None:
    """The constraint that an argument such as ``kernel_constraint`` refers to; None for None.

    Args:
        identifier: A name (``"max_norm"``), a class, an object, a configuration, or a function from an array of weights to the array that
            replaces it.

    Raises:
        ValueError: Nothing has this name.
        TypeError: It is none of these.
    """
    return None if identifier is None else registry.get(identifier)


def serialize(constraint: Constraint | None) -> Config | None:
    """The configuration of a constraint; None for None."""
    return None if constraint is None else registry.serialize(constraint)
