"""Custom losses: user functions that return value and gradient. The gradient is checked once against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastmlp._base.numeric import as_caller, as_native, quiet
from fastmlp.losses.base import Loss

STEP = 1e-3
"""Step of the finite differences, relative to the prediction where that is above one."""
TOLERANCE = 0.02
"""Maximum deviation from the finite difference, relative to the largest gradient."""
MAX_SAMPLES, MAX_OUTPUTS = 64, 32
"""How many samples and outputs of the first batch are checked."""


class FunctionLoss(Loss):
    """A loss computed in Python; ``compile(loss=function)`` creates one.

    The rest of the training step stays in the engine. The function costs one call from C into Python per batch, with targets and
    predictions copied into arrays: about ten microseconds, during which the engine's threads wait. Configurations and files store its
    name.

    Args:
        function: Takes ``y_true`` and ``y_pred``, float32 arrays ``(samples, outputs)``, and returns the loss of each sample,
            ``(samples,)``, and its derivative with respect to ``y_pred``, ``(samples, outputs)``. The loss of a sample must depend on that
            sample alone. fastmlp applies sample weights and takes the mean.
        of: The user's :class:`Loss` object whose method ``call`` is ``function``.

    Raises:
        TypeError: While training, if the function returns anything but two arrays.
        ValueError: While training, if a shape is wrong or the gradient differs from finite differences in the first batch.

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

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], object], of: Loss | None = None) -> None:
        self.title = getattr(function, "__name__", type(function).__name__) if of is None else type(of).__name__
        super().__init__(name=self.title) if of is None else super().__init__(of.reduction, of.name)
        self.function, self.of = function, of
        self._is_checked = False

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The function's name as messages show it; never equal to that of a built-in loss."""
        return f"{self.title}()"

    @property
    def sparse(self) -> bool:
        return False

    def on_rows(self, row: tuple[int, ...]) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """:meth:`evaluate` for the flat samples of an engine, if the function expects samples of shape ``row``; () for vectors."""
        if not row:
            return self.evaluate

        def flat(y: np.ndarray, p: np.ndarray) -> object:
            answer = self.function(y.reshape(-1, *row), p.reshape(-1, *row))
            if isinstance(answer, (tuple, list)) and len(answer) == 2 and np.shape(answer[1]) == (len(p), *row):
                return answer[0], np.reshape(answer[1], p.shape)
            return answer

        flat.__name__ = self.title
        return FunctionLoss(flat).evaluate

    def evaluate(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and gradient in the engines' dtype; the first call checks the gradient."""
        if not self._is_checked:
            with quiet():  # the function may be undefined next to a prediction
                self._check_gradient(y, p)
            self._is_checked = True
        with as_caller():
            value, gradient = self._answer(y, p)
        return as_native(value, p.dtype), as_native(gradient, p.dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        p = as_native(y_pred, np.float32)
        value, _ = self._answer(self._rows(np.asarray(y_true), p), p.reshape(-1, p.shape[-1]))
        return as_native(value, np.float32).reshape(p.shape[:-1])

    def _answer(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = self.function(y, p)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise TypeError(
                f"the loss function {self.title} must return two arrays, the loss of each sample (samples,) and its gradient with respect "
                f"to y_pred (samples, outputs), but returned {type(answer).__name__}; fastmlp does not differentiate it"
            )
        value, gradient = np.asarray(answer[0]), np.asarray(answer[1])
        if value.shape != p.shape[:1]:
            raise ValueError(
                f"the loss function {self.title} returned losses of shape {value.shape}, but must return one per sample, {p.shape[:1]}"
            )
        if gradient.shape != p.shape:
            raise ValueError(
                f"the loss function {self.title} returned a gradient of shape {gradient.shape}, but y_pred has shape {p.shape}"
            )
        return value, gradient

    def _check_gradient(self, y: np.ndarray, p: np.ndarray) -> None:
        """Compare the gradient with the one-sided finite differences of each prediction.

        At a kink it must lie between them. The function is called with float64 copies, so one that preserves the dtype is measured exactly.
        """
        y, p = (np.array(array[:MAX_SAMPLES], np.float64) for array in (y, p))
        value, gradient = self._answer(y.copy(), p.copy())
        columns = np.unique(np.linspace(0, p.shape[1] - 1, min(MAX_OUTPUTS, p.shape[1])).astype(int))
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
            returned = gradient[:, column]
            off = np.maximum(np.maximum(low - returned, returned - high), 0)
            row = int(off.argmax())
            if off[row] > worst[0]:
                worst = (float(off[row]), row, int(column), float((slopes[0][row] + slopes[1][row]) / 2))
        noise = 1e-3 * np.abs(value).max(initial=0.0)  # rounding to float32 changes a difference over such a step by this much
        off_by, row, column, measured = worst
        if off_by > TOLERANCE * largest + noise + 1e-6:
            raise ValueError(
                f"the loss function {self.title} returned a wrong gradient: for y_pred[{row}, {column}] = {p[row, column]:g} it is "
                f"{gradient[row, column]:g}, but finite differences give {measured:g} (the largest deviation); the loss of a sample must "
                "depend on that sample alone, and fastmlp takes the mean over the samples"
            )
