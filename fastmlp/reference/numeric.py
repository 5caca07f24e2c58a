"""Operations that encode the numbers of a table's columns, where NaN is a missing value."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._engine.spec import Node
from fastmlp.reference.operation import Arrays, Pass

__all__ = ["Missing", "PiecewiseLinear", "RobustScaling"]


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
        parts = [self._bins(x[:, [column]], np.array(edges, np.float32)) for column, edges in enumerate(self.node.edges) if edges]
        return np.concatenate(parts, axis=1).astype(x.dtype), x

    @staticmethod
    def _bins(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """One column, (rows, 1), in its bins, (rows, bins)."""
        low, high = np.zeros(len(edges) - 1), np.ones(len(edges) - 1)
        low[0], high[-1] = -1, 2
        return np.where(np.isnan(x), 0, ((x - edges[:-1]) / np.diff(edges)).clip(low, high))
