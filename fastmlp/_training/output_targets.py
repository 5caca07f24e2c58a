"""Targets, sample weights and class weights of the outputs of a model, as the engines read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp._base.numeric import as_native
from fastmlp._data import targets
from fastmlp._engine.spec import Plan
from fastmlp._graph.nest import Nest
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.objective import ResolvedObjective
from fastmlp.errors import UnsupportedError

__all__ = ["class_weights_of_samples", "name_of_output", "read_sample_weights", "read_targets"]

MAX_LABELS = 1 << 24
"""Beside other targets, labels stand in a column of float32, which holds integers up to here."""


def name_of_output(outputs: Nest, argument: str, key: str) -> str:
    """What to call an argument's part for an output in messages: ``y``, or ``y['price']`` with several outputs."""
    return f"{argument}[{key!r}]" if outputs.count > 1 else argument


def read_targets(config: CompileConfig, objective: ResolvedObjective, values: Sequence[Any], plan: Plan, name: str) -> np.ndarray:
    """The targets of all outputs that have a loss: those of a single one as the engines read them alone, else side by side as float32.

    Args:
        config: The arguments of ``compile``.
        objective: What they mean for the network.
        values: The targets of each output; None for one that has no loss.
        plan: The network.
        name: What to call the targets in messages.
    """
    outputs = config.form
    given = zip(outputs.keys, config.outputs, values, plan.outputs or (plan.output,), strict=True)
    used = [(name_of_output(outputs, name, key), value, buffer) for key, output, value, buffer in given if output.is_read]
    arrays: dict[str, np.ndarray] = {}
    for (called, value, buffer), read in zip(used, objective.objectives, strict=True):
        if value is None:
            raise ValueError(f"{called} is missing: give the targets, one per row of x")
        array = targets.as_targets(value, read.loss, plan.row(buffer), name=called, ignored=read.ignored)
        if len(used) == 1:
            return array
        if not len(array):
            raise ValueError(f"{called} has no rows")
        if array.ndim == 1 and plan.widths[buffer] > MAX_LABELS:
            raise UnsupportedError(f"{called} has more than {MAX_LABELS} classes, which a model with several outputs can't have")
        arrays[called] = as_native(array.reshape(len(array), -1), np.float32)
        targets.check_lengths(**arrays)
    return np.ascontiguousarray(np.concatenate(list(arrays.values()), axis=1))


def read_sample_weights(config: CompileConfig, given: Any, name: str) -> np.ndarray | None:
    """Sample weights ``(rows,)``, or a column for each loss; None for ones.

    Args:
        config: The arguments of ``compile``.
        given: Weights for all outputs, or for each of them.
        name: What to call them in messages.
    """
    if given is None:
        return None
    outputs = config.form
    of_each = isinstance(given, Mapping) or (isinstance(given, (list, tuple)) and len(given) == outputs.count and np.ndim(given[0]) > 0)
    if outputs.count == 1 or not of_each:
        return targets.as_sample_weight(given, name=name)
    by_output = zip(config.outputs, outputs.flatten(name, given, optional=True), strict=True)
    values = [value for output, value in by_output if output.is_read]
    if len(values) == 1:
        return None if values[0] is None else targets.as_sample_weight(values[0], name=name)
    if all(value is None for value in values):
        return None
    weights = [None if value is None else targets.as_sample_weight(value, name=name) for value in values]
    rows = targets.check_lengths(**{f"{name}[{index}]": weight for index, weight in enumerate(weights) if weight is not None})
    return np.stack([np.ones(rows, np.float32) if weight is None else weight for weight in weights], axis=1)


def class_weights_of_samples(
    config: CompileConfig, objective: ResolvedObjective, given: Any, y: np.ndarray, plan: Plan, *, check: bool
) -> np.ndarray:
    """The weight of each sample by its class, ``(rows,)``, or a column for each loss.

    Args:
        config: The arguments of ``compile``.
        objective: What they mean for the network.
        given: Class to weight; with several outputs, such a mapping for each output whose classes are weighted.
        y: Converted targets.
        plan: The network.
        check: Whether to warn of keys that are no classes.
    """
    weights: list[np.ndarray] = []
    columns = iter(zip(objective.objectives, objective.columns, strict=True))
    by_output = _class_weights_by_output(config, given)
    for (key, value), output, buffer in zip(by_output.items(), config.outputs, plan.outputs or (plan.output,), strict=True):
        if not output.is_read:
            if value is not None and value is not given:
                raise ValueError(f"class_weight has the output {key!r}, which has no loss; leave it out")
            continue
        read, place = next(columns)
        own = place.of_targets(y)
        if read.sparse and own.ndim == 2:
            own = own[:, 0].astype(np.int64)
        classes = output.classes(own, plan.widths[buffer]) if check else None
        weights.append(np.ones(len(y), np.float32) if value is None else targets.class_weights_to_rows(value, own, classes))
    return weights[0] if len(weights) == 1 else np.stack(weights, axis=1)


def _class_weights_by_output(config: CompileConfig, given: Any) -> dict[str, Any]:
    outputs = config.form
    if outputs.count == 1:
        return {outputs.keys[0]: given}
    if isinstance(given, (list, tuple)) or (isinstance(given, Mapping) and {*outputs.keys, *outputs.names}.issuperset(given)):
        return dict(zip(outputs.keys, outputs.flatten("class_weight", given, optional=True), strict=True))
    if sum(output.is_read for output in config.outputs) > 1 or not isinstance(given, Mapping):
        raise ValueError(
            f"the model has several outputs, so class_weight must be a dict from output to class weights, such as "
            f"{{{outputs.keys[0]!r}: {{0: 1.0, 1: 5.0}}}}, got {given!r:.80}"
        )
    return dict.fromkeys(outputs.keys, given)
