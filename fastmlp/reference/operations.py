"""Operations: what a node of the network computes, and its part of backpropagation.

The forward pass computes the output of each operation. The backward pass visits the nodes in reverse and passes each the gradient of the
loss with respect to its output; the operation returns the gradients with respect to its inputs, which are the outputs of earlier nodes,
and with respect to its parameters. That is all there is to backpropagation (Rumelhart, Hinton, Williams, 1986, "Learning
representations by back-propagating errors"): every operation knows its own derivative, and the chain rule combines them.

The most basic operations are here; ``normalization.py``, ``noise.py``, ``merges.py``, ``arrangements.py``, ``categories.py`` and
``numeric.py`` have the others. To add an operation, write its class and add a row to ``OPERATIONS``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._engine.spec import Node
from fastmlp.reference.activations import ACTIVATIONS, of_functions
from fastmlp.reference.arrangements import ARRANGEMENTS
from fastmlp.reference.categories import CategoryEncoding, Discretization, Embedding, Lookup
from fastmlp.reference.lookup import lookup
from fastmlp.reference.merges import MERGES
from fastmlp.reference.noise import AlphaDropout, Dropout, GaussianDropout, GaussianNoise
from fastmlp.reference.normalization import BatchNormalization, LayerNormalization, Normalization, PReLU, Rescaling, RMSNormalization
from fastmlp.reference.numeric import Missing, Periodic, PiecewiseLinear, PiecewiseLinearEmbedding, RobustScaling
from fastmlp.reference.operation import Arrays, Operation, Pass

__all__ = ["OPERATIONS", "Operation", "Pass"]


class NodeActivation:
    """The activation of a node: a = f(z) and its backward, which reads a, or z if the derivative is not a function of a."""

    def __init__(self, node: Node) -> None:
        self.function = of_functions(*node.functions) if node.functions else lookup("activation", ACTIVATIONS, node.activation)
        self.constants: tuple[float, ...] = (node.alpha,)
        if self.function.limited:
            self.constants = (node.alpha, node.threshold, node.max_value)

    def forward(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns a, and what is saved for backward."""
        a = self.function.forward(z, *self.constants)
        return a, z if self.function.reads_input else a

    def backward(self, read: np.ndarray, da: np.ndarray) -> np.ndarray:
        """Returns dz = da·f'(z)."""
        return self.function.backward(read, da, *self.constants)


class Dense:
    """A fully connected layer: a = f(z), z = x·W + b.

    Shapes: x (rows, inputs), W (inputs, units), b (units,) or absent, z and a (rows, units).
    """

    def __init__(self, node: Node, index: int) -> None:
        self.activation = NodeActivation(node)

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        kernel, *bias = parameters
        z = x @ kernel
        if bias:
            z = z + bias[0]
        a, read = self.activation.forward(z)
        return a, (x, read)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """dz = da·f'(z), then dW = xᵀ·dz, db = Σ over rows of dz, dx = dz·Wᵀ.

        Every weight Wᵢⱼ multiplies xᵢ in zⱼ of each row, so its gradient is the sum of xᵢ·dzⱼ over the rows; every xᵢ contributes to all zⱼ
        of its row, so its gradient is the sum of Wᵢⱼ·dzⱼ over the units.
        """
        x, read = saved
        kernel, *bias = parameters
        dz = self.activation.backward(read, doutput)
        dkernel = x.T @ dz
        dbias = [dz.sum(axis=0)] if bias else []
        dx = dz @ kernel.T
        return [dx], [dkernel, *dbias]


class Activation:
    """An activation on its own: a = f(x), all (rows, width)."""

    def __init__(self, node: Node, index: int) -> None:
        self.activation = NodeActivation(node)

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return self.activation.forward(x)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [self.activation.backward(saved, doutput)], []


class Activity:
    """Activity regularization: a = x, and the mean over the rows of l1·Σ|x| + l2·Σx² is added to the loss."""

    def __init__(self, node: Node, index: int) -> None:
        assert node.penalty is not None
        self.l1, self.l2 = node.penalty.l1, node.penalty.l2

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return x, x

    def penalty(self, x: np.ndarray) -> float:
        """The penalty of x, (rows, width)."""
        return float(self.l1 * np.abs(x).sum(dtype=np.float64) + self.l2 * np.square(x).sum(dtype=np.float64)) / len(x)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        x = saved
        return [doutput + (self.l1 * np.sign(x) + 2 * self.l2 * x) / len(x)], []


OPERATIONS: dict[str, type[Operation]] = {
    "dense": Dense,
    "activation": Activation,
    "dropout": Dropout,
    **MERGES,
    **ARRANGEMENTS,
    "alpha_dropout": AlphaDropout,
    "gaussian_dropout": GaussianDropout,
    "gaussian_noise": GaussianNoise,
    "batch_normalization": BatchNormalization,
    "layer_normalization": LayerNormalization,
    "rms_normalization": RMSNormalization,
    "normalization": Normalization,
    "rescaling": Rescaling,
    "prelu": PReLU,
    "embedding": Embedding,
    "category_encoding": CategoryEncoding,
    "lookup": Lookup,
    "discretization": Discretization,
    "robust_scaling": RobustScaling,
    "missing": Missing,
    "piecewise_linear": PiecewiseLinear,
    "piecewise_linear_embedding": PiecewiseLinearEmbedding,
    "periodic": Periodic,
    "activity": Activity,
}
