"""Reverse-mode differentiation of programs: the gradient of an output is a program of the same operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp._program.program import CONSTANT, Program, finished, replay
from fastmlp._program.recording import MAX_DERIVED, Recorder, Value, apply
from fastmlp._program.simplification import simplified
from fastmlp._program.table import OPS
from fastmlp._program.types import FLOAT, Shape

__all__ = ["differentiated"]


def differentiated(program: Program, by: Sequence[int], seeded: bool = False) -> Program:
    """The program that returns the first output and its derivatives.

    Args:
        program: A program, whose first output is float32.
        by: The inputs by which to differentiate.
        seeded: Whether the derivatives are of Σ seed·output, with the seed as an additional input of the output's type, instead of the sum
            of all elements of the output.

    Returns:
        A program with the outputs (output, derivative by the first of ``by``, …), each of the shape of its input.
    """
    out = program.outputs[0]
    seed_type = program.types[out]
    recorder = Recorder((*program.inputs, seed_type) if seeded else program.inputs, limit=MAX_DERIVED)
    values = replay(program, recorder)
    depends = _depending(program, by)
    seed = recorder.value(len(program.inputs)) if seeded else apply("broadcast_to", recorder.constant(np.float32(1)), shape=seed_type.shape)
    gradients: dict[int, Value] = {out: seed} if depends[out] else {}
    for number in range(len(values) - 1, len(program.inputs) - 1, -1):
        instruction = program.instructions[number - len(program.inputs)]
        if number not in gradients or instruction.op == CONSTANT:
            continue
        op, attributes = OPS[instruction.op], dict(instruction.attributes)
        inputs = [values[source] for source in instruction.inputs]
        for place, source in enumerate(instruction.inputs):
            rule = op.gradients[place if op.inputs is not None else 0]
            if rule is None or not depends[source]:
                continue
            extra = {"place": place} if op.inputs is None else {}
            slope = rule(gradients[number], values[number], *inputs, **attributes, **extra)
            if slope.type.shape != values[source].type.shape:  # it was broadcast
                slope = _summed_to(slope, values[source].type.shape)
            gradients[source] = gradients[source] + slope if source in gradients else slope
    zero = recorder.constant(np.float32(0))
    found = [gradients[one] if one in gradients else apply("broadcast_to", zero, shape=program.inputs[one].shape) for one in by]
    return simplified(finished(recorder, [values[out], *found]))


def _depending(program: Program, by: Sequence[int]) -> list[bool]:
    """Whether each value depends smoothly on one of the inputs ``by``."""
    found = [number in by for number in range(len(program.inputs))]
    for number, instruction in enumerate(program.instructions, len(found)):
        if instruction.op == CONSTANT or program.types[number].dtype != FLOAT:
            found.append(False)
            continue
        op = OPS[instruction.op]
        rules = op.gradients if op.inputs is not None else op.gradients * len(instruction.inputs)
        found.append(any(rule is not None and found[source] for rule, source in zip(rules, instruction.inputs, strict=True)))
    return found


def _summed_to(value: Value, shape: Shape) -> Value:
    """The sum over the axes along which an input of this shape was broadcast."""
    have = value.type.shape
    lead = len(have) - len(shape)
    axes = tuple(axis for axis, size in enumerate(have) if axis < lead or (shape[axis - lead] == 1 and size != 1))
    if axes:
        value = apply("sum", value, axes=axes)
    return value if value.type.shape == shape else apply("reshape", value, shape=shape)
