"""Metrics of how targets and predictions go together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

import fastmlp.metrics.functions as functions
from fastmlp._base import checks
from fastmlp.errors import UnsupportedError
from fastmlp.metrics.base import MeanOfRows

__all__ = ["ConcordanceCorrelation", "PearsonCorrelation"]


class _Correlation(MeanOfRows):
    """The mean of a correlation along an axis."""

    higher_is_better = True
    function: ClassVar[Callable[..., np.ndarray]]

    def __init__(self, name: str | None, dtype: Any, axis: int) -> None:
        if axis not in (-1, 0, 1):
            raise UnsupportedError(
                f"{type(self).__name__}(axis={axis!r}) is not in fastmlp; give -1 for the columns of a row, or 0 for the rows"
            )
        super().__init__(name, dtype)
        self.axis = axis
        self.takes_chunks = axis != 0  # type: ignore[misc]
        self.is_mean = axis != 0  # type: ignore[misc]

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if self.axis == 0 and weight is not None:
            raise ValueError(f"{self.name}: with axis=0 there is one value for each column of a batch, so rows can't have weights")
        if self.axis != 0 and p.shape[1] == 1:
            checks.warn(
                f"the metric {self.name!r} compares the columns of a row, of which there is one; use axis=0 to compare the rows of a batch"
            )
        self._add_values(type(self).function(y, p, axis=self.axis), weight)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "axis": self.axis}


class PearsonCorrelation(_Correlation):
    """The mean correlation of targets and predictions: 1 where one is a rising line of the other, −1 a falling one.

    Args:
        name: See :class:`Metric`.
        axis: −1 to compare the columns of each row; 0 to compare the rows of each batch, column by column.

    Example:

    >>> from fastmlp import metrics
    >>> round(metrics.PearsonCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
    0.9967
    """

    function = staticmethod(functions.pearson_correlation)

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis)


class ConcordanceCorrelation(_Correlation):
    """The mean of how closely predictions follow their targets: a correlation that other means and deviations lower; 1 is perfect.

    Args:
        name: See :class:`Metric`.
        axis: See :class:`PearsonCorrelation`.
    """

    function = staticmethod(functions.concordance_correlation)

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis)
