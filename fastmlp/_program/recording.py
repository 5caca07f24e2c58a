"""Recording: values of a program under construction, which operations and Python's operators add instructions to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np

from fastmlp._program.table import OPS
from fastmlp._program.types import DTYPES, FLOAT, Shape, Type, check_size, shown, type_of

__all__ = [
    "Instruction",
    "Operand",
    "Recorder",
    "ShapeError",
    "TraceError",
    "Value",
    "apply",
    "as_operand",
    "combine",
    "converted",
    "dtype_of",
    "shape_of",
    "where_called",
]

MAX_INSTRUCTIONS = 10_000
"""The maximum length of the program of a function."""
MAX_DERIVED = 10 * MAX_INSTRUCTIONS
"""That of a program with its derivatives."""
MAX_CONSTANTS = 1 << 20
"""The maximum number of elements of all constants of a program."""
_PACKAGES = (str(Path(__file__).parents[1]), str(Path(np.__file__).parent))


class TraceError(TypeError, ValueError):
    """A function can't be recorded; the message names the line."""


class ShapeError(TraceError):
    """Shapes or dtypes do not fit."""


def where_called() -> str:
    """The line of the user's code that is being recorded, for messages: ``" (loss.py, line 12)"``."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame = frame.f_back
    return f" ({Path(frame.f_code.co_filename).name}, line {frame.f_lineno})" if frame is not None else ""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation of a program. Its output is the value whose number follows those of all values before it."""

    op: str
    inputs: tuple[int, ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()
    """By name, in the order of the table."""


class Recorder:
    """A program under construction.

    Args:
        inputs: The types of the program's inputs.
        value_class: The class of recorded values.
        limit: The maximum number of instructions.
    """

    def __init__(self, inputs: Sequence[Type], value_class: type[Value] | None = None, limit: int = MAX_INSTRUCTIONS) -> None:
        self._limit = limit
        self.types = list(inputs)
        self.inputs = len(self.types)
        self.instructions: list[Instruction] = []
        self.constants: dict[int, np.ndarray] = {}
        """The values of constants by number."""
        self._value_class = value_class or Value
        self._known: dict[Any, int] = {}
        self._constant_elements = 0

    def value(self, number: int) -> Value:
        """The value of this number."""
        return self._value_class(self, number)

    def constant(self, array: np.ndarray | np.generic) -> Value:
        """A constant; equal ones are recorded once."""
        kind = type_of(np.asarray(array))
        array = np.asarray(array, DTYPES[kind.dtype])
        key = (kind, array.tobytes())
        if key not in self._known:
            self._constant_elements += array.size
            if self._constant_elements > MAX_CONSTANTS:
                raise TraceError(f"the constants of the function have more than {MAX_CONSTANTS} elements{where_called()}")
            self._known[key] = self._add(Instruction("constant"), kind)
            self.constants[self._known[key]] = array.copy()
        return self.value(self._known[key])

    def record(self, name: str, inputs: Sequence[Value], attributes: dict[str, Any]) -> Value:
        """The output of an operation; one that is recorded already is not repeated."""
        op = OPS[name]
        instruction = Instruction(name, tuple(one.number for one in inputs), tuple(attributes.items()))
        if instruction not in self._known:
            self._known[instruction] = self._add(instruction, op.rule([self.types[one.number] for one in inputs], **attributes))
        return self.value(self._known[instruction])

    def _add(self, instruction: Instruction, kind: Type) -> int:
        check_size(kind.shape)
        if len(self.instructions) >= self._limit:
            raise TraceError(f"the function has more than {self._limit} operations; does it loop in Python?{where_called()}")
        self.instructions.append(instruction)
        self.types.append(kind)
        return len(self.types) - 1


class Value:
    """A value of a program under construction: an array without numbers. Operators record operations."""

    __slots__ = ("number", "recorder")
    is_symbolic = True
    __hash__ = object.__hash__

    def __init__(self, recorder: Recorder, number: int) -> None:
        self.recorder, self.number = recorder, number

    @property
    def type(self) -> Type:
        """Dtype and shape, with a negative number for the batch axis."""
        return self.recorder.types[self.number]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape; None is the batch axis, whose size is not known yet."""
        return shown(self.type.shape)

    @property
    def dtype(self) -> str:
        """``"float32"``, ``"int32"`` or ``"bool"``."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.type.shape)

    def __repr__(self) -> str:
        return f"<symbolic value, shape={self.shape}, dtype={self.dtype}>"

    def __add__(self, other: Any) -> Value:
        return combine("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return combine("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return combine("subtract", self, other)

    def __rsub__(self, other: Any) -> Value:
        return combine("subtract", other, self)

    def __mul__(self, other: Any) -> Value:
        return combine("multiply", self, other)

    def __rmul__(self, other: Any) -> Value:
        return combine("multiply", other, self)

    def __truediv__(self, other: Any) -> Value:
        return combine("divide", self, other, dtype=FLOAT)

    def __rtruediv__(self, other: Any) -> Value:
        return combine("divide", other, self, dtype=FLOAT)

    def __neg__(self) -> Value:
        return apply("negative", self)

    def __pos__(self) -> Value:
        return self

    def __eq__(self, other: object) -> Value:  # type: ignore[override]
        return combine("equal", self, other)

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return combine("not_equal", self, other)

    def __lt__(self, other: Any) -> Value:
        return combine("less", self, other)

    def __le__(self, other: Any) -> Value:
        return combine("less_equal", self, other)

    def __gt__(self, other: Any) -> Value:
        return combine("less", other, self)

    def __ge__(self, other: Any) -> Value:
        return combine("less_equal", other, self)

    def __bool__(self) -> NoReturn:
        raise TraceError(
            f"Python's if, while, and, or, not need a value that is known now, but this one is symbolic, because the function is called "
            f"once and recorded; use ops.where, ops.maximum, ops.logical_and{where_called()}"
        )

    def _number(self) -> NoReturn:
        raise TraceError(
            "a symbolic value is no Python number: the function is called once and recorded, before there are any numbers; compute with "
            f"the functions of fastmlp.ops{where_called()}"
        )

    __float__ = __int__ = __index__ = __complex__ = _number

    def __array__(self, *args: Any, **options: Any) -> NoReturn:
        raise TraceError(
            f"this function needs the numbers of a symbolic value, which has none yet, because the user's function is called once and "
            f"recorded; use the functions of fastmlp.ops{where_called()}"
        )

    def __len__(self) -> int:
        size = self.shape[0] if self.shape else 0
        if size is None:
            raise TraceError(f"the size of a batch is not known while a function is recorded; use ops.shape(x)[0]{where_called()}")
        return size


Operand: TypeAlias = Any
"""What operations take: a :class:`Value`, an array, a Python number, or nested lists of numbers."""


def as_operand(x: Operand) -> Operand:
    """A value, a Python scalar, or an array."""
    if isinstance(x, (Value, bool, int, float)):
        return x
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        return x
    if isinstance(x, (list, tuple)) and any(isinstance(part, Value) for part in x):
        raise TraceError(f"a list of symbolic values is not an array; use ops.stack{where_called()}")
    array = np.asarray(x)
    type_of(array)
    return array


def dtype_of(x: Operand) -> str:
    """The dtype of an operand."""
    if isinstance(x, Value):
        return x.dtype
    if isinstance(x, (bool, int, float)):
        return "bool" if isinstance(x, bool) else "int32" if isinstance(x, int) else FLOAT
    return type_of(np.asarray(x)).dtype


def shape_of(x: Operand) -> Shape:
    """The shape of an operand, negative for the batch axis."""
    return x.type.shape if isinstance(x, Value) else np.shape(x)


def converted(x: Operand, dtype: str) -> Operand:
    """The operand as a value or array of this dtype."""
    x = as_operand(x)
    if isinstance(x, Value):
        return x if x.dtype == dtype else apply("cast", x, dtype=dtype)
    if isinstance(x, np.ndarray) and dtype_of(x) == dtype and x.dtype == DTYPES[dtype]:
        return x
    with np.errstate(all="ignore"):
        return np.asarray(x).astype(DTYPES[dtype])


def combine(name: str, *operands: Operand, dtype: str | None = None) -> Any:
    """An elementwise operation of operands that are converted to one dtype: ``dtype``, or the first of float32, int32 and bool that one
    has. A Python number does not make integers out of booleans only if it is a boolean."""
    given = [as_operand(one) for one in operands]
    if dtype is None:
        kinds = {dtype_of(one) for one in given}
        dtype = next(kind for kind in DTYPES if kind in kinds)
    return apply(name, *(converted(one, dtype) for one in given))


def apply(name: str, *inputs: Operand, **attributes: Any) -> Any:
    """Record an operation if an input is a symbolic value, otherwise compute it. Inputs are values and arrays of the right dtypes."""
    recorder: Recorder | None = None
    for one in inputs:
        if isinstance(one, Value):
            if recorder is not None and one.recorder is not recorder:
                raise TraceError(f"two symbolic values of different recordings meet; a function must not keep them{where_called()}")
            recorder = one.recorder
    try:
        if recorder is not None:
            values = [one if isinstance(one, Value) else recorder.constant(one) for one in inputs]
            return recorder.record(name, values, attributes)
        OPS[name].rule([type_of(one) for one in inputs], **attributes)
    except TraceError:
        raise
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{error}{where_called()}") from None
    options = {key: DTYPES[value] if OPS[name].attributes[key] == "dtype" else value for key, value in attributes.items()}
    with np.errstate(all="ignore"):
        return OPS[name].forward(*inputs, **options)


Function: TypeAlias = Callable[..., Any]
