"""What a file of any format holds of a model: captured for saving, and assigned to a model when loading.

Only this module and :mod:`fastmlp._training.state`, on which it stands, reach into a model for that.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np

from fastmlp._base import checks
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.files import blaming
from fastmlp._graph.symbolic import Tensor
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model
from fastmlp._models.sequential import Sequential
from fastmlp._training.state import Array, TrainingState
from fastmlp.errors import ModelFileError

__all__ = [
    "Contents",
    "assign",
    "check_widths",
    "exclusively",
    "learned",
    "make",
    "name",
    "number_inputs",
    "trained",
    "warn_of_non_finite",
]

_LAYER_LIMIT = 4096
_SPARE_WIDTH = 1 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds of a model, captured at one moment."""

    kind: str
    """``sequential`` or ``functional``."""
    config: Config
    """``Model.get_config()``."""
    compile: Config | None
    """``Model.get_compile_config()``."""
    state: TrainingState
    """Without slots before the first update, when all are zero, and if the optimizer's state is not saved."""
    columns: dict[str, list[str]]
    """The names of the features and targets, known from tables: ``{"x": ["age", "height"]}``; {} without any."""
    class_names: list[str | int | float] | None
    """``Model.class_names``."""

    @classmethod
    def of(cls, model: Model, include_optimizer: bool = True) -> Contents:
        """The contents now; other threads can't train the model meanwhile.

        Raises:
            ValueError: The model is not built.
        """
        if not model.built:
            raise ValueError(
                "the model is not built, so it has no weights to save; begin it with Input(shape=...), or call build or fit first"
            )
        with exclusively(model, "save"):
            state = TrainingState.capture(model, optimizer=include_optimizer)
            return cls(
                "sequential" if isinstance(model, Sequential) else "functional",
                model.get_config(),
                model.get_compile_config(),
                state if state.counters["iterations"] else replace(state, slots={}),
                {key: list(names) for key, names in model.column_names().items()},
                model.class_names,
            )


def learned(model: Model) -> list[int]:
    """The indices of the weights that have optimizer slots: all but moving statistics, frozen or not."""
    return [index for index, _ in model._learned()]


def trained(model: Model) -> list[int]:
    """The indices of the weights that the optimizer updates: those that are not frozen either."""
    return [index for index, weight in enumerate(model._weights) if weight.trainable]


def number_inputs(model: Model) -> list[Tensor]:
    """The inputs of a model that hold integers."""
    start, found = 0, []
    for tensor in model.graph.inputs:
        if any((numbers.begin, numbers.end) == (start, start + math.prod(tensor.row)) for numbers in model._integer_features):
            found.append(tensor)
        start += math.prod(tensor.row)
    return found


def make(path: str | os.PathLike[str], config: StoredConfig, kind: str = "sequential") -> Model:
    """Build the model of this kind that the file ``path`` describes, without memory for its weights yet.

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
    """Refuse layers whose width is out of proportion to the ``elements`` in the file; without weights, no array confirms their width."""
    assert model.plan is not None
    if sum(model.plan.widths) > _SPARE_WIDTH + 16 * elements:
        raise ModelFileError(
            path, f"its model has layers of {max(model.plan.widths)} outputs, out of proportion to the weights in the file"
        )


def assign(path: str | os.PathLike[str], model: Model, weights: Iterable[Array | None]) -> None:
    """Gives the model the arrays of a file, in the order of ``Model.get_weights()`` and of the right shapes; None leaves a weight alone.

    Warns of those that hold NaN or Inf, which training can lead to.
    """
    stored = {weight: value for weight, value in zip(model._weights, weights, strict=True) if value is not None}
    for weight, value in stored.items():
        weight.store(value)
    warn_of_non_finite(path, {weight.parameter().name: value for weight, value in stored.items()})


def warn_of_non_finite(path: str | os.PathLike[str], weights: Mapping[str, Array]) -> None:
    """Warns if some of the weights of a file, given by their names, hold NaN or Inf."""
    if names := [name for name, value in weights.items() if not np.isfinite(value).all()]:
        checks.warn(f"{os.fspath(path)}: {', '.join(names)} held NaN or Inf when it was saved")


def name(path: str | os.PathLike[str], model: Model, described: Mapping[str, object]) -> None:
    """Gives the model the names of its columns and classes, which a file's document has by the names in :class:`Contents`, or lacks."""
    with blaming(path, "its list of column names"):
        columns = described.get("columns", {})
        if not isinstance(columns, Mapping):
            raise ValueError(f"it must be an object, got {columns!r:.80}")
        model._set_columns(columns)
    with blaming(path, "its list of class names"):
        model.class_names = described.get("class_names")


def exclusively(model: Model, method: str) -> AbstractContextManager[None]:
    """Keeps other threads from training the model meanwhile; a callback may save or load the weights of the model that calls it."""
    return nullcontext() if model._is_training_here() else model._exclusively(method)
