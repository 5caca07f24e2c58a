"""What ``compile`` was told, and what it means for a given network.

That is the :class:`~fastmlp._engine.spec.Objective` the engines follow, and the names of its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

import fastmlp._training.advice as advice
from fastmlp import losses, metrics, optimizers
from fastmlp._base import checks, custom_objects, naming
from fastmlp._base.shapes import Shape
from fastmlp._data import targets
from fastmlp._engine import backends
from fastmlp._engine.spec import Node, Objective, Plan
from fastmlp._training.advice import CLOSING
from fastmlp.errors import UnsupportedError
from fastmlp.losses import Loss
from fastmlp.losses.base import MEANS
from fastmlp.losses.custom import FunctionLoss
from fastmlp.metrics import Metric
from fastmlp.metrics.base import EngineMetric
from fastmlp.optimizers import Optimizer

ACCURACY = ("accuracy", "acc")
CROSSENTROPY = ("crossentropy", "ce")


@dataclass(frozen=True, slots=True)
class Part:
    """What a metric is computed from: columns of the predictions and of the targets, and which column of the weights."""

    outputs: slice
    targets: slice
    labels: bool = False
    """Whether the targets are class numbers in a column of numbers."""
    weights: int = 0
    row: Shape = ()
    """The shape of a row of predictions that have more axes than two."""
    groups: int = 1
    """See :class:`fastmlp._engine.spec.Objective`."""


WHOLE = Part(slice(None), slice(None))


@dataclass(frozen=True, slots=True)
class ResolvedObjective:
    """An objective, and the metrics in the order of ``compile``; a ``MetricAccumulator`` has their values."""

    objective: Objective | tuple[Objective, ...]
    """One, or one for each loss of a model with several outputs."""
    names: tuple[str, ...]
    """Names of the metrics, in the order of ``compile``; with several losses each loss and its metrics, one after another."""
    metrics: tuple[Metric | None, ...]
    """What they name, None for a loss. Those that the engine computes are in the objectives too, in the same order."""
    weighted: tuple[bool, ...]
    """Which of them use the sample weights."""
    row: Shape = ()
    """The shape of a row of predictions that have more axes than two."""
    groups: int = 1
    """Of the only objective."""

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The losses, one or several."""
        return self.objective if isinstance(self.objective, tuple) else (self.objective,)

    @property
    def shown(self) -> tuple[str, ...]:
        """The names that users see."""
        return self.names

    @property
    def whole_batch(self) -> bool:
        """Whether a value depends on how the rows are cut into batches, so that these may not be merged."""
        return any(
            term.loss == CIRCLE or (term.loss in OVERLAPS and not term.parameters[2]) or term.ignored is not None for term in self.terms
        )

    def part(self, place: int) -> Part:
        """What the metric in this place is computed from."""
        return Part(slice(None), slice(None), row=self.row, groups=self.groups) if self.row else WHOLE

    def arrange(self, values: dict[str, Any]) -> dict[str, Any]:
        """The loss and the metrics by name, in the order in which ``evaluate`` gives them."""
        return values

    def new_totals(self) -> np.ndarray:
        """Zeros for an engine to add to."""
        several = len(self.terms) if len(self.terms) > 1 else 0
        return np.zeros(2 + 2 * several + 2 * sum(len(term.metrics) for term in self.terms), np.float64)


class CompileConfig:
    """The arguments of ``compile``, checked.

    Args:
        optimizer: A name or an object.
        loss: A name, an object, ``"crossentropy"`` (which kind depends on the model and its targets), or None for a model that only
            predicts.
        metrics: One or several names or objects.
        weighted_metrics: The same; these use the sample weights.
        engine: ``native`` or ``reference``.
        skip_zeros: When the first layer visits only what is not zero: see :func:`fastmlp._engine.backends.check_skip_zeros`.
        loss_weights: What the loss is multiplied by, 1 unless told.
    """

    def __init__(
        self,
        optimizer: Any,
        loss: Any,
        metrics: Any,
        weighted_metrics: Any,
        engine: str,
        skip_zeros: Any = "auto",
        loss_weights: Any = None,
    ) -> None:
        self.optimizer: Optimizer = optimizers.get(optimizer)
        self.engine = backends.check(engine)
        self.skip_zeros = backends.check_skip_zeros(skip_zeros)
        self.loss: Loss | None = None
        self.only_measured = False
        """Whether an output has metrics and no loss: then some loss of weight 0, which nobody sees, carries them."""
        self.any_crossentropy = isinstance(loss, str) and loss.lower() in CROSSENTROPY
        if loss is not None and not self.any_crossentropy:
            self.loss = losses.get(_only_one("loss", loss))
            if self.loss.reduction not in MEANS:
                raise UnsupportedError(
                    f"training with reduction={self.loss.reduction!r} is not in fastmlp; the loss of a batch is the mean over its rows "
                    "('sum_over_batch_size'), so scale the learning rate instead"
                )
        weight = _only_one("loss_weights", loss_weights)
        self.weight = 1.0 if weight is None else checks.check_float("a loss weight", weight)
        self.metrics = _metric_list("metrics", metrics)
        self.weighted_metrics = _metric_list("weighted_metrics", weighted_metrics)

    @property
    def has_loss(self) -> bool:
        """Whether there is a loss to train for."""
        return self.loss is not None or self.any_crossentropy or self.only_measured

    @property
    def resolvable(self) -> bool:
        """True when the objective follows from the network alone, without a look at the targets."""
        return self.loss is not None

    def see_targets(self, y: Any, plan: Plan) -> None:
        """Decide what ``"crossentropy"`` means, from the shape of the first targets."""
        self.see_targets_of(y, plan.row())

    def forget_targets(self) -> None:
        """Decide anew at the next targets, because the last ones were wrong."""
        if self.any_crossentropy or self.only_measured:
            self.loss = None

    def see_targets_of(self, y: Any, row: Shape) -> None:
        """The same for an output with rows of this shape."""
        if self.only_measured and self.loss is None:
            self.loss = self._carrier(np.shape(y), row)
        if self.any_crossentropy and self.loss is None:
            shape = np.shape(y)
            if row[-1:] == (1,):
                self.loss = losses.BinaryCrossentropy()
            elif len(shape) <= len(row) or shape[-1] == 1:
                self.loss = losses.SparseCategoricalCrossentropy()
            else:
                self.loss = losses.CategoricalCrossentropy()

    def _carrier(self, shape: tuple[int, ...], row: Shape) -> Loss:
        """A loss that reads targets of the form that the metrics read."""
        known = [metric if isinstance(metric, Metric) else None for metric in (*self.metrics, *self.weighted_metrics)]
        known += [
            metrics.registry.named(name)()
            for name in (*self.metrics, *self.weighted_metrics)
            if isinstance(name, str) and name.lower() not in ACCURACY + CROSSENTROPY
        ]
        if any(metric is not None and _reads_variances(metric) for metric in known):
            return losses.GaussianNLL()
        forms = {metric.sparse for metric in known if metric is not None} - {None}
        labels = row != (1,) and (len(shape) <= len(row) or shape[-1] == 1)
        return (
            losses.SparseCategoricalCrossentropy(from_logits=True) if True in forms or (labels and not forms) else losses.MeanSquaredError()
        )

    def resolve(self, plan: Plan, output: int | None = None) -> ResolvedObjective:
        """The objective for a network, or for one of its outputs; the loss must be known."""
        if self.loss is None:
            raise ValueError("the model was compiled without a loss, so it can only predict; name one, for example compile(loss='mse')")
        predictions = plan.output if output is None else output
        row, groups = plan.row(output) if plan.rows else (), 1
        if len(row) == 1:
            row = ()
        if row:
            output, groups = self._read_along_last_axis(plan, predictions, row)
            predictions = output
        last, penalized = _last_node(plan, predictions)
        width = plan.widths[predictions]
        closing = last.activation if last.op == "activation" and not penalized else "linear"
        absorbed = not self.loss.from_logits and closing == CLOSING.get(self.loss.kind)
        if self.loss.kind == GAUSSIAN and width % 2:
            raise ValueError(
                f"gaussian_nll reads means and as many variances, but the last layer has {width} units; give it two per target"
            )
        chosen: list[Metric] = []
        weights: list[bool] = []
        names: list[str] = []
        for weighted, identifiers in ((False, self.metrics), (True, self.weighted_metrics)):
            for identifier in identifiers:
                metric, name = _resolve(identifier, self.loss, row[-1] if row else width)
                if metric.sparse is not None and not _reads_form_of(metric, self.loss):
                    raise ValueError(_form_mismatch(metric, name, self.loss))
                chosen.append(metric)
                weights.append(weighted)
                names.append(_unique(name, names, weighted))
        of_engine = [m.to_spec(w) for m, w in zip(chosen, weights, strict=True) if runs_in_engine(m, row, groups)]
        for index, planned in enumerate(of_engine):
            if not planned.from_logits and closing == CLOSING.get(planned.kind):  # the value that the loss of this name has
                of_engine[index] = replace(planned, from_logits=True, source=last.inputs[0])
        objective = Objective(
            self.loss.kind,
            last.inputs[0] if absorbed else predictions,
            absorbed or self.loss.from_logits,
            tuple(of_engine),
            self.loss.parameters,
            self.loss.label_smoothing,
            self.loss.on_rows(row) if isinstance(self.loss, FunctionLoss) else None,
            output,
            self.weight,
            self.loss.ignore_class,
            groups,
        )
        return ResolvedObjective(objective, tuple(names), tuple(chosen), tuple(weights), row, groups)

    def _read_along_last_axis(self, plan: Plan, predictions: int, row: Shape) -> tuple[int, int]:
        """The buffer in which a loss finds predictions with rows of more axes, and how many rows that has for each of theirs.

        Plans end with a buffer of vectors along the last axis, which is unfolded. Losses of single elements may as well read what was
        folded to these vectors; a function of the user's own, and losses that sum over all axes, read whole rows.
        """
        assert self.loss is not None
        if self.loss.kind == CIRCLE:
            raise UnsupportedError(
                f"circle compares rows that are vectors, but the predictions have rows of shape {row}; put a Flatten() at the end"
            )
        if isinstance(self.loss, FunctionLoss) or self.loss.kind in OVERLAPS:
            return predictions, 1
        writer = {node.output: node for node in plan.nodes}
        elementwise = all(getattr(term, "elementwise", True) for term in (self.loss, *self.metrics, *self.weighted_metrics))
        last = writer[predictions]
        vectors = last.inputs[0] if last.op == "unfold" else None
        if vectors is None or (writer[vectors].op == "fold" and elementwise):
            if vectors is None and not self.loss.elementwise:
                raise UnsupportedError(
                    f"{self.loss.kind} compares along the last axis, which is not in fastmlp for an output that other layers read too; "
                    "call them on the layer before"
                )
            return predictions if vectors is None else writer[vectors].inputs[0], 1
        return vectors, math.prod(row[:-1])

    def warn(self, plan: Plan, objective: ResolvedObjective, output: int | None = None) -> None:
        """Warn of what can't be meant, once the objective for a network, or for one of its outputs, is known."""
        assert self.loss is not None
        if self.only_measured:
            return
        predictions = plan.output if output is None else output
        form = advice.output_form(plan, predictions)
        advice.warn_of_loss(self.loss, form, _last_node(plan, predictions)[0].activation, plan.widths[predictions])
        advice.warn_of_metrics(self.loss, form, [(n, m) for n, m in zip(objective.names, objective.metrics, strict=True) if m is not None])

    def class_weights(self, given: Any, y: np.ndarray, plan: Plan, *, check: bool) -> np.ndarray:
        """The weight of each row of converted targets by its class; with ``check``, keys that are no classes warn."""
        return targets.class_weights_to_rows(given, y, self._classes(y, plan.widths[plan.output]) if check else None)

    def _classes(self, y: np.ndarray, width: int) -> int | None:
        """How many classes targets may be of; None where that can't be known."""
        if y.ndim == 1:
            return None if self.loss is not None and self.loss.kind == CIRCLE else width
        if y.shape[1] > 1:
            return y.shape[1]
        return 2 if self.loss is not None and self.loss.of_two_classes else None

    def check_axes(self, axes: Sequence[int]) -> None:
        """Refuse a loss along another axis than the last of an output.

        Args:
            axes: How many axes each output has, that of the rows included.
        """
        if self.loss is not None and not self.loss.takes_axes(axes[0]):
            raise UnsupportedError(
                f"training with {self.loss.name}(axis={self.loss.axis}) on an output of {axes[0]} axes is not in fastmlp; what a "
                "loss takes together is on the last axis, so put a Permute before the loss, or leave axis out"
            )

    def direction(self, name: str, plan: Plan, output: int | None = None) -> bool | None:
        """True if a higher value of the metric called ``name`` is better, False if a lower is, None if there is no such metric."""
        if name == "loss":
            return False
        objective = self.resolve(plan, output)
        found = dict(zip(objective.names, objective.metrics, strict=True)).get(name)
        return found.higher_is_better if found is not None else None

    def get_config(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "optimizer": optimizers.registry.serialize(self.optimizer),
            "loss": None
            if self.only_measured
            else losses.serialize(self.loss)
            if self.loss
            else "crossentropy"
            if self.any_crossentropy
            else None,
            "loss_weights": None if self.weight == 1.0 else self.weight,
            "metrics": _stored(self.metrics),
            "weighted_metrics": _stored(self.weighted_metrics),
            "engine": self.engine,
            "skip_zeros": self.skip_zeros,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> CompileConfig:
        """What :meth:`get_config` described; anything malformed is a ValueError."""
        wanted = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "engine", "skip_zeros"}
        if not isinstance(config, Mapping) or not set(config) <= wanted or "optimizer" not in config:
            raise ValueError(f"the compile configuration must have {', '.join(sorted(wanted))}, got {config!r:.200}")
        try:
            return cls(
                config["optimizer"],
                config.get("loss"),
                config.get("metrics"),
                config.get("weighted_metrics"),
                config.get("engine", "native"),
                config.get("skip_zeros", "auto"),
                config.get("loss_weights"),
            )
        except TypeError as error:
            raise ValueError(f"the compile configuration is not valid: {error}") from error


def runs_in_engine(metric: Metric | None, row: Shape, groups: int) -> TypeGuard[EngineMetric]:
    """Whether the engines compute a metric, unless it compares along the last axis of flat rows of this shape."""
    if not isinstance(metric, EngineMetric) or (row and groups == 1 and not metric.elementwise):
        return False
    return all(getattr(type(metric), name) is getattr(EngineMetric, name) for name in ("update_state", "result", "sample_values"))


OVERLAPS = ("dice", "tversky")
"""Losses that take together all elements of a row, or of a batch."""

CIRCLE = "sparse_circle"
"""It compares the rows of a batch; its labels may be any numbers, and stand for no columns."""

GAUSSIAN = "gaussian_nll"
"""Its predictions have two columns for each target, so it goes with no other."""


def _last_node(plan: Plan, buffer: int) -> tuple[Node, bool]:
    """The node that computes an output, and whether what it gives is penalized."""
    writer = {node.output: node for node in plan.nodes}
    last = writer[buffer]
    penalized = last.op == "activity"
    while last.op == "activity":
        last = writer[last.inputs[0]]
    return last, penalized


def _only_one(what: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return value[0]
    if isinstance(value, (list, tuple)) or (isinstance(value, Mapping) and "class" not in value):
        raise UnsupportedError(f"several {what} values are for models with several outputs, but this one has one; give one")
    return value


def _metric_list(argument: str, given: Any) -> list[str | Metric]:
    if given is None:
        return []
    if isinstance(given, Mapping) and "class" not in given:
        raise UnsupportedError(f"{argument} as a dict is for models with several outputs, but this one has one; give a list")
    items: Sequence[Any] = given if isinstance(given, (list, tuple)) else [given]
    result: list[str | Metric] = []
    for item in items:
        if isinstance(item, (list, tuple)):
            result += _metric_list(argument, item)
        elif isinstance(item, str):
            custom = custom_objects.find(item)
            if custom is None and item.lower() not in ACCURACY + CROSSENTROPY:
                metrics.registry.named(item)  # an unknown name is an error now, not at fit
            result.append(item if custom is None else metrics.get(custom))
        else:
            result.append(metrics.get(item))
    return result


def _resolve(identifier: str | Metric, loss: Loss, width: int) -> tuple[Metric, str]:
    if isinstance(identifier, Metric):
        return identifier, identifier.name
    if identifier.lower() in ACCURACY + CROSSENTROPY:
        form = "Binary" if width == 1 and not loss.sparse else "SparseCategorical" if loss.sparse else "Categorical"
        return metrics.get(form + ("Accuracy" if identifier.lower() in ACCURACY else "Crossentropy")), identifier
    return metrics.registry.named(identifier)(name=identifier), identifier


def _unique(name: str, taken: Sequence[str], weighted: bool) -> str:
    if name in taken and weighted:
        name = f"weighted_{name}"
    count = 1
    candidate = name
    while candidate in taken:
        candidate = f"{name}_{count}"
        count += 1
    return candidate


def _reads_form_of(metric: Metric, loss: Loss) -> bool:
    if loss.kind == CIRCLE and isinstance(metric, metrics.SparseCategoricalCrossentropy):
        return False
    return metric.sparse == loss.sparse and _reads_variances(metric) == (loss.kind == GAUSSIAN)


def _reads_variances(metric: Metric) -> bool:
    return getattr(metric, "kind", None) == GAUSSIAN


def _form_mismatch(metric: Metric, name: str, loss: Loss) -> str:
    if loss.kind == CIRCLE:
        return (
            f"the metric {name!r} compares columns with classes, but with circle these are embeddings and class numbers; use metrics of "
            "your own, which get both"
        )
    if loss.kind == GAUSSIAN:
        return f"the metric {name!r} compares columns, but with gaussian_nll half of the predictions are variances; use 'gaussian_nll'"
    if _reads_variances(metric):
        return f"the metric {name!r} reads means and variances, which only models trained with the loss gaussian_nll predict"
    if loss.sparse:
        return (
            f"the metric {name!r} compares columns, but the targets of {loss.kind} are class numbers; use the metric 'accuracy', "
            "or one-hot targets (utils.to_categorical) with loss='categorical_crossentropy'"
        )
    use = naming.snake_case(type(metric).__name__).removeprefix("sparse_")
    return f"the metric {name!r} reads class numbers, but the targets of {loss.kind} have a column per output; use {use!r}"


def _stored(given: Sequence[str | Metric]) -> list[Any]:
    return [metric if isinstance(metric, str) else metrics.serialize(metric) for metric in given]
