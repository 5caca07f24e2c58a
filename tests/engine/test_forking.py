"""Children of a process that has models: whatever threads of the parent are doing, the child finds models whole and locks free."""

from __future__ import annotations

import os

import pytest
from subprocesses import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

COMMON = """
import hashlib, os, sys, threading, time
import numpy as np
from networks import ENDLESS, configured, data_for, objective_for, perceptron
from fastmlp import _core
from fastmlp._engine.spec import Batches, Objective, SparseRows

def wait_for(child):
    for _ in range(1200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise SystemExit("a child hangs")

def digest(network):
    arrays = [network.get_parameter(index) for index in range(len(network.plan.parameters))]
    arrays += [network.get_slot(name, index) for name in network.slot_names for index in range(len(arrays))]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

def in_child(check):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if check() else 3)
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)
            os._exit(4)
    return child
"""

FIRST_PREDICTIONS = """
plan = perceptron((40, 90, 5), "tanh", "softmax")
network = configured(_core, plan, objective_for(plan, "scce"))
x = np.random.default_rng(0).normal(size=(64, 40)).astype(np.float32)
expected = network.predict(x).tobytes()

def predict_in_threads():
    start, right = threading.Barrier(4), []
    def predict():
        start.wait()
        right.append(all(network.predict(x).tobytes() == expected for _ in range(50)))
    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return right == [True] * 4

for _ in range(12):
    assert wait_for(in_child(predict_in_threads)) == 0
"""


def test_threads_of_a_child_that_predict_first_do_not_share_memory():
    run(COMMON + FIRST_PREDICTIONS, timeout=240)


WHILE_TRAINING = """
kind = sys.argv[1]
rng = np.random.default_rng(3)
plan = perceptron((400, 200, 2))
rows, per_row, size = 12_000, 6, 8
columns = np.sort(np.argsort(rng.random((rows, 400)), axis=1)[:, :per_row], axis=1).astype(np.int32).ravel()
x = SparseRows(np.arange(0, rows * per_row + 1, per_row), columns, rng.normal(size=len(columns)).astype(np.float32), 400)
y = rng.normal(size=(rows, 2)).astype(np.float32)
batches = Batches(x, y, None, None, size)

def squares(y, p):
    return ((p - y) ** 2).mean(axis=1), (2 * (p - y) / p.shape[1]).astype(np.float32)

def new_network():
    objective = Objective("mine()", plan.output, function=squares) if kind == "function" else objective_for(plan, "mse")
    return configured(_core, plan, objective, "adam")

AHEAD = 3
calm = new_network()
states = [digest(calm)]
for batch in range(batches.count):
    calm.train(batches, batch, batch + 1, ENDLESS, np.zeros(2))
    states.append(digest(calm))
network = new_network()
trained = threading.Event()

def train():
    at = 0
    while at < batches.count:
        at = network.train(batches, at, batches.count, 0.004, np.zeros(2))
    trained.set()

def as_between_two_batches():
    network.predict(x)
    before, at = digest(network), network.iterations
    if before != states[at]:
        print("not the state of", at, file=sys.stderr, flush=True)
        return False
    stop = min(at + AHEAD, batches.count)
    if at < stop:
        network.train(batches, at, stop, ENDLESS, np.zeros(2))
    return digest(network) == states[stop]

trainer = threading.Thread(target=train)
trainer.start()
children = []
while not trained.is_set() and len(children) < 12:
    children.append(in_child(as_between_two_batches))
    time.sleep(0.003)
statuses = [wait_for(child) for child in children]
trainer.join()
assert len(children) > 2 and not any(statuses), statuses
assert digest(network) == states[-1]
"""


@pytest.mark.parametrize("kind", ["mse", "function"])
def test_a_child_forked_while_another_thread_trains_has_the_model_between_two_batches_and_trains_on(kind):
    """On the native engine: what NumPy's linear algebra of the reference engine holds in other threads is not fastmlp's to release."""
    run(COMMON + WHILE_TRAINING, kind, timeout=240)


WHILE_PREDICTING = """
plan = perceptron((40, 300, 5), "tanh", "softmax")
network = configured(_core, plan, objective_for(plan, "scce"))
x = np.random.default_rng(0).normal(size=(500, 40)).astype(np.float32)
x[:, :30] *= np.random.default_rng(1).random((500, 30)) < 0.1
expected = network.predict(x).tobytes()
stop = threading.Event()

def predict():
    while not stop.is_set():
        network.predict(x)

threads = [threading.Thread(target=predict) for _ in range(3)]
for thread in threads:
    thread.start()
children = [in_child(lambda: all(network.predict(x).tobytes() == expected for _ in range(5))) for _ in range(15)]
statuses = [wait_for(child) for child in children]
stop.set()
for thread in threads:
    thread.join()
assert not any(statuses), statuses
"""


def test_a_child_forked_while_other_threads_predict_gets_the_same_predictions():
    run(COMMON + WHILE_PREDICTING, timeout=240)


INSIDE_A_LOSS = """
import fastmlp
from fastmlp import Sequential, layers
fastmlp.set_num_threads(2)
parent = os.getpid()
x = np.random.default_rng(0).normal(size=(512, 300)).astype(np.float32)
y = x[:, :4].copy()
children = []

def loss(target, prediction):
    if not children:
        child = os.fork()
        if child:
            children.append(child)
        else:
            children.append(0)
    difference = prediction - target
    return (difference**2).mean(axis=1), difference / 2

model = Sequential([layers.Dense(300, activation="relu", input_shape=(300,)), layers.Dense(4)])
model.compile("sgd", loss)
try:
    model.fit(x, y, batch_size=256, verbose=0)
except RuntimeError as error:
    right = os.getpid() != parent and "forked inside a loss function" in str(error)
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=256, verbose=0)
    os._exit(0 if right and np.isfinite(model.predict(x, verbose=0)).all() else 3)
assert os.getpid() == parent
assert wait_for(children[0]) == 0
"""


def test_a_child_forked_inside_a_loss_function_is_told_and_can_begin_anew():
    run(COMMON + INSIDE_A_LOSS)


LOCKS_OF_PYTHON = """
from fastmlp._base import naming
from fastmlp._base import seeding
from fastmlp import Sequential, layers
from fastmlp.callbacks import Callback
x = np.random.default_rng(0).normal(size=(4000, 16)).astype(np.float32)
model = Sequential([layers.Dense(32, activation="relu", input_shape=(16,)), layers.Dense(1)])
model.compile("sgd", "mse", engine=sys.argv[1])
training, go_on = threading.Event(), threading.Event()

class Hold(Callback):
    def on_epoch_end(self, epoch, logs=None):
        training.set()
        go_on.wait(60)

def hold():
    with naming._lock.lock, seeding._lock.lock, model._connecting.lock:
        holding.set()
        go_on.wait(60)

trainer = threading.Thread(target=lambda: model.fit(x, x[:, :1], verbose=0, callbacks=[Hold()]))
trainer.start()
training.wait(60)
holding = threading.Event()
holder = threading.Thread(target=hold)
holder.start()
holding.wait(60)

def train():
    model.compile("adam", "mae", engine=sys.argv[1])
    model.fit(x, x[:, :1], verbose=0)
    other = Sequential([layers.Dense(1, input_shape=(16,))])
    return np.isfinite(other.predict(x, verbose=0)).all() and np.isfinite(model.predict(x, verbose=0)).all()

status = wait_for(in_child(train))
go_on.set()
trainer.join()
holder.join()
assert status == 0, status
"""


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_child_finds_no_lock_taken_by_a_thread_that_is_not_there(engine):
    run(COMMON + LOCKS_OF_PYTHON, engine)
