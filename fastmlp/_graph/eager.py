"""Layers called on arrays: the output is computed immediately, by a network created for this call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import fastmlp._graph.lowering as lowering
from fastmlp._base import seeding
from fastmlp._base.shapes import Shape
from fastmlp._data import conversion
from fastmlp._data.adapters import choose_adapter
from fastmlp._engine import backends
from fastmlp._graph.operation import Operation
from fastmlp._graph.symbolic import Call, Graph, LayerLike
from fastmlp.errors import UnsupportedError

__all__ = ["compute"]


@dataclass(frozen=True)
class _Head:
    """Stands for an input layer in the graph of the call."""

    name: str


class ComputedLayer(LayerLike, Protocol):
    """A layer that consists of operations."""

    def operations(self, input_shape: Shape, /) -> tuple[Operation, ...]: ...


def compute(layer: ComputedLayer, inputs: Any, training: bool | None = None, mask: None = None) -> NDArray[np.float32]:
    """The output of ``layer`` for an array, or for several in a list or dict. The layer is built if necessary.

    Args:
        layer: The layer.
        inputs: Numbers ``(samples, …)``; an array with one axis has one number per sample.
        training: Whether to compute as in training: with dropout, and normalized by the statistics of this batch.
        mask: None.

    Returns:
        A float32 array.

    Raises:
        ValueError: The layer does not support arrays of this shape.
        UnsupportedError: ``mask`` is not None.
    """
    if mask is not None:
        raise UnsupportedError(f"a call of layer {layer.name!r} with mask= is not in fastmlp; remove the masked samples")
    given = layer.in_order(inputs) if isinstance(inputs, Mapping) else inputs
    if isinstance(given, (list, tuple)) and not given:
        raise ValueError(f"layer {layer.name!r} is called on {inputs!r}, which is empty; pass an array of samples")
    several = isinstance(given, (list, tuple)) and bool(given) and all(hasattr(value, "shape") for value in given)
    name = f"the input of layer {layer.name!r}"
    arrays = [choose_adapter(value).as_array(name) for value in (given if several else [given])]
    flat = arrays[0].ndim == 1
    arrays = [array[:, None] if array.ndim == 1 else array for array in arrays]
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(f"the arrays in {name} must have the same number of samples, got {', '.join(str(len(a)) for a in arrays)}")
    tensors = tuple(Call(_Head(f"input_{index}"), (), [array.shape[1:]]).outputs[0] for index, array in enumerate(arrays))
    call = Call(layer, tensors, layer.connect([tensor.row for tensor in tensors]))
    row = call.outputs[0].row
    if all(lowering.is_idle(operation) for operation in layer.operations(tensors[0].row)):
        result = np.array(choose_adapter(arrays[0]).as_inputs(tensors[0].row, name=name, check_finite=False), np.float32)
    else:
        pairs = zip(arrays, tensors, strict=True)
        parts = [np.asarray(choose_adapter(array).as_inputs(tensor.row, name=name, check_finite=False)) for array, tensor in pairs]
        result = _run(Graph(tensors, call.outputs, (call,), (layer,)), np.concatenate(parts, axis=1), name, bool(training))
    return result.reshape(len(arrays[0]) if flat and row == (1,) else (len(arrays[0]), *row))


def _run(graph: Graph, inputs: NDArray[np.float32], name: str, training: bool) -> NDArray[np.float32]:
    plan, weights = lowering.make_plan(graph)
    for numbers in lowering.numbers_read(plan):
        conversion.check_integer_features(name, inputs, numbers)
    network = backends.make_network(backends.DEFAULT, plan, seeding.draw_seed() if training else 0)
    for index, weight in enumerate(weights):
        network.set_parameter(index, weight.read())
    return np.asarray(network.apply(inputs, training=True) if training else network.predict(inputs))
