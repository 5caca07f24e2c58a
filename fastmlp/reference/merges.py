"""Operations that merge and split tensors, which make a network a graph instead of a chain.

All arrays are (rows, width). Where paths merge, the gradient flows back along each of them; where they split, gradients are added.
They have no parameters, so ``backward`` returns gradients with respect to the inputs only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp._engine.spec import Node

__all__ = ["MERGES"]

Arrays = Sequence[np.ndarray]


class Merge(ABC):
    """The base class of these operations; see ``operations.Operation``."""

    def __init__(self, node: Node, index: int) -> None:
        self.node = node

    @abstractmethod
    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]: ...

    @abstractmethod
    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]: ...


class Add(Merge):
    """a = x + y. Both inputs get the gradient unchanged, dx = dy = da, which is why a residual connection keeps deep networks trainable."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        return x + y, None

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput, doutput], []


class Subtract(Merge):
    """a = x − y, dx = da, dy = −da."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        return x - y, None

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput, -doutput], []


class Multiply(Merge):
    """a = x ∘ y, dx = da ∘ y, dy = da ∘ x: the derivative by one is the other."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        return x * y, (x, y)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        x, y = saved
        return [doutput * y, doutput * x], []


class Maximum(Merge):
    """a = max(x, y). The larger input gets the gradient; where they are equal, each gets half."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        return np.maximum(x, y), (x, y)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        x, y = saved
        share = (np.sign(x - y) + 1) / 2
        return [doutput * share, doutput * (1 - share)], []


class Minimum(Maximum):
    """a = min(x, y). The smaller input gets the gradient; where they are equal, each gets half."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        return np.minimum(x, y), (y, x)


class Divide(Merge):
    """a = x / y, dx = da / y, dy = −da·a / y."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        a = x / y
        return a, (a, y)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        a, y = saved
        return [doutput / y, -(doutput / y * a)], []


class Concatenate(Merge):
    """a = [x, y], concatenated along columns; dx and dy are the corresponding columns of the gradient."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        x, y = inputs
        return np.concatenate([x, y], axis=1), x.shape[1]

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        columns = saved
        return [doutput[:, :columns], doutput[:, columns:]], []


class Scale(Merge):
    """a = alpha·x, dx = alpha·da."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return x * x.dtype.type(self.node.alpha), None

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput * doutput.dtype.type(self.node.alpha)], []


class Branch(Merge):
    """a = x, for one of several nodes that read it. The network adds their gradients."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return x, None

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [doutput], []


class Slice(Merge):
    """Some columns of the network's input, whose gradient is not needed."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Any) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return x[:, self.node.column : self.node.column + self.node.width], x.shape

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        dx = np.zeros(saved, doutput.dtype)
        dx[:, self.node.column : self.node.column + self.node.width] = doutput
        return [dx], []


MERGES: dict[str, type[Merge]] = {
    "add": Add,
    "subtract": Subtract,
    "multiply": Multiply,
    "divide": Divide,
    "maximum": Maximum,
    "minimum": Minimum,
    "concatenate": Concatenate,
    "scale": Scale,
    "branch": Branch,
    "slice": Slice,
}
