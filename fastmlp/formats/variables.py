"""Where a model's arrays lie in ``.weights.h5`` and in ``.keras``, which holds such a file.

layers/dense/vars/0, 1        kernel and bias; layers are counted for each class: dense, dense_1, dropout, …
optimizer/vars/0, 1, 2, …     iterations, learning rate unless it follows a schedule, then the optimizer's state
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp import checks, naming
from fastmlp.files import blaming
from fastmlp.formats.h5 import Group
from fastmlp.layers import Layer
from fastmlp.model import Model
from fastmlp.optimizers import Nadam
from fastmlp.reference.optimizers import nadam_product
from fastmlp.snapshot import Array, Snapshot

__all__ = [
    "MOST_SLOTS",
    "count_bytes",
    "fitted",
    "has_optimizer",
    "numbers_before",
    "numbers_behind",
    "optimizer_arrays",
    "optimizer_order",
    "read_optimizer",
    "read_weights",
    "write",
]

_SURROUNDINGS = (("average",), ("gradient_accumulator",))
_ADAM = (("momentum", "velocity"), ("velocity_hat",))
_OPTIMIZER_ORDER = {
    "SGD": (("momentum",),),
    "RMSprop": (("velocity",), ("momentum",), ("average_gradient",)),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Adagrad": (("accumulator",),),
    "Adadelta": (("accumulated_grad", "accumulated_delta_var"),),
    "Adamax": (("momentum", "norm"),),
    "Nadam": (("momentum", "velocity"),),
    "Lion": (("momentum",),),
    "LBFGS": (),
}
"""How Keras lists an optimizer's state, after what all of them may have: group after group; within a group weight after weight, for each of
them its slots."""
MOST_SLOTS = 5
_OVERHEAD = 16 << 10
"""Bytes that HDF5 may take for a layer beside the values of its arrays; it takes about 3 KB."""
_WITHOUT = "load the model with compile=False"


def optimizer_order(model: Model) -> list[tuple[str, int]]:
    """Slot and index of the weight, for each array of the compiled optimizer's state in Keras' order."""
    present = model.network.slot_names
    weights = range(sum(len(layer.weight_shapes) for layer in model.layers))
    groups = _SURROUNDINGS + _OPTIMIZER_ORDER[type(model.optimizer).__name__]
    return [(slot, index) for group in groups for index in weights for slot in group if slot in present]


def has_optimizer(model: Model) -> bool:
    """Whether the model is compiled so that its optimizer has a state: with a loss."""
    return model.compiled and model.loss is not None


def numbers_before(model: Model) -> list[str]:
    """The numbers Keras lists before the optimizer's state."""
    return ["iteration"] if model.optimizer.follows_schedule else ["iteration", "learning_rate"]


def numbers_behind(model: Model) -> list[str]:
    """The numbers Keras lists behind the optimizer's state: Nadam has the product of its momenta, which follows from the iterations."""
    return ["u_product"] if isinstance(model.optimizer, Nadam) else []


def optimizer_arrays(model: Model, snapshot: Snapshot) -> list[Any]:
    """Iterations, learning rate, state and other numbers in Keras' order."""
    state = [
        snapshot.slots[slot][index] if snapshot.slots else np.full_like(snapshot.weights[index], model.optimizer.rule().first(slot))
        for slot, index in optimizer_order(model)
    ]
    iterations = snapshot.training["iterations"]
    optimizer = model.optimizer
    before: list[Any] = [np.int32(iterations) if iterations < 1 << 31 else np.int64(iterations)]
    if not optimizer.follows_schedule:
        before.append(np.float32(optimizer.learning_rate))
    steps = iterations // (optimizer.gradient_accumulation_steps or 1)
    behind = [np.float32(nadam_product(optimizer.beta_1, steps))] if isinstance(optimizer, Nadam) else []
    return [*before, *state, *behind]


def write(root: Any, model: Model, snapshot: Snapshot, include_optimizer: bool) -> None:
    """Writes weights and optimizer to an h5py group."""
    arrays = iter(snapshot.weights)
    root.create_group("vars").attrs["name"] = model.name
    for layer, place in zip(model.layers, _places(model.layers), strict=True):
        group = root.create_group(f"layers/{place}/vars")
        group.attrs["name"] = layer.name
        for number in range(len(layer.weight_shapes)):
            group[str(number)] = next(arrays)
    if include_optimizer and has_optimizer(model):
        group = root.create_group("optimizer/vars")
        group.attrs["name"] = model.optimizer.name
        for number, array in enumerate(optimizer_arrays(model, snapshot)):
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
    before = len(numbers_before(model))
    wanted = before + len(order) + len(numbers_behind(model))
    if len(names) == before < wanted:
        return None
    if len(names) != wanted:
        kind = type(model.optimizer).__name__
        raise group.fail(f"the optimizer's state has {len(names)} arrays, but {kind} with these weights has {wanted}; {_WITHOUT}")
    shapes = [shape for layer in model.layers for shape in layer.weight_shapes.values()]
    named = list(zip(names[before : before + len(order)], order, strict=True))
    for name, (_, index) in named:
        if group.shape(name) != shapes[index]:
            raise group.fail(f"the optimizer's state {name:.200} has the shape {group.shape(name)}, not {shapes[index]}; {_WITHOUT}")
    slots: dict[str, list[Array]] = {}
    for name, (slot, index) in sorted(named, key=lambda item: item[1][1]):
        slots.setdefault(slot, []).append(group.floats(name, shapes[index]))
    iterations = group.whole_number(names[0])
    if not model.optimizer.follows_schedule:
        rate = group.floats(names[1], ())
        if rate != np.float32(model.optimizer.learning_rate):  # else the one of the configuration has more digits
            with blaming(group.path, "the learning rate of its optimizer"):
                model.optimizer.learning_rate = float(rate)
    return iterations, slots


def count_bytes(model: Model) -> int:
    """The most that a file of the model's weights and optimizer can take, for a check before it is read."""
    return (1 + MOST_SLOTS) * 4 * model.count_params() + _OVERHEAD * (2 + len(model.layers)) + _OVERHEAD * MOST_SLOTS


def _places(layers: Sequence[Layer]) -> list[str]:
    """The names of the layers' groups: the class, counted."""
    counts: Counter[str] = Counter()
    result = []
    for layer in layers:
        name = naming.snake_case(type(layer).__name__)
        result.append(f"{name}_{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return result
