"""Conversion of the targets of a model's outputs to the arrays that engines read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp._base.numeric import as_native
from fastmlp._data import targets
from fastmlp._engine.spec import Plan
from fastmlp._graph.nest import Nest
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.objective import ResolvedObjective
from fastmlp.errors import UnsupportedError

__all__ = ["name_of_output", "read_targets"]

MAX_LABELS = 1 << 24
"""With several outputs, labels are stored as float32, which represents all integers up to this one."""


def name_of_output(outputs: Nest, argument: str, key: str) -> str:
    """The name of an output's part of an argument in messages: ``y``, or ``y['price']`` with several outputs."""
    return f"{argument}[{key!r}]" if outputs.count > 1 else argument


def read_targets(config: CompileConfig, objective: ResolvedObjective, values: Sequence[object], plan: Plan, name: str) -> np.ndarray:
    """Convert the targets of all outputs with a loss; those of several outputs are concatenated along the last axis as float32.

    Args:
        config: The arguments of ``compile``.
        objective: The objective resolved for the network.
        values: The targets of each output; None for outputs without a loss.
        plan: The network.
        name: Name of the targets in messages.
    """
    outputs = config.form
    objectives = iter(objective.objectives)
    arrays: dict[str, np.ndarray] = {}
    for key, output, value, buffer in zip(outputs.keys, config.outputs, values, plan.outputs or (plan.output,), strict=True):
        if not output.is_read:
            continue
        read, called = next(objectives), name_of_output(outputs, name, key)
        if value is None:
            raise ValueError(f"{called} is missing: pass the targets, one for each sample of x")
        array = targets.as_targets(value, read.loss, plan.row(buffer), name=called, ignored=read.ignored, own=output.own_targets)
        if len(objective.objectives) == 1:
            return array
        if not len(array):
            raise ValueError(f"{called} has no samples")
        if array.ndim == 1 and plan.widths[buffer] > MAX_LABELS:
            raise UnsupportedError(f"{called} has more than {MAX_LABELS} classes, which a model with several outputs can't have")
        arrays[called] = as_native(array.reshape(len(array), -1), np.float32)
        targets.check_lengths(**arrays)
    return np.ascontiguousarray(np.concatenate(list(arrays.values()), axis=1))
