"""Embeddings whose tables are larger than a batch: rows that are not looked up put their steps off, and no bit shows it."""

import numpy as np
import pytest
from networks import ENDLESS, UPDATES, configured, objective_for, same_bits, state_of, train

from fastmlp import _core
from fastmlp._engine.spec import Batches, Node, Parameter, Plan


def two_tables(words, columns=20, positions=3):
    """Two embeddings, of the same integers, one in front of the other, and a dense layer over both."""
    nodes = (
        Node("slice", (0,), 1),
        Node("slice", (0,), 2, column=positions),
        Node("embedding", (1,), 3, (0,), roles=("embeddings",)),
        Node("embedding", (2,), 4, (1,), roles=("embeddings",)),
        Node("concatenate", (3, 4), 5),
        Node("dense", (5,), 6, (2, 3), "linear"),
    )
    width = columns * positions
    tables = (Parameter("near", (words, columns)), Parameter("far", (words, columns)))
    return Plan(
        (2 * positions, positions, positions, width, width, 2 * width, 4),
        nodes,
        (*tables, Parameter("kernel", (2 * width, 4)), Parameter("bias", (4,))),
        6,
    )


def sentences(plan, words, rows, batch_size, seed=0):
    """Some words are common, most are rare, some occur twice in a sentence."""
    rng = np.random.default_rng(seed)
    x = np.minimum(rng.zipf(1.3, (rows, plan.widths[0])) - 1, words - 1).astype(np.float32)
    y = rng.normal(size=(rows, 4)).astype(np.float32)
    return Batches(x, y, None, rng.permutation(rows).astype(np.uint32), batch_size)


def ended(plan, update, batches, *, unfused, epochs=4):
    network = configured(_core, plan, objective_for(plan, "mse"), update)
    network.set_unfused(unfused)  # every row takes every step at once
    totals = train(network, batches, epochs=epochs)
    network.evaluate(batches, 0, batches.count, ENDLESS, totals)
    return [*state_of(network), totals, network.predict(batches.x)]


@pytest.mark.parametrize("update", UPDATES)
def test_steps_put_off_change_no_bit(threads, update):
    plan = two_tables(900)
    batches = sentences(plan, 900, 90, 16)
    threads(1)
    expected = ended(plan, update, batches, unfused=True)
    for count in (1, 2, 3):
        threads(count)
        assert same_bits(expected, ended(plan, update, batches, unfused=False)), count


def test_rows_that_are_never_looked_up_take_all_steps_in_the_end():
    """More of them than are remembered."""
    plan = two_tables(64, columns=5, positions=1)
    batches = sentences(plan, 64, 4500, 1)
    assert same_bits(*(ended(plan, "momentum", batches, unfused=unfused, epochs=1) for unfused in (True, False)))


def test_reading_weights_between_batches_changes_no_bit():
    plan = two_tables(900)
    batches = sentences(plan, 900, 90, 16)
    networks = [configured(_core, plan, objective_for(plan, "mse"), "adam") for _ in range(2)]
    for network, reads in zip(networks, (False, True), strict=True):
        totals = np.zeros(2)
        for batch in range(batches.count):
            network.train(batches, batch, batch + 1, ENDLESS, totals)
            if reads:
                network.predict(batches.x[:5])
                network.get_parameter(0)
    assert same_bits(*(state_of(network) for network in networks))


def test_small_batches_after_large_ones_change_no_bit():
    """Large batches look up so many rows that the whole table takes the step."""
    plan = two_tables(900)
    results = []
    for unfused in (True, False):
        network = configured(_core, plan, objective_for(plan, "mse"), "rmsprop")
        network.set_unfused(unfused)
        for batch_size in (8, 400, 8, 16):
            train(network, sentences(plan, 900, 400, batch_size))
        results.append(state_of(network))
    assert same_bits(*results)
