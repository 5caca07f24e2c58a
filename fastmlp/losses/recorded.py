"""Custom losses that return values only: recorded as programs, whose gradient follows from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.configs import Config
from fastmlp._base.shapes import Shape
from fastmlp._program import document
from fastmlp._program.differentiation import differentiated
from fastmlp._program.interpreter import Executable
from fastmlp._program.program import Program
from fastmlp._program.types import FLOAT, Type
from fastmlp.ops import broadcast_to, cast, mean, ndim, reshape, shape
from fastmlp.ops.symbolic import trace

__all__ = ["RecordedLoss", "recorded"]


class RecordedLoss:
    """A loss as a program of targets and predictions to the loss of each sample, ``(samples,)``.

    Args:
        program: The program.

    Raises:
        ValueError: It is not a program of this form.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.targets: Shape = program.inputs[0].shape[1:]
        """The shape of a sample's targets."""
        self.row: Shape = program.inputs[1].shape[1:]
        """The shape of a sample's predictions."""
        if program.inputs != _types(self.targets, self.row) or [program.types[one] for one in program.outputs] != [Type(FLOAT, (-1,))]:
            raise ValueError(f"the program of a loss must return one float32 number for each sample, got {program.inputs!r:.200}")
        self._differentiated = differentiated(program, (1,))
        self._runs: dict[np.dtype[Any], Executable] = {}

    @property
    def of_batch(self) -> bool:
        """Whether the loss of a sample depends on the other samples of its batch."""
        return not self.program.rowwise

    def evaluate(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each sample and its derivative with respect to the predictions, for the flat samples of an engine."""
        run = self._runs.get(p.dtype)
        if run is None:
            run = self._runs[p.dtype] = Executable(self._differentiated, p.dtype.type)
        value, gradient = run(y.reshape(-1, *self.targets), p.reshape(-1, *self.row))
        return np.ascontiguousarray(value), np.ascontiguousarray(gradient.reshape(p.shape))

    def __reduce__(self) -> tuple[Any, ...]:
        return read, (document.written(self.program),)

    def document(self) -> Config:
        """The program as JSON values."""
        return document.written(self.program)


def read(data: Any) -> RecordedLoss:
    """The loss from its :meth:`RecordedLoss.document`; a malformed one is a ValueError."""
    return RecordedLoss(document.read(data, 2))


def recorded(function: Callable[[Any, Any], Any], targets: Shape, row: Shape) -> RecordedLoss | None:
    """Call a function of targets and predictions once with symbolic values.

    Args:
        function: A function that returns the loss of each sample, of each element or of the whole batch; of elements the mean is taken.
        targets: The shape of a sample's targets.
        row: The shape of a sample's predictions.

    Returns:
        The loss, or None if the function returned a value and a gradient.

    Raises:
        Exception: The function can't be recorded.
    """
    returned_two = False

    def of_samples(y: Any, p: Any) -> Any:
        nonlocal returned_two
        answer = function(y, p)
        returned_two = isinstance(answer, (tuple, list)) and len(answer) == 2
        return p if returned_two else per_sample(answer, p)

    program = trace(of_samples, _types(targets, row))
    return None if returned_two else RecordedLoss(program)


def per_sample(values: Any, p: Any) -> Any:
    """The loss of each sample of ``p``, from losses of samples or elements, or one of the batch, which then is that of each sample."""
    values, samples = cast(values, FLOAT), shape(p)[0]
    if shape(values)[:1] and not isinstance(shape(values)[0], int):
        values = reshape(values, (samples, -1))
        return mean(values, axis=1) if values.shape[1] != 1 else reshape(values, (samples,))
    return broadcast_to(mean(values) if ndim(values) else values, (samples,))


def _types(targets: Shape, row: Shape) -> tuple[Type, ...]:
    return (Type(FLOAT, (-1, *targets)), Type(FLOAT, (-1, *row)))
