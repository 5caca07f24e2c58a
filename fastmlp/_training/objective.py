"""The losses and metrics of a network: objectives of the engines, metrics computed in Python, and their names in logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeGuard

import numpy as np

from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Objective
from fastmlp.metrics import Metric
from fastmlp.metrics.base import EngineMetric

__all__ = ["CIRCLE", "GAUSSIAN", "OVERLAPS", "OutputColumns", "ResolvedMetric", "ResolvedObjective", "runs_in_engine"]

OVERLAPS = ("dice", "tversky")
"""Losses computed over all elements of a sample, or of a batch."""

CIRCLE = "sparse_circle"
"""Compares the samples of a batch; its labels may be any integers and do not refer to columns."""

GAUSSIAN = "gaussian_nll"
"""Its predictions have two columns per target, so other losses and metrics can't read them."""


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """The columns of an output with a loss in the arrays of a batch."""

    predictions: slice = field(default_factory=lambda: slice(None))
    targets: slice = field(default_factory=lambda: slice(None))
    weights: int = 0
    """Its column of the sample weights, if each loss has a column."""
    labels: bool = False
    """Whether its targets are integer labels stored as float32 columns."""
    row: Shape = ()
    """The shape of a sample's predictions if they have more than one axis, otherwise ``()``."""
    groups: int = 1
    """See :class:`fastmlp._engine.spec.Objective`."""

    own_targets: Shape | None = None
    """The shape of a sample's targets, if it has not as many elements as a sample's predictions."""

    def of_targets(self, y: np.ndarray) -> np.ndarray:
        """The targets of this output."""
        return y if y.ndim == 1 else y[:, self.targets]

    def metric_arguments(self, p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Extract this output's predictions and targets from those of all outputs, in the shapes and dtypes that metrics read."""
        p, y = p[:, self.predictions], self.of_targets(y)
        if self.labels:
            y = y.astype(np.int32)
            y = y if self.row else y[:, 0]
        if self.own_targets is not None:
            return p.reshape(-1, *self.row) if self.row else p, y.reshape(len(y), *self.own_targets)
        if self.row:
            p = p.reshape(-1, *self.row)
            y = y.reshape(p.shape[:-1] if self.labels or y.dtype == np.int32 else p.shape)
        return p, y


@dataclass(frozen=True, slots=True)
class ResolvedMetric:
    """A metric of an output, or the loss of one output out of several."""

    name: str
    """Its name in logs."""
    metric: Metric | None
    """None for a loss."""
    weighted: bool
    """Whether it uses the sample weights."""
    columns: OutputColumns

    @property
    def in_engine(self) -> bool:
        """Whether the engines compute it."""
        return self.metric is None or runs_in_engine(self.metric, self.columns.row, self.columns.groups)

    @property
    def higher_is_better(self) -> bool | None:
        """Whether higher values are better: False for a loss, None if neither is."""
        return self.metric.higher_is_better if self.metric is not None else False


@dataclass(frozen=True)
class ResolvedObjective:
    """The arguments of ``compile``, resolved for a network. A ``MetricAccumulator`` computes the values."""

    objectives: tuple[Objective, ...]
    """One for each output with a loss, in the order of the outputs."""
    columns: tuple[OutputColumns, ...]
    """One for each objective."""
    metrics: tuple[ResolvedMetric, ...]
    """In the order of the engines' totals; with several objectives, each loss precedes the metrics of its output."""
    log_names: tuple[str, ...]
    """``loss`` and the names of the other logs, in the order in which ``evaluate`` lists them."""
    prediction_columns: int
    """Number of columns of the predictions that engines return: those of all outputs with a loss."""

    @property
    def row(self) -> Shape:
        """The shape of a sample's predictions, for a single objective whose predictions have more than one axis, otherwise ``()``."""
        return self.columns[0].row if len(self.columns) == 1 else ()

    @cached_property
    def depends_on_batches(self) -> bool:
        """Whether a value depends on how the samples are divided into batches, so that batches must not be merged."""
        return any(
            one.loss == CIRCLE or one.mixes_rows or (one.loss in OVERLAPS and not one.parameters[2]) or one.ignored is not None
            for one in self.objectives
        )

    @cached_property
    def in_python(self) -> dict[int, Metric]:
        """The metrics that Python computes from predictions, by their index in :attr:`metrics`."""
        return {place: one.metric for place, one in enumerate(self.metrics) if one.metric is not None and not one.in_engine}

    @cached_property
    def totals(self) -> int:
        """Number of totals that an engine adds to: the weighted sum and the sum of weights of the loss, then of each output's loss and
        metrics."""
        losses = len(self.objectives) if len(self.objectives) > 1 else 0
        return 2 + 2 * losses + 2 * sum(len(one.metrics) for one in self.objectives)

    @cached_property
    def sorted_names(self) -> tuple[str, ...]:
        """The names of logs in the order in which callbacks get them."""
        return tuple(sorted(self.log_names))


def runs_in_engine(metric: Metric | None, row: Shape, groups: int) -> TypeGuard[EngineMetric]:
    """Whether the engines compute a metric, for predictions of shape ``row`` per sample (``()`` for one axis)."""
    if not isinstance(metric, EngineMetric) or (row and groups == 1 and not metric.elementwise):
        return False
    return all(getattr(type(metric), name) is getattr(EngineMetric, name) for name in ("update_state", "result", "sample_values"))
