"""Correlations of targets and predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

import fastmlp.metrics.functions as functions
from fastmlp._base import checks
from fastmlp._base.arguments import Converted
from fastmlp.errors import UnsupportedError
from fastmlp.metrics.base import MeanOverSamples

__all__ = ["ConcordanceCorrelation", "PearsonCorrelation"]


def _correlated_axis(axis: int) -> int:
    if axis not in (-1, 0, 1):
        raise UnsupportedError(f"axis={axis!r} is not in fastmlp; use -1 for the outputs of a sample, or 0 for the samples")
    return axis


class _Correlation(MeanOverSamples):
    """Base class of correlations along an axis, averaged."""

    higher_is_better = True
    function: ClassVar[Callable[..., np.ndarray]]

    axis = Converted(_correlated_axis)

    def __init__(self, name: str | None, dtype: DTypeLike | None, axis: int) -> None:
        super().__init__(name, dtype)
        self.axis = axis
        self.takes_chunks = axis != 0  # type: ignore[misc]
        self.is_mean = axis != 0  # type: ignore[misc]

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if self.axis == 0 and weight is not None:
            raise ValueError(f"{self.name}: with axis=0 there is one value per output of a batch, so samples can't be weighted")
        if self.axis != 0 and p.shape[1] == 1:
            checks.warn(
                f"the metric {self.name!r} correlates the outputs of a sample, but there is only one output; use axis=0 to correlate the "
                "samples of a batch"
            )
        self._add_values(type(self).function(y, p, axis=self.axis), weight)


class PearsonCorrelation(_Correlation):
    """The mean Pearson correlation of targets and predictions: 1 or −1 for a perfect increasing or decreasing linear relation.

    Args:
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
        axis: −1 to correlate the outputs of each sample; 0 to correlate the samples of each batch, for each output.

    Example:

    >>> from fastmlp import metrics
    >>> round(metrics.PearsonCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
    0.9967
    """

    function = staticmethod(functions.pearson_correlation)

    def __init__(self, name: str | None = "pearson_correlation", dtype: DTypeLike | None = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis)


class ConcordanceCorrelation(_Correlation):
    """Lin's concordance correlation coefficient, averaged: a correlation lowered by differences in mean and variance; 1 is perfect.

    Args:
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
        axis: See :class:`PearsonCorrelation`.

    Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """

    function = staticmethod(functions.concordance_correlation)

    def __init__(self, name: str | None = "concordance_correlation", dtype: DTypeLike | None = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis)
