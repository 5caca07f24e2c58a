"""What both of Keras' formats have in common: the model's description on the way out, and the model that is made of it on the way in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import fastmlp.saving.contents as contents
import fastmlp.saving.formats.kerascompile as kerascompile
import fastmlp.saving.formats.kerasconfig as kerasconfig
import fastmlp.saving.formats.variables as variables
from fastmlp._base import checks
from fastmlp._base.files import blaming
from fastmlp._base.h5 import Group
from fastmlp._models.model import Model
from fastmlp._training.state import Array, OptimizerState
from fastmlp.errors import ModelFileError
from fastmlp.saving.contents import Contents

__all__ = ["checked_ours", "description", "make", "ours", "restore", "restore_weights"]


def ours(held: Contents, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras has no place for, and fastmlp needs to go on exactly where training stopped."""
    import fastmlp

    described: dict[str, Any] = {"version": fastmlp.__version__, "training": held.state.counters, "provenance": dict(provenance)}
    described |= {"columns": held.columns, "class_names": held.class_names}
    options = held.compile["optimizer"]["config"] if held.compile else {}
    return {**described, "optimizer": {name: options[name] for name in sorted(kerascompile.OUR_OPTIMIZER & set(options))}}


def make(path: str | os.PathLike[str], config: Any) -> Model:
    """The model a file describes in Keras' words, still without memory for its weights."""
    with blaming(path, "its model configuration"):
        kind, described = kerasconfig.read_model(config)
    return contents.make(path, described, kind)


def restore(
    path: str | os.PathLike[str],
    model: Model,
    weights: Sequence[Array | None],
    compiled: Any,
    optimizer: tuple[Group, Sequence[str]] | None,
    stored: Any,
) -> None:
    """Gives a model what its file holds.

    Args:
        path: The file.
        model: What :func:`make` gave.
        weights: Its arrays.
        compiled: Keras' compile configuration, None to leave the model uncompiled.
        optimizer: Where the optimizer's state lies: a group, and the names of the arrays in Keras' order.
        stored: What :func:`ours` gave, None in a file of Keras.
    """
    contents.check_widths(path, model, model.count_params())
    contents.assign(path, model, weights)
    contents.name(path, model, stored or {})
    state: OptimizerState | None = None
    with blaming(path, "its compile configuration"):
        assert model.plan is not None
        described = _read_compile(compiled, stored, len(model.plan.outputs) or 1)
        if described is not None:
            model.compile_from_config(described)
            if optimizer is not None and variables.has_optimizer(model):
                state = variables.read_optimizer(*optimizer, model)
    with blaming(path, "its training state"):
        state = state or OptimizerState(0, {})
        if state.slots:
            state.restore(model)
        model.restore_training_state(model.training_state() | (stored or {}).get("training", {}) | {"iterations": state.iterations})


def restore_weights(
    path: str | os.PathLike[str],
    model: Model,
    weights: Sequence[Array | None],
    optimizer: tuple[Group, Sequence[str]] | None,
    skip_mismatch: bool,
) -> None:
    """Gives a model that is in use the weights of a file and, if it is compiled and the file has one, the optimizer's state."""
    state: OptimizerState | None = None
    if optimizer is not None and variables.has_optimizer(model) and all(weight is not None for weight in weights):
        try:
            state = variables.read_optimizer(*optimizer, model)
        except ModelFileError as error:  # the file of another optimizer
            if not skip_mismatch:
                checks.warn(f"the optimizer goes on with the state it has: {error.reason}")
    with contents.exclusively(model, "load_weights"):
        contents.assign(path, model, weights)
        if state is not None:
            state.restore(model)


def checked_ours(path: str | os.PathLike[str], stored: Any) -> dict[str, Any] | None:
    """What :func:`ours` gave, if it is of the right form; None in a file of Keras."""
    if stored is None:
        return None
    kinds = {"version": str, "training": dict, "provenance": dict}
    if not isinstance(stored, Mapping) or not all(isinstance(stored.get(name), kind) for name, kind in kinds.items()):
        raise ModelFileError(path, "what fastmlp wrote beside Keras' description is not valid")
    options = stored.get("optimizer", {})
    if not isinstance(options, Mapping) or set(options) - kerascompile.OUR_OPTIMIZER:
        raise ModelFileError(path, "what fastmlp wrote of the optimizer is not valid")
    return dict(stored)


def _read_compile(compiled: Any, stored: Mapping[str, Any] | None, outputs: int) -> dict[str, Any] | None:
    described = kerascompile.read_compile(compiled, outputs)
    if described is not None and stored is not None:
        described["optimizer"]["config"] |= stored.get("optimizer", {})
    return described


def description(
    path: str | os.PathLike[str], config: Any, compiled: Any, keras_version: str, created: str, stored: dict[str, Any] | None
) -> dict[str, Any]:
    """What :func:`fastmlp.saving.describe` says about a file of Keras' formats."""
    with blaming(path, "its description"):
        kind, model = kerasconfig.read_model(config)
        return {
            "format": "keras",
            "keras_version": keras_version,
            "fastmlp_version": stored["version"] if stored else None,
            "created": created,
            "kind": kind,
            "model": model,
            "compile": _read_compile(compiled, stored, len(model["outputs"]["tensors"]) if kind == "functional" else 1),
            "training": stored["training"] if stored else None,
            "provenance": stored["provenance"] if stored else {},
            "columns": stored.get("columns", {}) if stored else {},
            "class_names": stored.get("class_names") if stored else None,
        }
