"""``numpy.seterr`` is the user's: it does not reach into fastmlp, and the user's own functions run with it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fastmlp import (
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    utils,
)
from fastmlp.errors import NonFiniteLossError
from fastmlp.optimizers import schedules

N = 8
random = np.random.default_rng(0)
X = random.uniform(0.1, 1, (N, 3))
X[0, 0], X[1, 1], X[2, 2] = 1e-300, 1e-40, -1e-39
Y = random.uniform(0, 1, (N, 2))
Y[0, 0], Y[1, 1] = 1e-300, 1e-40
ENGINES = ("native", "reference")


@pytest.fixture
def everything_raises():
    with np.errstate(all="raise"):
        yield


def model(engine="native", activation="sigmoid", loss="mse", optimizer="adam", **more):
    made = models.Sequential([layers.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2, activation=activation)])
    made.compile(optimizer, loss, engine=engine, **more)
    return made


def squared(y, p):
    return ((p - y) ** 2).sum(axis=1), 2 * (p - y)


# numpy.seterr


DOES = {
    "fit": lambda m: m.fit(X, Y, epochs=2, batch_size=3, verbose=0),
    "fit with weights": lambda m: m.fit(X, Y, sample_weight=np.full(N, 1e-300), verbose=0),
    "validation": lambda m: m.fit(X, Y, validation_data=(X, Y), verbose=0),
    "validation split": lambda m: m.fit(X, Y, validation_split=0.25, verbose=0),
    "evaluate": lambda m: m.evaluate(X, Y, verbose=0),
    "evaluate with weights": lambda m: m.evaluate(X, Y, sample_weight=np.full(N, 1e-39), verbose=0),
    "predict": lambda m: m.predict(X, verbose=0),
    "call": lambda m: m(X),
    "call with a row": lambda m: m(X[0]),
    "call in training": lambda m: m(X, training=True),
    "train_on_batch": lambda m: m.train_on_batch(X, Y),
    "test_on_batch": lambda m: m.test_on_batch(X, Y),
    "predict_on_batch": lambda m: m.predict_on_batch(X),
    "sparse rows": lambda m: m.fit(csr_matrix(X), Y, verbose=0),
    "longdouble": lambda m: m.fit(X.astype(np.longdouble), Y.astype(np.longdouble), verbose=0),
    "half": lambda m: m.predict(np.full((N, 3), 6e-8, np.float16), verbose=0),
    "a generator": lambda m: m.fit(((X, Y) for _ in range(2)), steps_per_epoch=2, verbose=0),
    "set_weights": lambda m: m.set_weights([np.full(w.shape, 1e-300) for w in m.get_weights()]),
}


@pytest.mark.usefixtures("everything_raises")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("does", DOES.values(), ids=DOES)
def test_numpy_seterr_raise_does_not_reach_into_fastmlp(engine, does):
    does(model(engine, metrics=["mae", "mse"]))


@pytest.mark.usefixtures("everything_raises")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("values", [1e-30, 1e30], ids=["underflow", "overflow"])
def test_arithmetic_that_leaves_the_range_of_float32_does_not_raise(engine, values):
    made = model(engine, activation="linear", optimizer=optimizers.SGD(1e-30), metrics=["mae", "cosine_similarity"])
    made.set_weights([np.full(w.shape, values) for w in made.get_weights()])
    x = np.full((N, 3), values)
    made.predict(x, verbose=0)
    made.evaluate(x, Y, verbose=0)
    try:
        made.fit(x, Y, verbose=0)
    except NonFiniteLossError:
        assert values > 1


@pytest.mark.usefixtures("everything_raises")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "activation",
    # threshold has arguments that must be given
    [name for name in activations.__all__ if isinstance(getattr(activations, name), activations.Activation) and name != "threshold"],
)
def test_no_activation_raises(engine, activation):
    made = models.Sequential([layers.Input((4,)), layers.Dense(4), layers.Activation(activation)])
    made.compile("sgd", "mse", engine=engine)
    x = np.array([[-200, 200, 1e-30, 1], [-80, 80, -1e-30, 0], [0, -0.0, 1e-40, -1]])
    made.set_weights([np.eye(4), np.zeros(4)])
    outputs = made.predict(x, verbose=0)
    getattr(activations, activation)(x)
    try:
        made.fit(x, np.zeros_like(outputs), verbose=0)
    except NonFiniteLossError:
        assert activation in ("exponential", "log_softmax")


LOSSES = [
    cls
    for _, cls in inspect.getmembers(losses, inspect.isclass)
    if issubclass(cls, losses.Loss) and hasattr(cls, "kind") and cls.__name__ not in ("FunctionLoss", "StoredLoss")
]


@pytest.mark.usefixtures("everything_raises")
@pytest.mark.parametrize("loss", LOSSES, ids=lambda cls: cls.__name__)
def test_no_loss_raises(loss):
    p = np.array([[1e-300, 1.0, 1e-39], [0.5, 1e-20, 0.25]])
    target = np.array([0, 2]) if loss().sparse else np.array([[0.0, 1, 0], [1e-40, 0, 1]])
    if loss.__name__ == "Circle":
        target = np.array([0, 2])
    if loss.__name__ == "GaussianNLL":
        p, target = np.array([[0.5, 1e-300], [0.5, 1e-20]]), np.array([[1e-39], [0.0]])
    loss()(target, p, sample_weight=[1e-39, 1e-300])


METRICS = [
    cls
    for _, cls in inspect.getmembers(metrics, inspect.isclass)
    if issubclass(cls, metrics.Metric) and cls.__name__ not in ("Metric", "EngineMetric", "MeanMetricWrapper", "Mean", "Sum")
]


@pytest.mark.usefixtures("everything_raises")
@pytest.mark.parametrize("metric", METRICS, ids=lambda cls: cls.__name__)
def test_no_metric_raises(metric):
    required = [p for p in inspect.signature(metric).parameters.values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    made = metric(*(0.5 for _ in required))
    p = np.array([[1e-30, 1.0, 1e-39], [0.5, 1e-20, 0.25]])
    target = np.array([0, 2]) if made.sparse else np.array([[0.0, 1, 0], [1e-40, 0, 1]])
    if metric.__name__ == "GaussianNLL":
        p, target = np.array([[0.5, 1e-300], [0.5, 1e-20]]), np.array([[1e-39], [0.0]])
    made(target, p, sample_weight=[1e-39, 1e-30])
    made.reset_state()
    made.result()


@pytest.mark.usefixtures("everything_raises")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "optimizer",
    [name.lower() for name in optimizers.registry.classes],
)
def test_no_optimizer_raises(engine, optimizer):
    made = model(engine, optimizer=optimizer)
    made.fit(np.full((N, 3), 1e-25), Y, epochs=2, batch_size=N, verbose=0)


@pytest.mark.usefixtures("everything_raises")
def test_nothing_beside_the_engines_raises(tmp_path):
    tiny = np.array([[1e-300, 1e-40], [1e-200, 1.0]])
    utils.normalize(tiny)
    layer = layers.Normalization()
    layer.adapt(tiny)
    models.Sequential([layers.Input((2,)), layers.Normalization(mean=[1e-300, 0], variance=[1e-300, 1]), layers.Rescaling(1e-300)])(tiny)
    for made in (constraints.MaxNorm(1e-30), constraints.UnitNorm(), constraints.MinMaxNorm(), constraints.NonNeg()):
        made(tiny)
    for penalty in (regularizers.L1L2(1e-3, 1e-3), regularizers.OrthogonalRegularizer()):
        penalty(tiny)
    initializers.RandomNormal(stddev=1e-39)((4, 4))
    initializers.VarianceScaling(1e-300)((4, 4))
    for schedule in (schedules.ExponentialDecay(1e-3, 1, 1e-30), schedules.CosineDecay(1e-300, 5)):
        schedule(20)
        model(optimizer=optimizers.SGD(schedule)).fit(X, Y, epochs=20, verbose=0)
    finder = callbacks.LearningRateFinder(steps=30)
    model().fit(X, Y, epochs=30, verbose=0, callbacks=[finder])
    assert finder.suggestion > 0
    saved = model(optimizer=optimizers.Adam(1e-50))
    saved.fit(X, Y, verbose=0)
    for name in ("m.safetensors", "m.keras"):
        saved.save(tmp_path / name)
        saving.load_model(tmp_path / name).fit(X, Y, verbose=0)


def test_nothing_warns_where_numpy_is_told_to_warn(recwarn):
    with np.errstate(all="warn"):
        for engine in ENGINES:
            for does in DOES.values():
                does(model(engine, metrics=["mae"]))
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]


# the user's own functions


def settings_of(seen):
    def loss(y, p):
        seen.append(np.geterr())
        return squared(y, p)

    return loss


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_of_the_user_run_with_the_users_settings(engine):
    seen = []

    def value(z):
        seen.append(np.geterr())
        return np.tanh(z)

    def metric(y, p):
        seen.append(np.geterr())
        return np.abs(y - p).max(axis=1)

    class Own(metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            seen.append(np.geterr())

        def result(self):
            seen.append(np.geterr())
            return 0.0

    class Watcher(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(np.geterr())

    with np.errstate(over="raise", under="warn", divide="print", invalid="call"):
        asked = np.geterr()
        activation = (value, lambda z: 1 - np.tanh(z) ** 2) if engine == "reference" else "tanh"
        made = models.Sequential([layers.Input((3,)), layers.Dense(2, activation=activation)])
        made.compile("sgd", settings_of(seen), metrics=[metric, Own()], engine=engine)
        made.fit(X, Y, verbose=0)  # which checks the derivatives first, silently
        seen.clear()
        made.fit(X, Y, epochs=2, verbose=0, callbacks=[Watcher()], validation_data=(X, Y))
        made.evaluate(X, Y, verbose=0)
        assert np.geterr() == asked
    assert len(seen) > 10
    assert all(settings == asked for settings in seen)


def test_a_loss_of_the_users_own_may_use_fastmlps_losses_and_still_has_its_settings():
    seen = []

    def loss(y, p):
        losses.MeanSquaredError()(y, p)
        seen.append(np.geterr())
        return squared(y, p)

    with np.errstate(under="raise"):
        for engine in ENGINES:
            model(engine, loss=loss).fit(X, Y, verbose=0)
    assert {settings["under"] for settings in seen[1:]} <= {"raise", "ignore"}
    assert seen[-1]["under"] == "raise"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("threads", [1, 2])
def test_functions_of_the_user_do_not_flush_small_numbers_to_zero(engine, threads):
    seen = []

    def loss(y, p):
        seen.append(float(np.multiply(np.full(4, 1e-20, np.float32), np.float32(1e-20))[0]))
        return squared(y, p)

    class Watcher(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            loss(Y, Y)

    made = models.Sequential([layers.Input((3,)), layers.Dense(256 * threads), layers.Dense(2)])
    made.compile("sgd", loss, engine=engine)
    made.fit(X, Y, epochs=2, batch_size=2, verbose=0, callbacks=[Watcher()])
    made.evaluate(X, Y, verbose=0)
    assert len(seen) > 8
    assert all(0 < value < 1.2e-38 for value in seen)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit, RecursionError, FloatingPointError])
@pytest.mark.parametrize("does", ["fit", "evaluate", "train_on_batch"])
def test_what_a_loss_function_raises_comes_out(engine, error, does):
    calls = []

    def loss(y, p):
        calls.append(1)
        if len(calls) > 20:
            raise error("from the loss")
        return squared(y, p)

    made = model(engine, loss=loss)
    made.train_on_batch(X, Y)
    calls.extend([1] * 20)
    with pytest.raises(error, match="from the loss"):
        getattr(made, does)(X, Y, **({} if does == "train_on_batch" else {"verbose": 0}))
    calls.clear()
    made.fit(X, Y, verbose=0)  # and is forgotten then


SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
from fastmlp import layers, models

rows = 1 << 21
def loss(y, p):
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit)) if len(y) == 4 else None
    return ((p - y) ** 2).sum(axis=1), 2 * (p - y)

made = models.Sequential([layers.Input((1,)), layers.Dense(16)])
made.compile("sgd", loss)
x, y = np.zeros((rows, 1), "f4"), np.zeros((rows, 16), "f4")
made.evaluate(x, y, batch_size=rows, verbose=0)  # which makes the engine's memory
size = int(open("/proc/self/statm").read().split()[0]) * 4096
limit = size + (64 << 20)  # enough for Python, too little for the arrays that the function is to get
made.train_on_batch(x[:4], y[:4])
try:
    made.evaluate(x, y, batch_size=rows, verbose=0)
except MemoryError:
    sys.exit(0)
sys.exit("no MemoryError")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_memory_for_the_arguments_of_a_loss_function_is_a_memory_error():
    done = subprocess.run([sys.executable, "-c", SHORT_OF_MEMORY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
