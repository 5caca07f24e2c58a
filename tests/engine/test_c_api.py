"""Models called from C and Cython: the extension modules of docs/c-api.md, built against the installed fastmlp."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time

import downstream
import numpy as np
import pytest
from c_api_table import Table, final_state, first_state, pointer, policy_model, read_table
from folders import SUPPORT

import fastmlp
from fastmlp import layers, models

pytest.importorskip("Cython", reason="builds a Cython module")
pytest.importorskip("setuptools", reason="builds extension modules")
pytestmark = pytest.mark.skipif(downstream.compiler() is None, reason="builds extension modules, and there is no C compiler")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("downstream")


@pytest.fixture(scope="module")
def built(folder):
    return downstream.build(folder, "-O0")


@pytest.fixture(scope="module")
def rollout_c(built):
    """rollout(model, state, steps) of the C module."""
    return built[0].rollout


@pytest.fixture(scope="module")
def policy_class(built):
    """The class of the Cython module that holds a handle."""
    return built[1].Policy


def python_rollout(model, steps):
    state = first_state()
    for _ in range(steps):
        state = np.float32(0.5) * (state + np.resize(model(state)[0], 17))
    return state


# The same numbers


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_c_and_cython_give_the_bits_of_python(rollout_c, policy_class, activation):
    model = policy_model(activation)
    expected = python_rollout(model, 50).tobytes()
    assert final_state(lambda *arguments: rollout_c(model, *arguments), 50).tobytes() == expected
    assert final_state(policy_class(model).rollout, 50).tobytes() == expected


def test_the_usage_example_of_the_document_runs(built, monkeypatch):
    for module in built:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(downstream.block("py", 1), "c-api.md", "exec"), {})


def test_many_threads_call_one_policy_at_once(policy_class):
    policy = policy_class(policy_model())
    expected = final_state(policy.rollout, 2000).tobytes()
    outcomes = []
    workers = [threading.Thread(target=lambda: outcomes.append(final_state(policy.rollout, 2000).tobytes())) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert outcomes == [expected] * 12


def test_python_runs_while_c_predicts(policy_class):
    policy = policy_class(policy_model())
    worker = threading.Thread(target=policy.rollout, args=(first_state(), 200_000))
    worker.start()
    ticks = 0
    while worker.is_alive():
        ticks += 1
        time.sleep(0.001)
    assert ticks > 5


# The life of a handle


def test_a_handle_sees_new_weights(policy_class):
    model = policy_model()
    policy = policy_class(model)
    before = final_state(policy.rollout, 3)
    model.set_weights([-2 * weight for weight in model.get_weights()])
    after = final_state(policy.rollout, 3)
    assert after.tobytes() == python_rollout(model, 3).tobytes() != before.tobytes()
    model.compile("adam", "mse")
    model.fit(np.eye(17), np.ones((17, 6)), verbose=0)
    assert final_state(policy.rollout, 3).tobytes() == python_rollout(model, 3).tobytes() != after.tobytes()


@pytest.mark.parametrize(
    "change",
    [lambda model: model.add(layers.Dense(2)), lambda model: model.pop(), lambda model: model.compile("adam", "mse", engine="reference")],
    ids=["add", "pop", "another engine"],
)
def test_a_handle_keeps_the_network_of_a_model_that_got_another(policy_class, change):
    model = policy_model()
    policy = policy_class(model)
    before = final_state(policy.rollout, 3).tobytes()
    change(model)
    assert model.network is not None
    assert final_state(policy.rollout, 3).tobytes() == before


def test_a_handle_outlives_its_model_and_gives_its_memory_back(policy_class):
    model = policy_model()
    network = model.network
    references = sys.getrefcount(network)
    policies = [policy_class(model) for _ in range(3)]
    assert sys.getrefcount(network) == references + 3
    before = final_state(policies[0].rollout, 3).tobytes()
    del model
    gc.collect()
    assert final_state(policies[0].rollout, 3).tobytes() == before
    alive = sys.getrefcount(network)
    policies.clear()
    assert sys.getrefcount(network) == alive - 3


def test_training_goes_on_while_threads_predict_without_a_pause(policy_class):
    model = policy_model()
    model.compile("adam", "mse")
    policy = policy_class(model)
    trained = threading.Event()
    broken = []

    def predict():
        state = first_state()
        while not trained.is_set():
            policy.rollout(state, 100_000)
            if not np.isfinite(state).all():
                broken.append(state)

    def train():
        model.fit(np.zeros((640, 17)), np.zeros((640, 6)), epochs=3, batch_size=64, verbose=0)
        for _ in range(20):
            model.get_weights()

    workers = [threading.Thread(target=predict) for _ in range(6)]
    for worker in workers:
        worker.start()
    trainer = threading.Thread(target=train)
    trainer.start()
    trainer.join(timeout=3)
    in_time = not trainer.is_alive()
    trained.set()
    for worker in (*workers, trainer):
        worker.join()
    assert in_time
    assert not broken


FORK = """
import os, sys
sys.path[:0] = sys.argv[1:]
import rollout_cython
from c_api_table import final_state, policy_model
policy = rollout_cython.Policy(policy_model())
before = final_state(policy.rollout, 10).tobytes()
child = os.fork()
if child == 0:
    same = final_state(policy.rollout, 10).tobytes() == before
    del policy
    os._exit(0 if same else 1)
assert os.waitpid(child, 0)[1] == 0
print("ok")
"""


def test_a_child_process_uses_the_handle_it_inherits(built, folder):
    command = [sys.executable, "-c", FORK, str(folder), str(SUPPORT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "ok", result.stderr


# Refusals


def test_what_is_no_native_model_is_refused(rollout_c, policy_class):
    reference = policy_model()
    reference.compile("adam", "mse", engine="reference")
    unbuilt = models.Sequential([layers.Dense(2)])
    for make in (policy_class, lambda thing: rollout_c(thing, first_state(), 1)):
        with pytest.raises(TypeError, match="model must be a fastmlp model, got int"):
            make(3)
        with pytest.raises(TypeError, match="the model runs on the reference engine, which C cannot call"):
            make(reference)
        with pytest.raises(ValueError, match="the model is not built"):
            make(unbuilt)
    with pytest.raises(ValueError, match="the state does not fit the model"):
        rollout_c(policy_model(), np.zeros(3, np.float32), 1)


@pytest.fixture
def table():
    return read_table()


def test_the_table_is_the_documented_struct(table):
    assert table.abi_version == 1
    assert table.size == ctypes.sizeof(Table)
    assert table.version.decode() == fastmlp.__version__


def test_bad_arguments_and_a_busy_network_are_statuses(table):
    model = policy_model()
    x, out = np.ones((2, 17), np.float32), np.full((2, 6), 7, np.float32)
    handle = table.acquire(model)
    assert (table.inputs(handle), table.outputs(handle)) == (17, 6)
    bad = table.status_text(2)
    assert b"a pointer is NULL, or the number of rows is negative or too large" in bad
    for predict in (table.predict, table.try_predict):
        for arguments in ((None, 1, x, out), (handle, -1, x, out), (handle, 2**62, x, out), (handle, 1, None, out), (handle, 1, x, None)):
            arrays = [None if array is None else pointer(array) for array in arguments[2:]]
            assert table.status_text(predict(*arguments[:2], *arrays)) == bad
        assert predict(handle, 0, None, None) == 0
        assert (out == 7).all()
        assert predict(handle, 2, pointer(x), pointer(out)) == 0
        assert out.tobytes() == model(x).tobytes()
        out[:] = 7
    assert table.status_text(99) == b"no status of fastmlp"
    table.release(handle)
    table.release(None)


def test_try_predict_answers_busy_while_the_model_trains(table):
    model = policy_model()
    model.compile("sgd", "mse")
    x, out = np.ones((1, 17), np.float32), np.full((1, 6), 7, np.float32)
    handle = table.acquire(model)
    data = np.zeros((200_000, 17), np.float32), np.zeros((200_000, 6), np.float32)
    worker = threading.Thread(target=lambda: model.fit(*data, batch_size=32, verbose=0))
    worker.start()
    seen = set()
    while worker.is_alive():
        seen.add(table.status_text(table.try_predict(handle, 1, pointer(x), pointer(out))))
    worker.join()
    table.release(handle)
    assert b"the model is being trained or changed; try again later, or call fastmlp_predict, which waits" in seen


PYTHON_LOSS = """
import ctypes, sys, threading
sys.path[:0] = sys.argv[1:]
import numpy as np
from c_api_table import Table, pointer, policy_model, read_table
table = read_table()
holding_the_gil = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, Table.FLOATS, Table.FLOATS)(
    ctypes.cast(table.predict, ctypes.c_void_p).value
)
model, inside, outside = policy_model(), set(), set()
handle = table.acquire(model)
x, out = np.ones((1, 17), np.float32), np.zeros((1, 6), np.float32)

def loss(target, prediction):
    for predict in (table.predict, table.try_predict, holding_the_gil):
        inside.add(predict(handle, 1, pointer(x), pointer(np.zeros((1, 6), np.float32))))
    difference = prediction - target
    return (difference**2).mean(axis=1), difference / 3

model.compile("sgd", loss)
data = np.zeros((20_000, 17), np.float32), np.zeros((20_000, 6), np.float32)
trainer = threading.Thread(target=lambda: model.fit(*data, batch_size=32, epochs=3, verbose=0))
trainer.start()
while trainer.is_alive():
    outside.add(holding_the_gil(handle, 1, pointer(x), pointer(out)))
trainer.join()
print(outside, [table.status_text(status).decode() for status in inside])
"""


def test_a_prediction_that_holds_the_gil_lets_a_loss_in_python_have_it():
    command = [sys.executable, "-c", PYTHON_LOSS, str(SUPPORT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    inside = "a loss function can't use the model that is being trained with it; it gets the predictions as an argument"
    assert result.stdout.strip() == f"{{0}} {[inside]}", result.stderr


OTHER_ABI = """
import ctypes, sys
sys.path[:0] = sys.argv[1:2]
from fastmlp import _core
table = (ctypes.c_uint32 * 32)(int(sys.argv[2]), int(sys.argv[3]))
version = ctypes.c_char_p(b"9.8.7")
ctypes.memmove(ctypes.byref(table, 8), ctypes.byref(version), ctypes.sizeof(version))
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
if sys.argv[2] == "0":
    del _core._c_api
else:
    _core._c_api = new(ctypes.addressof(table), b"fastmlp._core._c_api", None)
try:
    import rollout_c
except ImportError as error:
    print(error)
try:
    import rollout_cython
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("abi", "size", "message"),
    [
        (2, 999, "was built for version 1 of fastmlp's C ABI, but fastmlp 9.8.7 has version 2; build it again"),
        (1, 16, "was built with a newer fastmlp than 9.8.7, which is installed; upgrade fastmlp"),
        (0, 0, "the installed fastmlp has no C API, which this extension module needs; install a newer fastmlp"),
    ],
)
def test_another_abi_is_an_import_error(built, folder, abi, size, message):
    result = subprocess.run([sys.executable, "-c", OTHER_ABI, str(folder), str(abi), str(size)], capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert len(lines) == 2, result.stderr
    assert all(message in line for line in lines)


def test_a_larger_table_of_a_later_fastmlp_is_fine(built, folder):
    result = subprocess.run([sys.executable, "-c", OTHER_ABI, str(folder), "1", "4096"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


# The header


@pytest.mark.parametrize(("command", "standard", "suffix"), [("cc", "c11", ".c"), ("c++", "c++11", ".cpp")])
def test_the_header_and_the_example_are_clean_c_and_cplusplus(tmp_path, command, standard, suffix):
    if shutil.which(command) is None:
        pytest.skip(f"there is no {command}")
    source = tmp_path / ("rollout_c" + suffix)
    source.write_text(downstream.block("c"), encoding="utf-8")
    flags = [f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    includes = ["-isystem", sysconfig.get_path("include"), "-I", fastmlp.get_include()]
    result = subprocess.run([command, *flags, *includes, os.fspath(source)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
