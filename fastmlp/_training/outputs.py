"""What ``compile`` was told for a model with several outputs: a loss, a weight and metrics for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._data import targets
from fastmlp._engine.spec import Objective, Plan
from fastmlp._graph.nest import Nest
from fastmlp._training.compile_config import CompileConfig, Part, ResolvedObjective
from fastmlp.errors import UnsupportedError
from fastmlp.metrics import Metric

__all__ = ["CompiledOutputs"]

MAX_LABELS = 1 << 24
"""Class numbers travel in a column of float32, which holds integers up to here."""


@dataclass(frozen=True, slots=True)
class ResolvedObjectives(ResolvedObjective):
    """The objectives of all outputs that have a loss, as one."""

    parts: tuple[Part, ...] = ()
    """For each of ``names``."""
    order: tuple[str, ...] = ()
    """The names of the losses as ``evaluate`` lists them."""
    hidden: frozenset[str] = frozenset()
    """Names of losses that nobody sees: of the only output that is trained, and of those that are measured only."""

    def part(self, place: int) -> Part:
        return self.parts[place]

    def arrange(self, values: dict[str, Any]) -> dict[str, Any]:
        """``loss``, the loss of each output, then the metrics by name, as Keras orders them."""
        return {name: values[name] for name in ("loss", *self.order, *sorted(set(self.shown) - set(self.order)))}

    @property
    def shown(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name not in self.hidden)


class CompiledOutputs(CompileConfig):
    """The arguments of ``compile``, checked, for a model with several outputs.

    Args:
        outputs: How the outputs are arranged.
        optimizer: A name or an object.
        loss: One for all outputs, or a list or dict; None where an output is not trained.
        loss_weights: A list or dict of numbers.
        metrics: A list with an entry for each output, or a dict.
        weighted_metrics: The same; these use the sample weights.
        engine: ``native`` or ``reference``.
        skip_zeros: See :class:`CompileConfig`.
    """

    def __init__(
        self,
        outputs: Nest,
        optimizer: Any,
        loss: Any,
        loss_weights: Any,
        metrics: Any,
        weighted_metrics: Any,
        engine: str,
        skip_zeros: Any = "auto",
    ) -> None:
        super().__init__(optimizer, None, None, None, engine, skip_zeros)
        self.outputs = outputs
        losses = self._for_each("loss", loss, broadcast=True)
        self.order = outputs.keys
        if outputs.form == "dict" and isinstance(loss, Mapping) and set(loss) <= set(outputs.keys):
            self.order = tuple(loss)  # as Keras lists them
        plain = self._for_each("metrics", metrics)
        weighted = self._for_each("weighted_metrics", weighted_metrics)
        weights = self._for_each("loss_weights", loss_weights)
        self.parts = [
            CompileConfig(self.optimizer, of_loss, of_plain, of_weighted, engine, skip_zeros, weight)
            for of_loss, of_plain, of_weighted, weight in zip(losses, plain, weighted, weights, strict=True)
        ]
        for part in self.parts:
            if not part.has_loss and (part.metrics or part.weighted_metrics):
                part.only_measured, part.weight = True, 0.0

    def _for_each(self, what: str, given: Any, *, broadcast: bool = False) -> list[Any]:
        if given is None:
            return [None] * self.outputs.count
        if isinstance(given, Mapping) and "class" in given and "config" in given:
            return [given] * self.outputs.count
        if broadcast and not isinstance(given, (list, tuple, Mapping)):
            return [given] * self.outputs.count
        return self.outputs.flatten(what, given, optional=True)

    @property
    def has_loss(self) -> bool:
        return any(part.has_loss and not part.only_measured for part in self.parts)

    @property
    def resolvable(self) -> bool:
        return self.has_loss and all(part.resolvable for part in self.parts if part.has_loss)

    def see_targets(self, y: Any, plan: Plan) -> None:
        values = self.outputs.flatten("y", y, optional=True)
        for part, value, output in zip(self.parts, values, plan.outputs, strict=True):
            if part.has_loss:
                part.see_targets_of(value, plan.row(output))

    def forget_targets(self) -> None:
        for part in self.parts:
            part.forget_targets()

    def resolve(self, plan: Plan, output: int | None = None) -> ResolvedObjective:
        if not self.has_loss:
            raise ValueError("the model was compiled without a loss, so it can only predict; name one, for example compile(loss='mse')")
        objectives: list[Objective] = []
        names: list[str] = []
        metrics: list[Metric | None] = []
        weighted: list[bool] = []
        parts: list[Part] = []
        output_column = target_column = 0
        row: Shape = ()
        for key, part, buffer in zip(self.outputs.keys, self.parts, plan.outputs, strict=True):
            if part.has_loss:
                objective = part.resolve(plan, buffer)
                width, row = math.prod(plan.row(buffer)), objective.row
                read = objective.terms[0].target_columns(width // objective.groups)
                columns = slice(output_column, output_column + width), slice(target_column, target_column + read)
                parts += [Part(*columns, objective.terms[0].sparse, len(objectives), row, objective.groups)] * (1 + len(objective.names))
                output_column, target_column = output_column + width, target_column + read
                objectives += objective.terms
                names += [f"{key}_loss", *(f"{key}_{name}" for name in objective.names)]
                metrics += [None, *objective.metrics]
                weighted += [True, *objective.weighted]
        if len(objectives) == 1:  # which is the loss of the model, so it has no name of its own
            del names[0], metrics[0], weighted[0]
            parts = [Part(part.outputs, slice(None), row=part.row, groups=part.groups) for part in parts[1:]]
        trained = [key for key, part in zip(self.outputs.keys, self.parts, strict=True) if part.has_loss and not part.only_measured]
        hidden = {f"{key}_loss" for key in self.outputs.keys if key not in trained or len(trained) == 1}
        order = tuple(name for key in self.order if (name := f"{key}_loss") in names and name not in hidden)
        row = row if len(objectives) == 1 else ()
        return ResolvedObjectives(
            tuple(objectives), tuple(names), tuple(metrics), tuple(weighted), row, 1, tuple(parts), order, frozenset(hidden)
        )

    def warn(self, plan: Plan, objective: ResolvedObjective, output: int | None = None) -> None:
        for part, buffer in zip(self.parts, plan.outputs, strict=True):
            if part.has_loss:
                part.warn(plan, part.resolve(plan, buffer), buffer)

    def check_axes(self, axes: Sequence[int]) -> None:
        for part, of_output in zip(self.parts, axes, strict=True):
            part.check_axes([of_output])

    def direction(self, name: str, plan: Plan, output: int | None = None) -> bool | None:
        if name == "loss":
            return False
        for key, part, buffer in zip(self.outputs.keys, self.parts, plan.outputs, strict=True):
            if part.has_loss and name.startswith(f"{key}_"):
                found = part.direction(name.removeprefix(f"{key}_"), plan, buffer)
                if found is not None:
                    return found
        return None

    def read_targets(self, y: Any, sample_weight: Any, plan: Plan, prefix: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Targets of all outputs side by side, float32, and weights ``(rows,)`` or a column for each loss.

        With a loss for one output only, its targets and weights as models with one output have them.
        """
        columns: list[np.ndarray] = []
        objectives = iter(self.resolve(plan).terms)
        used = [part.has_loss for part in self.parts]
        values = self.outputs.flatten(f"{prefix}y", y, optional=not all(used))
        for key, has_loss, value, buffer in zip(self.outputs.keys, used, values, plan.outputs, strict=True):
            if not has_loss:
                continue
            name = f"{prefix}y[{key!r}]"
            if value is None:
                raise ValueError(f"{name} is missing: give the targets, one per row of x")
            if not np.size(value):
                raise ValueError(f"{name} has no rows")
            term = next(objectives)
            part = targets.as_targets(value, term.loss, plan.row(buffer), name=name, ignored=term.ignored)
            if part.ndim == 1 and plan.widths[buffer] > MAX_LABELS:
                raise UnsupportedError(f"{name} has more than {MAX_LABELS} classes, which a model with several outputs can't have")
            if sum(used) == 1:
                return part, self._read_weights(sample_weight, used, prefix)
            columns.append(as_native(part.reshape(len(part), -1), np.float32))
            targets.check_lengths(**{f"{prefix}y[{self.outputs.keys[0]!r}]": columns[0], name: part})
        weight = self._read_weights(sample_weight, used, prefix)
        return np.ascontiguousarray(np.concatenate(columns, axis=1)), weight

    def _read_weights(self, given: Any, used: list[bool], prefix: str) -> np.ndarray | None:
        name = f"{prefix}sample_weight"
        if given is None:
            return None
        if not isinstance(given, Mapping) and not (
            isinstance(given, (list, tuple)) and len(given) == self.outputs.count and np.ndim(given[0])
        ):
            return targets.as_sample_weight(given, name=name)
        values = [value for value, has_loss in zip(self.outputs.flatten(name, given, optional=True), used, strict=True) if has_loss]
        if len(values) == 1:
            return None if values[0] is None else targets.as_sample_weight(values[0], name=name)
        if all(value is None for value in values):
            return None
        weights = [None if value is None else targets.as_sample_weight(value, name=name) for value in values]
        rows = targets.check_lengths(**{f"{name}[{index}]": weight for index, weight in enumerate(weights) if weight is not None})
        return np.stack([np.ones(rows, np.float32) if weight is None else weight for weight in weights], axis=1)

    def class_weights(self, given: Any, y: np.ndarray, plan: Plan, *, check: bool) -> np.ndarray:
        """The weight of each row, or of each row for each loss: ``given`` has an entry for each output whose classes are weighted."""
        used = [(key, part, plan.widths[buffer]) for key, part, buffer in zip(self.outputs.keys, self.parts, plan.outputs, strict=True)]
        names = {*self.outputs.keys, *self.outputs.names}
        by_output = isinstance(given, (list, tuple)) or (isinstance(given, Mapping) and names.issuperset(given))
        trained = [part.has_loss for part in self.parts]
        if not by_output and (sum(trained) > 1 or not isinstance(given, Mapping)):
            raise ValueError(
                f"the model has several outputs, so class_weight must be a dict from output to class weights, such as "
                f"{{{self.outputs.keys[0]!r}: {{0: 1.0, 1: 5.0}}}}, got {given!r:.80}"
            )
        values = self.outputs.flatten("class_weight", given, optional=True) if by_output else [given] * len(trained)
        weights = []
        column = 0
        terms = iter(self.resolve(plan).terms)
        for (key, part, width), value in zip(used, values, strict=True):
            if not part.has_loss:
                if by_output and value is not None:
                    raise ValueError(f"class_weight has the output {key!r}, which has no loss; leave it out")
                continue
            term = next(terms)
            of_term = y if sum(trained) == 1 else y[:, column : column + term.target_columns(width)]
            column += term.target_columns(width)
            if term.sparse and of_term.ndim == 2:
                of_term = of_term[:, 0].astype(np.int64)
            classes = part._classes(of_term, width) if check else None
            weights.append(np.ones(len(y), np.float32) if value is None else targets.class_weights_to_rows(value, of_term, classes))
        return weights[0] if len(weights) == 1 else np.stack(weights, axis=1)

    def get_config(self) -> dict[str, Any]:
        parts = [part.get_config() for part in self.parts]
        return {
            **super().get_config(),
            "loss": [part["loss"] for part in parts],
            "loss_weights": [part.weight for part in self.parts],
            "metrics": [part["metrics"] for part in parts],
            "weighted_metrics": [part["weighted_metrics"] for part in parts],
        }
