"""The engine's memory follows the samples it is given: one sample through a very wide layer takes memory for one."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

WIDE = """
import threading
import numpy as np
from fastmlp import Sequential, layers

units = 1_000_000
model = Sequential([layers.Input((1,)), layers.Dense(units)])
model.compile("sgd", "mse")
model.get_weights()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4 // 1024

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024

x, y = np.zeros((1, 1), "f4"), np.zeros((1, units), "f4")
x100 = np.zeros((100, 1), "f4")
before = resident()
open("/proc/self/clear_refs", "w").write("5")  # begins a new peak
{what}
print(peak() - before, resident() - before)
"""


def megabytes(what):
    done = subprocess.run([sys.executable, "-c", WIDE.replace("{what}", what)], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


@pytest.mark.parametrize(
    "what",
    [
        "model(x)",
        "model.predict(x, verbose=0)",
        "model(x, training=True)",
        "model.evaluate(x, y, verbose=0)",
        "model.test_on_batch(x, y)",
        "model.train_on_batch(x, y)",
        "model.fit(x, y, verbose=0)",
        "model.fit(x, y, batch_size=10000, verbose=0)",
        "model(x); model(x); model.evaluate(x, y, verbose=0); model(x)",
    ],
)
def test_one_sample_through_a_wide_layer_takes_memory_for_one(what):
    assert megabytes(what)[0] < 64


def test_threads_that_predict_one_sample_each_take_memory_for_one_each():
    what = "threads = [threading.Thread(target=lambda: [model(x) for _ in range(20)]) for _ in range(8)]\n"
    what += "[t.start() for t in threads]; [t.join() for t in threads]"
    assert megabytes(what)[0] < 1000  # some of it is what the C library keeps for each thread


def test_many_samples_through_a_wide_layer_are_predicted_a_few_at_a_time():
    assert megabytes("p = model.predict(x100, verbose=0); del p")[0] < 400 + 100


def test_memory_for_many_samples_is_kept_for_one_thread_only():
    what = "for _ in range(4): model.predict(x100, verbose=0)\n"
    what += "threads = [threading.Thread(target=lambda: model.predict(x100[:40], verbose=0)) for _ in range(6)]\n"
    what += "[t.start() for t in threads]; [t.join() for t in threads]"
    assert megabytes(what)[1] < 700  # the same
