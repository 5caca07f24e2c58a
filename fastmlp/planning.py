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
    described: list[Parameter] = []
    for number, (layer, operation) in enumerate(steps):
        if _fits_into_dense(operation, nodes, last=number == len(steps) - 1):
            nodes[-1] = replace(nodes[-1], **operation.activation.constants())
            continue
        parameters: tuple[int, ...] = ()
        width = widths[-1]
        settings = {"rate": operation.rate, **operation.activation.constants(), **operation.settings}
        if operation.op not in _WITHOUT_WEIGHTS:
            parameters = tuple(range(len(weights), len(weights) + len(layer._weights)))
            weights.extend(layer._weights)
            described.extend(replace(weight.parameter, trainable=layer.trains(weight)) for weight in layer._weights)
            width = math.prod(layer.output_shape or ())
        if operation.op in READS_NUMBERS and nodes:
            raise ValueError(
                f"layer {layer.name!r} reads whole numbers, so it must be the first of the model, but {nodes[-1].op} is before it"
            )
        if operation.op not in (*_WITHOUT_WEIGHTS, "dense"):
            settings["roles"] = tuple(weight.name for weight in layer._weights)
        nodes.append(Node(operation.op, (len(widths) - 1,), len(widths), parameters, **settings))
        widths.append(width)
    return Plan(tuple(widths), tuple(nodes), tuple(described), len(widths) - 1), weights


_WITHOUT_WEIGHTS = ("activation", "activity")
"""Steps beside the one that has the layer's weights."""
READS_NUMBERS = ("embedding", "category_encoding")


def numbers_read(plan: Plan) -> int | None:
    """How many numbers, counted from 0, the network's input is taken from; None where it is not whole numbers."""
    limits = [
        node.tokens if node.op == "category_encoding" else plan.parameters[node.parameters[0]].shape[0]
        for node in plan.nodes
        if node.op in READS_NUMBERS
    ]
    return min(limits, default=None)


def _idle(operation: Operation) -> bool:
    return operation.op == "activation" and operation.activation.kind == "linear"


def _fits_into_dense(operation: Operation, nodes: Sequence[Node], *, last: bool) -> bool:
    if operation.op != "activation" or not operation.activation.elementwise or not nodes or operation.activation.kind in READ_INPUT:
        return False
    if last and operation.activation.kind == "sigmoid":
        return False  # a node of its own, which binary cross-entropy can absorb
    return nodes[-1].op == "dense" and nodes[-1].activation == "linear"
