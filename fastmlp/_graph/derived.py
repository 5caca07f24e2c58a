"""Plans and objectives for gradients: a linear loss, and plans without noise or with the input as a parameter.

A network of the derived plan computes what that of a model can't: gradients by the input, those of a call instead of a training step, and
products with a Jacobian where the loss of ``compile`` absorbs the last activation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fastmlp._engine.spec import Node, Objective, Parameter, Plan
from fastmlp._graph.lowering import READS_NUMBERS, WITHOUT_GRADIENT
from fastmlp.errors import UnsupportedError

NOISE = ("dropout", "alpha_dropout", "gaussian_dropout", "gaussian_noise")
STOPS_GRADIENT = READS_NUMBERS | WITHOUT_GRADIENT
"""The ops that pass no gradient to their input."""


def linear(factors: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss ``Σ factor · output`` of each row, whose derivative by the outputs is the factors."""
    return np.einsum("ij,ij->i", factors, outputs), factors


def linear_objective(output: int) -> Objective:
    """The objective whose gradient by a network's outputs is the targets, divided by the number of rows."""
    return Objective("linear", output, function=linear)


def as_called(plan: Plan) -> Plan:
    """The plan whose nodes behave in training as those of ``plan`` do when a model is called without ``training``."""
    return replace(plan, nodes=tuple(map(_as_called, plan.nodes)))


def _as_called(node: Node) -> Node:
    if node.mode == "training":
        return node
    if node.op in NOISE:
        return Node("scale", node.inputs, node.output, alpha=1.0)
    return replace(node, mode="inference") if node.op == "batch_normalization" else node


def without_penalties(plan: Plan) -> Plan:
    """The plan without the penalties of regularizers."""
    nodes = [Node("scale", node.inputs, node.output, alpha=1.0) if node.op == "activity" else node for node in plan.nodes]
    return replace(plan, nodes=tuple(nodes), parameters=tuple(replace(one, penalty=None) for one in plan.parameters))


def has_penalties(plan: Plan) -> bool:
    """Whether regularizers add to the loss."""
    return any(one.penalty for one in plan.parameters) or any(node.op == "activity" for node in plan.nodes)


def with_input_as_parameter(plan: Plan, rows: int) -> Plan:
    """The plan of a network with a single trainable parameter, the last one: the input, so many rows, which it looks up by their numbers.

    Raises:
        UnsupportedError: Some node passes no gradient to its input.
    """
    stopping = sorted({node.op for node in plan.nodes if node.op in STOPS_GRADIENT})
    if stopping:
        raise UnsupportedError(
            f"the model has no gradient by its inputs, because some are read by a layer without derivative ({', '.join(stopping)}): "
            "integers, categories or bins; cut the model after that layer and take the gradient by what it returns"
        )
    widths = list(plan.widths)
    source = len(widths)
    widths[0] = 1
    widths.append(plan.widths[0])
    nodes = [Node("embedding", (0,), source, (len(plan.parameters),), roles=("embeddings",))]
    for node in plan.nodes:
        moved = replace(node, inputs=tuple(source if one == 0 else one for one in node.inputs))
        if node.op == "slice":  # those of a plan share its input, which has no gradient there
            widths.append(widths[moved.inputs[0]])
            nodes.append(Node("branch", moved.inputs, len(widths) - 1))
            columns = tuple(range(node.column, node.column + node.width))
            moved = Node("gather", (len(widths) - 1,), node.output, gathered=columns)
        nodes.append(moved)
    frozen = tuple(replace(one, penalty=None, bounds=None, trainable=False) for one in plan.parameters)
    x = Parameter("x", (rows, plan.widths[0]))
    return replace(plan, widths=tuple(widths), nodes=tuple(nodes), parameters=(*frozen, x))
