"""Steps of the optimizer with gradients from outside the engine."""

from dataclasses import replace

import numpy as np
import pytest
from networks import ENDLESS, LEARNING_RATES, UPDATES, data_for, fill, objective_for, parameters_of, perceptron, same_bits, state_of
from update_options import BOUNDS, OPTIONS, PENALTIES, plan_with

from fastmlp import _core, reference
from fastmlp._engine.spec import Batches
from fastmlp.errors import NonFiniteWeightsError

STEPS = 5


def network_of(engine, plan, update, name):
    network = fill(engine.Network(plan, 7))
    network.configure(objective_for(plan, "mse"), update)
    network.learning_rate = LEARNING_RATES[name]
    return network


def after_own_steps(engine, plan, update, name, data):
    network = network_of(engine, plan, update, name)
    for _ in range(STEPS):
        network.apply_gradients(network.gradients(data)[1])
    return network


def after_training(engine, plan, update, name, data):
    network = network_of(engine, plan, update, name)
    for _ in range(STEPS):
        network.train(data, 0, 1, ENDLESS, np.zeros(2))
    return network


def one_batch(plan, rows=40):
    return data_for(plan, "mse", rows, rows, weighted=True)


CASES = [
    *((name, update, {}) for name, update in UPDATES.items()),
    *(("adam", replace(UPDATES["adam"], **options), {}) for options in OPTIONS.values()),
    *(("adam", UPDATES["adam"], {"penalty": penalty}) for penalty in PENALTIES.values()),
    *(("adam", UPDATES["adam"], {"bounds": bounds}) for bounds in BOUNDS.values()),
    ("sgd", replace(UPDATES["sgd"], clipvalue=0.01, weight_decay=0.1), {"penalty": PENALTIES["l1 and l2"], "bounds": BOUNDS["units"]}),
]


@pytest.mark.parametrize("engine", [_core, reference])
@pytest.mark.parametrize(("name", "update", "options"), CASES)
def test_gradients_and_a_step_are_a_batch_of_training(engine, name, update, options):
    plan = plan_with((5, 24, 3), **options)
    data = one_batch(plan)
    own, trained = after_own_steps(engine, plan, update, name, data), after_training(engine, plan, update, name, data)
    assert same_bits(state_of(own), state_of(trained))
    assert own.iterations == trained.iterations == STEPS


@pytest.mark.parametrize("name", ["adam", "muon", "lamb", "adafactor"])
def test_threads_change_no_bit(name, threads):
    plan = perceptron((600, 500, 3))
    data = one_batch(plan)
    states = []
    for count in (1, 2):
        threads(count)
        states.append(state_of(after_own_steps(_core, plan, replace(UPDATES[name], clipnorm=0.1, ema_momentum=0.9), name, data)))
    assert same_bits(*states)


@pytest.mark.parametrize("name", ["sgd", "adam", "muon", "lamb", "adafactor"])
def test_parameters_without_a_gradient_stay(name):
    plan = perceptron((5, 24, 3))
    update = replace(UPDATES[name], ema_momentum=0.5, global_clipnorm=0.1, weight_decay=0.1)
    networks = [network_of(engine, plan, update, name) for engine in (_core, reference)]
    for network in networks:
        before = parameters_of(network)
        gradients = network.gradients(one_batch(plan))[1]
        network.apply_gradients([None, gradients[1], gradients[2], None])
        moved = [not np.array_equal(a, b) for a, b in zip(before, parameters_of(network), strict=True)]
        assert moved == [False, True, True, False]
        np.testing.assert_array_equal(network.get_slot("average", 0), before[0])  # the average of what does not move
    for a, b in zip(*map(state_of, networks), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)


def test_frozen_parameters_ignore_their_gradient():
    plan = perceptron((5, 24, 3))
    plan = replace(plan, parameters=(replace(plan.parameters[0], trainable=False), *plan.parameters[1:]))
    for engine in (_core, reference):
        network = network_of(engine, plan, UPDATES["adam"], "adam")
        before = network.get_parameter(0)
        network.apply_gradients([np.ones(one.shape, np.float32) for one in plan.parameters])
        assert network.get_parameter(0).tobytes() == before.tobytes()


def test_a_step_follows_deferred_updates_of_sparse_input():
    plan = perceptron((60, 24, 3))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 60)).astype(np.float32) * (rng.random((40, 60)) < 0.05)
    data = Batches(x, rng.normal(size=(40, 3)).astype(np.float32), None, None, 8)
    states = []
    for skip in (0.0, 2.0):
        network = network_of(_core, plan, UPDATES["adam"], "adam")
        network.set_skip_below(skip)
        network.train(data, 0, 4, ENDLESS, np.zeros(2))
        network.apply_gradients([np.full(one.shape, 0.1, np.float32) for one in plan.parameters])
        network.train(data, 4, 5, ENDLESS, np.zeros(2))
        states.append(state_of(network))
    assert same_bits(*states)


@pytest.mark.parametrize("engine", [_core, reference])
def test_bad_gradients_are_refused(engine):
    plan = perceptron((5, 24, 3))
    network = fill(engine.Network(plan, 7))
    gradients = [np.zeros(one.shape, np.float32) for one in plan.parameters]
    with pytest.raises(RuntimeError, match="configure"):
        network.apply_gradients(gradients)
    network.configure(objective_for(plan, "mse"), UPDATES["adam"])
    with pytest.raises(ValueError, match="the number of gradients"):
        network.apply_gradients(gradients[:3])
    with pytest.raises(ValueError, match="shape"):
        network.apply_gradients([gradients[0][:2], *gradients[1:]])
    with pytest.raises(ValueError, match="the gradient of dense_0/kernel has NaN or infinite elements"):
        network.apply_gradients([np.full(one.shape, np.nan, np.float32) for one in plan.parameters])
    network.learning_rate = 1e39
    with pytest.raises(NonFiniteWeightsError):
        network.apply_gradients([np.full(one.shape, 1, np.float32) for one in plan.parameters])
