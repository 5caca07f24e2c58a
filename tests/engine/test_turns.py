"""Calls that meet at one network: functions of the user's that come back to it, threads that change it while others use it, Ctrl-C."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from networks import ENDLESS, configured, data_for, objective_for, perceptron
from subprocesses import run

from fastmlp import _core, reference
from fastmlp._engine.spec import Metric, Node, Objective, Parameter, Plan, SparseRows, Update

INSIDE = "a loss function can't use the model that is being trained with it"


# Functions of the user's


COMING_BACK = """
import sys, threading
import numpy as np
from fastmlp import Model, Sequential, layers, optimizers
engine, INSIDE = sys.argv[1:]
x = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
y = x[:, :1].copy()
inputs = layers.Input((4,))
hidden = layers.Dense(3, activation="tanh")(inputs)
model = Model(inputs, layers.Dense(1)(hidden))
sharing = Model(inputs, hidden)
optimizer = optimizers.SGD(0.01, momentum=0.9)
sharing.compile("sgd", "mse", engine=engine)
sharing.predict(x, verbose=0)
seen = []

def loss(target, prediction):
    try:
        call()
        seen.append("no error")
    except RuntimeError as error:
        seen.append(str(error))
    difference = prediction - target
    return (difference**2).mean(axis=1), 2 * difference

model.compile(optimizer, loss, engine=engine)
call = lambda: None
model.fit(x, y, verbose=0)
weights = model.get_weights()
calls = {
    "get_weights": model.get_weights,
    "set_weights": lambda: model.set_weights(weights),
    "evaluate": lambda: model.evaluate(x, y, verbose=0),
    "train_on_batch": lambda: model.train_on_batch(x, y),
    "test_on_batch": lambda: model.test_on_batch(x, y),
    "fit": lambda: model.fit(x, y, verbose=0),
    "compile": lambda: model.compile("sgd", "mse", engine=engine),
    "save_weights": lambda: model.save_weights("never.weights.h5"),
    "training=True": lambda: model(x, training=True),
    "model(x)": lambda: model(x),
    "predict": lambda: model.predict(x, verbose=0),
    "layer.get_weights": model.layers[-1].get_weights,
    "layer.set_weights": lambda: model.layers[-1].set_weights(weights[-2:]),
    "a model that shares layers": sharing.get_weights,
    "slots": lambda: [slot.numpy() for slot in model.optimizer.variables],
    "seed": lambda: setattr(model.network, "seed", 1),
    "iterations": lambda: setattr(model.network, "iterations", 1),
    "learning rate": lambda: setattr(model.network, "learning_rate", 1.0),
    "training state": lambda: model.restore_training_state({"iterations": 1, "epochs": 1, "seed": 1}),
}
runs = {
    "fit": lambda: model.fit(x, y, batch_size=12, verbose=0),
    "evaluate": lambda: model.evaluate(x, y, batch_size=12, verbose=0),
    "train_on_batch": lambda: model.train_on_batch(x, y),
}
for name, call in calls.items():
    for running, start in runs.items():
        seen.clear()
        start()
        assert seen and all(INSIDE in text for text in seen), (name, running, seen)
        other = threading.Thread(target=model.get_weights)
        other.start()
        other.join(10)
        assert not other.is_alive(), (name, running)
call = lambda: None
assert model.training_state()["epochs"] == 1 + len(calls)
model.compile(optimizer, "mse", engine=engine)
model.fit(x, y, verbose=0)
call = lambda: (model.optimizer.iterations, model.count_params(), model.optimizer.learning_rate)
model.compile(optimizer, loss, engine=engine)
seen.clear()
model.fit(x, y, verbose=0)
assert set(seen) == {"no error"}
"""


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_loss_function_that_comes_back_to_its_model_gets_an_error_and_leaves_it_usable(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(COMING_BACK, engine, INSIDE)
    assert not list(tmp_path.iterdir())


ACTIVATION = """
import sys
import numpy as np
from fastmlp import Sequential, layers
INSIDE = sys.argv[1]
x, y, seen = np.eye(4, dtype=np.float32), np.ones((4, 1), np.float32), []

def value(z):
    if model.fit_progress is not None:
        for call in (model.get_weights, lambda: model.set_weights(weights), lambda: model(x), lambda: model.evaluate(x, y, verbose=0)):
            try:
                call()
            except RuntimeError as error:
                seen.append(str(error))
            else:
                seen.append("no error")
    return z

model = Sequential([layers.Input((4,)), layers.Dense(3), layers.Activation((value, lambda z: np.ones_like(z))), layers.Dense(1)])
model.compile("sgd", "mse")
weights = model.get_weights()
model.fit(x, y, verbose=0)
assert seen and all(INSIDE in text for text in seen), seen
assert model.predict(x, verbose=0).shape == (4, 1)
"""


def test_an_activation_in_python_that_comes_back_to_its_model_gets_an_error():
    run(ACTIVATION, INSIDE)


WAITING_FOR_ANOTHER = """
import sys, threading, time
import numpy as np
from fastmlp import Sequential, layers
engine = sys.argv[1]
x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
y = x[:, :1].copy()
model = Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(1)])
answers = {}

def ask(name, call):
    begin = time.monotonic()
    try:
        call()
        answer = "fine"
    except RuntimeError as error:
        answer = str(error)
    answers[name] = (answer, time.monotonic() - begin)

def loss(target, prediction):
    if not answers:
        answers["begun"] = ("fine", 0.0)
        for name, call in calls.items():
            thread = threading.Thread(target=ask, args=(name, call))
            thread.start()
            thread.join(20)
            assert not thread.is_alive(), name
    difference = prediction - target
    return (difference**2).mean(axis=1), 2 * difference

model.compile("sgd", loss, engine=engine)
weights = model.get_weights()
calls = {
    "predict": lambda: model.predict(x, verbose=0),
    "model(x)": lambda: model(x),
    "training=True": lambda: model(x, training=True),
    "get_weights": model.get_weights,
    "set_weights": lambda: model.set_weights(weights),
    "evaluate": lambda: model.evaluate(x, y, verbose=0),
    "fit": lambda: model.fit(x, y, verbose=0),
}
model.fit(x, y, verbose=0)
for name in ("predict", "model(x)", "training=True", "get_weights"):
    assert answers[name][0] == "fine" and answers[name][1] < 0.9, (name, answers[name])
for name in ("set_weights", "evaluate"):
    assert "a loss function in another thread has been running for more than a second" in answers[name][0], answers[name]
assert "another thread trains the same model" in answers["fit"][0]
model.set_weights(weights)
assert model.fit(x, y, verbose=0).history["loss"][0] > 0
"""


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_loss_function_may_wait_for_threads_that_look_at_the_model_and_others_are_told(engine):
    run(WAITING_FOR_ANOTHER, engine)


def sparse_task(function=None):
    """A network whose first layer puts steps off, with batches that have few columns."""
    rng = np.random.default_rng(3)
    plan = perceptron((400, 16, 2))
    rows, per_row = 240, 6
    columns = np.sort(np.argsort(rng.random((rows, 400)), axis=1)[:, :per_row], axis=1).astype(np.int32).ravel()
    x = SparseRows(np.arange(0, rows * per_row + 1, per_row), columns, rng.normal(size=len(columns)).astype(np.float32), 400)
    batches = type(data_for(plan, "mse", 8, 8))(x, rng.normal(size=(rows, 2)).astype(np.float32), None, None, 8)
    network = configured(
        _core, plan, Objective("mine()", plan.output, function=function) if function else objective_for(plan, "mse"), "adam"
    )
    return network, batches


def squares(y, p):
    return ((p - y) ** 2).mean(axis=1), (2 * (p - y) / p.shape[1]).astype(np.float32)


def test_looking_at_the_weights_in_the_middle_of_a_batch_changes_no_bit():
    calm, batches = sparse_task(squares)
    calm.train(batches, 0, batches.count, ENDLESS, np.zeros(2))

    def watched(y, p):
        thread = threading.Thread(target=lambda: seen.append((network.get_parameter(0), network.predict(batches.x))))
        thread.start()
        thread.join()
        return squares(y, p)

    seen = []
    network, batches = sparse_task(watched)
    network.train(batches, 0, batches.count, ENDLESS, np.zeros(2))
    assert len(seen) == batches.count
    for index in range(len(network.plan.parameters)):
        assert network.get_parameter(index).tobytes() == calm.get_parameter(index).tobytes()
    for name in network.slot_names:
        assert network.get_slot(name, 0).tobytes() == calm.get_slot(name, 0).tobytes()


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
from networks import ENDLESS, configured, data_for, objective_for, perceptron
from fastmlp import _core, reference
units = {"native": 2048, "reference": 128}[sys.argv[1]]  # seconds of training, on any machine
module = {"native": _core, "reference": reference}[sys.argv[1]]
plan = perceptron((64, units, 2))
network = configured(module, plan, objective_for(plan, "mse"))
batches = data_for(plan, "mse", 400_000, 8)
trainer = threading.Thread(target=network.train, args=(batches, 0, batches.count, 6.0, np.zeros(2)), daemon=True)
trainer.start()
time.sleep(0.2)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
begin = time.monotonic()
try:
    network.set_parameter(0, np.zeros((64, units), np.float32))
except KeyboardInterrupt:
    assert time.monotonic() - begin < 3.0
    assert trainer.is_alive()
    print("interrupted")
trainer.join()
network.set_parameter(0, np.zeros((64, units), np.float32))
assert not network.get_parameter(0).any()
"""


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_an_interrupt_ends_the_waiting_for_a_network_that_another_thread_trains(engine):
    assert run(INTERRUPTED, engine) == "interrupted\n"


# Threads that change what others use


FEW, MANY = (), tuple(Metric(kind) for kind in ("mean_squared_error", "mean_absolute_error", "hinge", "poisson", "kl_divergence") * 4)


def in_threads(seconds, *loops):
    """Runs each function again and again in a thread of its own; what they raised but RuntimeError."""
    stop, odd = time.monotonic() + seconds, []

    def repeat(function):
        while time.monotonic() < stop:
            try:
                function()
            except RuntimeError:
                continue
            except Exception as error:
                odd.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=repeat, args=(loop,)) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return odd


@pytest.mark.parametrize("module", [_core, reference], ids=["native", "reference"])
def test_what_was_made_for_one_objective_is_refused_by_a_network_configured_for_another(module):
    plan = perceptron((4, 3, 2))
    batches = data_for(plan, "mse", 8, 4)
    first, second = Objective("mean_squared_error", plan.output), Objective("mean_squared_error", plan.output, metrics=MANY)
    network = configured(module, plan, first)
    batches = type(batches)(batches.x, batches.y, None, None, 4, objective=first)
    network.train(batches, 0, 2, ENDLESS, np.zeros(2))
    network.configure(second, Update("sgd"))
    for call in (network.train, network.evaluate):
        with pytest.raises(RuntimeError, match="the model was compiled again by another thread while this call was running"):
            call(batches, 0, 2, ENDLESS, np.zeros(2))
    with pytest.raises(RuntimeError, match="compiled again"):
        network.gradients(batches)


def test_a_network_that_is_configured_while_others_measure_writes_only_where_there_is_room():
    plan = perceptron((32, 64, 2))
    some = data_for(plan, "mse", 200, 20)
    objectives = [Objective("mean_squared_error", plan.output, metrics=metrics) for metrics in (FEW, MANY)]
    network = configured(_core, plan, objectives[0])
    guards = []

    def measure(objective):
        room = np.full(2 + 2 * len(objective.metrics) + 64, 7.0)
        totals = room[: 2 + 2 * len(objective.metrics)]
        totals[:] = 0
        predictions = np.empty((len(some.x), 2), np.float32)
        batches = type(some)(some.x, some.y, None, some.order, some.batch_size, predictions=predictions, objective=objective)
        try:
            network.evaluate(batches, 0, batches.count, ENDLESS, totals)
        finally:
            guards.append((room[len(totals) :] == 7).all())

    def configure():
        for objective, update in ((objectives[1], Update("adam")), (objectives[0], Update("sgd"))):
            network.configure(objective, update)
            for name in network.slot_names:
                network.get_slot(name, 0)

    odd = in_threads(2.0, lambda: measure(objectives[0]), lambda: measure(objectives[1]), configure)
    assert all("has no slot" in text for text in odd), odd
    assert guards
    assert all(guards)


def test_every_thread_gets_the_gradients_of_its_own_batch():
    plan = perceptron((32, 64, 2))
    network = configured(_core, plan, objective_for(plan, "mse"))
    wrong = []

    def check(seed):
        batches = data_for(plan, "mse", 16, 16)
        batches = type(batches)(np.random.default_rng(seed).normal(size=(16, 32)).astype(np.float32), batches.y, None, None, 16)
        expected = [gradient.tobytes() for gradient in network.gradients(batches)[1]]

        def compare():
            if [gradient.tobytes() for gradient in network.gradients(batches)[1]] != expected:
                wrong.append(seed)

        return compare

    assert not in_threads(1.0, *[check(seed) for seed in range(3)])
    assert not wrong


@pytest.fixture
def three_threads():
    before = _core.get_threads()
    _core.set_threads(3)
    yield
    _core.set_threads(before)


def test_no_step_uses_two_learning_rates(three_threads):
    """All weights are alike, and so are their gradients: they move by the same steps as long as all of them see the same rate."""
    plan = perceptron((256, 512, 512))
    network = configured(_core, plan, Objective("mean_absolute_error", plan.output), "sgd")
    for index, parameter in enumerate(plan.parameters):
        network.set_parameter(index, np.zeros(parameter.shape, np.float32))
    batches = type(data_for(plan, "mse", 8, 8))(np.ones((64, 256), np.float32), np.full((64, 512), 1e6, np.float32), None, None, 64)
    rates = iter(range(10**9))

    def toggle():
        network.learning_rate = 1.0 + next(rates) % 2
        network.set_unfused(next(rates) % 3 == 0)
        network.set_skip_below(2.0 * (next(rates) % 2))

    before = network.iterations
    assert not in_threads(1.5, toggle, lambda: network.train(batches, 0, 1, ENDLESS, np.zeros(2)))
    assert network.iterations > before
    last = network.get_parameter(len(plan.parameters) - 1)
    assert last.min() == last.max() > 0


def test_numbers_of_a_network_are_read_without_waiting():
    plan = perceptron((64, 128, 2))
    network = configured(_core, plan, objective_for(plan, "mse"))
    batches = data_for(plan, "mse", 100_000, 8)
    trainer = threading.Thread(target=network.train, args=(batches, 0, batches.count, 1.0, np.zeros(2)))
    trainer.start()
    seen = []
    while trainer.is_alive():
        seen.append(network.iterations)
    trainer.join()
    assert len(set(seen)) > 3  # it trains in one call
    assert seen == sorted(seen)


# Plans made by hand


@pytest.mark.parametrize("below", [False, True])
def test_a_batch_normalization_in_inference_mode_trains_gamma_and_beta_wherever_it_stands(below):
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    parameters = [Parameter(name, (5,), trainable=not name.startswith("moving")) for name in names]
    kernels = [Parameter("kernel", (5, 5))] if below else []
    at = len(kernels)
    nodes = [Node("dense", (0,), 1, (0,))] if below else []
    nodes.append(
        Node("batch_normalization", (at,), at + 1, tuple(range(at, at + 4)), roles=names, epsilon=1e-3, momentum=0.9, mode="inference")
    )
    plan = Plan((5,) * (at + 2), tuple(nodes), tuple(kernels + parameters), at + 1)
    batches = data_for(plan, "mse", 24, 8)
    results = []
    for module in (_core, reference):
        network = module.Network(plan)
        for index, parameter in enumerate(plan.parameters):
            network.set_parameter(index, np.random.default_rng(index).uniform(0.5, 1.5, parameter.shape).astype(np.float32))
        network.configure(objective_for(plan, "mse"), Update("sgd"))
        network.learning_rate = 0.1
        network.train(batches, 0, batches.count, ENDLESS, np.zeros(2))
        results.append([network.get_parameter(index) for index in range(len(plan.parameters))])
    for native, expected in zip(*results, strict=True):
        np.testing.assert_allclose(native, expected, rtol=2e-5, atol=1e-6)
    assert not np.array_equal(results[0][at], np.random.default_rng(at).uniform(0.5, 1.5, 5).astype(np.float32))


@pytest.mark.parametrize("op", ["rescaling", "normalization"])
def test_nodes_that_only_scale_refuse_parameters_that_the_optimizer_moves(op):
    roles = ("scale", "offset", "mean", "variance") if op == "normalization" else ("scale", "offset")
    node = Node(op, (0,), 1, tuple(range(len(roles))), roles=roles, epsilon=1e-7)

    def plan(trainable):
        parameters = [Parameter(role, (3,), trainable=trainable and role in ("scale", "offset")) for role in roles]
        return Plan((3, 3), (node,), tuple(parameters), 1)

    with pytest.raises(ValueError, match="the plan, objective or index does not fit the network"):
        _core.Network(plan(trainable=True))
    assert _core.Network(plan(trainable=False)).predict(np.zeros((2, 3), np.float32)).shape == (2, 3)
