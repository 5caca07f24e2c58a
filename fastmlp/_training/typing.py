"""Types of the arguments of ``compile`` and ``fit``, for one output or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from fastmlp.callbacks import Callback
from fastmlp.losses.base import LossLike
from fastmlp.metrics.base import MetricLike
from fastmlp.optimizers.base import OptimizerLike

__all__ = ["CallbacksLike", "ClassWeights", "LossLike", "LossWeights", "LossesLike", "MetricLike", "MetricsLike", "OptimizerLike"]

LossesLike: TypeAlias = LossLike | Sequence[LossLike | None] | Mapping[str, LossLike | None] | None
"""One loss, or one for each output; None for an output that is not trained."""

LossWeights: TypeAlias = float | Sequence[float | None] | Mapping[str, float | None] | None

MetricsLike: TypeAlias = (
    MetricLike | Sequence[MetricLike | Sequence[MetricLike] | None] | Mapping[str, MetricLike | Sequence[MetricLike] | None] | None
)
"""One or several metrics, for all outputs or for each output."""

CallbacksLike: TypeAlias = Callback | Sequence[Callback] | None

ClassWeights: TypeAlias = Mapping[int, float] | Sequence[Mapping[int, float] | None] | Mapping[str, Mapping[int, float] | None]
"""A weight for each class; with several outputs, a mapping for each output that has classes."""
