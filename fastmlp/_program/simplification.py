"""Simpler programs of the same values: constants folded, broadcasts left to elementwise operations, nothing computed twice or for nothing.

The results are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp._program.program import CONSTANT, Program, finished, needed
from fastmlp._program.recording import MAX_DERIVED, Instruction, Recorder, Value, apply
from fastmlp._program.table import OPS
from fastmlp._program.types import Shape, Type, batched, broadcast, elements

__all__ = ["simplified"]

_MAX_FOLDED = 4096
"""The maximum number of elements of a constant that replaces an operation."""
_NEUTRAL = {"add": (0.0, 0.0), "subtract": (None, 0.0), "multiply": (1.0, 1.0), "divide": (None, 1.0)}
"""The number that changes nothing as the left and as the right input. (−0 + 0 is 0, which equals −0.)"""


def simplified(program: Program, keep_stops: bool = False) -> Program:
    """The program, simplified.

    Args:
        program: Any program.
        keep_stops: Whether it is still to be differentiated, so that ``stop_gradient`` has a meaning.
    """
    recorder = Recorder(program.inputs, limit=MAX_DERIVED)
    kept = needed(program.instructions, len(program.inputs), program.outputs)
    values: dict[int, Value] = {number: recorder.value(number) for number in range(len(program.inputs))}
    for number, instruction in enumerate(program.instructions, len(program.inputs)):
        if number not in kept:
            continue
        if instruction.op == CONSTANT:
            values[number] = recorder.constant(program.constants[number])
        elif instruction.op == "stop_gradient" and not keep_stops:
            values[number] = values[instruction.inputs[0]]
        else:
            inputs = [values[one] for one in instruction.inputs]
            values[number] = _simpler(recorder, instruction.op, inputs, dict(instruction.attributes))
    return finished(recorder, [values[number] for number in program.outputs])


def _simpler(recorder: Recorder, name: str, inputs: list[Value], attributes: dict[str, Any]) -> Value:
    op = OPS[name]
    result = op.rule([one.type for one in inputs], **attributes)
    constants = [recorder.constants.get(one.number) for one in inputs]
    if inputs and all(one is not None for one in constants) and not batched(result.shape) and elements(result.shape) <= _MAX_FOLDED:
        return recorder.constant(np.asarray(apply(name, *constants, **attributes)))
    if name in ("reshape", "broadcast_to", "transpose", "cast", "take"):
        return _same_elements(recorder, name, inputs[0], attributes, result)
    if op.elementwise:
        return _without_broadcasts(recorder, name, inputs, attributes, result)
    return recorder.record(name, inputs, attributes)


def _source(value: Value) -> tuple[Instruction | None, list[Value]]:
    """The instruction that computes a value, None for an input, and what it reads."""
    recorder = value.recorder
    if value.number < recorder.inputs:
        return None, []
    instruction = recorder.instructions[value.number - recorder.inputs]
    return instruction, [recorder.value(number) for number in instruction.inputs]


def _same_elements(recorder: Recorder, name: str, x: Value, attributes: Mapping[str, Any], result: Type) -> Value:
    """An operation that copies elements: none at all, or one with the input of the one before."""
    moves = name == "transpose" and attributes["axes"] != tuple(range(x.ndim))
    moves |= name == "take" and attributes["indices"] != tuple(range(x.type.shape[attributes["axis"]]))
    if x.type == result and not moves:
        return x
    before, read = _source(x)
    if before is None:
        return recorder.record(name, [x], dict(attributes))
    origin = read[0] if read else x
    if before.op == name and name in ("reshape", "broadcast_to"):
        return _simpler(recorder, name, [origin], dict(attributes))
    if {before.op, name} == {"reshape", "broadcast_to"} and _is_single(origin.type.shape):  # one number, in whatever shape
        number = _simpler(recorder, "reshape", [origin], {"shape": ()})
        return _simpler(recorder, "broadcast_to", [number], {"shape": result.shape})
    return recorder.record(name, [x], dict(attributes))


def _is_single(shape: Shape) -> bool:
    return not batched(shape) and elements(shape) == 1


def _without_broadcasts(recorder: Recorder, name: str, inputs: Sequence[Value], attributes: dict[str, Any], result: Type) -> Value:
    """An elementwise operation that reads what was broadcast before, where its result has the same shape or can be broadcast itself."""
    small = [
        read[0] if before is not None and before.op == "broadcast_to" else value
        for value, (before, read) in ((v, _source(v)) for v in inputs)
    ]
    for place, neutral in enumerate(_NEUTRAL.get(name, ())):
        constant, other = recorder.constants.get(small[place].number), inputs[1 - place]
        if neutral is not None and constant is not None and constant.size == 1 and constant == neutral and other.type == result:
            return other
    shape = broadcast(*(one.type.shape for one in small))
    if shape == result.shape:
        return recorder.record(name, small, attributes)
    if _is_single(shape):
        return _simpler(recorder, "broadcast_to", [_simpler(recorder, name, small, attributes)], {"shape": result.shape})
    chosen = list(inputs)
    for place, one in enumerate(small):
        trial = [*chosen[:place], one, *chosen[place + 1 :]]
        if broadcast(*(value.type.shape for value in trial)) == result.shape:
            chosen = trial
    return recorder.record(name, chosen, attributes)
