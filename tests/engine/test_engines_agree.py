"""The native engine and the reference engine, on the same plan: the same predictions, gradients and whole training runs."""

import numpy as np
import pytest
from networks import (
    ACTIVATIONS,
    ENDLESS,
    EVERY_ACTIVATION,
    LOSSES,
    UPDATES,
    configured,
    data_for,
    fill,
    metrics_for,
    objective_for,
    parameters_of,
    perceptron,
    state_of,
    train,
)

from fastmlp import _core, reference
from fastmlp._engine.spec import Node, Parameter, Plan
from fastmlp.reference.activations import READ_INPUT

ENGINES = (_core, reference)


def both(plan, objective, update="adam"):
    return [configured(engine, plan, objective, update) for engine in ENGINES]


def assert_close(native, expected, rtol=2e-5, atol=2e-6):
    for left, right in zip(native, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=rtol, atol=atol)


@pytest.mark.parametrize("hidden", EVERY_ACTIVATION)
@pytest.mark.parametrize("last", [*ACTIVATIONS, "softmax", "gelu", "log_softmax", "glu"])
@pytest.mark.parametrize("widths", [(1, 1), (3, 1, 2), (17, 64, 6), (33, 47, 49, 5), (100, 16, 16, 16, 31)])
def test_predictions_agree(widths, hidden, last):
    if hidden == "exponential" and len(widths) > 3:
        pytest.skip("exponentials of exponentials soon leave float32")
    plan = perceptron(widths, hidden, last)
    native, expected = (fill(engine.Network(plan)) for engine in ENGINES)
    rng = np.random.default_rng(1)
    for rows in (0, 1, 2, 5, 16, 17, 130):
        x = rng.normal(size=(rows, widths[0])).astype(np.float32)
        np.testing.assert_allclose(native.predict(x), expected.predict(x), rtol=2e-5, atol=2e-6)
    x = rng.integers(0, 3, (9, widths[0])).astype(np.uint8)
    np.testing.assert_allclose(native.predict(x), expected.predict(x), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_gradients_and_losses_agree(loss, hidden, weighted):
    plan = perceptron((7, 33, 18, 6), hidden, LOSSES[loss][2], rate=0.3)
    native, expected = both(plan, objective_for(plan, loss))
    for rows in (1, 16, 37):
        batches = data_for(plan, loss, rows, rows, weighted=weighted)
        loss_native, gradients_native = native.gradients(batches)
        loss_expected, gradients_expected = expected.gradients(batches)
        assert loss_native == pytest.approx(loss_expected, rel=1e-5)
        assert_close(gradients_native, gradients_expected)


@pytest.mark.parametrize("units", [1, 2, 5, 12, 13, 17, 33, 50])
@pytest.mark.parametrize(("inputs", "rows"), [(70, 1), (70, 3), (70, 8), (70, 9), (3, 40), (70, 200), (1200, 240), (2000, 150)])
def test_gradients_of_narrow_layers_agree(inputs, rows, units):
    """Of few samples, of few features, of many samples, and of long samples, fewer and more than a cache holds."""
    plan = perceptron((inputs, units, 18, 3), "tanh", rate=0.0)
    native, expected = both(plan, objective_for(plan, "mse"))
    batches = data_for(plan, "mse", rows, rows)
    assert_close(native.gradients(batches)[1], expected.gradients(batches)[1])


@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
def test_every_activation_is_differentiated_alike(activation):
    """Below a dense layer, below dropout, below another activation, and as the last one."""
    deep = 2 if activation == "exponential" else 3  # exponentials of exponentials soon leave float32
    for rate, layers in ((0.0, deep), (0.3, deep), (0.0, 1)):
        plan = perceptron((7, 33, 18, 5)[: layers + 1], activation, activation if layers != 2 else "linear", rate=rate)
        native, expected = both(plan, objective_for(plan, "mse"))
        batches = data_for(plan, "mse", 37, 37, weighted=True)
        loss_native, gradients_native = native.gradients(batches)
        loss_expected, gradients_expected = expected.gradients(batches)
        assert loss_native == pytest.approx(loss_expected, rel=1e-5)
        assert_close(gradients_native, gradients_expected)


@pytest.mark.parametrize("activation", EVERY_ACTIVATION)
def test_training_with_every_activation_stays_together(activation):
    plan = perceptron((6, 20, 4), activation)
    batches = data_for(plan, "mse", 94, 8)
    networks = both(plan, objective_for(plan, "mse"), "sgd")
    for network in networks:
        network.learning_rate = 0.002
        train(network, batches, epochs=5)
    assert_close(parameters_of(networks[0]), parameters_of(networks[1]), rtol=1e-3, atol=1e-4)


def test_the_native_engine_refuses_an_activation_in_a_dense_node_that_cannot_tell_its_slope_from_its_output():
    for name in _core.ACTIVATIONS:
        plan = Plan((2, 2), (Node("dense", (0,), 1, (0,), name, 1.0),), (Parameter("kernel", (2, 2)),), 1)
        if name in READ_INPUT:
            with pytest.raises(ValueError, match="the plan, objective or index does not fit the network"):
                _core.Network(plan)
        else:
            _core.Network(plan)
    assert set(_core.ACTIVATIONS) - set(_core.FUSED_ACTIVATIONS) == READ_INPUT


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_training_runs_stay_together(loss, hidden, update):
    """Sixty steps, the last batch of each epoch a partial one."""
    plan = perceptron((6, 20, 4), hidden, LOSSES[loss][2])
    metrics = metrics_for(loss)
    batches = data_for(plan, loss, 94, 8, weighted=True)
    assert batches.count == 12
    totals, networks = [], both(plan, objective_for(plan, loss, metrics), update)
    for network in networks:
        totals.append(train(network, batches, len(metrics), epochs=5))
        assert network.iterations == 60
    assert_close(parameters_of(networks[0]), parameters_of(networks[1]), rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(totals[0][0], totals[1][0], rtol=1e-4)
    np.testing.assert_allclose(totals[0][1::2], totals[1][1::2], rtol=1e-6)  # rows and weights
    # A row that sits on a threshold may count differently: at most one row in a hundred.
    np.testing.assert_allclose(totals[0][2::2], totals[1][2::2], rtol=1e-3, atol=0.01 * totals[1][1])


def test_dropout_drops_the_same_elements():
    plan = perceptron((8, 70, 3), "relu", "linear", rate=0.5)
    networks = both(plan, objective_for(plan, "mse"))
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    native, expected = (network.apply(x, training=True) for network in networks)
    np.testing.assert_allclose(native, expected, rtol=2e-5, atol=2e-6)
    assert not np.allclose(native, networks[0].apply(x, training=False))
    for network in networks:
        network.iterations = 3
    np.testing.assert_allclose(networks[0].apply(x, training=True), networks[1].apply(x, training=True), rtol=2e-5, atol=2e-6)
    assert not np.allclose(native, networks[0].apply(x, training=True))


def test_training_with_dropout_stays_together():
    plan = perceptron((8, 70, 40, 3), "relu", "softmax", rate=0.25)
    batches = data_for(plan, "scce", 130, 32)
    networks = both(plan, objective_for(plan, "scce"))
    for network in networks:
        train(network, batches, epochs=12)
    assert_close(parameters_of(networks[0]), parameters_of(networks[1]), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_evaluations_agree_and_move_nothing(loss):
    plan = perceptron((6, 20, 4), "tanh", LOSSES[loss][2], rate=0.4)
    metrics = metrics_for(loss)
    batches = data_for(plan, loss, 50, 16, weighted=True, shuffled=False)
    totals = []
    for network in both(plan, objective_for(plan, loss, metrics)):
        before = state_of(network)
        totals.append(np.zeros(2 + 2 * len(metrics)))
        assert network.evaluate(batches, 0, batches.count, ENDLESS, totals[-1]) == batches.count
        assert network.iterations == 0
        assert_close(state_of(network), before, rtol=0, atol=0)
    np.testing.assert_allclose(totals[0], totals[1], rtol=2e-5)


@pytest.mark.parametrize("update", UPDATES)
def test_optimizer_slots_agree(update):
    plan = perceptron((6, 20, 4), "tanh", "linear")
    batches = data_for(plan, "mse", 64, 8)
    networks = both(plan, objective_for(plan, "mse"), update)
    assert networks[0].slot_names == networks[1].slot_names
    for network in networks:
        train(network, batches)
    assert_close(state_of(networks[0]), state_of(networks[1]), rtol=1e-3, atol=1e-5)


def test_shuffles_are_identical():
    for rows in (0, 1, 2, 3, 4, 5, 1000, 4099):
        for seed, epoch in ((0, 0), (1, 0), (0, 1), (2**64 - 1, 2**33 + 5)):
            native, expected = (np.empty(rows, np.uint32) for _ in ENGINES)
            _core.shuffle(seed, epoch, native)
            reference.shuffle(seed, epoch, expected)
            assert np.array_equal(native, expected)


def test_both_refuse_a_batch_whose_loss_is_not_finite():
    plan = perceptron((3, 4, 2))
    batches = data_for(plan, "mse", 40, 8, shuffled=False)
    batches.y[17] = np.inf
    for network in both(plan, objective_for(plan, "mse")):
        totals = np.zeros(2)
        with pytest.raises(FloatingPointError) as caught:
            network.train(batches, 0, batches.count, ENDLESS, totals)
        assert caught.value.batch == 2
        assert network.iterations == 2
        assert all(np.isfinite(value).all() for value in state_of(network))


def test_the_engines_shuffle_alike():
    orders = []
    for engine in (_core, reference):
        order = np.empty(1000, np.uint32)
        engine.shuffle(2**63 + 5, 17, order)
        orders.append(order)
    np.testing.assert_array_equal(*orders)
