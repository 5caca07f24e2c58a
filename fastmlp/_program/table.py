"""The table of primitive operations. Everything that is known of one is its row: shapes, the value in NumPy, and the gradient.

The rows are in :mod:`elementwise <fastmlp._program.elementwise>`, :mod:`reductions <fastmlp._program.reductions>` and
:mod:`arranging <fastmlp._program.arranging>`. All compute along fixed axes of float32, int32 and boolean arrays, so that they can be run
for a block of samples at a time; only a reduction of axis 0 reads all samples of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fastmlp._program.types import DTYPES, FLOAT, Shape, Type, broadcast

__all__ = ["OPS", "Gradient", "Op", "add", "elementwise", "numbers_only", "same_dtype"]

Gradient: TypeAlias = Callable[..., Any]
"""From the gradient of the output, the output, all inputs, and the attributes by name, to the gradient of one input; recorded values. It
may have the shape to which that input was broadcast."""

Rule: TypeAlias = Callable[..., Type]
"""From the types of the inputs, and the attributes by name, to that of the output. A ValueError or TypeError says what does not fit."""


@dataclass(frozen=True, slots=True)
class Op:
    """A primitive operation."""

    name: str
    inputs: int | None
    """Their number; None for one or more."""
    rule: Rule
    forward: Callable[..., Any]
    """From arrays, and the attributes by name, to the output. It keeps the precision of floats."""
    gradients: tuple[Gradient | None, ...] = ()
    """One for each input; None where the output does not depend on it smoothly. A single one serves inputs of any number, with the
    additional argument ``place``."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The kind of each attribute: ``axis``, ``axes``, ``indices``, ``count``, ``dtype`` or ``shape``."""
    elementwise: bool = False
    """Whether an element of the output depends on one element of each input only, which are broadcast."""


OPS: dict[str, Op] = {}
"""All primitive operations by name."""


def add(op: Op) -> None:
    """Add a row to the table."""
    assert op.name not in OPS
    OPS[op.name] = op


def elementwise(
    name: str,
    forward: Callable[..., Any],
    *gradients: Gradient | None,
    inputs: int | None = None,
    takes: Sequence[str] = (FLOAT,),
    returns: str | None = None,
) -> None:
    """Add an elementwise operation of inputs of one dtype.

    Args:
        name: Its name.
        forward: A function of arrays, which are broadcast.
        gradients: One for each input.
        inputs: The number of inputs; by default that of the gradients.
        takes: The dtypes that it accepts.
        returns: The dtype of the output; by default that of the inputs.
    """

    def rule(types: Sequence[Type]) -> Type:
        dtype = same_dtype(name, types)
        if dtype not in takes:
            raise TypeError(f"{name} takes {' or '.join(takes)}, got {dtype}")
        return Type(returns or dtype, broadcast(*(one.shape for one in types)))

    count = len(gradients) if inputs is None else inputs
    add(Op(name, count, rule, forward, gradients or (None,) * count, elementwise=True))


def same_dtype(name: str, types: Sequence[Type]) -> str:
    """The one dtype of all inputs."""
    dtypes = {one.dtype for one in types}
    if len(dtypes) != 1:
        raise TypeError(f"the inputs of {name} must be of one dtype, got {', '.join(one.dtype for one in types)}")
    return dtypes.pop()


def numbers_only(name: str, dtype: str) -> None:
    """Raise an error for booleans."""
    if dtype == "bool":
        raise TypeError(f"{name} takes numbers, got booleans; use cast")


def check_dtype(dtype: Any) -> str:
    """The name of a dtype."""
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r:.40}")
    return dtype


def check_axes(axes: Sequence[int], shape: Shape) -> None:
    """Raise an error unless ``axes`` are different axes of ``shape`` in ascending order."""
    if any(not 0 <= axis < len(shape) for axis in axes) or list(axes) != sorted(set(axes)):
        raise ValueError(f"axes must be different, ascending and below {len(shape)}, got {axes!r:.80}")
