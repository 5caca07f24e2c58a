"""Running a program with NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._program.program import CONSTANT, Program
from fastmlp._program.table import OPS
from fastmlp._program.types import DTYPES, FLOAT, concrete

__all__ = ["Executable"]

_Step = tuple[Callable[..., Any], tuple[int, ...], dict[str, Any], int]
_KEPT = 4
"""The number of batch sizes for which the steps are kept."""


class Executable:
    """A program that can be called with arrays. Any number of threads may call it at once.

    Args:
        program: The program.
        precision: That of all floats; float64 is for checks of derivatives.
    """

    def __init__(self, program: Program, precision: type[np.floating[Any]] = np.float32) -> None:
        self.program = program
        self._dtypes = {**DTYPES, FLOAT: np.dtype(precision)}
        self._begin: list[Any] = [None] * len(program.types)
        for number, array in program.constants.items():
            self._begin[number] = array.astype(self._dtypes[program.types[number].dtype])
        self._steps: dict[int, list[_Step]] = {}

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """The outputs for inputs of the program's types.

        Raises:
            ValueError: The shape of an array does not fit.
        """
        samples = self._samples(arrays)
        steps = self._steps.get(samples)
        if steps is None:
            steps = self._prepare(samples)
        values = self._begin.copy()
        values[: len(arrays)] = arrays
        with np.errstate(all="ignore"):
            for forward, sources, options, target in steps:
                values[target] = forward(*[values[source] for source in sources], **options)
        return [values[number] for number in self.program.outputs]

    def _samples(self, arrays: tuple[np.ndarray, ...]) -> int:
        """The number of samples in a batch."""
        samples = 0
        for kind, array in zip(self.program.inputs, arrays, strict=True):
            if kind.shape and kind.shape[0] < 0 and array.ndim:
                samples = array.shape[0] // -kind.shape[0]
        for kind, array in zip(self.program.inputs, arrays, strict=True):
            if array.shape != concrete(kind.shape, samples):
                raise ValueError(f"the program was recorded for {kind}, got an array of shape {array.shape}")
        return samples

    def _prepare(self, samples: int) -> list[_Step]:
        steps: list[_Step] = []
        for number, instruction in enumerate(self.program.instructions, len(self.program.inputs)):
            if instruction.op == CONSTANT:
                continue
            op = OPS[instruction.op]
            options: dict[str, Any] = {}
            for name, value in instruction.attributes:
                kind = op.attributes[name]
                options[name] = self._dtypes[value] if kind == "dtype" else concrete(value, samples) if kind == "shape" else value
            steps.append((op.forward, instruction.inputs, options, number))
        if len(self._steps) >= _KEPT:
            self._steps = {}
        self._steps[samples] = steps
        return steps
