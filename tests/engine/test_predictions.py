"""Predictions by several threads: few rows share out each layer's panels, many rows come in blocks, and no bit depends on who did what."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastmlp
from fastmlp import Sequential, layers


@pytest.fixture
def threads():
    before = fastmlp.get_num_threads()
    yield fastmlp.set_num_threads
    fastmlp.set_num_threads(before)


def network(*sizes, activation="relu"):
    fastmlp.utils.set_random_seed(3)
    hidden = [layers.Dense(units, activation=activation) for units in sizes[1:-1]]
    return Sequential([layers.Input((sizes[0],)), *hidden, layers.Dense(sizes[-1])])


def samples(rows, features):
    return np.random.default_rng(rows).standard_normal((rows, features), dtype=np.float32)


@pytest.mark.parametrize("rows", [1, 2, 3, 16, 17, 40, 64, 65, 200, 1000])
@pytest.mark.parametrize(
    ("sizes", "activation"),
    [((784, 512, 10), "relu"), ((300, 300, 300, 300), "gelu"), ((100, 1000, 130, 3), "tanh"), ((20, 64, 64, 64, 6), "silu")],
)
def test_the_number_of_threads_changes_no_bit_of_a_prediction(threads, sizes, activation, rows):
    model, x = network(*sizes, activation=activation), samples(rows, sizes[0])
    threads(1)
    alone = model(x)
    for count in (2, 3, 64):
        threads(count)
        for _ in range(5):  # later calls find the workers awake
            np.testing.assert_array_equal(model(x), alone)


def test_layers_that_are_not_dense_stand_between_split_ones(threads):
    fastmlp.utils.set_random_seed(3)
    inputs = layers.Input((400,))
    hidden = layers.LayerNormalization()(layers.Dense(500)(inputs))
    merged = layers.Add()([hidden, layers.Dense(500, activation="gelu")(layers.Dropout(0.5)(hidden))])
    model = fastmlp.Model(inputs, layers.Softmax()(layers.Dense(300)(merged)))
    x = samples(8, 400)
    threads(1)
    alone = model(x)
    threads(2)
    for _ in range(20):
        np.testing.assert_array_equal(model(x), alone)


def test_many_threads_of_the_caller_predict_at_once(threads):
    model, x = network(784, 512, 10), samples(4, 784)
    threads(2)
    expected, wrong = model(x), []

    def predict():
        for _ in range(200):
            if not np.array_equal(model(x), expected):
                wrong.append(1)

    callers = [threading.Thread(target=predict) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


IDLE = """
import time
import numpy as np
import fastmlp
from fastmlp import Sequential, layers
fastmlp.set_num_threads(2)
model = Sequential([layers.Input((784,)), layers.Dense(512, activation="relu"), layers.Dense(10)])
x = np.ones((16, 784), np.float32)
for _ in range(100):
    model(x)
begin = time.process_time()
time.sleep(0.5)
print(time.process_time() - begin < 0.02)
"""


def test_workers_sleep_soon_after_the_last_prediction():
    result = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True)
    assert result.stdout.split() == ["True"], result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_of_a_fork_predicts_with_workers_of_its_own(threads):
    model, x = network(784, 512, 10), samples(16, 784)
    threads(2)
    for _ in range(10):
        expected = model(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if all(np.array_equal(model(x), expected) for _ in range(10)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(model(x), expected)
