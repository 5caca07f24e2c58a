"""``.h5``, the format of Keras 2 that Keras 3 still reads and writes: one HDF5 file with

attributes model_config, training_config          JSON, without modules
keras_version, backend                            who wrote it; fastmlp adds "fastmlp", which Keras does not read
model_weights/<layer>/…                           the arrays that the layer's attribute weight_names lists
optimizer_weights/…                               iterations, learning rate, then the optimizer's state
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastmlp.saving.formats.document as document
import fastmlp.saving.formats.kerascompile as kerascompile
import fastmlp.saving.formats.kerasconfig as kerasconfig
import fastmlp.saving.formats.kerasops as kerasops
import fastmlp.saving.formats.variables as variables
from fastmlp._base import h5
from fastmlp._base.files import open_regular, parse_json, replacing
from fastmlp._base.h5 import Group
from fastmlp._graph.weights import Weight
from fastmlp._models.model import Model
from fastmlp._training.state import Array
from fastmlp.errors import UnsupportedError
from fastmlp.saving.contents import Contents

__all__ = ["describe", "load", "load_weights", "save"]

AnyPath = str | os.PathLike[str]
_JSON_LIMIT = 4 << 20
"""Bytes; room for some thousands of layers."""
_LAYER_LIMIT = 4096
_LAYER_ARRAYS = 64
"""More than any layer has."""


def save(model: Model, target: Path, include_optimizer: bool, provenance: Mapping[str, Any]) -> None:
    """Writes a model to ``target``, which passed :func:`fastmlp._base.files.check_target`."""
    held = Contents.of(model, include_optimizer)
    config = kerasconfig.write_model(model)
    memory = io.BytesIO()
    with h5.writing(memory) as root:
        root.attrs["backend"] = "numpy"
        root.attrs["keras_version"] = kerasconfig.KERAS_VERSION
        root.attrs["model_config"] = _json(_legacy(config))
        root.attrs["fastmlp"] = _json(document.ours(held, provenance))
        if held.compile is not None:
            root.attrs["training_config"] = _json(_legacy(kerascompile.write_compile(held.compile)))
        _write_weights(root.create_group("model_weights"), model, held)
        if include_optimizer and variables.has_optimizer(model):
            _write_optimizer(root.create_group("optimizer_weights"), model, held)
    with replacing(target) as temporary:
        temporary.write_bytes(memory.getbuffer())


def _legacy(data: Any) -> Any:
    """The same in the form of the older files: class_name and config only, except inside a layer's arguments."""
    if not isinstance(data, Mapping):
        return data
    if "class_name" not in data:
        renamed = {"optimizer_config" if name == "optimizer" else name: value for name, value in data.items()}
        return {name: [_legacy(item) for item in value] if isinstance(value, list) else _legacy(value) for name, value in renamed.items()}
    if kerasconfig.is_function(data):
        return data["config"]
    config = dict(data["config"])
    if data.get("module") == kerasops.MODULE:
        raise UnsupportedError(f"Keras can't read a quotient or a slice of tensors, {config['name']!r}, from .h5; save the model as .keras")
    if isinstance(config.get("layers"), list):
        config["layers"] = [_legacy(layer) for layer in config["layers"]]
    connected = {name: data[name] for name in ("name", "inbound_nodes") if name in data}
    return {"class_name": data.get("registered_name") or data["class_name"], "config": config, **connected}


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _write_weights(group: Any, model: Model, held: Contents) -> None:
    group.attrs["backend"] = "numpy"
    group.attrs["keras_version"] = kerasconfig.KERAS_VERSION
    h5.write_texts(group, "layer_names", [layer.name for layer in model.layers])
    arrays = dict(zip(model._weights, held.state.weights, strict=True))
    for layer in model.layers:
        own = group.create_group(layer.name)
        values = {
            f"{model.name}/{item.path}": item.value if item.weight is None else arrays[item.weight] for item in variables.listed(layer)
        }
        h5.write_texts(own, "weight_names", list(values))
        for name, array in values.items():
            own[name] = array
    h5.write_texts(group.create_group("top_level_model_weights"), "weight_names", [])


def _write_optimizer(group: Any, model: Model, held: Contents) -> None:
    owner = model.optimizer.name
    assert model.plan is not None
    weights = [parameter.name.replace("/", "_") for parameter in model.plan.parameters]
    state = [f"{owner}/{model.name}_{weights[index]}_{slot}" for slot, index in variables.optimizer_order(model)]
    before, behind = ([f"{owner}/{name}" for name in names(model)] for names in (variables.numbers_before, variables.numbers_behind))
    names = [*before, *state, *behind]
    h5.write_texts(group, "weight_names", names)
    for name, array in zip(names, variables.optimizer_arrays(model, held), strict=True):
        group[name] = array


def load(path: AnyPath, compile: bool) -> Model:
    """The model in a file; see :func:`fastmlp.load_model`."""
    with _opened(path) as root:
        model = document.make(path, _read_json(root, "model_config"))
        weights = _read_weights(root.group("model_weights"), model, skip_mismatch=False)
        compiled = _read_json(root, "training_config") if compile else None
        document.restore(path, model, weights, compiled, _optimizer(root, model), _ours(root))
        return model


def load_weights(model: Model, path: AnyPath, skip_mismatch: bool) -> None:
    """Gives ``model`` the arrays in a file, and its optimizer's state if it has one of this kind."""
    with _opened(path) as root:
        weights = _read_weights(root.find("model_weights") or root, model, skip_mismatch)
        document.restore_weights(path, model, weights, _optimizer(root, model), skip_mismatch)


def describe(path: AnyPath) -> dict[str, Any]:
    """See :func:`fastmlp.saving.describe`."""
    with _opened(path) as root:
        config, compiled = _read_json(root, "model_config"), _read_json(root, "training_config")
        return document.description(path, config, compiled, root.text("keras_version") or "unknown", "", _ours(root))


@contextmanager
def _opened(path: AnyPath) -> Iterator[Group]:
    with open_regular(path) as file, h5.reading(file.read(), path) as root:
        yield root


def _read_json(root: Group, name: str) -> dict[str, Any] | None:
    text = root.text(name)
    if text is None:
        return None
    if len(text) > _JSON_LIMIT:
        raise root.fail(f"its {name} of {len(text)} characters is larger than the {_JSON_LIMIT} a model can have")
    return parse_json(root.path, text, name)


def _ours(root: Group) -> dict[str, Any] | None:
    return document.checked_ours(root.path, _read_json(root, "fastmlp"))


def _read_weights(group: Group, model: Model, skip_mismatch: bool) -> list[Array | None]:
    """The arrays for the model's weights: layers that have any are matched by their order, as Keras does it."""
    names = group.texts("layer_names", _LAYER_LIMIT)
    most = max(_LAYER_ARRAYS, 2 * len(model._weights))  # a model in a layer's place has all of its own
    stored = {name: own.texts("weight_names", most) for name, own in ((name, group.group(name)) for name in names)}
    filled = [name for name in names if stored[name]]
    wanted = [layer for layer in model.layers if variables.listed(layer)]
    if len(filled) != len(wanted):
        raise group.fail(f"it does not fit the model: {len(wanted)} layers of the model have weights, but {len(filled)} layers of the file")
    result: dict[Weight, Array | None] = {}
    for name, layer in zip(filled, wanted, strict=True):
        own = group.group(name)
        result |= variables.fitted(group, layer, [(own, weight) for weight in stored[name]], skip_mismatch)
    return [result[weight] for weight in model._weights]


def _optimizer(root: Group, model: Model) -> tuple[Group, list[str]] | None:
    group = root.find("optimizer_weights")
    if group is None:
        return None
    return group, group.texts("weight_names", limit=3 + variables.MAX_SLOTS * len(model._weights))
