"""Operations of Keras on tensors, ``a / b`` and ``a[:, 2:5]``, as the layers ``Divide`` and ``GetItem``, and back.

In a functional model of Keras an operation stands beside the layers, called on all that it was given:
``{"module": "keras.src.ops.numpy", "class_name": "GetItem", "config": {"name": "get_item"}, "inbound_nodes": [{"args": [tensor, key]}]}``.
One on a tensor and a number is read as ``Rescaling``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp.errors import UnsupportedError

__all__ = ["LAYERS", "MODULE", "arguments", "as_layer", "write"]

MODULE = "keras.src.ops.numpy"
LAYERS = {"Divide": "TrueDivide", "GetItem": "GetItem"}
"""The layers that Keras has not, and the operations that stand for them."""
_OF_TWO = {
    **{name: name for name in ("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum")},
    "TrueDivide": "Divide",
}
_MOST = float(np.finfo(np.float32).max)
_WHOLE = {"start": None, "stop": None, "step": None}


def as_layer(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """An entry of Keras' list of layers, as that of a layer if it is one of the operations that fastmlp has layers for.

    Raises:
        UnsupportedError: It was called on something that those layers do not take.
    """
    name, module, nodes = data.get("class_name"), data.get("module"), data.get("inbound_nodes")
    if not isinstance(name, str) or (name != "GetItem" and name not in _OF_TWO):
        return data
    if not (module == MODULE or (module is None and _is_called_as_operation(nodes))):
        return data
    config = data.get("config")
    if not isinstance(config, Mapping) or not isinstance(nodes, list) or not nodes:
        raise ValueError(f"an operation of a functional model must have config and inbound_nodes, got {data!r:.80}")
    calls = [_read_call(name, node) for node in nodes]
    kind, options, _ = calls[0]
    if any((kind, options) != call[:2] for call in calls):
        raise UnsupportedError(f"its operation {config.get('name')!r:.80} is called with other arguments each time")
    nodes = [{"args": [tensors]} for _, _, tensors in calls]
    described = {"module": "keras.layers", "class_name": kind, "config": {"name": config.get("name"), **options}, "registered_name": None}
    return {**described, "name": data.get("name", config.get("name")), "inbound_nodes": nodes}


def _is_called_as_operation(nodes: Any) -> bool:
    """Whether one of the older files, which name no modules, means an operation: a layer has one argument, maybe a list."""
    args = nodes[0].get("args") if isinstance(nodes, list) and nodes and isinstance(nodes[0], Mapping) else None
    return isinstance(args, list) and len(args) == 2


def _read_call(name: str, node: Any) -> tuple[str, dict[str, Any], Any]:
    """The layer, its arguments and the tensors it is called on."""
    args = node.get("args") if isinstance(node, Mapping) else None
    if isinstance(args, list) and len(args) == 2:
        first, second = args
        if name == "GetItem":
            return name, {"key": _read_key(first, second)}, first
        if _is_tensor(first) and _is_tensor(second):
            return _OF_TWO[name], {}, [first, second]
        for tensor, number, reverse in ((first, second, False), (second, first, True)):
            scaled = _scaled(_OF_TWO[name], number, reverse) if _is_tensor(tensor) and _is_number(number) else None
            if scaled is not None:
                return "Rescaling", {"scale": scaled[0], "offset": scaled[1]}, tensor
    raise UnsupportedError(f"its operation {name} is called on {args!r:.80}, which is not in fastmlp")


def _scaled(name: str, number: float, reverse: bool) -> tuple[float, float] | None:
    """Factor and offset of what an operation makes of a tensor and a number, or of these in reverse; None if there are none."""
    if name == "Divide":
        return (1 / number, 0.0) if number and not reverse else None
    return {"Add": (1.0, number), "Subtract": (-1.0, number) if reverse else (1.0, -number), "Multiply": (number, 0.0)}.get(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _MOST


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__" and isinstance(value.get("config"), Mapping)


def _read_key(tensor: Any, key: Any) -> list[Any]:
    """What follows the rows in the brackets of a tensor."""
    shape = tensor["config"].get("shape") if _is_tensor(tensor) else None
    if not isinstance(shape, list):
        raise ValueError(f"a slice must be of a tensor with a shape, got {tensor!r:.80}")
    parts = [_read_part(part) for part in (key if isinstance(key, list) else [key])]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [[None, None, None]] * (len(shape) - len(parts) + 1)
    if not parts or parts[0] != [None, None, None] or Ellipsis in parts:
        raise UnsupportedError(f"its slice [{key!r:.80}] leaves out rows; only columns can be taken")
    return parts[1:]


def _read_part(part: Any) -> Any:
    match part:
        case bool():
            pass
        case int():
            return part
        case {"class_name": "__ellipsis__"}:
            return Ellipsis
        case {"class_name": "__slice__", "config": Mapping() as config} if set(config) == set(_WHOLE):
            return [config["start"], config["stop"], config["step"]]
    raise UnsupportedError(f"{part!r:.80} in the brackets of a tensor is not in fastmlp; slices and integers are")


def write(layer: str, name: str) -> dict[str, Any]:
    """The operation that stands for one of :data:`LAYERS` of this name."""
    operation = LAYERS[layer]
    return {"module": MODULE, "class_name": operation, "config": {"name": name}, "registered_name": operation}


def arguments(layer: Any, tensors: Sequence[Any]) -> list[Any]:
    """What Keras notes of a call of a layer or an operation on tensors that are alone or in a list."""
    kind = type(layer).__name__
    if kind == "GetItem":
        return [*tensors, [_write_part([None, None, None]), *map(_write_part, layer.key)]]
    return list(tensors) if kind in LAYERS or len(tensors) == 1 else [list(tensors)]


def _write_part(part: Any) -> Any:
    if not isinstance(part, list):
        return part
    bounds = slice(*part)
    return {"class_name": "__slice__", "config": {"start": bounds.start, "stop": bounds.stop, "step": bounds.step}}
