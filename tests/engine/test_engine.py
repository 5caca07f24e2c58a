"""The native engine's own promises: the same bits whatever the threads, the instruction set and the cut; time, memory, locks."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from folders import SUPPORT
from networks import ENDLESS, UPDATES, configured, data_for, fill, objective_for, perceptron, same_bits, state_of, train, trained
from subprocesses import resident_kib

from fastmlp import _core
from fastmlp._engine.spec import Metric, Node, Objective, Parameter, Plan, Update

# Bits


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("widths", [(300, 200, 150, 10), (64, 700, 3), (500, 33, 640), (20, 40, 30, 20, 1), (2300, 17, 40, 2)])
def test_the_number_of_threads_changes_no_bit(threads, widths, count):
    threads(1)
    alone = trained(widths, batch_size=120)
    threads(count)
    assert same_bits(alone, trained(widths, batch_size=120))


@pytest.mark.parametrize("hidden", ["relu", "gelu"])
@pytest.mark.parametrize("batch_size", [1, 3, 8, 9])
def test_the_number_of_threads_changes_no_bit_of_small_batches(threads, batch_size, hidden):
    widths = (300, 1500, 700, 650, 10)
    threads(1)
    alone = trained(widths, batch_size, hidden=hidden, rate=0.0, rows=20)
    threads(2)
    assert same_bits(alone, trained(widths, batch_size, hidden=hidden, rate=0.0, rows=20))


USES_THREADS = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from networks import trained
from fastmlp import _core
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
_core.set_threads(3)
trained((8, 16, 3))
small = count()
trained((300, 400, 400, 10), 256, rows=512)
large = count()
begin = time.process_time()
time.sleep(0.5)
print(small - before, large - before, time.process_time() - begin < 0.03)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_threads_are_made_for_work_that_pays_and_sleep_between_calls():
    result = subprocess.run([sys.executable, "-c", USES_THREADS, str(SUPPORT)], capture_output=True, text=True)
    assert result.stdout.split() == ["0", "2", "True"], result.stderr


@pytest.mark.parametrize("update", UPDATES)
def test_updating_apart_from_the_gradient_changes_no_bit(update):
    widths = (30, 70, 50, 10)
    assert same_bits(trained(widths, update=update), trained(widths, update=update, unfused=True))


def test_predicting_rows_together_or_one_by_one_changes_no_bit(threads):
    network = fill(_core.Network(perceptron((130, 300, 77, 5), "tanh", "softmax")))
    x = np.random.default_rng(0).normal(size=(1100, 130)).astype(np.float32)
    threads(2)
    together = network.predict(x)
    threads(1)
    assert same_bits([together], [network.predict(x)])
    assert same_bits([together], [np.concatenate([network(row) for row in x])])
    assert same_bits([together], [np.concatenate([network(x[i : i + 7]) for i in range(0, len(x), 7)])])


@pytest.mark.parametrize("uint8", [False, True])
@pytest.mark.parametrize("widths", [(784, 96, 10), (100, 33, 20, 3), (300, 7)])
def test_skipping_zeros_changes_no_bit(threads, widths, uint8):
    plan = perceptron(widths, "tanh", "softmax")
    batches = data_for(plan, "scce", 150, 40, uint8=uint8)
    batches.x[np.random.default_rng(1).random(batches.x.shape) < 0.8] = 0
    outcomes = []
    for count in (1, 2, 3):
        for skip_below in (0.0, 2.0):
            threads(count)
            network = configured(_core, plan, objective_for(plan, "scce"), "rmsprop")
            network.set_skip_below(skip_below)
            totals = train(network, batches, epochs=2)
            network.evaluate(batches, 0, batches.count, ENDLESS, totals)
            rows = [network(row) for row in batches.x[:5]]
            outcomes.append([*state_of(network), totals, network.predict(batches.x), *rows])
    assert all(same_bits(outcomes[0], other) for other in outcomes[1:])


TRAIN_AND_HASH = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from networks import trained
digest = hashlib.sha256()
for hidden in ("relu", "leaky_relu", "sigmoid", "tanh"):
    for loss in ("mse", "mae", "bce", "bce_probabilities", "cce", "cce_probabilities", "scce", "mse_after_softmax"):
        for update in ("sgd", "nesterov", "rmsprop_momentum", "adam"):
            for array in trained((21, 35, 5), 16, loss, update, hidden=hidden, rows=50):
                digest.update(array.tobytes())
from fastmlp import _core
print(_core.build_info()["isa"], digest.hexdigest())
"""


def run_with_isa(isa, script, *arguments):
    environment = {**os.environ, "FASTMLP_ISA": isa}
    return subprocess.run([sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True)


def test_every_instruction_set_gives_the_same_bits():
    digests = set()
    for isa in _core.supported_isas():
        result = run_with_isa(isa, TRAIN_AND_HASH, str(SUPPORT))
        assert result.returncode == 0, result.stderr
        used, digest = result.stdout.split()
        assert used == isa
        digests.add(digest)
    assert len(digests) == 1


# Instruction sets


def test_an_unknown_instruction_set_is_an_error_at_import():
    result = run_with_isa("avx1024", "import fastmlp; fastmlp.build_info()")
    assert result.returncode == 1
    assert "FASTMLP_ISA is 'avx1024', but this build of fastmlp has portable" in result.stderr


def test_build_info_says_what_runs_and_why():
    info = _core.build_info()
    assert info["isa"] in info["isas"]
    assert info["isa_reason"]
    result = run_with_isa("portable", "from fastmlp import _core; print(_core.build_info())")
    assert "'isa': 'portable', 'isa_reason': 'FASTMLP_ISA asks for it'" in result.stdout


# Time


def test_train_returns_at_a_batch_boundary_when_its_time_is_up():
    plan = perceptron((200, 300, 300, 10))
    network = configured(_core, plan, objective_for(plan, "mse"))
    batches = data_for(plan, "mse", 20_000, 32)
    totals = np.zeros(2)
    following = network.train(batches, 0, batches.count, 0.02, totals)
    assert 1 <= following < batches.count
    assert totals[1] == following * 32
    assert network.iterations == following
    assert network.train(batches, following, batches.count, 0.0, totals) == following + 1


def test_measuring_the_threads_runs_no_batch_beyond_the_time_of_a_call(threads):
    threads(2)
    plan = perceptron((200, 300, 300, 10))
    network = configured(_core, plan, objective_for(plan, "mse"))
    batches = data_for(plan, "mse", 20_000, 32)
    for batch in range(100):
        assert network.train(batches, batch, batches.count, 0.0, np.zeros(2)) == batch + 1


def test_a_run_cut_into_calls_ends_with_the_same_bits():
    plan = perceptron((20, 30, 4), rate=0.3)
    batches = data_for(plan, "mse", 100, 8)
    whole, cut = (configured(_core, plan, objective_for(plan, "mse")) for _ in range(2))
    train(whole, batches)
    following = 0
    while following < batches.count:
        following = cut.train(batches, following, batches.count, 0.0, np.zeros(2))
    assert same_bits(state_of(whole), state_of(cut))


# Threads of the caller


def test_python_runs_while_the_engine_trains():
    plan = perceptron((300, 500, 500, 10))
    network = configured(_core, plan, objective_for(plan, "mse"))
    batches = data_for(plan, "mse", 4096, 256)
    thread = threading.Thread(target=network.train, args=(batches, 0, batches.count, 0.5, np.zeros(2)))
    thread.start()
    ticks = 0
    while thread.is_alive():
        ticks += 1
        time.sleep(0.001)
    assert ticks > 10


def test_many_threads_predict_at_once_and_while_training():
    plan = perceptron((40, 90, 5), "tanh", "softmax")
    network = configured(_core, plan, objective_for(plan, "scce"))
    batches = data_for(plan, "scce", 2000, 20)
    x = np.random.default_rng(0).normal(size=(33, 40)).astype(np.float32)
    expected = network.predict(x).tobytes()
    wrong = []

    def predict():
        for _ in range(300):
            if network.predict(x).tobytes() != expected:
                wrong.append(1)
            network(x[0])

    workers = [threading.Thread(target=predict) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong

    def check_sums():
        for _ in range(300):
            if abs(network(x).sum(axis=1) - 1).max() > 1e-5:
                wrong.append(1)

    workers = [threading.Thread(target=check_sums) for _ in range(4)]
    for worker in workers:
        worker.start()
    train(network, batches)
    for worker in workers:
        worker.join()
    assert not wrong


def test_two_threads_that_train_one_network_take_turns():
    plan = perceptron((20, 30, 4))
    batches = data_for(plan, "mse", 80, 8)
    network = configured(_core, plan, objective_for(plan, "mse"))
    workers = [threading.Thread(target=train, args=(network, batches)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert network.iterations == 40


# Memory


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident size from /proc")
def test_memory_is_constant_over_many_trainings_and_predictions():
    plan = perceptron((20, 40, 3), rate=0.1)
    network = configured(_core, plan, objective_for(plan, "mse"))
    batches = data_for(plan, "mse", 32, 16)
    x = batches.x[:1]
    totals = np.zeros(2)

    def work(trainings, predictions):
        for _ in range(trainings):
            network.train(batches, 0, batches.count, ENDLESS, totals)
        for _ in range(predictions):
            network(x)

    work(100, 1000)
    before = resident_kib()
    work(10_000, 100_000)
    assert resident_kib() - before < 1024


def test_networks_that_come_and_go_leave_nothing_behind():
    def live_and_die():
        plan = perceptron((200, 400, 10))
        network = configured(_core, plan, objective_for(plan, "mse"))
        train(network, data_for(plan, "mse", 16, 16))
        network.gradients(data_for(plan, "mse", 16, 16))
        network.predict(np.zeros((100, 200), np.float32))

    for _ in range(20):
        live_and_die()
    before = resident_kib()
    for _ in range(300):
        live_and_die()
    assert resident_kib() - before < 8 * 1024


def test_a_network_too_large_for_memory_is_a_memory_error():
    width = 2**31 - 1
    plan = Plan((width, width), (Node("dense", (0,), 1, (0,)),), (Parameter("kernel", (width, width)),), 1)
    with pytest.raises(MemoryError, match="could not allocate"):
        _core.Network(plan)


# What the engine refuses


def test_refusals_name_what_is_wrong():
    plan = perceptron((4, 3, 2), last="softmax")
    network = fill(_core.Network(plan))
    with pytest.raises(RuntimeError, match="no loss and optimizer yet"):
        network.train(data_for(plan, "scce", 8, 4), 0, 2, ENDLESS, np.zeros(2))
    network.configure(objective_for(plan, "scce"), Update("adam"))
    batches = data_for(plan, "scce", 8, 4, shuffled=False)
    batches.y[5] = 2
    with pytest.raises(ValueError, match="a label is outside"):
        network.train(batches, 0, 2, ENDLESS, np.zeros(2))
    with pytest.raises(ValueError, match="x has 3 columns, but the first layer expects 4"):
        network.predict(np.zeros((2, 3), np.float32))
    with pytest.raises(TypeError, match="x must have dtype float32, got float64"):
        network.predict(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="not C-contiguous"):
        network.predict(np.zeros((4, 2), np.float32).T)
    with pytest.raises(ValueError, match=r"value has shape \(4, 2\), but parameter 'dense_0/kernel' has shape \(4, 3\)"):
        network.set_parameter(0, np.zeros((4, 2), np.float32))
    with pytest.raises(IndexError, match="there is no parameter 9; the network has 4"):
        network.get_parameter(9)
    with pytest.raises(KeyError, match="no slot 'nothing'"):
        network.get_slot("nothing", 0)
    with pytest.raises(ValueError, match=r"out must have shape \(2, 2\), got \(1, 2\)"):
        network.predict(np.zeros((2, 4), np.float32), np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="totals must have 2 elements, got 3"):
        network.train(batches, 0, 2, ENDLESS, np.zeros(3))
    with pytest.raises(ValueError, match="does not fit the network"):
        network.configure(Objective("mean_squared_error", 2, metrics=(Metric("sparse_categorical_accuracy"),)), Update("adam"))
    with pytest.raises(ValueError, match="the engine has no optimizer 'magic'"):
        network.configure(objective_for(plan, "scce"), Update("magic"))


def test_calls_agree_whatever_the_form_of_a_row():
    network = fill(_core.Network(perceptron((4, 3, 2))))
    row = np.array([1, 2, 3, 4], np.float32)
    expected = network.predict(row[None])
    for form in (row, row[None], row.astype(np.float64), [1, 2, 3, 4], row.astype(np.uint8), np.repeat(row, 2)[::2]):
        assert network(form).tobytes() == expected.tobytes()
    with pytest.raises(ValueError, match="x has 3 columns, but the first layer expects 4"):
        network([1, 2, 3])


# Fork


FORK = """
import os, sys
sys.path.insert(0, sys.argv[1])
import hashlib
from networks import trained
from fastmlp import _core
_core.set_threads(2)
def digest():
    return hashlib.sha256(b"".join(a.tobytes() for a in trained((300, 200, 150, 10), 120))).hexdigest()
before = digest()
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, digest().encode())
    grandchild = os.fork()
    if grandchild == 0:
        os.write(write, digest().encode())
        os._exit(0)
    os._exit(os.waitpid(grandchild, 0)[1])
after = digest()
assert os.waitpid(child, 0)[1] == 0
assert os.read(read, 64).decode() == os.read(read, 64).decode() == before == after
print("ok")
"""


def test_parent_child_and_grandchild_train_after_fork():
    result = subprocess.run([sys.executable, "-c", FORK, str(SUPPORT)], capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "ok", result.stderr


@pytest.mark.parametrize("rows", [512, 520, 1100])
def test_memory_made_for_a_batch_fits_every_smaller_one(rows):
    """528 rows are packed in blocks of fewer inputs than 512 are."""
    plan = perceptron((200, 200, 10))
    networks = [configured(_core, plan, objective_for(plan, "mse"), "sgd") for _ in range(2)]
    before = [networks[0].get_parameter(index) for index in range(len(plan.parameters))]
    train(networks[0], data_for(plan, "mse", 528, 528))
    for index, value in enumerate(before):
        networks[0].set_parameter(index, value)
    for network in networks:
        train(network, data_for(plan, "mse", rows, 512))
    for index in range(len(plan.parameters)):
        assert same_bits(*[network.get_parameter(index) for network in networks])


# Scanning


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_first_number_that_is_not_finite_is_found_wherever_it_is(threads, count):
    threads(count)
    values = np.zeros(1_000_003, np.float32)
    assert _core.first_nonfinite(values) == -1
    for at in (999_999, 700_001, 65_536, 65_535, 4_097, 0):  # later ones stay in the array
        values[at] = np.inf if at % 2 else np.nan
        assert _core.first_nonfinite(values) == at
    assert _core.first_nonfinite(values[1:5_000]) == 4_096
