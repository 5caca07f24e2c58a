"""The interface of operations: see operations.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastmlp._engine.spec import Node

__all__ = ["Arrays", "Operation", "Pass"]

Arrays = Sequence[np.ndarray]


class Pass(NamedTuple):
    """What an operation may need to know about the current pass."""

    training: bool
    """Whether all operations behave as in training."""
    seed: int
    iteration: int
    """Parameter updates done so far."""
    as_called: bool = False
    """Whether those of the mode ``training`` do."""

    def trains(self, mode: str) -> bool:
        """Whether an operation of this mode behaves as in training."""
        return self.training or (self.as_called and mode == "training")


class Operation(Protocol):
    """Computes one node, forward and backward."""

    def __init__(self, node: Node, index: int) -> None: ...

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        """Returns the output, (rows, width), and what has to be saved for ``backward``."""
        ...

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """Returns the gradients with respect to the inputs and to the parameters, in the shapes of these."""
        ...
