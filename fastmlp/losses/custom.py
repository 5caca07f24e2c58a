"""Losses that are functions of the user's own, which give value and gradient; the gradient is compared with finite differences once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.numeric import as_caller, as_native, quiet
from fastmlp.losses.base import Loss

STEP = 1e-3
"""How far from a prediction its slope is measured, relative to its size where that is above one."""
TOLERANCE = 0.02
"""Largest deviation from the measured slope, relative to the largest gradient."""
MAX_ROWS, MAX_COLUMNS = 64, 32
"""Of the first batch that are compared."""


class FunctionLoss(Loss):
    """A loss that Python computes: ``compile(loss=function)`` makes one.

    Everything else of a batch stays in the engine; the function costs one call from C into Python per batch, with the targets and
    predictions copied into arrays: some ten microseconds, and the threads of the engine wait meanwhile. Configurations and files
    hold its name.

    Args:
        function: From ``y_true`` and ``y_pred``, float32 arrays ``(rows, outputs)``, to the loss of each row, ``(rows,)``, and its
            derivative with respect to ``y_pred``, ``(rows, outputs)``. A row's loss may depend on that row alone. Sample weights and the
            mean over the rows are not the function's business.
        of: The object of a user's :class:`Loss` whose method ``call`` the function is.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers, models
    >>> def fourth_power(y_true, y_pred):
    ...     error = y_pred - y_true
    ...     return (error**4).sum(axis=1), 4 * error**3
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer="adam", loss=fourth_power)
    >>> history = model.fit(np.eye(2), np.ones(2), verbose=0)
    """

    def __init__(self, function: Callable[[Any, Any], Any], of: Loss | None = None) -> None:
        self.title = getattr(function, "__name__", type(function).__name__) if of is None else type(of).__name__
        super().__init__(name=self.title) if of is None else super().__init__(of.reduction, of.name)
        self.function, self.of = function, of
        self._is_checked = False

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The function's name as messages have it; never that of one of the engines' losses."""
        return f"{self.title}()"

    @property
    def sparse(self) -> bool:
        return False

    def on_rows(self, row: tuple[int, ...]) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """:meth:`evaluate` of the flat rows that an engine has, where the function reads rows of this shape; () for vectors."""
        if not row:
            return self.evaluate

        def flat(y: np.ndarray, p: np.ndarray) -> Any:
            answer = self.function(y.reshape(-1, *row), p.reshape(-1, *row))
            if isinstance(answer, (tuple, list)) and len(answer) == 2 and np.shape(answer[1]) == (len(p), *row):
                return answer[0], np.reshape(answer[1], p.shape)
            return answer

        flat.__name__ = self.title
        return FunctionLoss(flat).evaluate

    def evaluate(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and gradient as the engines read them; the first time, the gradient is checked."""
        if not self._is_checked:
            with quiet():  # beside a prediction the function may not be defined
                self._check_gradient(y, p)
            self._is_checked = True
        with as_caller():
            value, gradient = self._answer(y, p)
        return as_native(value, p.dtype), as_native(gradient, p.dtype)

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        p = as_native(y_pred, np.float32)
        value, _ = self._answer(self._rows(np.asarray(y_true), p), p.reshape(-1, p.shape[-1]))
        return as_native(value, np.float32).reshape(p.shape[:-1])

    def _answer(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = self.function(y, p)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise TypeError(
                f"the loss function {self.title} must return two arrays, the loss of each row (rows,) and its gradient with respect to "
                f"y_pred (rows, outputs), but returned {type(answer).__name__}; fastmlp does not differentiate it"
            )
        value, gradient = np.asarray(answer[0]), np.asarray(answer[1])
        if value.shape != p.shape[:1]:
            raise ValueError(
                f"the loss function {self.title} gave losses of shape {value.shape}, but one per row, {p.shape[:1]}, is wanted"
            )
        if gradient.shape != p.shape:
            raise ValueError(f"the loss function {self.title} gave a gradient of shape {gradient.shape}, but y_pred has {p.shape}")
        return value, gradient

    def _check_gradient(self, y: np.ndarray, p: np.ndarray) -> None:
        """Compare the gradient with the slopes to both sides of each prediction.

        At a kink it has to lie between them. Copies in float64 go in, so that a function that keeps the dtype is measured exactly.
        """
        y, p = (np.array(array[:MAX_ROWS], np.float64) for array in (y, p))
        value, gradient = self._answer(y.copy(), p.copy())
        columns = np.unique(np.linspace(0, p.shape[1] - 1, min(MAX_COLUMNS, p.shape[1])).astype(int))
        largest = np.abs(gradient).max(initial=0.0)
        worst = (0.0, 0, 0, 0.0)
        for column in columns:
            step = STEP * np.maximum(1, np.abs(p[:, column]))
            slopes = []
            for sign in (-1, 1):
                moved = p.copy()
                moved[:, column] += sign * step
                slopes.append(sign * (self._answer(y.copy(), moved)[0] - value) / step)
            low, high = np.minimum(*slopes), np.maximum(*slopes)
            told = gradient[:, column]
            off = np.maximum(np.maximum(low - told, told - high), 0)
            row = int(off.argmax())
            if off[row] > worst[0]:
                worst = (float(off[row]), row, int(column), float((slopes[0][row] + slopes[1][row]) / 2))
        noise = 1e-3 * np.abs(value).max(initial=0.0)  # what rounding to float32 does to a difference over such a step
        off_by, row, column, measured = worst
        if off_by > TOLERANCE * largest + noise + 1e-6:
            raise ValueError(
                f"the gradient of the loss function {self.title} is not the slope of its value: for y_pred[{row}, {column}] = "
                f"{p[row, column]:g} it says {gradient[row, column]:g}, but measured is {measured:g}, which is the largest deviation; "
                "each row's loss may depend on that row alone, and the mean over the rows is taken by fastmlp"
            )
