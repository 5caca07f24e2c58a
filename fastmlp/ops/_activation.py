"""Activations as functions of the user's own: recorded as programs, whose derivative follows from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.configs import Config
from fastmlp._program import document
from fastmlp._program.differentiation import differentiated
from fastmlp._program.interpreter import Executable
from fastmlp._program.program import CONSTANT, Program
from fastmlp._program.recording import ShapeError
from fastmlp._program.table import OPS
from fastmlp._program.types import FLOAT, Shape, Type
from fastmlp.ops.symbolic import trace

__all__ = ["RecordedActivation"]

_MAX_PROGRAMS = 64
_PROBED = 8
"""Columns of the values with which a function of vectors is called to see whether it can be recorded at all."""


class RecordedActivation:
    """A function f(z) of arrays to arrays of the same shape: of each element alone, or of the vectors along the last axis.

    One of elements is recorded once, with a vector; one of vectors for each length of them, when it is first needed.

    Args:
        function: The function.
        name: Its name.
        programs: By the shape of a sample, () for elements: where there are no others, the function is not called.

    Raises:
        Exception: The function can't be recorded.
    """

    def __init__(self, function: Callable[[Any], Any] | None, name: str, programs: dict[Shape, Program] | None = None) -> None:
        self.function, self.name = function, name
        self._programs = {} if programs is None else programs
        self._runs: dict[tuple[Shape, np.dtype[Any], bool], Executable] = {}
        if programs is None:
            self._record_elements()
        self.rowwise = () not in self._programs
        """Whether an element of f(z) depends on other elements of z."""

    def _record_elements(self) -> None:
        """Record a function of elements; for one of vectors, only see whether it can be recorded."""
        try:
            program = self._traced(())
        except Exception:  # it may be a function of vectors
            program = None
        if program is not None and all(_is_elementwise(program, number) for number in range(len(program.instructions))):
            self._programs[()] = program
            return
        try:
            self._traced((_PROBED,))
        except ShapeError:
            return  # it may be for vectors of another length

    def _traced(self, row: Shape) -> Program:
        """The program for samples of this shape."""
        if self.function is None:
            raise ValueError(
                f"the activation {self.name!r} was saved as a program for other numbers of columns than {row[0]}; pass the function, with "
                f"custom_objects={{{self.name!r}: ...}}"
            )
        kind = Type(FLOAT, (-1, *row))
        program = trace(self.function, [kind])
        (output,) = program.outputs
        if program.types[output] != kind:
            raise ShapeError(f"the activation function {self.name!r} returned {program.types[output]} for {kind}; it must keep the shape")
        return program

    def prepare(self, width: int) -> None:
        """Record the function for vectors of this length."""
        if self.rowwise and (width,) not in self._programs:
            self._programs[(width,)] = self._traced((width,))

    def value(self, z: np.ndarray) -> np.ndarray:
        """f(z), in the shape and precision of z."""
        return self._run(False, z)

    def backward(self, z: np.ndarray, da: np.ndarray) -> np.ndarray:
        """The gradient by z, from that by f(z)."""
        return self._run(True, z, da)

    def _run(self, backward: bool, z: np.ndarray, *more: np.ndarray) -> np.ndarray:
        row = z.shape[-1:] if self.rowwise else ()
        run = self._runs.get((row, z.dtype, backward))
        if run is None:
            if row:
                self.prepare(row[0])
            program = self._programs[row]
            program = differentiated(program, (0,), seeded=True) if backward else program
            run = self._runs[(row, z.dtype, backward)] = Executable(program, z.dtype.type)
        result = run(*(array.reshape(-1, *row) for array in (z, *more)))[-1]
        return np.ascontiguousarray(result.reshape(z.shape))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecordedActivation):
            return NotImplemented
        if self.function is not None or other.function is not None:
            return self.function is other.function
        return self.name == other.name and self.documents() == other.documents()

    def __hash__(self) -> int:
        return hash(self.name)

    def documents(self) -> list[Config]:
        """The programs as JSON values; none if it is a function of vectors that was not used yet."""
        return [document.written(self._programs[row]) for row in sorted(self._programs)]

    @staticmethod
    def read(name: str, documents: Any) -> RecordedActivation:
        """The activation from its :meth:`documents`; malformed ones are a ValueError."""
        if not isinstance(documents, list) or not 1 <= len(documents) <= _MAX_PROGRAMS:
            raise ValueError(f"an activation must have from 1 to {_MAX_PROGRAMS} programs, got {documents!r:.80}")
        programs: dict[Shape, Program] = {}
        for one in documents:
            program = document.read(one, 1)
            kind = program.inputs[0]
            if (
                kind.dtype != FLOAT
                or kind.shape[:1] != (-1,)
                or len(kind.shape) > 2
                or [program.types[n] for n in program.outputs] != [kind]
            ):
                raise ValueError(f"the program of an activation must return float32 numbers of the shape of its input, got {one!r:.80}")
            differentiated(program, (0,), seeded=True)
            programs[kind.shape[1:]] = program
        return RecordedActivation(None, name, programs)

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._programs:
            return RecordedActivation, (self.function, self.name)
        return RecordedActivation.read, (self.name, self.documents())


def _is_elementwise(program: Program, place: int) -> bool:
    """Whether the output of an instruction depends on one element of the input, or on none."""
    instruction = program.instructions[place]
    if instruction.op == CONSTANT or OPS[instruction.op].elementwise:
        return True
    return instruction.op == "broadcast_to" and all(_is_number(program, source) for source in instruction.inputs)


def _is_number(program: Program, source: int) -> bool:
    return program.types[source].shape == ()
