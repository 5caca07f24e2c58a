"""Configurations of functional models: the layers and their connections as JSON values, and back.

Calls are numbered, so that they can be repeated in order. A tensor is ``["dense", 0, 0]``: the layer that returned it, the index of the
call among the layer's calls in this model, and the index of the output of that call. A call is ``[number, tensors]``, or
``[number, tensors, {"training": true}]`` if it had the argument ``training``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp import layers
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._graph.nest import Nest
from fastmlp._graph.symbolic import Call, Graph, Tensor, as_tensors, connect
from fastmlp._models.model import MODEL_CLASSES, Model, Tensors

__all__ = ["describe", "deserialize_layer", "rebuild", "serialize_layer"]

_FIELDS = {"name": str, "layers": list, "inputs": dict, "outputs": dict}


def describe(name: str, graph: Graph, inputs: Nest, outputs: Nest) -> Config:
    """The configuration of a functional model."""
    step = {call: index for index, call in enumerate(sorted(graph.calls, key=lambda call: call.number))}
    return {
        "name": name,
        "layers": [
            {
                **serialize_layer(layer),
                "calls": [_describe_call(graph, call, step[call]) for call in graph.calls_of(layer)],
            }
            for layer in graph.layers
        ],
        "inputs": _arrangement(graph, inputs, graph.inputs),
        "outputs": _arrangement(graph, outputs, graph.outputs),
    }


def _describe_call(graph: Graph, call: Call, step: int) -> list[Any]:
    described = [step, [list(graph.place(tensor)) for tensor in call.inputs]]
    return described if call.training is None else [*described, {"training": call.training}]


def rebuild(config: object) -> tuple[Tensors, Tensors]:
    """The inputs and outputs of a new graph of new layers.

    Raises:
        ValueError: The configuration is not of the form that :func:`describe` returns.
    """
    if not isinstance(config, Mapping) or set(config) != set(_FIELDS):
        raise ValueError(f"the configuration of a model must have {', '.join(_FIELDS)}, got {config!r:.200}")
    for field, kind in _FIELDS.items():
        if not isinstance(config[field], kind) or not config[field]:
            raise ValueError(f"the {field} of a model must be a non-empty {kind.__name__}, got {config[field]!r:.80}")
    made: dict[str, list[tuple[Tensor, ...]]] = {}
    calls: list[tuple[int, Any, Any, bool | None]] = []
    for entry in config["layers"]:
        layer, uses = _read_layer(entry)
        if layer.name in made:
            raise ValueError(f"two layers of the model are called {layer.name!r}")
        made[layer.name] = [(layer.tensor(),)] if isinstance(layer, layers.InputLayer) else []
        calls += [(step, layer, places, training) for step, places, training in uses]
    for _, layer, places, training in sorted(calls, key=lambda call: call[0]):
        returned = connect(layer, _find_inputs(places, made), training)
        made[layer.name].append(as_tensors(layer.name, returned)[0].call.outputs)
    return _find_all(config["inputs"], made), _find_all(config["outputs"], made)


def _read_layer(entry: object) -> tuple[Any, list[tuple[int, Any, bool | None]]]:
    """A layer, and for each of its calls: the number, the places of the inputs, and the argument ``training``."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("calls"), list):
        raise ValueError(f"a layer of a model must have a class, a config and calls, got {entry!r:.200}")
    uses: list[tuple[int, Any, bool | None]] = []
    for call in entry["calls"]:
        match call:
            case [int(step), list(places)] if places:
                uses.append((step, places, None))
            case [int(step), list(places), {"training": bool(training), **others}] if places and not others:
                uses.append((step, places, training))
            case _:
                raise ValueError(
                    f"a call of a layer must be [number, tensors] or [number, tensors, {{'training': bool}}], got {call!r:.80}"
                )
    return deserialize_layer({key: value for key, value in entry.items() if key != "calls"}), uses


def _find_inputs(places: list[Any], made: Mapping[str, list[tuple[Tensor, ...]]]) -> list[Tensor]:
    return [_find(place, made) for place in places]


def _find(place: object, made: Mapping[str, list[tuple[Tensor, ...]]]) -> Tensor:
    match place:
        case [str(name), int(call), int(index)] if name in made and 0 <= call < len(made[name]) and 0 <= index < len(made[name][call]):
            return made[name][call][index]
    raise ValueError(f"a tensor must be [layer, call, output] of an earlier call, got {place!r:.80}")


def _arrangement(graph: Graph, structure: Nest, tensors: tuple[Tensor, ...]) -> dict[str, Any]:
    return {"form": structure.form, "keys": list(structure.keys), "tensors": [list(graph.place(tensor)) for tensor in tensors]}


def _find_all(arranged: Mapping[str, Any], made: Mapping[str, list[tuple[Tensor, ...]]]) -> Tensors:
    match arranged:
        case {"form": "single" | "list" | "dict" as form, "keys": list(keys), "tensors": list(places)} if len(keys) == len(places) > 0:
            tensors = _find_inputs(places, made)
            if all(isinstance(key, str) for key in keys):
                return tensors[0] if form == "single" else tensors if form == "list" else dict(zip(keys, tensors, strict=True))
    raise ValueError(f"the inputs and outputs of a model must have a form, keys and tensors that layers return, got {arranged!r:.200}")


def serialize_layer(layer: layers.Layer | Model) -> Config:
    """The configuration of a layer, or of a model used as a layer."""
    if isinstance(layer, layers.Layer):
        return layers.registry.serialize(layer)
    return {"class": next(name for name, kind in MODEL_CLASSES.items() if isinstance(layer, kind)), "config": layer.get_config()}


def deserialize_layer(entry: StoredConfig) -> layers.Layer | Model:
    """The layer or model from its :func:`serialize_layer`."""
    kind: Any = MODEL_CLASSES.get(str(entry.get("class")))
    if kind is None:
        return layers.registry.deserialize(entry)
    if not isinstance(entry.get("config"), Mapping):
        raise ValueError(f"the configuration of a model inside a model must be a dict, got {entry.get('config')!r:.80}")
    return kind.from_config(entry["config"])
