"""What is minimized and measured on a network: the engines' objectives, the metrics beside them, and their names in logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np

from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Objective, Plan
from fastmlp.metrics import Metric
from fastmlp.metrics.base import EngineMetric

__all__ = ["CIRCLE", "GAUSSIAN", "OVERLAPS", "OutputColumns", "ResolvedMetric", "ResolvedObjective", "runs_in_engine"]

OVERLAPS = ("dice", "tversky")
"""Losses that take all elements of a sample, or of a batch, together."""

CIRCLE = "sparse_circle"
"""Compares the samples of a batch; its labels may be any integers and do not refer to columns."""

GAUSSIAN = "gaussian_nll"
"""Its predictions have two columns for each target, so other losses and metrics can't read them."""


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """Where an output that has a loss stands in the arrays of a batch."""

    predictions: slice = field(default_factory=lambda: slice(None))
    targets: slice = field(default_factory=lambda: slice(None))
    weights: int = 0
    """Its column of the sample weights, where each loss has a column."""
    labels: bool = False
    """Whether its targets are integer labels in columns of float32."""
    row: Shape = ()
    """The shape of a sample's predictions, where they have more axes than one."""
    groups: int = 1
    """See :class:`fastmlp._engine.spec.Objective`."""

    def of_targets(self, y: np.ndarray) -> np.ndarray:
        """The targets of this output."""
        return y if y.ndim == 1 else y[:, self.targets]

    def metric_arguments(self, p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """This output's predictions and targets, of all outputs' side by side, in the shapes and types that metrics read."""
        p, y = p[:, self.predictions], self.of_targets(y)
        if self.labels:
            y = y.astype(np.int32)
            y = y if self.row else y[:, 0]
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
        """False for a loss, None where neither is better."""
        return self.metric.higher_is_better if self.metric is not None else False


@dataclass(frozen=True, slots=True)
class ResolvedObjective:
    """The arguments of ``compile``, resolved for a network. A ``MetricAccumulator`` has the values that belong to it."""

    objectives: tuple[Objective, ...]
    """One for each output that has a loss, in the order of the outputs."""
    columns: tuple[OutputColumns, ...]
    """For each objective."""
    metrics: tuple[ResolvedMetric, ...]
    """In the order of the engines' totals. With several objectives each loss stands before the metrics of its output."""
    log_names: tuple[str, ...]
    """``loss`` and the names of the other logs, in the order in which ``evaluate`` lists them."""

    @property
    def row(self) -> Shape:
        """The shape of a sample's predictions, where there is one objective and they have more axes than one."""
        return self.columns[0].row if len(self.columns) == 1 else ()

    @property
    def depends_on_batches(self) -> bool:
        """Whether a value depends on how the samples are cut into batches, so that batches may not be merged."""
        return any(
            one.loss == CIRCLE or (one.loss in OVERLAPS and not one.parameters[2]) or one.ignored is not None for one in self.objectives
        )

    def prediction_columns(self, plan: Plan) -> int:
        """Columns of the predictions that engines hand out: those of all outputs that have a loss."""
        return sum(plan.widths[plan.output if one.output is None else one.output] * one.groups for one in self.objectives)

    def new_totals(self) -> np.ndarray:
        """Zeros for an engine to add to: the sum and the weight of the loss, then of each loss and metric of the outputs."""
        losses = len(self.objectives) if len(self.objectives) > 1 else 0
        return np.zeros(2 + 2 * losses + 2 * sum(len(one.metrics) for one in self.objectives), np.float64)

    def as_logs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values by name that are part of the logs, in their order."""
        return {name: values[name] for name in self.log_names}


def runs_in_engine(metric: Metric | None, row: Shape, groups: int) -> TypeGuard[EngineMetric]:
    """Whether the engines compute a metric, unless it compares along the last axis of flat rows of this shape."""
    if not isinstance(metric, EngineMetric) or (row and groups == 1 and not metric.elementwise):
        return False
    return all(getattr(type(metric), name) is getattr(EngineMetric, name) for name in ("update_state", "result", "sample_values"))
