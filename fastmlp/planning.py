"""From layers to a :class:`~fastmlp.plan.Plan`: activations move into the dense node before them where they can, shapes become widths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from fastmlp.layers import Layer, Operation
from fastmlp.plan import READ_INPUT, Node, Parameter, Plan
from fastmlp.shapes import Shape
from fastmlp.weights import Weight


def make_plan(input_shape: Shape, layers: Sequence[Layer]) -> tuple[Plan, list[Weight]]:
    """The plan of a chain of built layers, and the weights in the order of its parameters."""
    steps = [(layer, operation) for layer in layers for operation in layer.operations() if not _idle(operation)]
    if not steps:
        raise ValueError("the model has no layer that computes anything; add one, for example model.add(layers.Dense(10))")
    widths = [math.prod(input_shape)]
    nodes: list[Node] = []
    weights: list[Weight] = []
    for number, (layer, operation) in enumerate(steps):
        if _fits_into_dense(operation, nodes, last=number == len(steps) - 1):
            nodes[-1] = replace(nodes[-1], **operation.activation.constants())
            continue
        parameters: tuple[int, ...] = ()
        width = widths[-1]
        if operation.op == "dense":
            parameters = tuple(range(len(weights), len(weights) + len(layer._weights)))
            weights.extend(layer._weights)
            width = math.prod(layer.output_shape or ())
        place = (operation.op, (len(widths) - 1,), len(widths), parameters)
        nodes.append(Node(*place, rate=operation.rate, **operation.activation.constants()))
        widths.append(width)
    described: tuple[Parameter, ...] = tuple(weight.parameter for weight in weights)
    return Plan(tuple(widths), tuple(nodes), described, len(widths) - 1), weights


def _idle(operation: Operation) -> bool:
    return operation.op == "activation" and operation.activation.kind == "linear"


def _fits_into_dense(operation: Operation, nodes: Sequence[Node], *, last: bool) -> bool:
    if operation.op != "activation" or not operation.activation.elementwise or not nodes or operation.activation.kind in READ_INPUT:
        return False
    if last and operation.activation.kind == "sigmoid":
        return False  # a node of its own, which binary cross-entropy can absorb
    return nodes[-1].op == "dense" and nodes[-1].activation == "linear"
