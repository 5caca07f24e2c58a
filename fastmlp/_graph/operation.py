"""What a layer asks of the engines, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastmlp import activations
from fastmlp.activations import Activation

__all__ = ["Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One step a layer asks for: an op of :class:`fastmlp._engine.spec.Node`; any but ``activation`` gets the layer's weights."""

    op: str
    activation: Activation = activations.linear
    rate: float = 0.0
    groups: int = 1
    """Parts of a row that it acts on one by one, as on rows."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the node."""
