"""Custom losses: user functions that return values only, which are recorded and differentiated, or value and gradient.

A gradient that the user returns is checked once against finite differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp._base import custom_objects, naming
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import as_caller, as_native, quiet
from fastmlp._base.shapes import Shape
from fastmlp.losses.base import Loss

if TYPE_CHECKING:
    from fastmlp.losses.recorded import RecordedLoss

STEP = 1e-3
"""Step of the finite differences, relative to the prediction where that is above one."""
TOLERANCE = 0.02
"""Maximum deviation from the finite difference, relative to the largest gradient."""
MAX_SAMPLES, MAX_OUTPUTS = 64, 32
"""How many samples and outputs of the first batch are checked."""


class FunctionLoss(Loss):
    """A custom loss; ``compile(loss=function)`` creates one.

    The rest of the training step stays in the engine. The loss costs one call from C into Python per batch, with targets and
    predictions copied into arrays: about ten microseconds, during which the engine's threads wait.

    A function that returns values only is called once with symbolic values, recorded as a program and differentiated; configurations and
    files store the program. Of a function that returns its gradient too they store the name.

    Args:
        function: Takes ``y_true`` and ``y_pred``, float32 arrays ``(samples, outputs)``, and returns the loss of each sample, of each
            element, or of the whole batch, computed with :mod:`fastmlp.ops`, operators or functions of NumPy. Or it returns the loss of
            each sample, ``(samples,)``, and its derivative with respect to ``y_pred``, ``(samples, outputs)``; then the loss of a sample
            must depend on that sample alone. fastmlp applies sample weights and takes the mean.
        of: The user's :class:`Loss` object whose method ``call`` is ``function``.

    Raises:
        TypeError: While training, if the function can't be recorded, and does not return two arrays either.
        ValueError: While training, if a shape is wrong or the gradient differs from finite differences in the first batch.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers, models, ops
    >>> def fourth_power(y_true, y_pred):
    ...     return ops.mean((y_pred - y_true) ** 4, axis=-1)
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer="adam", loss=fourth_power)
    >>> history = model.fit(np.eye(2), np.ones(2), verbose=0)
    """

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], object], of: Loss | None = None) -> None:
        self.title = getattr(function, "__name__", type(function).__name__) if of is None else type(of).__name__
        super().__init__(name=self.title) if of is None else super().__init__(of.reduction, of.name)
        self.function, self.of = function, of
        self._is_checked = False
        self._recorded: dict[Shape, RecordedLoss | None] = {}
        """By the shape of a sample's predictions; None where the function returns the gradient too, or can't be recorded."""
        self.targets: Shape | None = None
        """The shape of a sample's targets, if it has not as many elements as a sample's predictions."""
        self._refusal: Exception | None = None
        """Why it can't be recorded."""

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The function's name as messages show it; never equal to that of a built-in loss."""
        return f"{self.title}()"

    @property
    def sparse(self) -> bool:
        return False

    def see_targets(self, targets: Shape, row: Shape) -> bool:
        """Read targets of the shape ``targets`` per sample, for predictions of the shape ``row``; returns whether it read others before."""
        if _returns_two(self.function):
            return False
        before = self.targets
        self.targets = None if math.prod(targets) == math.prod(row) else targets
        if self.targets == before:
            return False
        self._recorded, self._is_checked = {}, False
        return True

    def recorded(self, row: Shape) -> RecordedLoss | None:
        """The loss as a program, for predictions of this shape per sample; None if the function returns the gradient too, or may."""
        if row not in self._recorded:
            self._recorded[row] = None
            if _returns_two(self.function):
                return None
            from fastmlp.losses.recorded import recorded

            try:
                self._recorded[row] = recorded(self.function, row if self.targets is None else self.targets, row)
            except Exception as error:  # a function that returns its gradient may do what can't be recorded
                self._refusal = error
        return self._recorded[row]

    def depends_on_batch(self, row: Shape) -> bool:
        """Whether the loss of a sample depends on the other samples of its batch."""
        recorded = self.recorded(row)
        return recorded is not None and recorded.of_batch

    def on_rows(self, row: Shape) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Value and gradient for the flat samples of an engine, if a sample's predictions have the shape ``row``."""
        recorded = self.recorded(row)
        if recorded is not None:
            return recorded.evaluate
        targets = row if self.targets is None else self.targets
        if len(row) == len(targets) == 1:
            return self.evaluate

        def flat(y: np.ndarray, p: np.ndarray) -> object:
            answer = self.function(y.reshape(-1, *targets), p.reshape(-1, *row))
            if isinstance(answer, (tuple, list)) and len(answer) == 2 and np.shape(answer[1]) == (len(p), *row):
                return answer[0], np.reshape(answer[1], p.shape)
            return answer

        flat.__name__ = self.title
        loss = FunctionLoss(flat)
        loss._refusal = self._refusal
        return loss.evaluate

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
        y, rows = self._rows(np.asarray(y_true), p), p.reshape(-1, p.shape[-1])
        recorded = self.recorded(rows.shape[1:])
        value = recorded.evaluate(y, rows)[0] if recorded is not None else self._answer(y, rows)[0]
        return as_native(value, np.float32).reshape(p.shape[:-1])

    def stored(self) -> Config:
        """The loss as JSON values: with its program, if it was recorded, otherwise by name."""
        program = self._program()
        if program is not None:
            return {**self._described(), "program": program.document()}
        if self.of is None:
            return custom_objects.describe_function(self.function)
        return {"class": custom_objects.note(type(self.of)), "config": self.of.get_config()}

    def __reduce__(self) -> Any:
        return super().__reduce__() if self._program() is None else (StoredLoss, (self.stored(),))

    def _program(self) -> RecordedLoss | None:
        """The program, if it was recorded for predictions of a single shape."""
        programs = [one for one in self._recorded.values() if one is not None]
        return programs[0] if len(programs) == 1 else None

    def _described(self) -> Config:
        """The name and arguments, beside a program that makes them unnecessary."""
        if self.of is None:
            return {"class": custom_objects.FUNCTION, "config": {"name": custom_objects.get_registered_name(self.function)}}
        return {"class": custom_objects.get_registered_name(type(self.of)), "config": self.of.get_config()}

    def _answer(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = self.function(y, p)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            if self._refusal is not None and isinstance(answer, (np.ndarray, np.generic, float)):
                raise self._refusal
            raise TypeError(
                f"the loss function {self.title} must return one array, the loss of each sample (samples,), or two, that and its gradient "
                f"with respect to y_pred (samples, outputs), but returned {type(answer).__name__}"
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


def _returns_two(function: Any) -> bool:
    """Whether a function has a statement such as ``return value, gradient``, so that it need not be called to see what it returns.

    Such a function may have effects, which a call with symbolic values would have too.
    """
    function = getattr(function, "func", function)  # of functools.partial
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is None:
        return False
    import dis
    from itertools import pairwise

    steps = [step for step in dis.get_instructions(code) if step.opname not in ("NOP", "CACHE")]
    return any(one.opname == "BUILD_TUPLE" and one.arg == 2 and other.opname == "RETURN_VALUE" for one, other in pairwise(steps))


class StoredLoss(FunctionLoss):
    """A custom loss from a file or a copy, which hold its program instead of the function.

    Args:
        config: What :meth:`FunctionLoss.stored` returned.

    Raises:
        ValueError: It is malformed.
    """

    def __init__(self, config: StoredConfig) -> None:
        from fastmlp.losses.recorded import read

        program = read(config["program"])
        self._config = {"class": str(config["class"]), "config": dict(config["config"])}
        is_function = config["class"] == custom_objects.FUNCTION
        name = str(config["config"].get("name") if is_function else config["class"])
        super().__init__(self._refuse)
        self.title = name if name.endswith(">") else name.rpartition(">")[2]  # a lambda's, or without a package
        self.name = self.title if is_function else str(config["config"].get("name") or naming.snake_case(self.title))
        self._recorded = {program.row: program}
        self.targets = None if math.prod(program.targets) == math.prod(program.row) else program.targets

    def see_targets(self, targets: Shape, row: Shape) -> bool:
        return False  # its program can't read others

    def _refuse(self, y: Any, p: Any) -> Any:
        (row,) = self._recorded
        raise ValueError(
            f"the loss {self.title} was saved as a program for predictions of shape {('samples', *row)}, and there are none of that shape "
            f"here; pass the function, with custom_objects={{{self.title!r}: ...}}".replace("'samples'", "samples")
        )

    def recorded(self, row: Shape) -> RecordedLoss | None:
        if row not in self._recorded:
            self._refuse(None, None)
        return self._recorded[row]

    def _described(self) -> Config:
        return self._config


def is_stored(config: object) -> bool:
    """Whether a configuration holds the program of a loss that is not among the custom objects."""
    if not isinstance(config, Mapping) or "program" not in config:
        return False
    if not isinstance(config.get("class"), str) or not isinstance(config.get("config"), Mapping):
        raise ValueError(f"the configuration of a custom loss must have a class and a config, got {config!r:.200}")
    name = config["config"].get("name") if config["class"] == custom_objects.FUNCTION else config["class"]
    if not isinstance(name, str):
        raise ValueError(f"the configuration of a custom loss must have its name, got {config!r:.80}")
    return custom_objects.find(name) is None
