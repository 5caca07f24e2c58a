"""Penalties on what layers give: in the kernels, in both engines, in the loss and in its gradient."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, kernels, padded
from networks import UPDATES, data_for, fill, objective_for, perceptron, same_bits, state_of, train

import fastmlp
from fastmlp import _core, layers, models, reference, regularizers, utils
from fastmlp._engine.spec import Node, Penalty, Plan
from fastmlp.errors import UnsupportedError

rng = np.random.default_rng(9)
PENALTIES = {"l1": Penalty(l1=0.05), "l2": Penalty(l2=0.03), "both": Penalty(0.02, 0.04)}


def watched(plan, penalty, of_input=False):
    """The plan with an activity node behind each dense node, and one on the input if wanted."""
    nodes, widths, at = [], [plan.widths[0]], 0

    def add(node, width):
        nonlocal at
        nodes.append(replace(node, inputs=(at,), output=len(widths)))
        at = len(widths)
        widths.append(width)

    activity = Node("activity", (0,), 0, penalty=penalty)
    if of_input:
        add(activity, plan.widths[0])
    for node in plan.nodes:
        add(node, plan.widths[node.output])
        if node.op == "dense":
            add(activity, plan.widths[node.output])
    return Plan(tuple(widths), tuple(nodes), plan.parameters, at)


def ended(engine, plan, update="adam", loss="mse", rows=150, weighted=True, skip_below=None):
    network = fill(engine.Network(plan, 7))
    network.configure(objective_for(plan, loss), UPDATES[update])
    if skip_below is not None:
        network.set_skip_below(skip_below)
    batches = data_for(plan, loss, rows, 32, weighted=weighted)
    totals = train(network, batches, epochs=2)
    network.evaluate(batches, 0, batches.count, 1e9, totals)
    return [*state_of(network), totals]


# Kernels


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cols", [1, 7, 16, 17, 40])
@pytest.mark.parametrize("rows", [0, 1, 5, 16, 19])
def test_rows_get_their_penalties_and_gradients_their_slopes(isa, rows, cols):
    x, grad, loss = (rng.integers(-9, 10, shape).astype(np.float32) for shape in ((rows, cols), (rows, cols), rows))
    given, slopes, losses = Guarded(padded(x)), Guarded(padded(grad)), Guarded(loss)
    shape = {"rows": rows, "cols": cols, "x": given.array, "row": padded(x).shape[1], "l1": 0.5, "l2": 2.0}
    kernels(isa)["activity"](**shape, loss=losses.array)
    kernels(isa)["activity_backward"](**shape, grad=slopes.array, out=slopes.array)
    assert np.array_equal(losses.array, loss + 0.5 * np.abs(x).sum(axis=1) + 2 * (x * x).sum(axis=1))
    assert np.array_equal(slopes.array, padded(grad + 0.5 * np.sign(x) + 2 * x))
    for guarded in (given, slopes, losses):
        guarded.check()


# Engines


@pytest.mark.parametrize("loss", ["mse", "bce", "scce", "mse_after_softmax"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_both_engines_agree(penalty, loss):
    last = {"mse": "linear", "bce": "sigmoid", "scce": "softmax", "mse_after_softmax": "softmax"}[loss]
    plan = watched(perceptron((9, 20, 17, 3), "tanh", last, rate=0.2), PENALTIES[penalty])
    for native, expected in zip(ended(_core, plan, loss=loss), ended(reference, plan, loss=loss), strict=True):
        np.testing.assert_allclose(native, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("widths", [(9, 20, 3), (200, 300, 150, 10)])
def test_threads_and_instruction_sets_change_no_bit(threads, widths):
    plan = watched(perceptron(widths, "relu", "linear"), PENALTIES["both"], of_input=True)
    outcomes = []
    for count in (1, 2, 3):
        threads(count)
        outcomes.append(ended(_core, plan))
    assert same_bits(outcomes[0], outcomes[1])
    assert same_bits(outcomes[0], outcomes[2])


@pytest.mark.parametrize("hidden", ["relu", "tanh", "gelu"])
def test_gradients_are_those_of_the_loss(hidden):
    plan = watched(perceptron((5, 8, 6, 3), hidden, "linear"), PENALTIES["both"], of_input=True)
    network = fill(reference.Network(plan, 7, dtype=np.float64))
    network.configure(objective_for(plan, "mse"), UPDATES["sgd"])
    batches = data_for(plan, "mse", 12, 12, weighted=True)
    start = [network.get_parameter(i) for i in range(len(plan.parameters))]
    direction = [rng.normal(size=value.shape) for value in start]
    slope = sum((gradient * d).sum() for gradient, d in zip(network.gradients(batches)[1], direction, strict=True))
    values = []
    for step in (1e-6, -1e-6):
        for i, (value, d) in enumerate(zip(start, direction, strict=True)):
            network.set_parameter(i, value + step * d)
        values.append(network.gradients(batches)[0])
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


def test_a_penalty_behind_a_first_layer_that_skips_zeros():
    plan = watched(perceptron((300, 24, 3), "relu", "linear"), PENALTIES["both"])
    assert same_bits(ended(_core, plan, "momentum", skip_below=0.0), ended(_core, plan, "momentum", skip_below=2.0))


# Models


def model_of(*inner, engine="native", optimizer="adam"):
    utils.set_random_seed(4)
    model = models.Sequential([layers.Input((6,)), *inner])
    model.compile(optimizer, "mse", metrics=["mae"], engine=engine)
    return model


@pytest.fixture(scope="module")
def data():
    return rng.normal(size=(50, 6)), rng.normal(size=(50, 2))


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_loss_holds_the_mean_penalty_of_the_rows_whatever_they_weigh(engine, data):
    x, y = data
    model = model_of(layers.Dense(5, "relu", activity_regularizer="l1"), layers.Dense(2, activity_regularizer="l2"), engine=engine)
    hidden = np.maximum(x @ model.layers[0].kernel + model.layers[0].bias, 0)
    predictions = model.predict(x, verbose=0)
    weight = np.linspace(0, 2, 50)
    expected = (weight * np.mean((predictions - y) ** 2, axis=1)).mean() + 0.01 * (np.abs(hidden).sum() + np.square(predictions).sum()) / 50
    assert model.evaluate(x, y, sample_weight=weight, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(x, y, sample_weight=weight, batch_size=7, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(x, y, sample_weight=weight)[0] == pytest.approx(expected, rel=1e-5)


def test_a_layer_of_its_own_does_the_same(data):
    fused = model_of(layers.Dense(5, "relu", activity_regularizer=regularizers.L1L2(0.01, 0.02)), layers.Dense(2))
    apart = model_of(layers.Dense(5), layers.Activation("relu"), layers.ActivityRegularization(0.01, 0.02), layers.Dense(2))
    for model in (fused, apart):
        model.fit(*data, epochs=3, verbose=0)
    assert same_bits(fused.get_weights(), apart.get_weights())
    assert apart.layers[2].count_params() == 0


def test_a_penalty_makes_units_silent(data):
    plain, penalized = (
        model_of(layers.Dense(30, "relu", activity_regularizer=one), layers.Dense(2)) for one in (None, regularizers.L1(0.5))
    )
    silent = []
    for model in (plain, penalized):
        model.fit(*data, epochs=100, verbose=0)
        silent.append((data[0] @ model.layers[0].kernel + model.layers[0].bias <= 0).mean())
    assert silent[1] > silent[0] + 0.2


def test_no_penalty_takes_no_step():
    model = model_of(layers.ActivityRegularization(), layers.Dense(2, activity_regularizer=regularizers.L1(0)))
    assert [node.op for node in model.plan.nodes] == ["dense"]


def test_lbfgs_minimizes_it_too(data):
    model = model_of(layers.Dense(5, "tanh", activity_regularizer="l2"), layers.Dense(2), optimizer="lbfgs")
    losses = model.fit(*data, epochs=20, verbose=0).history["loss"]
    assert all(b <= a for a, b in pairwise(losses))


def test_penalties_are_saved_with_the_model(data, tmp_path):
    straight, stopped = (
        model_of(layers.Dense(5, activity_regularizer="l2"), layers.ActivityRegularization(l1=0.1), layers.Dense(2)) for _ in range(2)
    )
    straight.fit(*data, epochs=4, verbose=0)
    stopped.fit(*data, epochs=2, verbose=0)
    stopped.save(tmp_path / "model.safetensors")
    resumed = fastmlp.load_model(tmp_path / "model.safetensors")
    assert resumed.get_config() == stopped.get_config()
    resumed.fit(*data, epochs=2, verbose=0)
    assert same_bits(straight.get_weights(), resumed.get_weights())


def test_what_cannot_be_had_is_told():
    with pytest.raises(
        UnsupportedError, match="OrthogonalRegularizer is a penalty on weights; activity_regularizer must be L1, L2 or L1L2"
    ):
        layers.Dense(2, activity_regularizer="orthogonal_regularizer")
    with pytest.raises(UnsupportedError, match="add an ActivityRegularization layer after this one"):
        layers.Activation("relu", activity_regularizer="l2")
    with pytest.raises(ValueError, match="l1 must be a number ≥ 0, got -1"):
        layers.ActivityRegularization(-1)
