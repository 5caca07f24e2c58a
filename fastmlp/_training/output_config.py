"""The arguments of ``compile`` for one output: a loss, its weight and metrics, and their resolution for a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import fastmlp._training.advice as advice
from fastmlp import losses, metrics
from fastmlp._base import checks
from fastmlp._base.configs import Config
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Node, Objective, Plan
from fastmlp._training.advice import CLOSING
from fastmlp._training.metric_arguments import (
    ACCURACY,
    CROSSENTROPY,
    check_form,
    metric_list,
    reads_variances,
    resolve_metric,
    unique_name,
    with_own_targets,
)
from fastmlp._training.objective import CIRCLE, GAUSSIAN, OVERLAPS, runs_in_engine
from fastmlp._training.typing import LossLike, MetricsLike
from fastmlp.errors import UnsupportedError
from fastmlp.losses import Loss
from fastmlp.losses.base import MEANS
from fastmlp.losses.custom import FunctionLoss
from fastmlp.metrics import Metric

__all__ = ["OutputConfig", "ResolvedOutput"]


@dataclass(frozen=True, slots=True)
class ResolvedOutput:
    """The objective and metrics of an output."""

    objective: Objective
    metrics: tuple[tuple[str, Metric, bool], ...]
    """Name, metric, and whether it is weighted, in the order of ``compile``; those that engines compute are also in the objective."""
    row: Shape
    """The shape of a sample's predictions if they have more than one axis, otherwise ``()``."""
    targets: Shape | None
    """The shape of a sample's targets, if it has not as many elements as a sample's predictions."""


class OutputConfig:
    """The validated arguments of ``compile`` for one output.

    Args:
        loss: A name, an object, ``"crossentropy"`` (its kind is chosen by the model and the targets), or None for an output that is not
            trained.
        weight: Factor of the loss; None is 1.
        metrics: One or several names or objects.
        weighted_metrics: Like ``metrics``, but weighted by the sample weights.
    """

    def __init__(
        self, loss: LossLike | None, weight: float | None = None, metrics: MetricsLike = None, weighted_metrics: MetricsLike = None
    ) -> None:
        self.loss: Loss | None = None
        """None if there is no loss, or if it depends on targets not yet seen."""
        self.any_crossentropy = isinstance(loss, str) and loss.lower() in CROSSENTROPY
        """Whether the kind of cross-entropy depends on the targets."""
        self.only_measured = False
        """Whether there are metrics but no loss; the engines then use a loss of weight 0 that is not part of the logs."""
        if loss is not None and not self.any_crossentropy:
            self.loss = losses.get(loss)
            if self.loss.reduction not in MEANS:
                raise UnsupportedError(
                    f"training with reduction={self.loss.reduction!r} is not in fastmlp; the loss of a batch is the mean over its samples "
                    "('sum_over_batch_size'), so scale the learning rate instead"
                )
        self.weight = 1.0 if weight is None else checks.check_float("a loss weight", weight)
        self.metrics = metric_list("metrics", metrics)
        self.weighted_metrics = metric_list("weighted_metrics", weighted_metrics)
        if loss is None and (self.metrics or self.weighted_metrics):
            self.only_measured, self.weight = True, 0.0

    @property
    def is_trained(self) -> bool:
        """Whether there is a loss to minimize."""
        return self.any_crossentropy or (self.loss is not None and not self.only_measured)

    @property
    def is_read(self) -> bool:
        """Whether engines read its targets, for a loss or for metrics."""
        return self.is_trained or self.only_measured

    @property
    def resolvable(self) -> bool:
        """Whether the objective is determined by the network, without the targets."""
        return self.loss is not None or not self.is_read

    def see_targets(self, y: Any, row: Shape) -> None:
        """Choose the loss for ``"crossentropy"``, or for metrics without a loss, from the shape of the first targets.

        Args:
            y: The targets.
            row: The shape of a sample's predictions.
        """
        if self.loss is not None or not self.is_read:
            return
        shape = np.shape(y)
        if self.only_measured:
            self.loss = self._carrier(shape, row)
        elif row[-1:] == (1,):
            self.loss = losses.BinaryCrossentropy()
        elif len(shape) <= len(row) or shape[-1] == 1:
            self.loss = losses.SparseCategoricalCrossentropy()
        else:
            self.loss = losses.CategoricalCrossentropy()

    @property
    def own_targets(self) -> Shape | None:
        """The shape of a sample's targets, for a custom loss that reads others than of the shape of predictions."""
        return self.loss.targets if isinstance(self.loss, FunctionLoss) else None

    def forget_targets(self) -> None:
        """Choose the loss again when the next targets are passed, because the last ones were invalid."""
        if self.any_crossentropy or self.only_measured:
            self.loss = None

    def _carrier(self, shape: tuple[int, ...], row: Shape) -> Loss:
        """A loss that reads targets in the same form as the metrics."""
        given = (*self.metrics, *self.weighted_metrics)
        known = [metric for metric in given if isinstance(metric, Metric)]
        known += [metrics.registry.named(name)() for name in given if isinstance(name, str) and name.lower() not in ACCURACY + CROSSENTROPY]
        if any(map(reads_variances, known)):
            return losses.GaussianNLL()
        forms = {metric.sparse for metric in known} - {None}
        labels = row != (1,) and (len(shape) <= len(row) or shape[-1] == 1)
        if True in forms or (labels and not forms):
            return losses.SparseCategoricalCrossentropy(from_logits=True)
        return losses.MeanSquaredError()

    def resolve(self, plan: Plan, buffer: int) -> ResolvedOutput:
        """The objective of the output in ``buffer``; the loss must be known."""
        loss = self._known_loss()
        row = plan.row(buffer) if plan.rows else ()
        row = () if len(row) == 1 else row
        predictions, groups = self._read_along_last_axis(plan, buffer, row) if row else (buffer, 1)
        last, penalized = _last_node(plan, predictions)
        width = plan.widths[predictions]
        closing = last.activation if last.op == "activation" and not penalized else "linear"
        absorbed = not loss.from_logits and closing == CLOSING.get(loss.kind)
        if loss.kind == GAUSSIAN and width % 2:
            raise ValueError(
                f"gaussian_nll reads means and as many variances, but the last layer has {width} units; it needs two per target"
            )
        chosen = self._resolve_metrics(row[-1] if row else width)
        of_engine = [metric.to_spec(weighted) for _, metric, weighted in chosen if runs_in_engine(metric, row, groups)]
        for index, planned in enumerate(of_engine):
            if not planned.from_logits and closing == CLOSING.get(planned.kind):  # computed from logits, like the loss of the same name
                of_engine[index] = replace(planned, from_logits=True, source=last.inputs[0])
        objective = Objective(
            loss.kind,
            last.inputs[0] if absorbed else predictions,
            absorbed or loss.from_logits,
            tuple(of_engine),
            loss.parameters,
            loss.label_smoothing,
            loss.on_rows(plan.row(buffer)) if isinstance(loss, FunctionLoss) else None,
            predictions,
            self.weight,
            loss.ignore_class,
            groups,
            isinstance(loss, FunctionLoss) and loss.depends_on_batch(plan.row(buffer)),
            0 if self.own_targets is None else math.prod(self.own_targets),
        )
        return ResolvedOutput(objective, tuple(chosen), row, self.own_targets)

    def _known_loss(self) -> Loss:
        if self.loss is None:
            raise ValueError("the model was compiled without a loss, so it can only predict; name one, for example compile(loss='mse')")
        return self.loss

    def _resolve_metrics(self, width: int) -> list[tuple[str, Metric, bool]]:
        loss = self._known_loss()
        chosen: list[tuple[str, Metric, bool]] = []
        for weighted, identifiers in ((False, self.metrics), (True, self.weighted_metrics)):
            for identifier in identifiers:
                metric, name = resolve_metric(identifier, loss, width)
                if self.own_targets is not None:
                    metric = with_own_targets(metric, name, self.own_targets, width)
                check_form(metric, name, loss)
                chosen.append((unique_name(name, [taken for taken, _, _ in chosen], weighted), metric, weighted))
        return chosen

    def _read_along_last_axis(self, plan: Plan, predictions: int, row: Shape) -> tuple[int, int]:
        """The buffer that a loss reads if predictions have more than one axis, and the number of vectors per sample in it.

        Plans end with a buffer of vectors along the last axis, which is unfolded to samples. Elementwise losses may also read the buffer
        before it was folded to vectors; user functions, and losses that sum over all axes, read whole samples.
        """
        loss = self._known_loss()
        if loss.kind == CIRCLE:
            raise UnsupportedError(
                f"circle compares samples that are vectors, but the predictions have shape {row} per sample; add a Flatten() at the end"
            )
        if isinstance(loss, FunctionLoss) or loss.kind in OVERLAPS:
            return predictions, 1
        writer = {node.output: node for node in plan.nodes}
        elementwise = all(getattr(term, "elementwise", True) for term in (loss, *self.metrics, *self.weighted_metrics))
        last = writer[predictions]
        vectors = last.inputs[0] if last.op == "unfold" else None
        if vectors is None or (writer[vectors].op == "fold" and elementwise):
            if vectors is None and not loss.elementwise:
                raise UnsupportedError(
                    f"{loss.kind} compares along the last axis, which is not in fastmlp for an output that other layers read too; "
                    "call them on the layer before"
                )
            return predictions if vectors is None else writer[vectors].inputs[0], 1
        return vectors, math.prod(row[:-1])

    def warn(self, plan: Plan, buffer: int) -> None:
        """Warn about a loss or metrics that are probably mistakes for the output in ``buffer``."""
        if self.only_measured or not self.is_read:
            return
        loss, form = self._known_loss(), advice.output_form(plan, buffer)
        advice.warn_of_loss(loss, form, _last_node(plan, buffer)[0].activation, plan.widths[buffer])
        if loss.from_logits:
            advice.warn_of_metrics(form, [(name, metric) for name, metric, _ in self.resolve(plan, buffer).metrics])

    def check_axes(self, count: int) -> None:
        """Raise an error for a loss along an axis other than the last; ``count`` is the number of axes, including samples."""
        if self.loss is not None and not self.loss.takes_axes(count):
            raise UnsupportedError(
                f"training with {self.loss.name}(axis={self.loss.axis}) on an output of {count} axes is not in fastmlp; losses "
                "reduce the last axis, so add a Permute before the loss, or omit axis"
            )

    def classes(self, y: np.ndarray, width: int) -> int | None:
        """The number of classes of converted targets; None if unknown."""
        if y.ndim == 1:
            return None if self.loss is not None and self.loss.kind == CIRCLE else width
        if y.shape[1] > 1:
            return y.shape[1]
        return 2 if self.loss is not None and self.loss.of_two_classes else None

    def get_config(self) -> Config:
        """The loss, its weight and metrics, as JSON values."""
        loss: str | Mapping[str, Any] | None = None
        if self.is_trained:
            loss = "crossentropy" if self.loss is None else losses.serialize(self.loss)
        return {
            "loss": loss,
            "loss_weights": self.weight,
            "metrics": [metric if isinstance(metric, str) else metrics.serialize(metric) for metric in self.metrics],
            "weighted_metrics": [metric if isinstance(metric, str) else metrics.serialize(metric) for metric in self.weighted_metrics],
        }


def _last_node(plan: Plan, buffer: int) -> tuple[Node, bool]:
    """The node that computes an output, and whether its output is penalized."""
    writer = {node.output: node for node in plan.nodes}
    last = writer[buffer]
    penalized = last.op == "activity"
    while last.op == "activity":
        last = writer[last.inputs[0]]
    return last, penalized
