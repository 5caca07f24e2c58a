"""fastmlp and its peers, each in its best documented set-up, behind two functions:

- ``trainer(name, case)`` returns a function that trains for ``case.epochs`` epochs: rows shuffled every epoch, loss computed, weights
  updated.
- ``predictor(name, case)`` returns a function that predicts ``case.rows`` rows once, from a NumPy array to a NumPy array.

Peers are optional: ``installed(case)`` names those there are. They are imported when they are used, in a process or a pytest run whose
environment holds :data:`ENVIRONMENT`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp.bench.cases import Case, InferenceCase, TrainingCase, initial_weights

__all__ = ["ENVIRONMENT", "PEERS", "environment", "installed", "missing_packages", "predictor", "trainer"]

Train: TypeAlias = Callable[[], object]
Predict: TypeAlias = Callable[[], NDArray[np.float32]]

ENVIRONMENT = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
"""Variables to set before a peer is imported."""

_THREAD_VARIABLES = ("FASTMLP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
"""NPROC is JAX's."""


def environment(threads: int | None = None) -> dict[str, str]:
    """Variables for a process that measures: :data:`ENVIRONMENT`, and with ``threads`` those that limit every framework to so many."""
    return ENVIRONMENT | ({} if threads is None else dict.fromkeys(_THREAD_VARIABLES, str(threads)))


def installed(case: Case) -> list[str]:
    """Names of the frameworks that can run `case` here, fastmlp first."""
    table = _TRAINERS if isinstance(case, TrainingCase) else _PREDICTORS
    return [name for name in table if not missing_packages(name)]


def missing_packages(name: str) -> list[str]:
    """Names of the packages that the framework called `name` needs and that are not installed."""
    return [package for package in _PACKAGES[name] if find_spec(package) is None]


def trainer(name: str, case: TrainingCase) -> Train:
    """A function that trains `case` for one timed round on the framework called `name`."""
    return _TRAINERS[name](case)


def predictor(name: str, case: InferenceCase) -> Predict:
    """A function that predicts `case`'s rows once on the framework called `name`."""
    return _PREDICTORS[name](case)


def _threads() -> int:
    """What each framework may use, as fastmlp counts it."""
    from fastmlp._engine.threads import default_count

    return default_count()[0]


def _dense(case: TrainingCase) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """The data of a case for frameworks that train such a network on arrays only."""
    x, y = case.load()
    return (x.toarray() if hasattr(x, "toarray") else x), y


# fastmlp and Keras: one program


def _keras_like(api: Any, case: Case) -> Any:
    last = "softmax" if case.task == "classify" else "linear"
    model = api.Sequential([api.layers.Input(shape=(case.widths[0],))])
    for units in case.widths[1:-1]:
        model.add(api.layers.Dense(units, activation=case.activation))
    model.add(api.layers.Dense(case.widths[-1], activation=last))
    model.set_weights(initial_weights(case.widths))
    return model


def _compiled(api: Any, case: TrainingCase, **options: Any) -> Any:
    model = _keras_like(api, case)
    optimizer = {"adam": api.optimizers.Adam, "rmsprop": api.optimizers.RMSprop}[case.optimizer](learning_rate=case.learning_rate)
    loss = "sparse_categorical_crossentropy" if case.task == "classify" else "mse"
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


def _fit(model: Any, x: Any, y: Any, case: TrainingCase) -> Train:
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


def _torch_network(case: Case) -> Any:
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

    torch.set_num_threads(min((1, _threads()), key=lambda threads: _seconds_with(threads, run)))
    return run


def _seconds_with(threads: int, run: Callable[[], object]) -> float:
    """How long `run` takes on `threads` PyTorch threads, warm: small networks are faster on one."""
    import torch

    torch.set_num_threads(threads)
    run()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _predict_torch(case: InferenceCase) -> Predict:
    import torch

    torch.set_num_threads(1 if case.rows == 1 else _threads())
    network, x = _torch_network(case), torch.from_numpy(case.load())
    if case.task == "classify":
        network.append(torch.nn.Softmax(dim=1))

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(x).numpy()

    return run


# JAX: a whole epoch is one compiled call


def _jax_forward(case: Case) -> Any:
    import jax

    activation = {"relu": jax.nn.relu, "tanh": jax.numpy.tanh}[case.activation]

    def forward(weights: Any, x: Any) -> Any:
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = activation(x @ kernel + bias)
        return x @ weights[-2] + weights[-1]

    return forward


def _train_jax(case: TrainingCase) -> Train:
    import jax
    import jax.numpy as jnp

    x, y = map(jnp.asarray, _dense(case))
    forward = _jax_forward(case)
    full_batches = len(x) // case.batch_size  # a scan takes batches of one size: the few rows left over wait for the next epoch

    def loss_function(weights: Any, rows: Any, targets: Any) -> Any:
        outputs = forward(weights, rows)
        if case.task == "regress":
            return jnp.mean((outputs - targets) ** 2)
        picked = jnp.take_along_axis(outputs, targets[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(outputs, axis=1) - picked)

    def adam(step: Any, weight: Any, gradient: Any, first: Any, second: Any) -> Any:
        first = first + (gradient - first) * 0.1
        second = second + (gradient**2 - second) * 0.001
        rate = case.learning_rate * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        return weight - rate * first / (jnp.sqrt(second) + 1e-7), first, second

    def rmsprop(_step: Any, weight: Any, gradient: Any, first: Any, second: Any) -> Any:
        second = 0.9 * second + 0.1 * gradient**2
        return weight - case.learning_rate * gradient / jnp.sqrt(second + 1e-7), first, second

    update = {"adam": adam, "rmsprop": rmsprop}[case.optimizer]

    def step_once(state: Any, rows: Any) -> Any:
        step, weights, firsts, seconds = state
        loss, gradients = jax.value_and_grad(loss_function)(weights, x[rows], y[rows])
        moved = [update(step + 1, *arrays) for arrays in zip(weights, gradients, firsts, seconds, strict=True)]
        return (step + 1, *map(list, zip(*moved, strict=True))), loss

    def epoch(state: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(x))[: full_batches * case.batch_size]
        return jax.lax.scan(step_once, state, order.reshape(full_batches, case.batch_size))

    compiled = jax.jit(epoch, donate_argnums=0)
    weights = [jnp.array(value) for value in initial_weights(case.widths)]
    state = (jnp.float32(0), weights, [jnp.zeros_like(w) for w in weights], [jnp.zeros_like(w) for w in weights])
    key = jax.random.key(0)

    def run() -> float:
        nonlocal state, key
        for _ in range(case.epochs):
            key, now = jax.random.split(key)
            state, losses = compiled(state, now)
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
    # It has no RMSprop: Adam, of the same cost, stands in.
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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1 if case.rows == 1 else _threads()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = case.load()
    return lambda: session.run(None, {"x": x})[0]


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
"""Every framework fastmlp can be measured beside."""
