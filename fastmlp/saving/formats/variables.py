"""Where a model's arrays lie in ``.weights.h5`` and in ``.keras``, which holds such a file.

layers/dense/vars/0, 1        kernel and bias; layers are counted for each class: dense, dense_1, dropout, …
layers/functional/layers/…    those of a model that is part of the model
optimizer/vars/0, 1, 2, …     iterations, learning rate unless it follows a schedule, then the optimizer's state
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp.saving.contents as contents
from fastmlp._base import checks, naming
from fastmlp._base.files import blaming
from fastmlp._base.h5 import Group
from fastmlp._base.numeric import as_native, quiet
from fastmlp._graph.weights import Weight
from fastmlp._models.model import Model
from fastmlp._training.state import Array, OptimizerState
from fastmlp.layers import Layer, Normalization
from fastmlp.optimizers import Nadam
from fastmlp.reference.optimizers import nadam_product
from fastmlp.saving.contents import Contents

__all__ = [
    "MAX_SLOTS",
    "beside",
    "count_bytes",
    "fitted",
    "has_optimizer",
    "listed",
    "numbers_before",
    "numbers_behind",
    "optimizer_arrays",
    "optimizer_order",
    "read_optimizer",
    "read_weights",
    "write",
]

_SURROUNDINGS = ("average", "gradient_accumulator")
_APART = {"rmsprop": ("momentum", "average_gradient"), "adam": ("velocity_hat",)}
"""Keras lists weight after weight, with all slots of each, but for these: all weights' of one, then all weights' of the next."""
MAX_SLOTS = 5
_OVERHEAD = 16 << 10
"""Bytes that HDF5 may take for a layer beside the values of its arrays; it takes about 3 KB."""
_WITHOUT = "load the model with compile=False"


def optimizer_order(model: Model) -> list[tuple[str, int]]:
    """Slot and index of the weight, for each array of the compiled optimizer's state in Keras' order: Keras has none for frozen weights."""
    present = model.network.slot_names
    apart = _APART.get(model.optimizer.rule().kind, ())
    together = tuple(slot for slot in present if slot not in (*_SURROUNDINGS, *apart))
    groups = [*((slot,) for slot in _SURROUNDINGS), together, *((slot,) for slot in apart)]
    order = [(slot, index) for group in groups for index in contents.trained(model) for slot in group if slot in present]
    return [where for where in order if model.optimizer.number_for_nothing or math.prod(model.network.slot_shape(*where))]


def beside(layer: Layer) -> dict[str, Any]:
    """The arrays that Keras has after the layer's weights and ours has not."""
    return {"count": np.int32(0)} if isinstance(layer, Normalization) and layer.weight_shapes else {}


@dataclass(frozen=True, slots=True)
class Stored:
    """An array that Keras stores: of a weight, or one that ours has not."""

    layer: str
    name: str
    weight: Weight | None
    value: Any = None
    path: str = ""
    """Unique within a layer of the whole model, or a model in its place."""


def listed(layer: Any) -> list[Stored]:
    """What Keras lists as the weights of a layer; of a model in its place first those that are trained, then the others."""
    moved: list[Stored] = []
    others: list[Stored] = []
    for path, own in _leaves(layer, ""):
        for weight in own._weights:
            (moved if own.trains(weight) else others).append(Stored(own.name, weight.name, weight, None, f"{path}/{weight.name}"))
        others += [Stored(own.name, name, None, value, f"{path}/{name}") for name, value in beside(own).items()]
    return moved + others


def _leaves(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The layer, or those of a model in its place, with their names."""
    if not hasattr(layer, "graph"):
        yield f"{path}{layer.name}", layer
        return
    for own in layer.layers:
        yield from _leaves(own, f"{path}{layer.name}/")


def has_optimizer(model: Model) -> bool:
    """Whether the model is compiled so that its optimizer has a state: with a loss, or several."""
    return model._compiled is not None and model._compiled.resolvable


def numbers_before(model: Model) -> list[str]:
    """The numbers Keras lists before the optimizer's state."""
    return ["iteration"] if model.optimizer.follows_schedule else ["iteration", "learning_rate"]


def numbers_behind(model: Model) -> list[str]:
    """The numbers Keras lists behind the optimizer's state: Nadam has the product of its momenta, which follows from the iterations."""
    return ["u_product"] if isinstance(model.optimizer, Nadam) else []


def optimizer_arrays(model: Model, held: Contents) -> list[Any]:
    """Iterations, learning rate, state and other numbers in Keras' order."""
    assert model.plan is not None
    place = {index: number for number, index in enumerate(contents.learned(model))}
    first = model.optimizer.rule_for(model.plan.parameters).first
    state: list[Any] = [
        held.state.slots[slot][place[index]] if held.state.slots else first(slot, index, held.state.weights[index])
        for slot, index in optimizer_order(model)
    ]
    state = [array if array.size else np.int32(0) for array in state]
    iterations = held.state.counters["iterations"]
    optimizer = model.optimizer
    before: list[Any] = [np.int32(iterations) if iterations < 1 << 31 else np.int64(iterations)]
    if not optimizer.follows_schedule:
        before.append(as_native(optimizer.learning_rate, np.float32))
    steps = iterations // (optimizer.gradient_accumulation_steps or 1)
    behind = [as_native(nadam_product(optimizer.beta_1, steps), np.float32)] if isinstance(optimizer, Nadam) else []
    return [*before, *state, *behind]


def write(root: Any, model: Model, held: Contents, include_optimizer: bool) -> None:
    """Writes weights and optimizer to an h5py group."""
    arrays = dict(zip(model._weights, held.state.weights, strict=True))
    root.create_group("vars").attrs["name"] = model.name
    for place, layer in _places(model):
        group = root.create_group(f"{place}/vars")
        group.attrs["name"] = layer.name
        for number, item in enumerate([] if hasattr(layer, "graph") else listed(layer)):
            group[str(number)] = item.value if item.weight is None else arrays[item.weight]
    if include_optimizer and has_optimizer(model):
        group = root.create_group("optimizer/vars")
        group.attrs["name"] = model.optimizer.name
        for number, array in enumerate(optimizer_arrays(model, held)):
            group[str(number)] = array


def read_weights(root: Group, model: Model, skip_mismatch: bool = False) -> list[Array | None]:
    """The arrays for the model's weights, if they are exactly those it needs; None for what is skipped."""
    result: dict[Weight, Array | None] = {}
    places = dict(_places(model))
    for place, layer in places.items():
        if not hasattr(layer, "graph"):
            group = root.find(f"{place}/vars")
            located = [(group, str(number)) for number in range(len(group.names()))] if group else []
            result |= fitted(root, layer, located, skip_mismatch)
    if not skip_mismatch:
        for container in ("layers", *(f"{place}/layers" for place, layer in places.items() if hasattr(layer, "graph"))):
            _check_no_spare(root, container, places)
    return [result[weight] for weight in model._weights]


def _check_no_spare(root: Group, container: str, places: Collection[str]) -> None:
    stored = root.find(container)
    for name in stored.names() if stored else ():
        spare = root.find(f"{container}/{name}/vars") if f"{container}/{name}" not in places else None
        if spare and spare.names():
            raise root.fail(f"it does not fit the model: it has weights in {container}/{name:.80} that the model has no layer for")


def fitted(root: Group, layer: Any, located: Sequence[tuple[Group, str]], skip_mismatch: bool) -> dict[Weight, Array | None]:
    """The arrays of one layer, read from where they lie once they are known to fit; None for each if they don't and may be skipped."""
    wanted = listed(layer)
    if len(located) != len(wanted):
        wanted = [item for item in wanted if item.weight is not None]
    pairs = [(item, group, name) for item, (group, name) in zip(wanted, located, strict=False) if item.weight is not None]
    problem = ""
    if len(located) != len(wanted):
        problem = f"layer {layer.name!r} has {len(wanted)} arrays of weights, but there are {len(located)}"
    for item, group, name in pairs if not problem else ():
        assert item.weight is not None
        if group.shape(name) != item.weight.shape:
            there = f"the shape {item.weight.shape}, but there it has {group.shape(name)}"
            problem = f"the {item.name} of layer {item.layer!r} has {there}"
            break
    if not problem:
        return {item.weight: group.floats(name, item.weight.shape) for item, group, name in pairs if item.weight is not None}
    if not skip_mismatch:
        raise root.fail(f"it does not fit the model: {problem}")
    checks.warn(f"weights are not loaded: {problem}")
    return {item.weight: None for item in wanted if item.weight is not None}


def read_optimizer(group: Group, names: Sequence[str], model: Model) -> OptimizerState | None:
    """The optimizer's state of a compiled model from the arrays called ``names``; its learning rate is set to the one that is there.

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
    assert model.plan is not None
    shapes = {where: model.network.slot_shape(*where) for where in order}
    named = list(zip(names[before : before + len(order)], order, strict=True))
    for name, where in named:
        shape = shapes[where] if math.prod(shapes[where]) else ()
        if group.shape(name) != shape:
            raise group.fail(f"the optimizer's state {name:.200} has the shape {group.shape(name)}, not {shape}; {_WITHOUT}")
    stored = {where: group.floats(name, shapes[where]) for name, where in named if math.prod(shapes[where])}
    slots: dict[str, list[Array]] = {}
    for slot in model.network.slot_names if stored else ():
        weights = [(index, stored.get((slot, index))) for index in contents.learned(model)]
        with quiet():
            first = model.optimizer.rule_for(model.plan.parameters).first
            slots[slot] = [first(slot, index, model._weights[index].read()) if array is None else array for index, array in weights]
    iterations = group.integer(names[0])
    if not model.optimizer.follows_schedule:
        rate = group.floats(names[1], ())
        if rate != as_native(model.optimizer.learning_rate, np.float32):  # else the one of the configuration has more digits
            with blaming(group.path, "the learning rate of its optimizer"):
                model.optimizer.learning_rate = float(rate)
    return OptimizerState(iterations, slots)


def count_bytes(model: Model) -> int:
    """The most that a file of the model's weights and optimizer can take, for a check before it is read."""
    places = len(_places(model))
    return (1 + MAX_SLOTS) * 4 * model.count_params() + _OVERHEAD * (2 + places) + _OVERHEAD * MAX_SLOTS


def _places(model: Any, path: str = "", seen: set[int] | None = None) -> list[tuple[str, Any]]:
    """Where the layers lie, and models among them before theirs: by class, counted. What is used several times lies where it is first."""
    seen = set() if seen is None else seen
    counts: Counter[str] = Counter()
    result: list[tuple[str, Any]] = []
    for layer in model.layers:
        name = naming.snake_case(type(layer).__name__)
        place = f"{path}layers/{name}_{counts[name]}" if counts[name] else f"{path}layers/{name}"
        counts[name] += 1
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        result.append((place, layer))
        if hasattr(layer, "graph"):
            result += _places(layer, f"{place}/", seen)
    return result
