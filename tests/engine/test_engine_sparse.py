"""Rows without zeros in the native engine: the bits of dense rows, steps put off and caught up on, and what it refuses."""

import threading
from pathlib import Path

import numpy as np
import pytest
from networks import ENDLESS, LEARNING_RATES, UPDATES, configured, objective_for, perceptron, same_bits, state_of, train
from subprocesses import resident_kib

from fastmlp import _core, reference
from fastmlp._engine.spec import Batches, SparseRows, Update
from fastmlp.errors import NonFiniteLossError

NEVER, ALWAYS = 0.0, 2.0


def words(rows, width, per_row=8, seed=0):
    """Rows of a few words, some of them common and most of them rare, without zeros and with them."""
    rng = np.random.default_rng(seed)
    x = np.zeros((rows, width), np.float32)
    likely = 1 / np.arange(1, width + 1)
    for row in x:
        row[rng.choice(width, per_row, replace=False, p=likely / likely.sum())] = rng.uniform(0.5, 2, per_row)
    return without_zeros(x), x


def without_zeros(x):
    rows, columns = np.nonzero(x)
    starts = np.searchsorted(rows, np.arange(len(x) + 1)).astype(np.int64)
    return SparseRows(starts, columns.astype(np.int32), x[rows, columns], x.shape[1])


def batches_of(x, plan, batch_size=8, seed=1):
    rng = np.random.default_rng(seed)
    return Batches(x, rng.integers(0, plan.widths[-1], len(x), dtype=np.int32), None, rng.permutation(len(x)).astype(np.uint32), batch_size)


def network_for(plan, update="adam", engine=_core, skip_below=None):
    network = configured(engine, plan, objective_for(plan, "scce"), update)
    if skip_below is not None:
        network.set_skip_below(skip_below)
    return network


def ended(network, batches, epochs=5):
    totals = train(network, batches, epochs=epochs)
    network.evaluate(batches, 0, batches.count, ENDLESS, totals)
    return [*state_of(network), totals, network.predict(batches.x)]


# Bits


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("hidden", [16, 24, 200])
def test_rows_without_zeros_give_the_bits_of_dense_ones(threads, update, hidden):
    plan = perceptron((700, hidden, 4), "tanh", "softmax")
    sparse, dense = words(96, 700)
    threads(1)
    expected = ended(network_for(plan, update, skip_below=NEVER), batches_of(dense, plan))  # 60 steps, none put off
    for count in (1, 2, 3):
        threads(count)
        for x, skip_below in ((sparse, ALWAYS), (sparse, NEVER), (dense, ALWAYS)):
            assert same_bits(expected, ended(network_for(plan, update, skip_below=skip_below), batches_of(x, plan))), (count, skip_below)


@pytest.mark.parametrize("update", UPDATES)
def test_work_shared_by_columns_or_by_panels_gives_the_same_bits(threads, update):
    sparse, dense = words(1024, 3000, per_row=40)
    for hidden in (16, 48, 512):
        plan = perceptron((3000, hidden, 4), "relu", "softmax")
        threads(1)
        expected = ended(network_for(plan, update, skip_below=NEVER), batches_of(dense, plan, 512), epochs=2)
        for count in (2, 5):
            threads(count)
            assert same_bits(expected, ended(network_for(plan, update), batches_of(sparse, plan, 512), epochs=2))


@pytest.mark.parametrize("update", UPDATES)
def test_both_engines_agree_on_rows_without_zeros(update):
    plan = perceptron((300, 20, 4), "tanh", "softmax")
    sparse, dense = words(64, 300)
    native, expected = (ended(network_for(plan, update, engine), batches_of(sparse, plan)) for engine in (_core, reference))
    for a, b in zip(native, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
    assert same_bits(expected, ended(network_for(plan, update, reference), batches_of(dense, plan)))


def test_gradients_of_absent_columns_are_zero(threads):
    plan = perceptron((500, 40, 4), "tanh", "softmax")
    sparse, dense = words(32, 500)
    for count in (1, 2):
        threads(count)
        network = network_for(plan)
        expected = network.gradients(batches_of(dense, plan, 16))
        loss, gradients = network.gradients(batches_of(sparse, plan, 16))
        assert loss == expected[0]
        assert same_bits(gradients, expected[1])
        assert not gradients[0][(dense == 0).all(axis=0)].any()


def test_rows_without_entries_and_with_zeros_among_them():
    plan = perceptron((100, 16, 4), "tanh", "softmax")
    _, dense = words(40, 100)
    dense[5:9] = 0
    sparse = without_zeros(dense)
    values = sparse.values.copy()
    values[::5] = 0  # stored, but zero
    dense[np.repeat(np.arange(40), np.diff(sparse.starts)), sparse.columns] = values
    sparse = SparseRows(sparse.starts, sparse.columns, values, 100)
    nothing = without_zeros(np.zeros_like(dense))
    for x, same in ((sparse, dense), (nothing, np.zeros_like(dense))):
        assert same_bits(ended(network_for(plan), batches_of(x, plan)), ended(network_for(plan, skip_below=NEVER), batches_of(same, plan)))


# Steps put off


@pytest.mark.parametrize("update", UPDATES)
def test_looking_at_weights_slots_or_predictions_changes_no_bit(update):
    plan = perceptron((400, 16, 4), "tanh", "softmax")
    batches = batches_of(words(160, 400)[0], plan)
    undisturbed, watched = network_for(plan, update), network_for(plan, update)
    train(undisturbed, batches)
    looks = [
        lambda: watched.get_parameter(0),
        lambda: [watched.get_slot(name, 0) for name in watched.slot_names],
        lambda: watched.predict(batches.x),
        lambda: watched(np.zeros(400, np.float32)),
        lambda: watched.apply(batches.x, training=True),
        lambda: watched.gradients(batches),
        lambda: watched.evaluate(batches, 0, 3, ENDLESS, np.zeros(2)),
    ]
    for i in range(batches.count):
        watched.train(batches, i, i + 1, 0.0, np.zeros(2))
        looks[i % len(looks)]()
    assert same_bits(state_of(undisturbed), state_of(watched))


@pytest.mark.parametrize("update", UPDATES)
def test_predictions_are_those_of_weights_that_took_every_step(update):
    plan = perceptron((400, 16, 4), "tanh", "softmax")
    sparse, dense = words(160, 400)
    late, prompt = network_for(plan, update), network_for(plan, update, skip_below=NEVER)
    for network, x in ((late, sparse), (prompt, dense)):
        train(network, batches_of(x, plan))
    assert late(np.ones(400, np.float32)).tobytes() == prompt(np.ones(400, np.float32)).tobytes()


def test_a_learning_rate_that_changes_between_steps_counts_for_the_steps_put_off():
    plan = perceptron((300, 16, 4), "tanh", "softmax")
    sparse, dense = words(64, 300)
    ends = []
    for x, skip_below in ((sparse, ALWAYS), (dense, NEVER)):
        network, batches = network_for(plan, "adam", skip_below=skip_below), batches_of(x, plan)
        for i in range(batches.count * 4):
            network.learning_rate = 0.003 * 0.8**i if i % 3 else 0.02
            network.train(batches, i % batches.count, i % batches.count + 1, 0.0, np.zeros(2))
        ends.append(state_of(network))
    assert same_bits(*ends)


@pytest.mark.parametrize("update", ["momentum", "rmsprop_momentum", "adam"])
def test_more_steps_than_can_be_put_off(threads, update):
    plan = perceptron((70, 16, 2), "tanh", "softmax")
    rng = np.random.default_rng(0)
    dense = np.zeros((10_000, 70), np.float32)
    dense[np.arange(10_000), rng.integers(0, 60, 10_000)] = 1
    dense[0, 65] = dense[9_000, 66] = 1  # in one batch only
    ends = []
    for x, skip_below in ((without_zeros(dense), ALWAYS), (dense, NEVER)):
        batches = Batches(x, np.ones(10_000, np.int32), None, None, 2)
        network = network_for(plan, update, skip_below=skip_below)
        train(network, batches)
        assert network.iterations == 5000
        ends.append(state_of(network))
    assert same_bits(*ends)


def test_dense_and_sparse_batches_may_follow_each_other():
    plan = perceptron((300, 24, 4), "tanh", "softmax")
    sparse, dense = words(64, 300)
    mixed, prompt = network_for(plan), network_for(plan, skip_below=NEVER)
    for epoch in range(6):
        mixed.set_skip_below(NEVER if epoch % 3 == 1 else ALWAYS)
        mixed.set_unfused(epoch % 3 == 2)
        train(mixed, batches_of(sparse if epoch % 2 else dense, plan))
        train(prompt, batches_of(dense, plan))
    assert same_bits(state_of(mixed), state_of(prompt))


def test_setting_state_settles_first():
    plan = perceptron((300, 16, 4), "tanh", "softmax")
    sparse, dense = words(64, 300)
    ends = []
    for x, skip_below in ((sparse, ALWAYS), (dense, NEVER)):
        network = network_for(plan, "adam", skip_below=skip_below)
        train(network, batches_of(x, plan))
        network.set_parameter(0, network.get_parameter(0) * np.float32(0.5))
        network.set_slot("momentum", 0, np.ones((300, 16), np.float32))
        train(network, batches_of(x, plan))
        network.configure(objective_for(plan, "scce"), UPDATES["momentum"])
        network.learning_rate = LEARNING_RATES["momentum"]
        train(network, batches_of(x, plan))
        ends.append(state_of(network))
    assert same_bits(*ends)


def test_a_loss_that_is_not_finite_leaves_the_weights_of_the_batch_before():
    plan = perceptron((300, 16, 4), "tanh", "softmax")
    sparse, dense = words(64, 300)
    ends = []
    for x, skip_below in ((sparse, ALWAYS), (dense, NEVER)):
        network, batches = network_for(plan, "adam", skip_below=skip_below), batches_of(x, plan)
        weight = np.ones(64, np.float32)
        weight[batches.order[41]] = np.nan
        with pytest.raises(NonFiniteLossError):
            network.train(Batches(x, batches.y, weight, batches.order, 8), 0, 8, ENDLESS, np.zeros(2))
        assert network.iterations == 5
        train(network, batches)
        ends.append(state_of(network))
    assert same_bits(*ends)


def test_without_an_epsilon_every_step_is_taken_at_once():
    plan = perceptron((100, 16, 4), "tanh", "softmax")
    sparse, dense = words(40, 100)
    for rule in (Update("adam", epsilon=0.0), Update("rmsprop", epsilon=0.0)):
        ends = []
        for x, skip_below in ((sparse, ALWAYS), (dense, NEVER)):
            network = network_for(plan, skip_below=skip_below)
            network.configure(objective_for(plan, "scce"), rule)
            network.train(batches_of(x, plan), 0, 1, ENDLESS, np.zeros(2))
            ends.append(network.get_parameter(0))
        np.testing.assert_array_equal(*ends)  # 0 / 0 where nothing stands


def test_predictions_while_steps_are_put_off_see_settled_weights(threads):
    threads(2)
    plan = perceptron((400, 16, 4), "tanh", "softmax")
    batches = batches_of(words(800, 400)[0], plan)
    network, alone = network_for(plan), network_for(plan)
    row = np.ones((1, 400), np.float32)
    wrong, done = [], threading.Event()

    def look():
        while not done.is_set():
            if not abs(network(row).sum() - 1) < 1e-5:
                wrong.append(1)

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    train(network, batches, epochs=5)
    done.set()
    for watcher in watchers:
        watcher.join()
    train(alone, batches, epochs=5)
    assert not wrong
    assert same_bits(state_of(network), state_of(alone))


# Steps added up


def rounded(beta_1=0.9, beta_2=0.999):
    return Update("adam", beta_1=beta_1, beta_2=beta_2, rounded=True)


def trained_by(rule, x, plan, epochs=5, skip_below=ALWAYS, settled=True):
    network = network_for(plan, skip_below=skip_below)
    network.configure(objective_for(plan, "scce"), rule)
    for epoch in range(epochs):
        network.learning_rate = 0.003 / (1 + epoch)
        train(network, batches_of(x, plan))
        if settled:
            network.flush()
    return state_of(network)


def test_steps_added_up_come_to_the_same_within_rounding():
    plan = perceptron((900, 24, 4), "tanh", "softmax")
    sparse, dense = words(800, 900)
    exact = trained_by(Update("adam"), dense, plan, skip_below=NEVER)
    for settled in (True, False):
        for a, b in zip(trained_by(rounded(), sparse, plan, settled=settled), exact, strict=True):
            assert abs(a - b).max() <= 3e-5 * abs(b).max()
    assert not same_bits(trained_by(rounded(), sparse, plan), exact)  # so it was another way


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.99), (0.99, 0.999), (0.999, 0.999), (0.9, 0.0)])
def test_where_a_sum_would_not_be_exact_enough_every_step_is_taken(beta_1, beta_2):
    plan = perceptron((300, 16, 4), "tanh", "softmax")
    sparse, dense = words(200, 300)
    exact = trained_by(Update("adam", beta_1=beta_1, beta_2=beta_2), dense, plan, skip_below=NEVER)
    assert same_bits(trained_by(rounded(beta_1, beta_2), sparse, plan), exact)


def test_steps_added_up_do_not_depend_on_threads_or_on_where_a_call_ends(threads):
    plan = perceptron((3000, 200, 4), "relu", "softmax")
    sparse, _ = words(600, 3000, per_row=30)
    ends = []
    for count in (1, 2, 3):
        threads(count)
        ends.append(trained_by(rounded(), sparse, plan, epochs=2))
    network, batches = network_for(plan), batches_of(sparse, plan)
    network.configure(objective_for(plan, "scce"), rounded())
    for epoch in range(2):
        network.learning_rate = 0.003 / (1 + epoch)
        for i in range(batches.count):
            network.train(batches, i, i + 1, 0.0, np.zeros(2))
        network.flush()
    assert all(same_bits(ends[0], end) for end in [*ends[1:], state_of(network)])


# What it refuses


def damaged(part, at, value):
    sparse, _ = words(20, 100)
    arrays = {"starts": sparse.starts.copy(), "columns": sparse.columns.copy(), "values": sparse.values}
    arrays[part][at] = value
    return SparseRows(**arrays, width=100)


@pytest.mark.parametrize("skip_below", [NEVER, ALWAYS])
@pytest.mark.parametrize(
    "change",
    [
        ("columns", 30, 100),
        ("columns", 30, -1),
        ("columns", 30, 2**31 - 1),
        ("columns", 31, 0),
        ("starts", 7, -5),
        ("starts", 7, 10**12),
        ("starts", 20, 10**6),
    ],
    ids=str,
)
def test_a_damaged_row_is_an_error_and_no_crash(change, skip_below):
    plan = perceptron((100, 16, 4), "tanh", "softmax")
    x = damaged(*change)
    network = network_for(plan, skip_below=skip_below)
    before = state_of(network)
    batches = Batches(x, np.zeros(20, np.int32), None, None, 20)
    for call in (
        lambda: network.train(batches, 0, 1, ENDLESS, np.zeros(2)),
        lambda: network.evaluate(batches, 0, 1, ENDLESS, np.zeros(2)),
        lambda: network.gradients(batches),
        lambda: network.predict(x),
        lambda: network.apply(x, training=True),
    ):
        with pytest.raises(ValueError, match="a sparse row not in order"):
            call()
    assert same_bits(before, state_of(network))


def test_arrays_that_do_not_fit_are_named():
    network = network_for(perceptron((100, 16, 4), "tanh", "softmax"))
    x, _ = words(20, 100)
    for change, message in (
        ({"width": 99}, "x has 99 columns, but the first layer expects 100"),
        ({"starts": x.starts.astype(np.int32)}, "x.starts must have dtype int64, got int32"),
        ({"columns": x.columns[:-1]}, "x has 21 row starts, 159 columns and 160 values"),
        ({"values": x.values[::2]}, "x.values is not C-contiguous"),
    ):
        parts = {"starts": x.starts, "columns": x.columns, "values": x.values, "width": 100, **change}
        with pytest.raises((TypeError, ValueError), match=message):
            network.predict(SparseRows(**parts))


# Memory


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident size from /proc")
def test_memory_follows_the_entries_and_not_the_columns():
    width, rows = 200_000, 512
    plan = perceptron((width, 4, 2), "relu", "softmax")
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(0, width // 20, (rows, 20)) * 20 + np.arange(20), axis=1).astype(np.int32)
    x = SparseRows(np.arange(0, rows * 20 + 1, 20), columns.ravel(), np.ones(rows * 20, np.float32), width)
    network = network_for(plan, "sgd")
    before = resident_kib()
    train(network, Batches(x, np.zeros(rows, np.int32), None, None, rows))
    network.predict(x)
    assert resident_kib() - before < 16 * 1024  # one dense batch would be 400 MiB
