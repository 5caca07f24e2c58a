"""What every operation has in common: see operations.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastmlp._engine.spec import Node

__all__ = ["Arrays", "Operation", "Pass"]

Arrays = Sequence[np.ndarray]


class Pass(NamedTuple):
    """What an operation may need to know about the pass it is part of."""

    training: bool
    """Whether all operations are as in training."""
    seed: int
    iteration: int
    """Parameter updates done so far."""
    as_called: bool = False
    """Whether those of the mode ``training`` are."""

    def trains(self, mode: str) -> bool:
        """Whether an operation of this mode is as in training."""
        return self.training or (self.as_called and mode == "training")


class Operation(Protocol):
    """One node at work."""

    def __init__(self, node: Node, index: int) -> None: ...

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        """Gives the output, (rows, width), and whatever ``backward`` will need of this pass."""
        ...

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """Gives the gradients with respect to the inputs and to the parameters, each of the shape of what it belongs to."""
        ...
