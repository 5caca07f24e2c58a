"""fastmlp and its peers, each in its best documented set-up, behind two functions:

- ``trainer(name, case)`` returns a function that trains for ``case.epochs`` epochs, shuffling the samples every epoch.
- ``predictor(name, case)`` returns a function that predicts ``case.rows`` samples once, from a NumPy array to a NumPy array.

Peers are optional: ``installed(case)`` returns the names of those available. They are imported on use, in a process or a pytest run whose
environment contains :data:`ENVIRONMENT`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.typing import InputData
from fastmlp.bench.cases import Case, InferenceCase, Targets, TrainingCase, initial_weights

__all__ = ["ENVIRONMENT", "PEERS", "environment", "installed", "missing_packages", "predictor", "trainer"]

KerasLike: TypeAlias = Any
"""The module ``keras`` or ``fastmlp``, or a model of it: the same program runs on both."""
TorchModule: TypeAlias = Any
"""A ``torch.nn.Module``; torch need not be installed."""
JaxArrays: TypeAlias = Any
"""Arrays of JAX or nests of them; jax need not be installed."""

Train: TypeAlias = Callable[[], object]
Predict: TypeAlias = Callable[[], NDArray[np.float32]]

ENVIRONMENT = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
"""Environment variables to set before a peer is imported."""

_THREAD_VARIABLES = ("FASTMLP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
"""NPROC is for JAX."""


def environment(threads: int | None = None) -> dict[str, str]:
    """Environment variables of a worker: :data:`ENVIRONMENT`, and with ``threads`` those that limit the threads of every framework."""
    return ENVIRONMENT | ({} if threads is None else dict.fromkeys(_THREAD_VARIABLES, str(threads)))


def installed(case: Case) -> list[str]:
    """The names of the installed frameworks that can run `case`, fastmlp first."""
    table = _TRAINERS if isinstance(case, TrainingCase) else _PREDICTORS
    return [name for name in table if not missing_packages(name)]


def missing_packages(name: str) -> list[str]:
    """The packages that the framework `name` needs and that are not installed."""
    return [package for package in _PACKAGES[name] if find_spec(package) is None]


def trainer(name: str, case: TrainingCase) -> Train:
    """Returns a function that trains `case` for one timed round in the framework `name`."""
    return _TRAINERS[name](case)


def predictor(name: str, case: InferenceCase) -> Predict:
    """Returns a function that predicts the samples of `case` once in the framework `name`."""
    return _PREDICTORS[name](case)


def _threads() -> int:
    """The number of threads available to each framework."""
    from fastmlp._engine.threads import default_count

    return default_count()[0]


def _seconds(run: Callable[[], object]) -> float:
    """The time of `run` after a warm-up: the best of some."""
    run()
    times: list[float] = []
    while len(times) < 2 or (sum(times) < 0.05 and len(times) < 100):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _dense(case: TrainingCase) -> tuple[NDArray[np.float32], Targets]:
    """The data of a case as arrays, for frameworks that can't train such a network on sparse matrices."""
    x, y = case.load()
    return (x if isinstance(x, np.ndarray) else x.toarray()), y


# fastmlp and Keras: the same program


def _keras_like(api: KerasLike, case: Case) -> KerasLike:
    last = "softmax" if case.task == "classify" else "linear"
    model = api.Sequential([api.layers.Input(shape=(case.widths[0],))])
    for units in case.widths[1:-1]:
        model.add(api.layers.Dense(units, activation=case.activation))
    model.add(api.layers.Dense(case.widths[-1], activation=last))
    model.set_weights(initial_weights(case.widths))
    return model


def _compiled(api: KerasLike, case: TrainingCase, **options: object) -> KerasLike:
    model = _keras_like(api, case)
    optimizer = {"adam": api.optimizers.Adam, "rmsprop": api.optimizers.RMSprop}[case.optimizer](learning_rate=case.learning_rate)
    loss = "sparse_categorical_crossentropy" if case.task == "classify" else "mse"
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


def _fit(model: KerasLike, x: InputData, y: Targets, case: TrainingCase) -> Train:
    return lambda: model.fit(x, y, batch_size=case.batch_size, epochs=case.epochs, verbose=0)


def _train_fastmlp(case: TrainingCase) -> Train:
    import fastmlp

    return _fit(_compiled(fastmlp, case, skip_zeros="auto" if case.skip_zeros else False), *case.load(), case)


def _train_keras(case: TrainingCase) -> Train:
    import keras

    return _fit(_compiled(keras, case, steps_per_execution=16), *_dense(case), case)


def _predict_fastmlp(case: InferenceCase) -> Predict:
    import fastmlp

    model, x = _keras_like(fastmlp, case), case.load()
    return (lambda: model(x)) if case.rows == 1 else (lambda: model.predict(x, verbose=0))


def _predict_keras(case: InferenceCase) -> Predict:
    import keras

    model, x = _keras_like(keras, case), case.load()
    if case.rows == 1:
        return lambda: np.asarray(model(x, training=False))
    return lambda: model.predict(x, batch_size=1024, verbose=0)


# PyTorch


def _torch_network(case: Case) -> TorchModule:
    import torch

    modules: list[torch.nn.Module] = []
    for inputs, units in pairwise(case.widths):
        modules += [torch.nn.Linear(inputs, units), {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[case.activation]()]
    network = torch.nn.Sequential(*modules[:-1])
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), initial_weights(case.widths), strict=True):
            parameter.copy_(torch.from_numpy(value.T.copy()))
    return network


def _train_torch(case: TrainingCase) -> Train:
    import torch

    values, targets = _dense(case)
    x, y = torch.from_numpy(values), torch.from_numpy(targets)
    if case.task == "classify":
        y = y.long()
    network = _torch_network(case)
    loss_function = torch.nn.functional.cross_entropy if case.task == "classify" else torch.nn.functional.mse_loss
    optimizer: torch.optim.Optimizer
    if case.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=case.learning_rate, eps=1e-7, fused=True)
    else:
        optimizer = torch.optim.RMSprop(network.parameters(), lr=case.learning_rate, alpha=0.9, eps=1e-7, foreach=True)

    def run() -> float:
        total = torch.zeros(())
        for _ in range(case.epochs):
            for rows in torch.randperm(len(x)).split(case.batch_size):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_function(network(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                total += loss.detach()
        return float(total)

    _set_torch_threads(run)
    return run


def _set_torch_threads(run: Callable[[], object]) -> None:
    """Makes PyTorch use one thread or all, whichever is faster: small networks are faster on one."""
    import torch

    def seconds(threads: int) -> float:
        torch.set_num_threads(threads)
        return _seconds(run)

    torch.set_num_threads(min((1, _threads()), key=seconds))


def _predict_torch(case: InferenceCase) -> Predict:
    import torch

    network, x = _torch_network(case), torch.from_numpy(case.load())
    if case.task == "classify":
        network.append(torch.nn.Softmax(dim=1))

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(x).numpy()

    _set_torch_threads(run)
    return run


# JAX: a whole epoch is one compiled call


def _jax_forward(case: Case) -> Callable[[JaxArrays, JaxArrays], JaxArrays]:
    import jax

    activation = {"relu": jax.nn.relu, "tanh": jax.numpy.tanh}[case.activation]

    def forward(weights: JaxArrays, x: JaxArrays) -> JaxArrays:
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = activation(x @ kernel + bias)
        return x @ weights[-2] + weights[-1]

    return forward


def _train_jax(case: TrainingCase) -> Train:
    import jax
    import jax.numpy as jnp

    x, y = map(jnp.asarray, _dense(case))
    forward = _jax_forward(case)
    full_batches = len(x) // case.batch_size  # a scan needs batches of equal size; the remaining samples of an epoch are dropped

    def loss_function(weights: JaxArrays, rows: JaxArrays, targets: JaxArrays) -> JaxArrays:
        outputs = forward(weights, rows)
        if case.task == "regress":
            return jnp.mean((outputs - targets) ** 2)
        picked = jnp.take_along_axis(outputs, targets[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(outputs, axis=1) - picked)

    def adam(step: JaxArrays, weight: JaxArrays, gradient: JaxArrays, first: JaxArrays, second: JaxArrays) -> JaxArrays:
        first = first + (gradient - first) * 0.1
        second = second + (gradient**2 - second) * 0.001
        rate = case.learning_rate * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        return weight - rate * first / (jnp.sqrt(second) + 1e-7), first, second

    def rmsprop(_step: JaxArrays, weight: JaxArrays, gradient: JaxArrays, first: JaxArrays, second: JaxArrays) -> JaxArrays:
        second = 0.9 * second + 0.1 * gradient**2
        return weight - case.learning_rate * gradient / jnp.sqrt(second + 1e-7), first, second

    update = {"adam": adam, "rmsprop": rmsprop}[case.optimizer]

    def step_once(state: JaxArrays, rows: JaxArrays) -> JaxArrays:
        step, weights, firsts, seconds = state
        loss, gradients = jax.value_and_grad(loss_function)(weights, x[rows], y[rows])
        moved = [update(step + 1, *arrays) for arrays in zip(weights, gradients, firsts, seconds, strict=True)]
        return (step + 1, *map(list, zip(*moved, strict=True))), loss

    compiled = jax.jit(lambda state, order: jax.lax.scan(step_once, state, order), donate_argnums=0)
    weights = [jnp.array(value) for value in initial_weights(case.widths)]
    state = (jnp.float32(0), weights, [jnp.zeros_like(w) for w in weights], [jnp.zeros_like(w) for w in weights])
    random = np.random.default_rng(0)  # up to twice as fast as jax.random.permutation within the compiled function

    def run() -> float:
        nonlocal state
        for _ in range(case.epochs):
            order = random.permutation(len(x))[: full_batches * case.batch_size].astype(np.int32)
            state, losses = compiled(state, jnp.asarray(order.reshape(full_batches, case.batch_size)))
        return float(losses.mean())

    return run


def _predict_jax(case: InferenceCase) -> Predict:
    import jax

    forward, x = _jax_forward(case), case.load()
    weights = [jax.numpy.array(value) for value in initial_weights(case.widths)]
    compiled = jax.jit(lambda rows: jax.nn.softmax(forward(weights, rows)) if case.task == "classify" else forward(weights, rows))
    return lambda: np.asarray(compiled(x))


# scikit-learn


def _train_sklearn(case: TrainingCase) -> Train:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    x, y = case.load()
    # It has no RMSprop; Adam has the same cost.
    options = {
        "hidden_layer_sizes": case.widths[1:-1],
        "activation": case.activation,
        "solver": "adam",
        "batch_size": case.batch_size,
        "learning_rate_init": case.learning_rate,
        "alpha": 0.0,
    }
    if case.task == "classify":
        classifier = MLPClassifier(**options)
        classes = np.arange(case.widths[-1])
        return lambda: [classifier.partial_fit(x, y, classes=classes) for _ in range(case.epochs)]
    regressor = MLPRegressor(**options)
    return lambda: [regressor.partial_fit(x, y) for _ in range(case.epochs)]


# ONNX Runtime and NumPy: inference only


def _predict_onnxruntime(case: InferenceCase) -> Predict:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, value = [], [], "x"
    weights = initial_weights(case.widths)
    layers = len(weights) // 2
    for layer in range(layers):
        kernel, bias = f"kernel{layer}", f"bias{layer}"
        constants += [numpy_helper.from_array(weights[2 * layer], kernel), numpy_helper.from_array(weights[2 * layer + 1], bias)]
        last = layer == layers - 1
        function = ("Softmax" if case.task == "classify" else None) if last else {"relu": "Relu", "tanh": "Tanh"}[case.activation]
        output = "y" if last else f"h{layer}"
        nodes.append(helper.make_node("Gemm", [value, kernel, bias], [f"z{layer}" if function else output]))
        if function:
            nodes.append(helper.make_node(function, [f"z{layer}"], [output]))
        value = output
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, case.widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, case.widths[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    x = case.load()

    def predict(threads: int) -> Predict:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})[0]

    return predict(min((1, _threads()), key=lambda threads: _seconds(predict(threads))))


def _predict_numpy(case: InferenceCase) -> Predict:
    weights, x = initial_weights(case.widths), case.load()
    kernels, biases = weights[::2], weights[1::2]

    def run() -> NDArray[np.float32]:
        h = x
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            h = h @ kernel
            h += bias
            h = np.maximum(h, 0, out=h) if case.activation == "relu" else np.tanh(h, out=h)
        h = h @ kernels[-1]
        h += biases[-1]
        if case.task == "classify":
            h -= h.max(axis=1, keepdims=True)
            np.exp(h, out=h)
            h /= h.sum(axis=1, keepdims=True)
        return h

    return run


_TRAINERS: dict[str, Callable[[TrainingCase], Train]] = {
    "fastmlp": _train_fastmlp,
    "jax": _train_jax,
    "torch": _train_torch,
    "sklearn": _train_sklearn,
    "keras": _train_keras,
}

_PREDICTORS: dict[str, Callable[[InferenceCase], Predict]] = {
    "fastmlp": _predict_fastmlp,
    "onnxruntime": _predict_onnxruntime,
    "torch": _predict_torch,
    "jax": _predict_jax,
    "numpy": _predict_numpy,
    "keras": _predict_keras,
}

_PACKAGES: dict[str, tuple[str, ...]] = {
    "fastmlp": ("fastmlp",),
    "jax": ("jax",),
    "torch": ("torch",),
    "sklearn": ("sklearn",),
    "keras": ("keras", "jax"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "numpy": ("numpy",),
}

PEERS = tuple(name for name in _PACKAGES if name != "fastmlp")
"""All frameworks that fastmlp can be compared with."""
