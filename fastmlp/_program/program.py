"""Programs: what a recorded function computes, as an immutable list of operations in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastmlp._program.recording import Instruction, Recorder, Value
from fastmlp._program.table import OPS
from fastmlp._program.types import Type, batched

__all__ = ["Program", "finished", "replay"]

CONSTANT = "constant"
"""The operation of a constant, whose value the program holds."""


@dataclass(frozen=True, eq=False)
class Program:
    """A function of arrays. Values are numbered: the inputs first, then the output of each instruction, which reads only values before it.

    So a program has no cycles, and its types follow from those of its inputs.
    """

    inputs: tuple[Type, ...]
    instructions: tuple[Instruction, ...]
    constants: Mapping[int, np.ndarray]
    """The values of constants, by number."""
    outputs: tuple[int, ...]
    """The numbers of the values that it returns."""

    @cached_property
    def types(self) -> tuple[Type, ...]:
        """The type of each value."""
        found = list(self.inputs)
        for instruction in self.instructions:
            if instruction.op == CONSTANT:
                constant = self.constants[len(found)]
                found.append(Type(str(constant.dtype), constant.shape))
            else:
                found.append(OPS[instruction.op].rule([found[number] for number in instruction.inputs], **dict(instruction.attributes)))
        return tuple(found)

    @cached_property
    def rowwise(self) -> bool:
        """Whether the outputs for a sample depend on that sample alone."""
        mixed = [False] * len(self.inputs)
        for number, instruction in enumerate(self.instructions, len(self.inputs)):
            reads_batch = [batched(self.types[source].shape) for source in instruction.inputs]
            mixes = instruction.op == "samples" or (any(reads_batch) and not batched(self.types[number].shape))
            mixed.append(mixes or any(mixed[source] for source in instruction.inputs))
        return not any(mixed[number] for number in self.outputs)


def replay(program: Program, recorder: Recorder) -> list[Value]:
    """Record the instructions of a program again, and return all its values."""
    values = [recorder.value(number) for number in range(len(program.inputs))]
    for number, instruction in enumerate(program.instructions, len(values)):
        if instruction.op == CONSTANT:
            values.append(recorder.constant(program.constants[number]))
        else:
            values.append(recorder.record(instruction.op, [values[one] for one in instruction.inputs], dict(instruction.attributes)))
    return values


def needed(instructions: Sequence[Instruction], inputs: int, outputs: Iterable[int]) -> set[int]:
    """The numbers of all values that the outputs depend on."""
    found = set(outputs)
    for number in range(inputs + len(instructions) - 1, inputs - 1, -1):
        if number in found:
            found.update(instructions[number - inputs].inputs)
    return found


def finished(recorder: Recorder, outputs: Sequence[Value]) -> Program:
    """The program that computes these values, without instructions that they do not depend on."""
    inputs = recorder.inputs
    numbers = [value.number for value in outputs]
    kept = needed(recorder.instructions, inputs, numbers)
    place = {number: number for number in range(inputs)}
    instructions: list[Instruction] = []
    for number, instruction in enumerate(recorder.instructions, inputs):
        if number in kept:
            place[number] = inputs + len(instructions)
            instructions.append(Instruction(instruction.op, tuple(place[one] for one in instruction.inputs), instruction.attributes))
    constants = {place[number]: array for number, array in recorder.constants.items() if number in kept}
    return Program(tuple(recorder.types[:inputs]), tuple(instructions), constants, tuple(place[number] for number in numbers))
