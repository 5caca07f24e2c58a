"""The operations that a layer consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastmlp import activations
from fastmlp.activations import Activation

__all__ = ["Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a layer: an op of :class:`fastmlp._engine.spec.Node`. Operations other than activations get the layer's weights."""

    op: str
    activation: Activation = activations.linear
    rate: float = 0.0
    groups: int = 1
    """The number of parts of a sample that it is applied to separately, as to samples."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the node."""
