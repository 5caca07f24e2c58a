"""Small networks, objectives and data for tests that speak to the engines directly."""

from itertools import pairwise

import numpy as np
from loss_cases import constants_of, draw_targets

from fastmlp import _core
from fastmlp._engine.spec import Batches, Metric, Node, Objective, Parameter, Plan, Update
from fastmlp.reference.activations import ACTIVATIONS as FUNCTIONS
from fastmlp.reference.activations import READ_INPUT

ENDLESS = 1e9

UPDATES = {
    "sgd": Update("sgd"),
    "momentum": Update("sgd", momentum=0.9),
    "nesterov": Update("sgd", momentum=0.9, nesterov=True),
    "rmsprop": Update("rmsprop"),
    "rmsprop_momentum": Update("rmsprop", momentum=0.5),
    "adam": Update("adam"),
    "rmsprop_centered": Update("rmsprop", centered=True, epsilon=1e-3),
    "rmsprop_centered_momentum": Update("rmsprop", momentum=0.5, centered=True, epsilon=1e-3),
    "amsgrad": Update("adam", amsgrad=True),
    "adagrad": Update("adagrad"),
    "adadelta": Update("adadelta", rho=0.95),
    "adamax": Update("adamax"),
    "nadam": Update("nadam"),
    "lion": Update("lion", beta_2=0.99),
    "ftrl": Update("ftrl", l1=0.002),
    "schedule_free": Update("schedule_free", warmup=3),
    "lamb": Update("lamb"),
    "adafactor": Update("adafactor", epsilon=1e-30, matrices=(0, 2)),
    "muon": Update("muon", momentum=0.95, nesterov=True, vector_rate=0.5, vector_decay=0.1, matrices=(0, 2)),
    "ftrl_power": Update("ftrl", l2=0.1, shrinkage=0.1, power=0.3, beta=0.2),
}
LEARNING_RATES = {
    "sgd": 0.05,
    "momentum": 0.01,
    "nesterov": 0.01,
    "rmsprop": 0.002,
    "rmsprop_momentum": 0.001,
    "adam": 0.003,
    "rmsprop_centered": 0.001,
    "rmsprop_centered_momentum": 0.0005,
    "amsgrad": 0.003,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "adamax": 0.003,
    "nadam": 0.003,
    "lion": 0.0001,
    "ftrl": 0.05,
    "ftrl_power": 0.05,
    "schedule_free": 0.003,
    "lamb": 0.01,
    "adafactor": 0.02,
    "muon": 0.01,
}

# name -> (loss, from_logits, last activation, absorbed by the loss)
LOSSES = {
    "mse": ("mean_squared_error", False, "linear", False),
    "mse_after_tanh": ("mean_squared_error", False, "tanh", False),
    "mse_after_softmax": ("mean_squared_error", False, "softmax", False),
    "mae": ("mean_absolute_error", False, "linear", False),
    "bce": ("binary_crossentropy", True, "sigmoid", True),
    "bce_logits": ("binary_crossentropy", True, "linear", False),
    "bce_probabilities": ("binary_crossentropy", False, "sigmoid", False),
    "cce": ("categorical_crossentropy", True, "softmax", True),
    "cce_logits": ("categorical_crossentropy", True, "linear", False),
    "cce_probabilities": ("categorical_crossentropy", False, "softmax", False),
    "scce": ("sparse_categorical_crossentropy", True, "softmax", True),
    "scce_logits": ("sparse_categorical_crossentropy", True, "linear", False),
    "scce_probabilities": ("sparse_categorical_crossentropy", False, "softmax", False),
    "bce_smooth": ("binary_crossentropy", True, "sigmoid", True),
    "cce_smooth": ("categorical_crossentropy", True, "softmax", True),
    "scce_smooth": ("sparse_categorical_crossentropy", True, "softmax", True),
    "mape": ("mean_absolute_percentage_error", False, "linear", False),
    "msle": ("mean_squared_logarithmic_error", False, "sigmoid", False),
    "huber": ("huber", False, "linear", False),
    "log_cosh": ("log_cosh", False, "linear", False),
    "quantile": ("quantile", False, "linear", False),
    "poisson": ("poisson", False, "sigmoid", False),
    "cosine_similarity": ("cosine_similarity", False, "sigmoid", False),
    "hinge": ("hinge", False, "linear", False),
    "squared_hinge": ("squared_hinge", False, "tanh", False),
    "categorical_hinge": ("categorical_hinge", False, "linear", False),
    "kld": ("kl_divergence", False, "softmax", False),
    "bfce": ("binary_focal_crossentropy", True, "sigmoid", True),
    "bfce_probabilities": ("binary_focal_crossentropy", False, "sigmoid", False),
    "cfce": ("categorical_focal_crossentropy", True, "softmax", True),
    "cfce_logits": ("categorical_focal_crossentropy", True, "linear", False),
    "scgce": ("sparse_categorical_generalized_cross_entropy", False, "softmax", False),
    "dice": ("dice", False, "sigmoid", False),
    "tversky": ("tversky", False, "softmax", False),
    "gaussian_nll": ("gaussian_nll", False, "sigmoid", False),
    "circle": ("sparse_circle", False, "softmax", False),
}
REAL_TARGETS = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "quantile", "gaussian_nll")
ACTIVATIONS = ("linear", "relu", "leaky_relu", "sigmoid", "tanh")
"""A few, to combine with everything else."""
EVERY_ACTIVATION = (*_core.ACTIVATIONS, *_core.ROWWISE_ACTIVATIONS)


def perceptron(widths, hidden="relu", last="linear", rate=0.0, bias=True):
    """input → (dense + hidden activation [→ dropout])* → dense → last activation, as the public API lays it out. Units doubled for glu."""
    nodes, parameters, columns = [], [], [widths[0]]
    for layer, (inputs, units) in enumerate(pairwise(widths)):
        final = layer == len(widths) - 2
        activation = last if final else hidden
        sums = 2 * units if activation == "glu" else units
        parameters.append(Parameter(f"dense_{layer}/kernel", (inputs, sums)))
        if bias:
            parameters.append(Parameter(f"dense_{layer}/bias", (sums,)))
        indices = tuple(range(len(parameters) - (2 if bias else 1), len(parameters)))
        own = activation in READ_INPUT.union(_core.ROWWISE_ACTIVATIONS) or (final and activation == "sigmoid")
        constants = {"alpha": 0.2, "threshold": 0.3, "max_value": 1.5} if FUNCTIONS[activation].limited else {"alpha": 0.2}
        nodes.append(Node("dense", (len(columns) - 1,), len(columns), indices, **({} if own else {"activation": activation} | constants)))
        columns.append(sums)
        if own:
            nodes.append(Node("activation", (len(columns) - 1,), len(columns), activation=activation, **constants))
            columns.append(units)
        if rate and not final:
            nodes.append(Node("dropout", (len(columns) - 1,), len(columns), rate=rate))
            columns.append(units)
    return Plan(tuple(columns), tuple(nodes), tuple(parameters), len(columns) - 1)


def objective_for(plan, loss, metrics=()):
    kind, from_logits, _, absorbed = LOSSES[loss]
    source = plan.nodes[-1].inputs[0] if absorbed else plan.output
    return Objective(kind, source, from_logits, tuple(metrics), constants_of(kind), smoothing=0.2 if loss.endswith("_smooth") else 0.0)


def metrics_for(loss):
    """Every metric that this loss's targets allow, one of them weighted."""
    if loss.startswith("sc"):
        return (
            Metric("sparse_categorical_accuracy"),
            Metric("sparse_categorical_accuracy", weighted=True),
            Metric("sparse_categorical_crossentropy", smoothing=0.1),
        )
    if loss == "circle":
        return (Metric("sparse_categorical_accuracy"), Metric("sparse_categorical_accuracy", weighted=True))
    if loss == "gaussian_nll":
        return (Metric("gaussian_nll", parameters=(1e-3, 0.0)),)
    return (
        Metric("categorical_accuracy"),
        Metric("binary_accuracy", threshold=0.3),
        Metric("binary_accuracy", weighted=True),
        Metric("mean_absolute_error"),
        Metric("mean_squared_error", weighted=True),
    )


def fill(network, seed=0):
    """Glorot-uniform kernels and small biases."""
    rng = np.random.default_rng(seed)
    for index, parameter in enumerate(network.plan.parameters):
        limit = np.sqrt(6 / sum(parameter.shape)) if len(parameter.shape) == 2 else 0.1
        network.set_parameter(index, rng.uniform(-limit, limit, parameter.shape).astype(np.float32))
    return network


def data_for(plan, loss, rows, batch_size, *, weighted=False, shuffled=True, uint8=False, seed=0):
    rng = np.random.default_rng(seed)
    kind = LOSSES[loss][0]
    inputs, outputs = plan.widths[0], plan.widths[plan.output]
    x = rng.integers(0, 256, (rows, inputs)).astype(np.uint8) if uint8 else rng.normal(size=(rows, inputs)).astype(np.float32)
    if kind.startswith("categorical"):
        y = np.eye(outputs, dtype=np.float32)[rng.integers(0, outputs, rows)]
    else:
        y = draw_targets(kind, rng, rows, outputs)
    if not kind.startswith("sparse"):
        y = (y / 3 if kind in REAL_TARGETS else y).astype(np.float32)
    weight = rng.uniform(0.2, 2, rows).astype(np.float32) if weighted else None
    order = rng.permutation(rows).astype(np.uint32) if shuffled else None
    return Batches(x, y, weight, order, batch_size)


def parameters_of(network):
    return [network.get_parameter(i) for i in range(len(network.plan.parameters))]


def state_of(network):
    """Parameters and slots, as one list of arrays."""
    count = range(len(network.plan.parameters))
    return parameters_of(network) + [network.get_slot(name, i) for name in network.slot_names for i in count]


def same_bits(left, right):
    return all(a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True))


def train(network, batches, metrics=0, epochs=1):
    """Trains whole epochs; returns the totals."""
    totals = np.zeros(2 + 2 * metrics)
    for _ in range(epochs):
        assert network.train(batches, 0, batches.count, ENDLESS, totals) == batches.count
    return totals


def configured(engine, plan, objective, update="adam", seed=7):
    """A filled network of either engine, ready to train."""
    network = fill(engine.Network(plan, seed))
    network.configure(objective, UPDATES[update])
    network.learning_rate = LEARNING_RATES[update]
    return network


def trained(widths, batch_size=64, loss="scce", update="adam", unfused=False, rate=0.2, hidden="relu", rows=200):
    """The parameters, slots and totals of the native engine after two epochs."""
    plan = perceptron(widths, hidden, LOSSES[loss][2], rate=rate)
    network = configured(_core, plan, objective_for(plan, loss), update)
    network.set_unfused(unfused)
    totals = train(network, data_for(plan, loss, rows, batch_size, weighted=True), epochs=2)
    return [*state_of(network), totals]
