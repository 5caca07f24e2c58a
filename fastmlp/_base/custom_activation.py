"""The functions of a user-defined activation, with checks of their results: shapes in every call, the derivative in the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.numeric import as_caller, quiet

_SAMPLE = 256
_STEP = 1e-3
_TOLERANCE = 1e-2
_AGREEING = 0.9
"""The fraction of points at which the derivative must agree; at kinks it may not."""


class Value:
    """f(z), in the shape and precision of z."""

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", repr(function))

    def __call__(self, z: np.ndarray) -> np.ndarray:
        with as_caller():
            return self._evaluate(z)

    def _evaluate(self, z: np.ndarray) -> np.ndarray:
        z = z.view()
        z.flags.writeable = False  # writing into it would change what backpropagation reads
        result = np.asarray(self.function(z))
        if result.shape != z.shape:
            raise ValueError(f"the activation function {self.name!r} returned shape {result.shape} for an array of shape {z.shape}")
        if result.dtype.kind not in "biuf":
            raise TypeError(f"the activation function {self.name!r} returned {result.dtype} instead of real numbers")
        with quiet():
            return result.astype(z.dtype, copy=False)


class Derivative(Value):
    """da·f'(z), from z and da, the gradient of f(z). f' is compared with finite differences of f in the first call."""

    def __init__(self, value: Value, function: Callable[[np.ndarray], Any]) -> None:
        super().__init__(function)
        self.value = value
        self.checked = False

    def backward(self, z: np.ndarray, da: np.ndarray) -> np.ndarray:
        """The gradient by z."""
        if not self.checked:
            self._check(z)
            self.checked = True
        return da * self(z)

    def _check(self, z: np.ndarray) -> None:
        points = z.reshape(-1, 1)[:_SAMPLE].astype(np.float64)
        step = _STEP * np.maximum(1, np.abs(points))
        with quiet():  # beside a point the function may not be defined
            returned = self._evaluate(points)
            slope = (self.value._evaluate(points + step) - self.value._evaluate(points - step)) / (2 * step)
            wrong = np.isfinite(slope) & ~(np.abs(returned - slope) <= _TOLERANCE * np.maximum(1, np.abs(slope)))
        if wrong.mean() > 1 - _AGREEING:
            worst = np.argmax(wrong)
            raise ValueError(
                f"{self.name!r} is not the derivative of {self.value.name!r}: at z = {points.flat[worst]:.4g} it returns "
                f"{returned.flat[worst]:.4g}, but the slope there is {slope.flat[worst]:.4g}"
            )
