"""Normalizations, Rescaling and PReLU: operations that shift and scale.

A network learns faster if the inputs of its layers keep a mean of about 0 and a variance of about 1 throughout training. Batch
normalization takes mean and variance of each column over the rows of a batch (Ioffe, Szegedy, 2015), layer normalization those of each row
over its columns (Ba, Kiros, Hinton, 2016); RMS normalization leaves the mean alone (Zhang, Sennrich, 2019). A learned scale gamma and shift
beta let the network undo it where useful.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._engine.spec import Node
from fastmlp.reference.operation import Arrays, Pass

__all__ = ["BatchNormalization", "LayerNormalization", "Normalization", "PReLU", "RMSNormalization", "Rescaling"]


class Columns:
    """A node whose parameters and constants have an element for each column."""

    def __init__(self, node: Node, index: int) -> None:
        self.roles = node.roles
        self.constants = {role: constant.spread() for role, constant in node.constants}
        self.epsilon = node.epsilon
        self.mode = node.mode
        self.momentum = node.momentum

    def named(self, parameters: Arrays) -> dict[str, np.ndarray]:
        """Parameters and constants by role."""
        return dict(zip(self.roles, parameters, strict=True)) | self.constants

    def in_order(self, parameters: Arrays, gradients: dict[str, np.ndarray]) -> Arrays:
        """Gradients in the order of the parameters; 0 for those that have none."""
        return [gradients.get(role, np.zeros_like(value)) for role, value in zip(self.roles, parameters, strict=True)]


def inverse_root(variance: np.ndarray, epsilon: float) -> np.ndarray:
    """1/√(variance + ε), and 0 where that would be infinite."""
    root = np.sqrt(variance + variance.dtype.type(epsilon))
    return np.divide(1, root, out=np.zeros_like(root), where=root > 0)


class BatchNormalization(Columns):
    """a = gamma·x̂ + beta with x̂ = (x − mean)/√(variance + ε), column by column.

    While training, mean and variance are the batch's own (the variance divides by the number of rows), and the moving ones follow them:
    moving = momentum·moving + (1 − momentum)·batch. Otherwise the moving ones take their place, so that a prediction does not depend on
    the rows beside it.
    """

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        named = self.named(parameters)
        own = now.trains(self.mode) and self.mode != "inference"
        mean = x.mean(axis=0) if own else named["moving_mean"]
        variance = ((x - mean) ** 2).mean(axis=0) if own else named["moving_variance"]
        inverse = inverse_root(variance, self.epsilon)
        normal = (x - mean) * inverse
        a = normal * named.get("gamma", 1) + named.get("beta", 0)
        return a, (own, mean, variance, inverse, normal)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """dbeta = Σ da, dgamma = Σ da·x̂ over the rows.

        In training every x of a column also changes the mean and variance of the column, which removes the mean of the gradient and its
        component along x̂: dx = gamma/√(variance + ε)·(da − mean(da) − x̂·mean(da·x̂)).
        """
        own, _, _, inverse, normal = saved
        dbeta, dgamma = doutput.sum(axis=0), (doutput * normal).sum(axis=0)
        rows = len(doutput)
        rest = doutput - dbeta / rows - normal * dgamma / rows if own else doutput
        dx = rest * inverse * self.named(parameters).get("gamma", 1)
        return [dx], self.in_order(parameters, {"gamma": dgamma, "beta": dbeta})

    def updated_statistics(self, saved: Any, parameters: Arrays) -> dict[str, np.ndarray]:
        """The moving statistics after a batch, by role."""
        own, mean, variance, *_ = saved
        named = self.named(parameters)
        new = {"moving_mean": mean, "moving_variance": variance} if own else {}
        return {role: named[role] * self.momentum + batch * (1 - self.momentum) for role, batch in new.items()}


class LayerNormalization(Columns):
    """a = gamma·x̂ + beta with x̂ = (x − mean)/√(variance + ε), where mean and variance are the row's."""

    gain = "gamma"

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Of each row, (rows, 1)."""
        return np.asarray(x.mean(axis=1, keepdims=True))

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        named = self.named(parameters)
        off = x - self.mean(x)
        inverse = inverse_root((off**2).mean(axis=1, keepdims=True), self.epsilon)
        normal = off * inverse
        return normal * named.get(self.gain, 1) + named.get("beta", 0), (inverse, normal)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """As of batch normalization, with rows for columns: h = da·gamma, dx = (h − mean(h) − x̂·mean(h·x̂))/√(variance + ε)."""
        inverse, normal = saved
        h = doutput * self.named(parameters).get(self.gain, 1)
        dx = (h - self.mean(h) - normal * (h * normal).mean(axis=1, keepdims=True)) * inverse
        return [dx], self.in_order(parameters, {self.gain: (doutput * normal).sum(axis=0), "beta": doutput.sum(axis=0)})


class RMSNormalization(LayerNormalization):
    """a = scale·x/√(mean(x²) + ε): layer normalization without the mean."""

    gain = "scale"

    def mean(self, x: np.ndarray) -> np.ndarray:
        return np.zeros((len(x), 1), x.dtype)


class Normalization(Columns):
    """a = (x − mean)/max(√variance, ε) with a mean and a variance found beforehand; in the mode ``invert`` the inverse."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        named = {role: value.astype(x.dtype) for role, value in self.named(parameters).items()}
        deviation = np.maximum(np.sqrt(named["variance"]), x.dtype.type(self.epsilon))
        if self.mode == "invert":
            return x * deviation + named["mean"], deviation
        return (x - named["mean"]) / deviation, 1 / deviation

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        scale = saved
        return [doutput * scale], self.in_order(parameters, {})


class Rescaling(Columns):
    """a = x·scale + offset."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        scale = self.constants["scale"].astype(x.dtype)
        return x * scale + self.constants["offset"].astype(x.dtype), scale

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        scale = saved
        return [doutput * scale], []


class PReLU(Columns):
    """a = x above 0 and alpha·x below, with an alpha learned for each column (He et al., 2015)."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        alpha = parameters[0].ravel()
        return np.where(x > 0, x, alpha * x), x

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """At 0 the slope is taken to be 0."""
        x, alpha = saved, parameters[0].ravel()
        dx = doutput * (x > 0) + doutput * alpha * (x < 0)
        return [dx], [(doutput * np.minimum(x, 0)).sum(axis=0).reshape(parameters[0].shape)]
