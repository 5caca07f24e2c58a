"""What of a model goes to a file, whatever its format: taken at one moment, and how it comes back.

This is the only place that reaches into a model for that.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base import checks
from fastmlp._base.files import blaming
from fastmlp._graph.symbolic import Tensor
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model
from fastmlp._models.sequential import Sequential
from fastmlp.errors import ModelFileError

__all__ = [
    "Snapshot",
    "assign",
    "check_widths",
    "exclusively",
    "learned",
    "make",
    "name_columns",
    "number_inputs",
    "resume",
    "take",
    "trained",
]

Array = NDArray[np.float32]
_LAYER_LIMIT = 4096
_SPARE_WIDTH = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model at one moment."""

    kind: str
    """``sequential`` or ``functional``."""
    config: dict[str, Any]
    """``Model.get_config()``."""
    compile: dict[str, Any] | None
    """``Model.get_compile_config()``."""
    weights: list[Array]
    """In the order of ``Model.get_weights()``."""
    slots: dict[str, list[Array]]
    """The optimizer's state, an array for each weight of :func:`learned`; ``{}`` before the first update, when all of it is zero, or when
    it is not wanted."""
    training: dict[str, int]
    """``Model.training_state()``; 0 iterations if the optimizer's state is not wanted."""
    columns: dict[str, list[str]]
    """The names of the features and targets that frames told: ``{"x": ["age", "height"]}``; {} where there are none."""


def take(model: Model, include_optimizer: bool = True) -> Snapshot:
    """The model as it is now; other threads can't train it meanwhile.

    Raises:
        ValueError: The model is not built.
    """
    if not model.built:
        raise ValueError("the model is not built, so it has no weights to save; begin it with Input(shape=...), or call build or fit first")
    with exclusively(model, "save"):
        state = (model._optimizer_state() if include_optimizer else None) or {"iterations": 0, "slots": {}}
        return Snapshot(
            "sequential" if isinstance(model, Sequential) else "functional",
            model.get_config(),
            model.get_compile_config(),
            model.get_weights(),
            state["slots"] if state["iterations"] else {},
            model.training_state() | {"iterations": state["iterations"]},
            {key: list(names) for key, names in model._columns.names.items()},
        )


def learned(model: Model) -> list[int]:
    """The indices of the weights for which the optimizer keeps something: all but moving statistics, frozen or not."""
    return [index for index, _ in model._learned()]


def trained(model: Model) -> list[int]:
    """The indices of those that it moves."""
    return [index for index, weight in enumerate(model._weights) if weight.trainable]


def number_inputs(model: Model) -> list[Tensor]:
    """Those of a model's inputs that hold integers."""
    begin, found = 0, []
    for tensor in model.graph.inputs:
        if any((numbers.begin, numbers.end) == (begin, begin + math.prod(tensor.row)) for numbers in model._whole_numbers):
            found.append(tensor)
        begin += math.prod(tensor.row)
    return found


def make(path: str | os.PathLike[str], config: Mapping[str, Any], kind: str = "sequential") -> Model:
    """The model of this kind that the file ``path`` describes, still without memory for its weights.

    Raises:
        ModelFileError: The configuration is malformed, or not of a model that is built.
    """
    layers = config.get("layers")
    if isinstance(layers, list) and len(layers) > _LAYER_LIMIT:
        raise ModelFileError(path, f"its model has {len(layers)} layers; the limit is {_LAYER_LIMIT}")
    with blaming(path, "its model configuration"):
        model = (Sequential if kind == "sequential" else Functional).from_config(config)
    if model.plan is None:
        raise ModelFileError(path, "its model configuration has no input shape")
    return model


def check_widths(path: str | os.PathLike[str], model: Model, elements: int) -> None:
    """Refuses layers without weights that are out of proportion to the ``elements`` in the file: no array vouches for their widths."""
    assert model.plan is not None
    if sum(model.plan.widths) > _SPARE_WIDTH + 16 * elements:
        raise ModelFileError(
            path, f"its model has layers of {max(model.plan.widths)} outputs, out of proportion to the weights in the file"
        )


def assign(path: str | os.PathLike[str], model: Model, weights: Iterable[Array | None]) -> None:
    """Gives the model the arrays of a file, in the order of ``Model.get_weights()`` and of the right shapes; None leaves a weight alone.

    Warns of those that hold NaN or Inf, which training can lead to.
    """
    broken = []
    for weight, value in zip(model._weights, weights, strict=True):
        if value is not None:
            weight.store(value)
            if not np.isfinite(value).all():
                broken.append(weight.parameter.name)
    if broken:
        checks.warn(f"{os.fspath(path)}: {', '.join(broken)} held NaN or Inf when it was saved")


def resume(model: Model, slots: Mapping[str, Sequence[Array]], training: Mapping[str, Any]) -> None:
    """Lets training go on from there; ``slots`` is ``{}`` or has all that the compiled model's network has, in the right shapes."""
    if slots:
        model._restore_optimizer_state({"iterations": 0, "slots": slots})
    model.restore_training_state(training)


def name_columns(path: str | os.PathLike[str], model: Model, columns: Any) -> None:
    """Gives the model the names of its columns, as :class:`Snapshot` has them."""
    with blaming(path, "its list of column names"):
        if not isinstance(columns, Mapping):
            raise ValueError(f"it must be an object, got {columns!r:.80}")
        model._set_columns(columns)


def exclusively(model: Model, method: str) -> AbstractContextManager[None]:
    """Keeps other threads from training the model meanwhile; a callback may save or load the weights of the model that calls it."""
    return nullcontext() if model._is_training_here() else model._exclusively(method)
