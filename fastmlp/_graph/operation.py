"""The operations that a layer consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastmlp import activations
from fastmlp.activations import Activation

__all__ = ["PARALLEL", "Operation", "parallel"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a layer: an op of :class:`fastmlp._engine.spec.Node`, or branches that read the same input.

    Operations other than activations get the layer's weights, and their output is that of the layer, unless they say otherwise.
    """

    op: str
    activation: Activation = activations.linear
    rate: float = 0.0
    groups: int = 1
    """The number of parts of a sample that it is applied to separately, as to samples."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the node."""
    weights: tuple[str, ...] | None = None
    """The names of the layer's weights that it gets; None for all."""
    columns: int | None = None
    """The number of columns of its output; None where they follow from its input or are those of the layer's output."""
    branches: tuple[tuple[Operation, ...], ...] = ()
    """Of the op :data:`PARALLEL`, which no engine has: chains of operations on the same input, whose outputs are concatenated."""


PARALLEL = "parallel"


def parallel(*branches: tuple[Operation, ...]) -> Operation:
    """An operation that concatenates the outputs of several chains of operations on the same input; at least one.

    A chain without operations returns the input.
    """
    return Operation(PARALLEL, branches=branches)
