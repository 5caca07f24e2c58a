"""The validated arguments of ``compile``: an optimizer, an engine, and for each output a loss, its weight and metrics.

A model with one output has a list of one. Only the format of its arguments differs, and the names of its logs, which have no output name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastmlp import optimizers
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._data.adapters import choose_adapter
from fastmlp._engine import backends
from fastmlp._engine.spec import Plan
from fastmlp._graph.nest import Nest
from fastmlp._training.objective import OutputColumns, ResolvedMetric, ResolvedObjective
from fastmlp._training.output_config import OutputConfig, ResolvedOutput
from fastmlp._training.typing import LossesLike, LossWeights, MetricsLike, OptimizerLike
from fastmlp.errors import UnsupportedError
from fastmlp.losses import Loss
from fastmlp.losses.custom import FunctionLoss
from fastmlp.metrics import Metric
from fastmlp.optimizers import Optimizer

__all__ = ["CompileConfig"]

_ARGUMENTS = ("engine", "loss", "loss_weights", "metrics", "optimizer", "skip_zeros", "weighted_metrics")


class CompileConfig:
    """The validated arguments of ``compile``.

    Args:
        outputs: The structure of the model's outputs.
        optimizer: A name or an object.
        loss: A loss, used for all outputs, or a list or dict with a loss for each output; None for outputs that are not trained.
        loss_weights: Factors of the losses, 1 by default: a number, or for several outputs a list or dict.
        metrics: One or several metrics; for several outputs, a list with an entry for each, or a dict.
        weighted_metrics: Like ``metrics``, but weighted by the sample weights.
        engine: ``native`` or ``reference``.
        skip_zeros: Whether the first layer skips zeros; see :func:`fastmlp._engine.backends.check_skip_zeros`.
    """

    def __init__(
        self,
        outputs: Nest,
        optimizer: OptimizerLike,
        loss: LossesLike = None,
        loss_weights: LossWeights = None,
        metrics: MetricsLike = None,
        weighted_metrics: MetricsLike = None,
        engine: str = backends.DEFAULT,
        skip_zeros: Any = "auto",
    ) -> None:
        self.form = outputs
        self.optimizer: Optimizer = optimizers.get(optimizer)
        self.engine = backends.check(engine)
        self.skip_zeros = backends.check_skip_zeros(skip_zeros)
        by_output = zip(
            _for_each_output(outputs, "loss", loss),
            _for_each_output(outputs, "loss_weights", loss_weights),
            _for_each_output(outputs, "metrics", metrics),
            _for_each_output(outputs, "weighted_metrics", weighted_metrics),
            strict=True,
        )
        self.outputs = [OutputConfig(*arguments) for arguments in by_output]
        self._loss_order = outputs.keys
        if outputs.form == "dict" and isinstance(loss, Mapping) and set(loss) <= set(outputs.keys):
            self._loss_order = tuple(loss)  # as Keras lists them

    @cached_property
    def is_trained(self) -> bool:
        """Whether there is a loss to minimize."""
        return any(output.is_trained for output in self.outputs)

    @property
    def resolvable(self) -> bool:
        """Whether the objective is determined by the network, without the targets."""
        return self.is_trained and all(output.resolvable for output in self.outputs)

    @property
    def configurable(self) -> bool:
        """Whether a network can be configured for it without the targets: also without a loss, for gradients from outside."""
        return self.resolvable or not self.is_trained

    @cached_property
    def reads_all_outputs(self) -> bool:
        """Whether each output has a loss or metrics."""
        return all(output.is_read for output in self.outputs)

    @property
    def loss(self) -> Loss | list[Loss | None] | dict[str, Loss | None] | None:
        """The losses, in the structure of the outputs; None for outputs without loss, or if the loss depends on targets not yet seen."""
        arranged: Loss | list[Loss | None] | dict[str, Loss | None] | None = self.form.arrange(
            [output.loss if output.is_trained else None for output in self.outputs]
        )
        return arranged

    @property
    def advice(self) -> str:
        """Further advice of the losses, for the error about a loss that is not finite."""
        return "".join(dict.fromkeys(output.loss.advice for output in self.outputs if output.loss is not None))

    def metrics(self) -> list[tuple[str, str | Metric]]:
        """The metrics of all outputs as passed to ``compile``, with their names in logs."""
        return [
            (self._log_name(key, metric if isinstance(metric, str) else metric.name), metric)
            for key, output in zip(self.form.keys, self.outputs, strict=True)
            for metric in (*output.metrics, *output.weighted_metrics)
        ]

    def see_targets(self, values: Sequence[Any], plan: Plan) -> None:
        """Choose the loss for ``"crossentropy"`` from the shapes of the first targets of each output."""
        for output, value, buffer in zip(self.outputs, values, _buffers(plan), strict=True):
            output.see_targets(value, plan.row(buffer))

    def forget_targets(self) -> None:
        """Choose the loss again when the next targets are passed, because the last ones were invalid."""
        for output in self.outputs:
            output.forget_targets()

    def check_axes(self, axes: Iterable[int]) -> None:
        """Raise an error for losses along an axis other than the last; ``axes`` counts the axes of each output, including samples."""
        for output, count in zip(self.outputs, axes, strict=True):
            output.check_axes(count)

    def warn(self, plan: Plan) -> None:
        """Warn about losses and metrics that are probably mistakes for a network."""
        for output, buffer in zip(self.outputs, _buffers(plan), strict=True):
            output.warn(plan, buffer)

    def learn_target_shapes(self, values: Sequence[Any], plan: Plan) -> bool:
        """Have custom losses read targets of these shapes; returns whether one read others before."""
        changed = False
        for output, value, buffer in zip(self.outputs, values, _buffers(plan), strict=True):
            if isinstance(output.loss, FunctionLoss) and value is not None:
                changed |= output.loss.see_targets(choose_adapter(value).shape("y")[1:], plan.row(buffer))
        return changed

    def record_losses(self, plan: Plan) -> None:
        """Record custom losses for the outputs of a network, so that :meth:`get_config` has their programs."""
        for output, buffer in zip(self.outputs, _buffers(plan), strict=True):
            if isinstance(output.loss, FunctionLoss):
                output.loss.recorded(plan.row(buffer))

    # Resolved for a network

    def resolve(self, plan: Plan) -> ResolvedObjective:
        """The objective for a network; the losses must be known."""
        if not self.is_trained:
            raise ValueError("the model was compiled without a loss, so it can only predict; name one, for example compile(loss='mse')")
        resolved = {
            key: (output.resolve(plan, buffer), buffer)
            for key, output, buffer in zip(self.form.keys, self.outputs, _buffers(plan), strict=True)
            if output.is_read
        }
        columns = _side_by_side(resolved.values(), plan)
        metrics: list[ResolvedMetric] = []
        for (key, (output, _)), place in zip(resolved.items(), columns, strict=True):
            if len(resolved) > 1:
                metrics.append(ResolvedMetric(self._log_name(key, "loss"), None, True, place))
            metrics += [ResolvedMetric(self._log_name(key, name), metric, weighted, place) for name, metric, weighted in output.metrics]
        objectives = tuple(output.objective for output, _ in resolved.values())
        width = sum(plan.widths[plan.output if one.output is None else one.output] * one.groups for one in objectives)
        return ResolvedObjective(objectives, columns, tuple(metrics), self._log_names(metrics), width)

    def _log_name(self, key: str, name: str) -> str:
        """The name of a loss or metric of an output in logs."""
        return f"{key}_{name}" if self.form.count > 1 else name

    def _log_names(self, metrics: Iterable[ResolvedMetric]) -> tuple[str, ...]:
        """The names of all logs, in Keras' order: with several outputs their losses, then the metrics sorted by name."""
        names = [one.name for one in metrics if one.metric is not None]
        if self.form.count == 1:
            return ("loss", *names)
        trained = [key for key, output in zip(self.form.keys, self.outputs, strict=True) if output.is_trained]
        losses = [self._log_name(key, "loss") for key in self._loss_order if key in trained and len(trained) > 1]
        return ("loss", *losses, *sorted(set(names) - set(losses)))

    def direction(self, name: str, plan: Plan) -> bool | None:
        """True if higher values of the metric ``name`` are better, False if lower ones are, None if there is no such metric."""
        losses = {self._log_name(key, "loss") for key, output in zip(self.form.keys, self.outputs, strict=True) if output.is_read}
        if name in {"loss", *losses}:
            return False
        return next((one.higher_is_better for one in self.resolve(plan).metrics if one.name == name), None)

    # As JSON values

    def get_config(self) -> Config:
        """The arguments as JSON values; for several outputs, lists with an entry for each."""
        optimizer = optimizers.registry.serialize(self.optimizer)  # first, as custom objects are listed in this order
        by_output = [output.get_config() for output in self.outputs]
        arguments: Config = {name: [config[name] for config in by_output] for name in by_output[0]}
        if self.form.count == 1:
            arguments = by_output[0]
            if arguments["loss_weights"] == 1.0 or not self.is_trained:
                arguments["loss_weights"] = None
        return {
            "optimizer": optimizer,
            **arguments,
            "engine": self.engine,
            "skip_zeros": self.skip_zeros,
        }

    @classmethod
    def from_config(cls, outputs: Nest, config: StoredConfig) -> CompileConfig:
        """Inverse of :meth:`get_config`; raises ValueError if the configuration is malformed."""
        if not isinstance(config, Mapping) or not set(config) <= set(_ARGUMENTS) or "optimizer" not in config:
            raise ValueError(f"the compile configuration must have {', '.join(_ARGUMENTS)}, got {config!r:.200}")
        try:
            return cls(outputs, **config)
        except TypeError as error:
            raise ValueError(f"the compile configuration is not valid: {error}") from error


def _for_each_output(outputs: Nest, argument: str, given: Any) -> list[Any]:
    """An argument of ``compile``, for each output."""
    if outputs.count == 1:
        return [_for_only_output(outputs, argument, given)]
    if given is None:
        return [None] * outputs.count
    is_config = isinstance(given, Mapping) and "class" in given and "config" in given
    if is_config or (argument == "loss" and not isinstance(given, (list, tuple, Mapping))):
        return [given] * outputs.count
    return outputs.flatten(argument, given, optional=True)


def _for_only_output(outputs: Nest, argument: str, given: Any) -> Any:
    """An argument of ``compile`` for a model with one output, which may be passed in a list of one or in a dict."""
    if isinstance(given, Mapping) and given and set(given) <= {*outputs.names, *outputs.keys}:
        (given,) = outputs.flatten(argument, given)
    if argument in ("metrics", "weighted_metrics"):
        return given
    if isinstance(given, (list, tuple)) and len(given) == 1:
        return given[0]
    if isinstance(given, (list, tuple)) or (isinstance(given, Mapping) and "class" not in given):
        raise UnsupportedError(f"several {argument} values are for models with several outputs, but this one has one; give one")
    return given


def _buffers(plan: Plan) -> tuple[int, ...]:
    """The buffer of each output."""
    return plan.outputs or (plan.output,)


def _side_by_side(outputs: Iterable[tuple[ResolvedOutput, int]], plan: Plan) -> tuple[OutputColumns, ...]:
    """The columns of each output (paired with its buffer) in the predictions, targets and weights of a batch."""
    columns: list[OutputColumns] = []
    predictions = targets = 0
    for index, (output, buffer) in enumerate(outputs):
        objective = output.objective
        width = math.prod(plan.row(buffer))
        read = objective.target_columns(width // objective.groups)
        columns.append(
            OutputColumns(
                slice(predictions, predictions + width),
                slice(targets, targets + read),
                index,
                objective.sparse,
                output.row,
                objective.groups,
                output.targets,
            )
        )
        predictions, targets = predictions + width, targets + read
    if len(columns) == 1:  # the arrays of a batch are those of this output
        return (OutputColumns(row=columns[0].row, groups=columns[0].groups, own_targets=columns[0].own_targets),)
    return tuple(columns)
