"""Programs as JSON values, for files. What is read may be hostile: everything is checked, and no code is run.

    {"version": 1,
     "inputs": [["float32", [-1, 3]], ["float32", [-1, 3]]],
     "instructions": [["subtract", [1, 0]], ["square", [2]], ["sum", [3], {"axes": [1]}], ["constant", [], {"dtype": "float32",
                      "shape": [], "values": [3.0]}], ["divide", [4, 5]]],
     "outputs": [6]}

Values are numbered: the inputs, then the output of each instruction. A first size of −m is m times the number of samples of a batch. Types
are not stored; they follow from those of the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastmlp._base.configs import Config
from fastmlp._program.program import CONSTANT, Program
from fastmlp._program.recording import MAX_CONSTANTS, MAX_INSTRUCTIONS, Instruction
from fastmlp._program.table import OPS
from fastmlp._program.types import DTYPES, FLOAT, MAX_AXES, Shape, Type, check_size, elements

__all__ = ["read", "written"]

VERSION = 1
MAX_TOTAL = 1 << 23
"""The maximum number of elements of all values together, for each sample."""
_CONSTANT = {"dtype": "dtype", "shape": "shape", "values": "values"}


def written(program: Program) -> Config:
    """The program as JSON values."""
    instructions: list[list[Any]] = []
    for number, instruction in enumerate(program.instructions, len(program.inputs)):
        attributes = _constant(program.constants[number]) if instruction.op == CONSTANT else dict(instruction.attributes)
        stored = {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}
        instructions.append([instruction.op, list(instruction.inputs), *([stored] if stored else [])])
    return {
        "version": VERSION,
        "inputs": [[one.dtype, list(one.shape)] for one in program.inputs],
        "instructions": instructions,
        "outputs": list(program.outputs),
    }


def _constant(array: np.ndarray) -> dict[str, Any]:
    values = [one if not isinstance(one, float) or math.isfinite(one) else str(one) for one in array.ravel().tolist()]
    return {"dtype": str(array.dtype), "shape": array.shape, "values": values}


def read(data: Any, inputs: int) -> Program:
    """The program that :func:`written` described.

    Args:
        data: JSON values.
        inputs: The number of inputs that it must have.

    Raises:
        ValueError: It is malformed, too large, or written by a newer version.
    """
    if not isinstance(data, Mapping) or data.keys() != {"version", "inputs", "instructions", "outputs"}:
        raise ValueError(f"a program must have a version, inputs, instructions and outputs, got {data!r:.80}")
    if data["version"] != VERSION:
        raise ValueError(f"the program has version {data['version']!r:.20}, but this fastmlp reads version {VERSION}; upgrade fastmlp")
    types = [_type(one) for one in _items(data["inputs"], inputs)]
    if len(types) != inputs:
        raise ValueError(f"the program must have {inputs} inputs, got {len(types)}")
    instructions: list[Instruction] = []
    constants: dict[int, np.ndarray] = {}
    total = 0
    for one in _items(data["instructions"], MAX_INSTRUCTIONS):
        instruction, kind, constant = _instruction(one, types)
        if constant is not None:
            constants[len(types)] = constant
        instructions.append(instruction)
        types.append(kind)
        total += elements(kind.shape)
        if total > MAX_TOTAL:
            raise ValueError(f"the program computes more than {MAX_TOTAL} elements per sample")
    outputs = tuple(_number(one, len(types)) for one in _items(data["outputs"], 64))
    if not outputs:
        raise ValueError("the program has no output")
    return Program(tuple(types[:inputs]), tuple(instructions), constants, outputs)


def _items(value: Any, limit: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise ValueError(f"a list of at most {limit} was expected, got {value!r:.80}")
    return value


def _number(value: Any, below: int, least: int = 0) -> int:
    if type(value) is not int or not least <= value < below:
        raise ValueError(f"an integer from {least} to {below - 1} was expected, got {value!r:.40}")
    return value


def _dtype(value: Any) -> str:
    if not isinstance(value, str) or value not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {value!r:.40}")
    return value


_LIMIT = MAX_CONSTANTS + 1


def _shape(value: Any) -> Shape:
    return check_size([_number(size, 4 * _LIMIT, -4 * _LIMIT) for size in _items(value, MAX_AXES)])


def _type(value: Any) -> Type:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"a type must be [dtype, shape], got {value!r:.80}")
    return Type(_dtype(value[0]), _shape(value[1]))


_READ: dict[str, Callable[[Any], Any]] = {
    "axis": lambda value: _number(value, MAX_AXES),
    "axes": lambda value: tuple(_number(axis, MAX_AXES) for axis in _items(value, MAX_AXES)),
    "indices": lambda value: tuple(_number(index, _LIMIT) for index in _items(value, _LIMIT)),
    "count": lambda value: _number(value, _LIMIT),
    "dtype": _dtype,
    "shape": _shape,
    "values": lambda value: _items(value, MAX_CONSTANTS),
}
"""How attributes are read, by kind."""


def _instruction(data: Any, types: list[Type]) -> tuple[Instruction, Type, np.ndarray | None]:
    if not isinstance(data, list) or not 2 <= len(data) <= 3 or not isinstance(data[0], str):
        raise ValueError(f"an instruction must be [name, inputs] or [name, inputs, attributes], got {data!r:.80}")
    name, stored = data[0], data[2] if len(data) == 3 else {}
    op = OPS.get(name)
    if op is None and name != CONSTANT:
        raise ValueError(f"unknown operation {name!r:.40}")
    kinds = _CONSTANT if op is None else op.attributes
    if not isinstance(stored, Mapping) or stored.keys() != kinds.keys():
        raise ValueError(f"the attributes of {name} must be {', '.join(kinds) or 'none'}, got {stored!r:.80}")
    attributes = {key: _READ[kind](stored[key]) for key, kind in kinds.items()}
    inputs = tuple(_number(one, len(types)) for one in _items(data[1], MAX_INSTRUCTIONS))
    if op is None:
        constant = _array(**attributes)
        return Instruction(CONSTANT), Type(attributes["dtype"], attributes["shape"]), constant
    if len(inputs) != op.inputs if op.inputs is not None else not inputs:
        raise ValueError(f"{name} has {op.inputs or 'one or more'} inputs, got {len(inputs)}")
    try:
        kind = op.rule([types[one] for one in inputs], **attributes)
    except TypeError as error:
        raise ValueError(str(error)) from error
    check_size(kind.shape)
    return Instruction(name, inputs, tuple(attributes.items())), kind, None


def _array(dtype: str, shape: Shape, values: list[Any]) -> np.ndarray:
    if any(size < 0 for size in shape) or math.prod(shape) != len(values):
        raise ValueError(f"a constant of shape {shape} can't have {len(values)} values")
    allowed: tuple[type, ...] = (bool,) if dtype == "bool" else (int,) if dtype == "int32" else (float, int)
    numbers = [float(one) if dtype == FLOAT and one in ("nan", "inf", "-inf") else one for one in values]
    if not all(type(one) in allowed for one in numbers):
        raise ValueError(f"the values of a constant must be of dtype {dtype}, got {values!r:.80}")
    if dtype == "int32" and any(not -(1 << 31) <= one < 1 << 31 for one in numbers):
        raise ValueError("the values of a constant must be 32-bit integers")
    try:
        with np.errstate(all="ignore"):
            return np.array(numbers, np.float64 if dtype == FLOAT else DTYPES[dtype]).astype(DTYPES[dtype]).reshape(shape)
    except OverflowError as error:
        raise ValueError("a value of a constant is too large for float32") from error
