"""A functional model's layers and how they are connected, as JSON values, and back.

A tensor is named by the layer it comes from, which of the layer's calls in this model gives it, and which output of that call it is:
``["dense", 0, 0]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp import layers
from fastmlp.structures import Structure
from fastmlp.symbolic import Graph, Tensor, as_tensors

__all__ = ["describe", "rebuild"]

CALL_LIMIT = 65536
_FIELDS = {"name": str, "layers": list, "inputs": dict, "outputs": dict}


def describe(name: str, graph: Graph, inputs: Structure, outputs: Structure) -> dict[str, Any]:
    """The configuration of a functional model."""
    return {
        "name": name,
        "layers": [
            {**_serialize(layer), "calls": [[place(graph, tensor) for tensor in call.inputs] for call in graph.calls_of(layer)]}
            for layer in graph.layers
        ],
        "inputs": _arrangement(graph, inputs, graph.inputs),
        "outputs": _arrangement(graph, outputs, graph.outputs),
    }


def place(graph: Graph, tensor: Tensor) -> list[Any]:
    """Layer, call and output that a tensor is."""
    calls = graph.calls_of(tensor.call.layer)
    return [tensor.name, calls.index(tensor.call) if tensor.call in calls else 0, tensor.index]


def rebuild(config: Any) -> tuple[Any, Any]:
    """Inputs and outputs of a new graph of new layers.

    Raises:
        ValueError: The configuration is not one that :func:`describe` gives.
    """
    if not isinstance(config, Mapping) or set(config) != set(_FIELDS):
        raise ValueError(f"the configuration of a model must have {', '.join(_FIELDS)}, got {config!r:.200}")
    for field, kind in _FIELDS.items():
        if not isinstance(config[field], kind) or not config[field]:
            raise ValueError(f"the {field} of a model must be a non-empty {kind.__name__}, got {config[field]!r:.80}")
    made: dict[str, list[tuple[Tensor, ...]]] = {}
    waiting: dict[str, list[Any]] = {}
    objects: dict[str, Any] = {}
    for entry in config["layers"]:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("calls"), list):
            raise ValueError(f"a layer of a model must have a class, a config and calls, got {entry!r:.200}")
        layer = _deserialize({key: value for key, value in entry.items() if key != "calls"})
        if layer.name in objects:
            raise ValueError(f"two layers of the model are called {layer.name!r}")
        objects[layer.name], waiting[layer.name], made[layer.name] = layer, list(entry["calls"]), []
        if isinstance(layer, layers.InputLayer):
            made[layer.name].append((layer.tensor(),))
    if sum(map(len, waiting.values())) > CALL_LIMIT:
        raise ValueError(f"the model has more than {CALL_LIMIT} calls of layers")
    _make_calls(objects, waiting, made)
    return _find_all(config["inputs"], made), _find_all(config["outputs"], made)


def _make_calls(objects: Mapping[str, Any], waiting: Mapping[str, list[Any]], made: dict[str, list[tuple[Tensor, ...]]]) -> None:
    """Call layers on what is there already, until all calls are made."""
    progress = True
    while progress:
        progress = False
        for name, calls in waiting.items():
            while calls and (inputs := _find_inputs(calls[0], made)) is not None:
                del calls[0]
                given = objects[name](inputs[0] if len(inputs) == 1 else inputs)
                made[name].append(as_tensors(name, given)[0].call.outputs)
                progress = True
    unmade = [name for name, calls in waiting.items() if calls]
    if unmade:
        raise ValueError(f"the layer {unmade[0]!r:.80} is called on something that no layer gives")


def _find_inputs(places: Any, made: Mapping[str, list[tuple[Tensor, ...]]]) -> list[Tensor] | None:
    """The tensors of a call; None if one is not there yet."""
    if not isinstance(places, list) or not places:
        raise ValueError(f"a call of a layer must be a list of tensors, got {places!r:.80}")
    found = [_find(place, made) for place in places]
    return None if None in found else [tensor for tensor in found if tensor is not None]


def _find(place: Any, made: Mapping[str, list[tuple[Tensor, ...]]]) -> Tensor | None:
    match place:
        case [str(name), int(call), int(index)] if name in made and call >= 0 and index >= 0:
            if call >= len(made[name]):
                return None
            if index < len(made[name][call]):
                return made[name][call][index]
    raise ValueError(f"a tensor must be [layer, call, output], got {place!r:.80}")


def _arrangement(graph: Graph, structure: Structure, tensors: tuple[Tensor, ...]) -> dict[str, Any]:
    return {"form": structure.form, "keys": list(structure.keys), "tensors": [place(graph, tensor) for tensor in tensors]}


def _find_all(arranged: Mapping[str, Any], made: Mapping[str, list[tuple[Tensor, ...]]]) -> Any:
    match arranged:
        case {"form": "single" | "list" | "dict" as form, "keys": list(keys), "tensors": list(places)} if len(keys) == len(places) > 0:
            tensors = _find_inputs(places, made)
            if tensors is not None and all(isinstance(key, str) for key in keys):
                return tensors[0] if form == "single" else tensors if form == "list" else dict(zip(keys, tensors, strict=True))
    raise ValueError(f"the inputs and outputs of a model must have a form, keys and tensors that layers give, got {arranged!r:.200}")


def _serialize(layer: Any) -> dict[str, Any]:
    if hasattr(layer, "graph"):
        return {"class": type(layer).__name__, "config": layer.get_config()}
    return layers.registry.serialize(layer)


def _deserialize(entry: Mapping[str, Any]) -> Any:
    from fastmlp.functional import Functional
    from fastmlp.models import Sequential

    models = {"Functional": Functional, "Sequential": Sequential}
    kind: Any = models.get(str(entry.get("class")))
    if kind is None:
        return layers.registry.deserialize(entry)
    if not isinstance(entry.get("config"), Mapping):
        raise ValueError(f"the configuration of a model inside a model must be a dict, got {entry.get('config')!r:.80}")
    return kind.from_config(entry["config"])
