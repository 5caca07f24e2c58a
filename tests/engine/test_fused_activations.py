"""A dense node computes the activation behind it, and its derivative: the bits are those of an activation node of its own."""

from dataclasses import replace

import numpy as np
import pytest
from networks import LOSSES, configured, data_for, objective_for, perceptron, same_bits, state_of, train

from fastmlp import _core
from fastmlp._engine.spec import Node, Objective, Plan
from fastmlp.reference.activations import READ_INPUT


def with_scale(plan, before):
    """The same network with 1·x before each activation, which so stands alone, or behind it."""
    nodes, columns, at = [], [plan.widths[0]], {0: 0}

    def add(node, source, width, **changes):
        nodes.append(replace(node, inputs=(source,), output=len(columns), **changes))
        columns.append(width)
        return len(columns) - 1

    for node in plan.nodes:
        source, width = at[node.inputs[0]], plan.widths[node.output]
        scale = Node("scale", (), 0, alpha=1.0)
        if node.op == "activation" and before:
            source = add(scale, source, width)
        at[node.output] = add(node, source, width)
        if node.op == "activation" and not before:
            at[node.output] = add(scale, at[node.output], width)
    return Plan(tuple(columns), tuple(nodes), plan.parameters, len(columns) - 1)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = _core.get_threads()
    _core.set_threads(request.param)
    yield
    _core.set_threads(before)


def after_training(plan, loss, zeros):
    network = configured(_core, plan, objective_for(plan, loss))
    batches = data_for(plan, loss, 90, 37, weighted=True)
    if zeros:
        batches.x[np.random.default_rng(1).random(batches.x.shape) < 0.9] = 0
    totals = train(network, batches, epochs=2)
    evaluated = np.zeros(2)
    network.evaluate(batches, 0, batches.count, 1e9, evaluated)
    return [*state_of(network), totals, evaluated, network.predict(batches.x), network.predict(batches.x[:1])]


@pytest.mark.parametrize("zeros", [False, True], ids=["dense input", "sparse input"])
@pytest.mark.parametrize("activation", sorted(READ_INPUT))
def test_an_activation_computed_by_the_dense_node_before_it_has_the_bits_of_a_node_of_its_own(threads, activation, zeros):
    plan = perceptron((40, 67, 500, 3), activation, LOSSES["mse"][2])
    assert same_bits(after_training(plan, "mse", zeros), after_training(with_scale(plan, before=True), "mse", zeros))


@pytest.mark.parametrize("activation", sorted(READ_INPUT))
def test_so_it_has_below_dropout(threads, activation):
    plan = perceptron((40, 67, 500, 3), activation, LOSSES["mse"][2], rate=0.2)
    fused, alone = (after_training(with_scale(plan, before), "mse", False) for before in (False, True))
    assert same_bits(fused, alone)


def test_a_loss_cannot_read_what_stands_before_such_an_activation():
    plan = Plan((4, 3, 3), (*perceptron((4, 3)).nodes, Node("activation", (1,), 2, activation="gelu")), perceptron((4, 3)).parameters, 2)
    with pytest.raises(ValueError, match="objective"):
        configured(_core, plan, Objective("mean_squared_error", 1))
