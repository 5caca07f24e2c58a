"""Where a model's arrays lie in ``.weights.h5`` and in ``.keras``, which holds such a file.

layers/dense/vars/0, 1        kernel and bias; layers are counted for each class: dense, dense_1, dropout, …
optimizer/vars/0, 1, 2, …     iterations, learning rate, then the optimizer's state
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp import checks, naming, snapshot
from fastmlp.files import blaming
from fastmlp.formats.h5 import Group
from fastmlp.layers import Layer, Normalization
from fastmlp.model import Model
from fastmlp.snapshot import Array, Snapshot

__all__ = [
    "beside",
    "count_bytes",
    "fitted",
    "has_optimizer",
    "optimizer_arrays",
    "optimizer_order",
    "read_optimizer",
    "read_weights",
    "write",
]

_OPTIMIZER_ORDER = {
    "SGD": (("momentum",),),
    "RMSprop": (("velocity",), ("momentum",)),
    "Adam": (("momentum", "velocity"),),
}
"""How Keras lists an optimizer's state: group after group; within a group weight after weight, for each of them its slots."""
_OVERHEAD = 16 << 10
"""Bytes that HDF5 may take for a layer beside the values of its arrays; it takes about 3 KB."""
_WITHOUT = "load the model with compile=False"


def optimizer_order(model: Model) -> list[tuple[str, int]]:
    """Slot and index of the weight, for each array of the compiled optimizer's state in Keras' order: Keras has none for frozen weights."""
    present = model.network.slot_names
    groups = _OPTIMIZER_ORDER[type(model.optimizer).__name__]
    return [(slot, index) for group in groups for index in snapshot.trained(model) for slot in group if slot in present]


def beside(layer: Layer) -> dict[str, Any]:
    """The arrays that Keras has after the layer's weights and ours has not."""
    return {"count": np.int32(0)} if isinstance(layer, Normalization) and layer.weight_shapes else {}


def has_optimizer(model: Model) -> bool:
    """Whether the model is compiled so that its optimizer has a state: with a loss."""
    return model.compiled and model.loss is not None


def optimizer_arrays(model: Model, taken: Snapshot) -> list[Any]:
    """Iterations, learning rate and state in Keras' order; the state is zero before the first update."""
    place = {index: number for number, index in enumerate(snapshot.learned(model))}
    state = [
        taken.slots[slot][place[index]] if taken.slots else np.zeros_like(taken.weights[index]) for slot, index in optimizer_order(model)
    ]
    iterations = taken.training["iterations"]
    return [np.int32(iterations) if iterations < 1 << 31 else np.int64(iterations), np.float32(model.optimizer.learning_rate), *state]


def write(root: Any, model: Model, taken: Snapshot, include_optimizer: bool) -> None:
    """Writes weights and optimizer to an h5py group."""
    arrays = iter(taken.weights)
    root.create_group("vars").attrs["name"] = model.name
    for layer, place in zip(model.layers, _places(model.layers), strict=True):
        group = root.create_group(f"layers/{place}/vars")
        group.attrs["name"] = layer.name
        own = [next(arrays) for _ in layer.weight_shapes]
        for number, array in enumerate([*own, *beside(layer).values()]):
            group[str(number)] = array
    if include_optimizer and has_optimizer(model):
        group = root.create_group("optimizer/vars")
        group.attrs["name"] = model.optimizer.name
        for number, array in enumerate(optimizer_arrays(model, taken)):
            group[str(number)] = array


def read_weights(root: Group, model: Model, skip_mismatch: bool = False) -> list[Array | None]:
    """The arrays for the model's weights, if they are exactly those it needs; None for what is skipped."""
    result: list[Array | None] = []
    places = _places(model.layers)
    for layer, place in zip(model.layers, places, strict=True):
        group = root.find(f"layers/{place}/vars")
        located = [(group, str(number)) for number in range(len(group.names()))] if group else []
        result += fitted(root, layer, located, skip_mismatch)
    stored = root.find("layers")
    for name in stored.names() if stored and not skip_mismatch else ():
        spare = root.find(f"layers/{name}/vars") if name not in places else None
        if spare and spare.names():
            raise root.fail(f"it does not fit the model: it has weights in layers/{name:.80} that the model has no layer for")
    return result


def fitted(root: Group, layer: Layer, located: Sequence[tuple[Group, str]], skip_mismatch: bool) -> list[Array | None]:
    """The arrays of one layer, read from where they lie once they are known to fit; None for each if they don't and may be skipped."""
    shapes = layer.weight_shapes
    if len(located) == len(shapes) + len(beside(layer)):
        located = located[: len(shapes)]
    found = [group.shape(name) for group, name in located] if len(located) == len(shapes) else []
    problem = ""
    if len(located) != len(shapes):
        problem = f"layer {layer.name!r} has {len(shapes)} arrays of weights, but there are {len(located)}"
    elif found != list(shapes.values()):
        weight, wanted, shape = next((*item, shape) for item, shape in zip(shapes.items(), found, strict=True) if item[1] != shape)
        problem = f"the {weight} of layer {layer.name!r} has the shape {wanted}, but there it has {shape}"
    if not problem:
        return [group.floats(name, shape) for (group, name), shape in zip(located, found, strict=True)]
    if not skip_mismatch:
        raise root.fail(f"it does not fit the model: {problem}")
    checks.warn(f"weights are not loaded: {problem}")
    return [None] * len(shapes)


def read_optimizer(group: Group, names: Sequence[str], model: Model) -> tuple[int, dict[str, list[Array]]] | None:
    """Iterations and slots of a compiled model from the arrays called ``names``; its learning rate is set to the one that is there.

    None if Keras saved the optimizer before its first update, when there is no state.
    """
    order = optimizer_order(model)
    if len(names) == 2 < 2 + len(order):
        return None
    if len(names) != 2 + len(order):
        kind = type(model.optimizer).__name__
        raise group.fail(f"the optimizer's state has {len(names)} arrays, but {kind} with these weights has {2 + len(order)}; {_WITHOUT}")
    shapes = [shape for layer in model.layers for shape in layer.weight_shapes.values()]
    for name, (_, index) in zip(names[2:], order, strict=True):
        if group.shape(name) != shapes[index]:
            raise group.fail(f"the optimizer's state {name:.200} has the shape {group.shape(name)}, not {shapes[index]}; {_WITHOUT}")
    stored = {where: group.floats(name, shapes[where[1]]) for name, where in zip(names[2:], order, strict=True)}
    slots: dict[str, list[Array]] = {}
    for slot in model.network.slot_names if stored else ():
        weights = [(index, stored.get((slot, index))) for index in snapshot.learned(model)]
        slots[slot] = [np.zeros(shapes[index], np.float32) if array is None else array for index, array in weights]
    iterations = group.whole_number(names[0])
    rate = group.floats(names[1], ())
    if rate != np.float32(model.optimizer.learning_rate):  # else the one of the configuration has more digits
        with blaming(group.path, "the learning rate of its optimizer"):
            model.optimizer.learning_rate = float(rate)
    return iterations, slots


def count_bytes(model: Model) -> int:
    """The most that a file of the model's weights and optimizer can take, for a check before it is read."""
    slots = 3
    return (1 + slots) * 4 * model.count_params() + _OVERHEAD * (2 + len(model.layers)) + _OVERHEAD * slots


def _places(layers: Sequence[Layer]) -> list[str]:
    """The names of the layers' groups: the class, counted."""
    counts: Counter[str] = Counter()
    result = []
    for layer in layers:
        name = naming.snake_case(type(layer).__name__)
        result.append(f"{name}_{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return result
