"""What happens around a training run: interrupts, forked and spawned processes, threads of the caller."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, Sequential, layers


def wide_model(seed=3):
    fastmlp.utils.set_random_seed(seed)
    model = Sequential([layers.Dense(256, activation="relu", input_dim=100), layers.Dense(256, activation="relu"), layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return model


def data(rows=2000, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, 100)).astype(np.float32)
    return x, x[:, :1] * x[:, 1:2]


def train_in_a_worker(seed):
    """The final loss, which depends on the seed alone."""
    model = wide_model(seed)
    return model.fit(*data(), epochs=2, batch_size=64, verbose=0).history["loss"][-1]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_train_as_the_parent_does(method):
    expected = [train_in_a_worker(seed) for seed in (1, 2, 3)]  # the parent's threads exist before it forks
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(train_in_a_worker, (1, 2, 3), timeout=120)) == expected
    assert train_in_a_worker(1) == expected[0]


def test_a_child_trains_the_model_it_was_forked_with():
    model = wide_model()
    x, y = data()
    model.fit(x, y, epochs=1, batch_size=64, verbose=0)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(model.fit(x, y, epochs=1, batch_size=64, verbose=0).history["loss"]).encode())
        os._exit(0)
    expected = model.fit(x, y, epochs=1, batch_size=64, verbose=0).history["loss"]
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(read, 100).decode() == repr(expected)


def test_models_train_at_the_same_time_in_threads():
    """Python draws the first weights from one stream, so the models are made one after another and trained together."""
    x, y = data()
    expected = []
    for seed in range(4):
        expected.append(wide_model(seed).fit(x, y, epochs=2, batch_size=64, verbose=0).history["loss"])
    models = [wide_model(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        histories = pool.map(lambda model: model.fit(x, y, epochs=2, batch_size=64, verbose=0).history["loss"], models)
        assert list(histories) == expected


def test_training_a_model_from_a_second_thread_is_an_error():
    model = wide_model()
    x, y = data(20_000)
    started = threading.Event()

    class Tell(fastmlp.callbacks.Callback):
        def on_train_begin(self, logs=None):
            started.set()

    thread = threading.Thread(target=model.fit, args=(x, y), kwargs={"epochs": 20, "verbose": 0, "callbacks": [Tell()]})
    thread.start()
    assert started.wait(30)
    with pytest.raises(RuntimeError, match="another thread trains the same model"):
        model.fit(x, y, verbose=0)
    assert model.predict(x[:3], verbose=0).shape == (3, 1)
    model.stop_training = True
    thread.join(60)
    assert not thread.is_alive()


INTERRUPTED = """
import sys, time
import numpy as np
import fastmlp
from fastmlp import Sequential, layers
model = Sequential([layers.Dense(1024, activation="relu", input_dim=500), layers.Dense(1024, activation="relu"), layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
x = np.random.default_rng(0).normal(size=(50_000, 500)).astype(np.float32)
y = x[:, :1]
class Tell(fastmlp.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        print("training", flush=True)
try:
    model.fit(x, y, epochs=1000, batch_size=128, verbose=0, callbacks=[Tell()])
except KeyboardInterrupt:
    stopped = time.time()
    assert np.isfinite(model.predict(x[:10], verbose=0)).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())
    before = model.evaluate(x[:2000], y[:2000], verbose=0)
    model.fit(x[:2000], y[:2000], verbose=0)
    assert model.evaluate(x[:2000], y[:2000], verbose=0) != before
    print(repr(stopped))
"""


def test_an_interrupt_stops_training_at_once_and_leaves_the_model_usable():
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "training\n"
    time.sleep(0.5)
    sent = time.time()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    # The promise is 0.1 s; the rest is room for a machine that is busy with something else.
    assert float(out) - sent < 5.0


def chain(name):
    return Sequential([layers.Dense(3, "relu", input_shape=(3,))], name=name)


def graph(inner, name="graph"):
    x = layers.Input((3,))
    return Model(x, layers.Dense(1)(inner(x)), name=name)


IN_A_NEW_PROCESS = """
import pickle, sys
import numpy as np
assert not any(name.startswith("fastmlp") for name in sys.modules)
with open(sys.argv[1], "rb") as file:
    model, expected = pickle.load(file)
assert np.array_equal(model.predict(np.eye(3), verbose=0), expected)
model.save(sys.argv[1] + ".safetensors")
model.to_json()
from fastmlp import load_model, models
models.clone_model(model)
assert np.array_equal(load_model(sys.argv[1] + ".safetensors").predict(np.eye(3), verbose=0), expected)
"""


@pytest.mark.parametrize(
    "make",
    [
        lambda: chain("chain"),
        lambda: graph(chain("inner")),
        lambda: Sequential([chain("inner"), layers.Dense(2)]),
        lambda: graph(graph(chain("inner"), "within")),
    ],
    ids=["chain", "graph", "chain in a chain", "graph in a graph"],
)
def test_a_pickled_model_is_whole_in_a_process_that_has_imported_nothing(make, tmp_path):
    model = make()
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((model, model.predict(np.eye(3), verbose=0))))
    result = subprocess.run([sys.executable, "-c", IN_A_NEW_PROCESS, path], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
