"""Targets of the outputs of a model, as the engines read them."""

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
"""Beside other targets, labels stand in a column of float32, which holds integers up to here."""


def name_of_output(outputs: Nest, argument: str, key: str) -> str:
    """What to call an argument's part for an output in messages: ``y``, or ``y['price']`` with several outputs."""
    return f"{argument}[{key!r}]" if outputs.count > 1 else argument


def read_targets(config: CompileConfig, objective: ResolvedObjective, values: Sequence[object], plan: Plan, name: str) -> np.ndarray:
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
            raise ValueError(f"{called} is missing: pass the targets, one for each sample of x")
        array = targets.as_targets(value, read.loss, plan.row(buffer), name=called, ignored=read.ignored)
        if len(used) == 1:
            return array
        if not len(array):
            raise ValueError(f"{called} has no samples")
        if array.ndim == 1 and plan.widths[buffer] > MAX_LABELS:
            raise UnsupportedError(f"{called} has more than {MAX_LABELS} classes, which a model with several outputs can't have")
        arrays[called] = as_native(array.reshape(len(array), -1), np.float32)
        targets.check_lengths(**arrays)
    return np.ascontiguousarray(np.concatenate(list(arrays.values()), axis=1))
