"""Operations that encode the numbers of a table's columns. All but the last pass no gradient, and take NaN for a missing value."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._engine.spec import Node
from fastmlp.reference.operation import Arrays, Pass

__all__ = ["Missing", "Periodic", "PiecewiseLinear", "PiecewiseLinearEmbedding", "RobustScaling"]


class Encoding:
    """Base class of encodings, which pass no gradient."""

    def __init__(self, node: Node, index: int) -> None:
        self.node = node

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        return [np.zeros_like(saved)], []


class RobustScaling(Encoding):
    """z = (x − center)·scale, and a smooth clip of outliers, a = z/√(1 + (z/limit)²) (Holzmüller et al. 2024, "Better by default").

    All are (rows, width). NaN becomes 0, which is the center.
    """

    SATURATED = 2.0**60
    """From here on t/√(1 + t²) is 1, and t² is finite in float32."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        constants = {role: values.spread().astype(x.dtype) for role, values in self.node.constants}
        limit = x.dtype.type(self.node.max_value)
        t = ((x - constants["center"]) * constants["scale"] / limit).clip(-self.SATURATED, self.SATURATED)
        return np.where(np.isnan(t), 0, limit * (t / np.sqrt(1 + t * t))).astype(x.dtype), x


class Missing(Encoding):
    """a = 1 where some columns of x are NaN, 0 elsewhere."""

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return np.isnan(x[:, list(self.node.gathered)]).astype(x.dtype), x


class PiecewiseLinear(Encoding):
    """Each column becomes one for each of its bins: 1 above the bin, 0 below, linear in it (Gorishniy, Rubachev, Babenko 2022).

    The first continues below its bin to −1, the last above to 2. NaN becomes 0 in all bins.
    """

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        return np.concatenate(in_bins(x, self.node), axis=1).astype(x.dtype), x


class PiecewiseLinearEmbedding(Encoding):
    """Each column becomes a vector, t₀ + encoding·T: the encoding in bins of :class:`PiecewiseLinear`, and rows of a table of its own.

    Shapes: x (rows, length), table (Σ (1 + bins), columns), where t₀ is the first row of each column of x; a (rows, length·columns).
    """

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,), (table,) = inputs, parameters
        ones = np.ones((len(x), 1), x.dtype)
        encodings = [np.concatenate((ones, part), axis=1).astype(table.dtype) for part in in_bins(x, self.node)]
        tables = np.split(table, np.cumsum([part.shape[1] for part in encodings])[:-1])
        return np.concatenate([part @ rows for part, rows in zip(encodings, tables, strict=True)], axis=1), (x, encodings)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        x, encodings = saved
        gradients = np.split(doutput, len(encodings), axis=1)
        dtable = np.concatenate([part.T @ gradient for part, gradient in zip(encodings, gradients, strict=True)])
        return [np.zeros_like(x)], [dtable]


def in_bins(x: np.ndarray, node: Node) -> Arrays:
    """The columns of x, (rows, length), that have edges, each in its bins, (rows, bins)."""
    return [_in_bins(x[:, [column]], np.array(edges, np.float32)) for column, edges in enumerate(node.edges) if edges]


def _in_bins(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    low, high = np.zeros(len(edges) - 1), np.ones(len(edges) - 1)
    low[0], high[-1] = -1, 2
    return np.where(np.isnan(x), 0, ((x - edges[:-1]) / np.diff(edges)).clip(low, high))


class Periodic:
    """Each number becomes sines and cosines of its multiples, whose coefficients are learned (Gorishniy, Rubachev, Babenko 2022).

    Shapes: x (rows, width), c (width, K), a (rows, width·2K): for each column of x, sin(2π·c·x), then cos(2π·c·x). Whole turns are taken
    off before the multiplication by 2π, in float64, where products of float32 are exact.
    """

    LIMIT = 2.0**20
    """Beyond so many turns, as for none."""

    def __init__(self, node: Node, index: int) -> None:
        pass

    def forward(self, inputs: Arrays, parameters: Arrays, now: Pass) -> tuple[np.ndarray, Any]:
        (x,) = inputs
        (c,) = parameters
        turns = x[:, :, None].astype(np.float64) * c
        turns = np.where(np.abs(turns) > self.LIMIT, 0, turns)
        angles = 2 * np.pi * (turns - np.round(turns))
        sines, cosines = np.sin(angles).astype(x.dtype), np.cos(angles).astype(x.dtype)
        return np.concatenate([sines, cosines], axis=2).reshape(len(x), -1), (x, sines, cosines)

    def backward(self, saved: Any, parameters: Arrays, doutput: np.ndarray) -> tuple[Arrays, Arrays]:
        """With v = 2π·(dsin·cos − dcos·sin), dc = the sum of x·v over the rows, dx = the sum of c·v over the coefficients."""
        x, sines, cosines = saved
        (c,) = parameters
        dsines, dcosines = np.split(doutput.reshape(len(x), *c.shape[:1], -1), 2, axis=2)
        slopes = (2 * np.pi * (dsines * cosines - dcosines * sines)).astype(x.dtype)
        return [(c * slopes).sum(axis=2)], [(x[:, :, None] * slopes).sum(axis=0)]
