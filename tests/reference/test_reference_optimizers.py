"""The reference engine's optimizers: first steps against values worked out by hand.

The network has one weight w = 1 and learns y = 0 from x = 1 by squared error, so its gradient is 2w wherever it is.
"""

import math

import numpy as np
import pytest

from fastmlp._engine.spec import Batches, Node, Objective, Parameter, Plan, Update
from fastmlp.reference import Network

ONE_WEIGHT = Plan((1, 1), (Node("dense", (0,), 1, (0,)),), (Parameter("kernel", (1, 1)),), output=1)
ONE, ZERO = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
BATCH = Batches(ONE, ZERO, None, None, 1)


def network_with(update, rate=0.1, dtype=np.float64):
    network = Network(ONE_WEIGHT, dtype=dtype)
    network.set_parameter(0, ONE)
    network.configure(Objective("mean_squared_error", source=1), update)
    network.learning_rate = rate
    return network


def take_steps(network, count):
    weights = []
    for _ in range(count):
        network.train(BATCH, 0, 1, 60.0, np.zeros(2))
        weights.append(network.get_parameter(0).item())
    return weights


def test_sgd_steps_against_the_gradient():
    assert take_steps(network_with(Update("sgd")), 3) == pytest.approx([0.8, 0.64, 0.512])


def test_momentum_adds_steps_up():
    # m: −.2, then .5·(−.2) − .1·1.6 = −.26, then .5·(−.26) − .1·1.08 = −.238
    network = network_with(Update("sgd", momentum=0.5))
    assert take_steps(network, 3) == pytest.approx([0.8, 0.54, 0.302])
    assert network.get_slot("momentum", 0).item() == pytest.approx(-0.238)


def test_nesterov_looks_one_step_ahead():
    # m: −.2, w: 1 + .5·(−.2) − .2 = .7; m: −.1 − .14 = −.24, w: .7 − .12 − .14 = .44
    assert take_steps(network_with(Update("sgd", momentum=0.5, nesterov=True)), 2) == pytest.approx([0.7, 0.44])


def test_rmsprop_divides_by_the_recent_size_of_the_gradient():
    # v: .1·4 = .4, then .9·.4 + .1·g²; ε = .1 stands inside the root
    first = 1 - 0.1 * 2 / math.sqrt(0.4 + 0.1)
    second = first - 0.1 * 2 * first / math.sqrt(0.9 * 0.4 + 0.1 * (2 * first) ** 2 + 0.1)
    network = network_with(Update("rmsprop", rho=0.9, epsilon=0.1))
    assert take_steps(network, 2) == pytest.approx([first, second])
    assert network.get_slot("velocity", 0).item() == pytest.approx(0.36 + 0.1 * (2 * first) ** 2)


def test_rmsprop_with_momentum_adds_steps_up():
    step = 0.1 * 2 / math.sqrt(0.4)
    first = 1 - step
    second = first - (0.5 * step + 0.1 * 2 * first / math.sqrt(0.36 + 0.1 * (2 * first) ** 2))
    assert take_steps(network_with(Update("rmsprop", momentum=0.5, epsilon=0.0)), 2) == pytest.approx([first, second])


def test_adam_starts_with_a_step_of_the_learning_rate():
    first, *_ = take_steps(network_with(Update("adam", epsilon=0.0)), 1)
    assert first == pytest.approx(0.9)


def test_adam_corrects_the_means_for_their_start_at_zero():
    # After two steps m / (1 − β₁²) and v / (1 − β₂²) are weighted means of g = 2, 1.8 and g² = 4, 3.24.
    m = (0.9 * 0.1 * 2 + 0.1 * 1.8) / (1 - 0.9**2)
    v = (0.99 * 0.01 * 4 + 0.01 * 3.24) / (1 - 0.99**2)
    network = network_with(Update("adam", beta_1=0.9, beta_2=0.99, epsilon=0.0))
    assert take_steps(network, 2) == pytest.approx([0.9, 0.9 - 0.1 * m / math.sqrt(v)])


def test_adam_adds_epsilon_outside_the_root_of_the_uncorrected_mean():
    # m = .2, v = .004, α = .1·√.001 / .1
    expected = 1 - 0.2 * math.sqrt(0.001) / (math.sqrt(0.004) + 0.5)
    assert take_steps(network_with(Update("adam", epsilon=0.5)), 1) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("update", "names"),
    [
        (Update("sgd"), ()),
        (Update("sgd", momentum=0.9), ("momentum",)),
        (Update("rmsprop"), ("velocity",)),
        (Update("rmsprop", momentum=0.9), ("velocity", "momentum")),
        (Update("adam"), ("momentum", "velocity")),
        (Update("adam", momentum=0.9), ("momentum", "velocity")),
    ],
    ids=str,
)
def test_slots_are_what_the_rule_remembers(update, names):
    network = network_with(update, dtype=np.float32)
    assert network.slot_names == names
    for name in names:
        assert np.array_equal(network.get_slot(name, 0), ZERO)
    take_steps(network, 2)
    for name in names:
        slot = network.get_slot(name, 0)
        assert slot.dtype == np.float32
        assert slot.item() != 0
    assert network.get_parameter(0).dtype == np.float32


@pytest.mark.parametrize("update", [Update("sgd", momentum=0.9), Update("rmsprop", momentum=0.9), Update("adam")], ids=lambda u: u.kind)
def test_a_restored_network_takes_the_same_next_steps(update):
    straight = network_with(update, dtype=np.float32)
    take_steps(straight, 3)
    resumed = network_with(update, dtype=np.float32)
    resumed.set_parameter(0, straight.get_parameter(0))
    for name in straight.slot_names:
        resumed.set_slot(name, 0, straight.get_slot(name, 0))
    resumed.iterations = straight.iterations
    assert take_steps(resumed, 3) == take_steps(straight, 3)


def test_a_learning_rate_of_numpy_leaves_the_weights_float32():
    network = network_with(Update("adam"), rate=np.float64(0.1), dtype=np.float32)
    take_steps(network, 1)
    assert network.get_parameter(0).dtype == np.float32
