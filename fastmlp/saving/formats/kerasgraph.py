"""How the layers of Keras' functional models are connected, translated into :mod:`fastmlp._models.graph_config`'s form, and back.

Keras notes beside each layer on which tensors it was called, call by call: ``"inbound_nodes": [{"args": [tensor], "kwargs": {}}]``, where a
tensor is named by the layer it comes from, which of the layer's calls gives it, and which output of that call it is: ``["dense", 0, 0]``.
The older files say ``"inbound_nodes": [[["dense", 0, 0, {}]]]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import fastmlp.saving.formats.kerasops as kerasops
from fastmlp._graph.symbolic import Call, Graph, Tensor
from fastmlp.errors import UnsupportedError

__all__ = ["read", "write_calls", "write_places"]

Place = tuple[str, int, int]


def read(config: Mapping[str, Any], read_layer: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """``Functional.get_config()`` from the configuration of Keras' functional model.

    Args:
        config: It.
        read_layer: Gives class and config of one of its layers.

    Raises:
        UnsupportedError: A layer was called with more than tensors.
        ValueError: It is malformed.
    """
    described: dict[str, dict[str, Any]] = {}
    calls: dict[tuple[str, int], list[Place]] = {}
    training: dict[tuple[str, int], bool | None] = {}
    for entry in config["layers"]:
        data = kerasops.as_layer(entry) if isinstance(entry, Mapping) else entry
        if not isinstance(data, Mapping) or not isinstance(data.get("inbound_nodes"), list):
            raise ValueError(f"a layer of a functional model must have inbound_nodes, got {data!r:.80}")
        layer = read_layer(data)
        name = layer["config"].get("name")
        if not isinstance(name, str) or data.get("name", name) != name or name in described:
            raise ValueError(f"the layers of a functional model must have names, each another one, got {name!r:.80}")
        described[name] = layer
        for index, node in enumerate(data["inbound_nodes"]):
            calls[name, index], training[name, index] = _read_call(name, node, layer)
    steps = _in_order(calls)
    for name, layer in described.items():
        own = itertools.takewhile(calls.__contains__, ((name, index) for index in itertools.count()))
        layer["calls"] = [
            [steps[call], [list(place) for place in calls[call]], *([] if training[call] is None else [{"training": training[call]}])]
            for call in own
        ]
    return {
        "name": config["name"],
        "layers": list(described.values()),
        "inputs": _ends(config.get("input_layers")),
        "outputs": _ends(config.get("output_layers")),
    }


def _read_call(name: str, node: Any, layer: Mapping[str, Any]) -> tuple[list[Place], bool | None]:
    """The tensors of one call, in Keras 3's form or in that of Keras 2, those in a dict by its sorted keys; and ``training``.

    Keras notes ``training=False`` of every dropout, because that is the default there: only of a model does it mean anything.
    """
    keys = sorted(layer["config"]["inputs"]["keys"]) if "inputs" in layer["config"] else []
    if isinstance(node, Mapping):
        options = node.get("kwargs") or {}
        places = [_place(tensor["config"].get("keras_history")) for tensor in _tensors(name, node.get("args"), keys)]
    else:
        items = node if isinstance(node, list) else [node]
        places = [_place(item[:3] if isinstance(item, list) else item) for item in items]
        options = {key: value for item in items if isinstance(item, list) and len(item) > 3 for key, value in dict(item[3]).items()}
    used = [key for key, value in options.items() if not _is_nothing(value)] if isinstance(options, Mapping) else ["kwargs"]
    training = options["training"] if "training" in used else None
    if used not in ([], ["training"]) or not isinstance(training, bool | None):
        raise UnsupportedError(f"its layer {name!r:.80} is called with {used[0]!r:.80}, which is not in fastmlp")
    return places, training if training or "layers" in layer["config"] else None


def _is_nothing(value: Any) -> bool:
    """True for None, and for one for each of several tensors."""
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    return value is None if items is None else all(map(_is_nothing, items))


def _tensors(name: str, given: Any, keys: Sequence[str]) -> list[Mapping[str, Any]]:
    if isinstance(given, list):
        return [tensor for item in given for tensor in _tensors(name, item, keys)]
    if isinstance(given, Mapping) and given.get("class_name") == "__keras_tensor__" and isinstance(given.get("config"), Mapping):
        return [given]
    if isinstance(given, Mapping) and set(given) == set(keys):
        return _tensors(name, [given[key] for key in keys], keys)
    raise UnsupportedError(f"its layer {name!r:.80} is called on {given!r:.80}, which is no tensor of the model")


def _place(history: Any) -> Place:
    match history:
        case [str(layer), int(call), int(index)]:
            return layer, call, index
    raise ValueError(f"a tensor of a functional model must be [layer, call, output], got {history!r:.80}")


def _in_order(calls: Mapping[tuple[str, int], Sequence[Place]]) -> dict[tuple[str, int], int]:
    """A step for each call, after those of all it takes and of the layer's calls before it."""
    sorter: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
    for (name, index), places in calls.items():
        before = [(layer, call) for layer, call, _ in places]
        sorter.add((name, index), *before, *([(name, index - 1)] if index else []))
    try:
        return {call: step for step, call in enumerate(call for call in sorter.static_order() if call in calls)}
    except CycleError as error:
        raise ValueError(f"the layers of the model form a circle, through {error.args[1][0][0]!r:.80}") from None


def _ends(stored: Any) -> dict[str, Any]:
    """The inputs or outputs: ``["dense", 0, 0]``, a list or a dict of such."""
    if isinstance(stored, Mapping):
        return {"form": "dict", "keys": list(stored), "tensors": [list(_place(item)) for item in stored.values()]}
    if isinstance(stored, list) and stored and isinstance(stored[0], str):
        return {"form": "single", "keys": [stored[0]], "tensors": [list(_place(stored))]}
    places = [_place(item) for item in stored] if isinstance(stored, list) else []
    return {"form": "list", "keys": [layer for layer, _, _ in places], "tensors": [list(place) for place in places]}


# Writing


def write_calls(graph: Graph, layer: Any) -> list[dict[str, Any]]:
    """The ``inbound_nodes`` of a layer of the graph."""
    return [
        {"args": _write_inputs(graph, call), "kwargs": {} if call.training is None else {"training": call.training}}
        for call in graph.calls_of(layer)
    ]


def _write_inputs(graph: Graph, call: Call) -> list[Any]:
    tensors = [_write_tensor(graph, tensor) for tensor in call.inputs]
    if hasattr(call.layer, "arrange_inputs"):
        return [call.layer.arrange_inputs(tensors)]
    return kerasops.arguments(call.layer, tensors)


def _write_tensor(graph: Graph, tensor: Tensor) -> dict[str, Any]:
    place = {"shape": list(tensor.shape), "dtype": "float32", "keras_history": list(graph.place(tensor))}
    return {"class_name": "__keras_tensor__", "config": place}


def write_places(graph: Graph, tensors: Sequence[Tensor]) -> list[list[Any]]:
    """What Keras calls a model's inputs or outputs."""
    return [list(graph.place(tensor)) for tensor in tensors]
