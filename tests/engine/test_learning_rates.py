"""Learning rates that come to the engines with the batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import ENDLESS, configured, data_for, objective_for, perceptron, same_bits, state_of

from fastmlp import _core, reference


@pytest.mark.parametrize("module", [_core, reference])
def test_the_network_keeps_the_rate_of_the_last_batch(module):
    plan, objective, batches, rates = engine_case()
    network = configured(module, plan, objective)
    totals = np.zeros(2)
    network.train(with_rates(batches, rates), 0, 2, ENDLESS, totals)
    assert network.learning_rate == rates[1]
    network.evaluate(with_rates(batches, rates), 0, batches.count, ENDLESS, totals)
    assert network.learning_rate == rates[1]


@pytest.mark.parametrize("module", [_core, reference])
def test_rates_of_batches_are_those_set_one_by_one(module):
    plan, objective, batches, rates = engine_case()
    at_once, one_by_one = configured(module, plan, objective), configured(module, plan, objective)
    totals = np.zeros(2)
    at_once.train(with_rates(batches, rates), 0, batches.count, ENDLESS, totals)
    for batch, rate in enumerate(rates):
        one_by_one.learning_rate = rate
        one_by_one.train(batches, batch, batch + 1, ENDLESS, totals)
    assert same_bits(state_of(at_once), state_of(one_by_one))


@pytest.mark.parametrize(
    ("rates", "error", "message"),
    [
        (np.zeros(3, np.float32), TypeError, "rates must have dtype float64, got float32"),
        (np.zeros(2), ValueError, "rates has 2 elements, but there are 4 batches"),
    ],
)
def test_rates_are_checked(rates, error, message):
    plan, objective, batches, _ = engine_case()
    with pytest.raises(error, match=message):
        configured(_core, plan, objective).train(with_rates(batches, rates), 0, 1, ENDLESS, np.zeros(2))


def engine_case(hidden=5):
    """A plan, an objective, four batches, and a rate for each."""
    plan = perceptron((3, hidden, 2), last="softmax", rate=0.2)
    return plan, objective_for(plan, "scce"), data_for(plan, "scce", 50, 15), np.array([0.1, 0.01, 0.0, 0.05])


def with_rates(batches, rates):
    return replace(batches, rates=rates)


def test_rates_work_on_many_threads():
    plan = perceptron((200, 300, 300, 10), last="softmax")
    batches = data_for(plan, "scce", 600, 200)
    states = []
    before = _core.get_threads()
    try:
        for threads in (1, 4):
            _core.set_threads(threads)
            network = configured(_core, plan, objective_for(plan, "scce"))
            for _ in range(4):
                network.train(with_rates(batches, np.array([0.1, 0.001, 0.01])), 0, 3, ENDLESS, np.zeros(2))
            states.append(state_of(network))
    finally:
        _core.set_threads(before)
    assert same_bits(*states)
