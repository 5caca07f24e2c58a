"""Networks that are graphs: both engines alike, gradients right, the same bits on any number of threads."""

import dataclasses

import numpy as np
import pytest
from graphs import GRAPHS, Builder
from networks import ENDLESS, UPDATES, configured, data_for, fill, parameters_of, same_bits, state_of, train

from fastmlp import _core, reference
from fastmlp._engine.spec import Batches, Metric, Node, Objective, Plan

ENGINES = (_core, reference)
every_graph = pytest.mark.parametrize("graph", GRAPHS)


def objective(plan, graph):
    if graph == "residual":
        return Objective("categorical_crossentropy", plan.nodes[-1].inputs[0], True), "cce"
    return Objective("mean_squared_error", plan.output), "mse"


@every_graph
def test_engines_predict_alike(graph):
    plan = GRAPHS[graph]()
    native, expected = (fill(engine.Network(plan)) for engine in ENGINES)
    for rows in (0, 1, 3, 16, 17, 100):
        x = np.random.default_rng(rows).normal(size=(rows, plan.widths[0])).astype(np.float32)
        np.testing.assert_allclose(native.predict(x), expected.predict(x), rtol=2e-5, atol=2e-6)
    x = np.random.default_rng(0).integers(0, 3, (9, plan.widths[0])).astype(np.uint8)
    np.testing.assert_allclose(native.predict(x), expected.predict(x), rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(native(x[0]), expected(x[0]), rtol=2e-5, atol=2e-6)


@every_graph
def test_engines_have_the_same_gradients(graph):
    plan = GRAPHS[graph]()
    goal, loss = objective(plan, graph)
    native, expected = (configured(engine, plan, goal) for engine in ENGINES)
    for rows in (1, 16, 37):
        batches = data_for(plan, loss, rows, rows, weighted=True)
        loss_native, gradients_native = native.gradients(batches)
        loss_expected, gradients_expected = expected.gradients(batches)
        assert loss_native == pytest.approx(loss_expected, rel=1e-5)
        for left, right in zip(gradients_native, gradients_expected, strict=True):
            assert right.any()
            np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-6)


@every_graph
@pytest.mark.parametrize("update", ["sgd", "nesterov", "adam"])
def test_training_runs_stay_together(graph, update):
    plan = GRAPHS[graph]()
    goal, loss = objective(plan, graph)
    batches = data_for(plan, loss, 94, 8)
    networks = [configured(engine, plan, goal, update) for engine in ENGINES]
    before = parameters_of(networks[0])
    totals = [train(network, batches, epochs=2) for network in networks]
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-4)
    for start, left, right in zip(before, *map(state_of, networks), strict=False):
        assert not np.array_equal(start, left)
        np.testing.assert_allclose(left, right, rtol=2e-3, atol=2e-4)


@every_graph
def test_gradients_are_the_slopes_of_the_loss(graph):
    """Along one random direction, in float64, with dropout for the same iteration."""
    plan = GRAPHS[graph]()
    goal, loss = objective(plan, graph)
    network = reference.Network(plan, seed=3, dtype=np.float64)
    rng = np.random.default_rng(5)
    start = [rng.normal(0, 0.4, parameter.shape) for parameter in plan.parameters]
    way = [rng.normal(size=parameter.shape) for parameter in plan.parameters]
    network.configure(goal, UPDATES["sgd"])
    batches = data_for(plan, loss, 12, 12, weighted=True)

    def at(step):
        for index, (value, direction) in enumerate(zip(start, way, strict=True)):
            network.set_parameter(index, value + step * direction)
        return network.gradients(batches)

    slope = sum(float((gradient * direction).sum()) for gradient, direction in zip(at(0.0)[1], way, strict=True))
    assert (at(1e-6)[0] - at(-1e-6)[0]) / 2e-6 == pytest.approx(slope, rel=1e-5)


@every_graph
@pytest.mark.parametrize("unfused", [False, True])
def test_threads_change_no_bit(graph, unfused):
    plan = GRAPHS[graph](inputs=160, units=160, outputs=33)
    goal, loss = objective(plan, graph)
    batches = data_for(plan, loss, 900, 300)
    before = _core.get_threads()
    states = []
    try:
        for threads in (1, 2, 3, 5):
            _core.set_threads(threads)
            network = configured(_core, plan, goal, "adam")
            network.set_unfused(unfused)
            train(network, batches, epochs=3)
            states.append(state_of(network))
    finally:
        _core.set_threads(before)
    for state in states[1:]:
        assert same_bits(states[0], state)


# Several losses


def two_losses():
    """Integer labels beside numbers; each output has a branch of what both read, and one is read by the other."""
    b = Builder(6)
    x = b.dense(0, 20, "relu")
    one, two = b.branches(x, 2)
    score = b.dense(one, 2)
    used, shown = b.branches(score, 2)
    logits = b.dense(b.merge("concatenate", two, used), 5)
    kind = b.activation(logits, "softmax")
    plan = dataclasses.replace(b.plan(b.merge("concatenate", shown, kind)), outputs=(shown, kind))
    objectives = (
        Objective("mean_absolute_error", shown, metrics=(Metric("mean_squared_error", weighted=True),), output=shown, weight=0.25),
        Objective("sparse_categorical_crossentropy", logits, True, (Metric("sparse_categorical_accuracy"),), output=kind, weight=2.0),
    )
    rng = np.random.default_rng(4)
    y = np.concatenate([rng.normal(size=(90, 2)), rng.integers(0, 5, (90, 1))], axis=1).astype(np.float32)
    x = rng.normal(size=(90, 6)).astype(np.float32)
    return plan, objectives, Batches(x, y, rng.uniform(0.5, 2, (90, 2)).astype(np.float32), None, 16)


def test_engines_train_alike_on_several_losses():
    plan, objectives, batches = two_losses()
    totals, networks = [], [configured(engine, plan, objectives, "adam") for engine in ENGINES]
    gradients = [network.gradients(batches) for network in networks]
    assert gradients[0][0] == pytest.approx(gradients[1][0], rel=1e-5)
    for left, right in zip(gradients[0][1], gradients[1][1], strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-6)
    for network in networks:
        totals.append(np.zeros(10))
        assert network.train(batches, 0, batches.count, ENDLESS, totals[-1]) == batches.count
        network.evaluate(batches, 0, batches.count, ENDLESS, totals[-1])
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-4)
    assert totals[0][0] == pytest.approx(0.25 * totals[0][2] + 2 * totals[0][6])
    for left, right in zip(state_of(networks[0]), state_of(networks[1]), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-3, atol=2e-4)


def test_gradients_are_the_slopes_of_the_weighted_sum():
    plan, objectives, batches = two_losses()
    network = reference.Network(plan, dtype=np.float64)
    network.configure(objectives, UPDATES["sgd"])
    rng = np.random.default_rng(5)
    start, way = ([rng.normal(0, scale, parameter.shape) for parameter in plan.parameters] for scale in (0.4, 1.0))

    def at(step):
        for index, (value, direction) in enumerate(zip(start, way, strict=True)):
            network.set_parameter(index, value + step * direction)
        return network.gradients(batches)

    slope = sum(float((gradient * direction).sum()) for gradient, direction in zip(at(0.0)[1], way, strict=True))
    assert (at(1e-6)[0] - at(-1e-6)[0]) / 2e-6 == pytest.approx(slope, rel=1e-5)


def test_a_label_out_of_range_is_refused_among_several_losses():
    plan, objectives, batches = two_losses()
    for wrong in (5, -1, np.nan):
        batches.y[40, 2] = wrong
        with pytest.raises(ValueError, match="a label is outside"):
            configured(_core, plan, objectives).train(batches, 0, batches.count, ENDLESS, np.zeros(10))


def test_losses_that_would_meet_in_a_buffer_are_refused():
    plan, (first, second), _ = two_losses()
    network = configured(_core, plan, (first, second))
    for terms in ((first, first), (dataclasses.replace(first, source=2, output=2), second)):
        with pytest.raises(ValueError, match="does not fit the network"):
            network.configure(terms, UPDATES["sgd"])
    assert network.slot_names == ("momentum", "velocity")  # still as it was configured
    with pytest.raises(ValueError, match="y has 2 columns, but the network has 3 outputs"):
        network.train(dataclasses.replace(two_losses()[2], y=np.zeros((90, 2), np.float32)), 0, 1, ENDLESS, np.zeros(10))
    with pytest.raises(ValueError, match="sample_weight has 3 columns, but there are 2 losses"):
        network.train(dataclasses.replace(two_losses()[2], sample_weight=np.ones((90, 3), np.float32)), 0, 1, ENDLESS, np.zeros(10))


# Plans


def test_a_branch_is_its_input_under_another_name():
    """A chain through one branch trains to the bits of the chain."""
    plans = []
    for branched in (False, True):
        b = Builder(5)
        x = b.dense(0, 19, "tanh")
        x = b.branches(x, 1)[0] if branched else x
        plans.append(b.plan(b.dense(x, 2)))
    states = []
    for plan in plans:
        network = configured(_core, plan, Objective("mean_squared_error", plan.output), "adam")
        train(network, data_for(plan, "mse", 50, 8), epochs=3)
        states.append(state_of(network))
    assert same_bits(*states)


def test_parameters_that_the_loss_does_not_reach_stay_as_they_are():
    b = Builder(4)
    left, right = b.branches(0, 2)
    x = b.dense(left, 3)
    b.dense(right, 3)
    plan = b.plan(x)
    goal = Objective("mean_squared_error", x)
    for engine in ENGINES:
        network = configured(engine, plan, goal, "adam")
        before = parameters_of(network)
        train(network, data_for(plan, "mse", 20, 4), epochs=2)
        after = parameters_of(network)
        assert not np.array_equal(before[0], after[0])
        assert same_bits(before[2:], after[2:])


@pytest.mark.parametrize(
    "nodes",
    {
        "reads what is not written": (Node("scale", (2,), 1), Node("scale", (1,), 2)),
        "written twice": (Node("scale", (0,), 1), Node("scale", (1,), 2), Node("branch", (2,), 1)),
        "read twice": (Node("scale", (0,), 1), Node("add", (1, 1), 2)),
        "read beside a branch": (Node("branch", (0,), 1), Node("add", (0, 1), 2)),
        "an input that is not there": (Node("scale", (0,), 1), Node("add", (1, 9), 2)),
        "a slice of another buffer": (Node("scale", (0,), 1), Node("slice", (1,), 2)),
        "a slice past the end": (Node("slice", (0,), 2, column=1),),
        "the output is the input": (Node("scale", (0,), 1), Node("add", (1, 0), 0)),
    }.items(),
    ids=lambda item: item[0],
)
def test_plans_that_make_no_sense_are_refused(nodes):
    with pytest.raises(ValueError, match="the plan, objective or index does not fit"):
        _core.Network(Plan((3, 3, 3), nodes[1], (), 2))


def test_joins_need_two_inputs_of_one_width():
    with pytest.raises(ValueError, match=r"a node 'add' reads 2 buffers, got 1"):
        _core.Network(Plan((3, 3), (Node("add", (0,), 1),), (), 1))
    with pytest.raises(ValueError, match="does not fit"):
        _core.Network(Plan((3, 3, 2, 3), (Node("branch", (0,), 1), Node("slice", (0,), 2), Node("add", (1, 2), 3)), (), 3))
