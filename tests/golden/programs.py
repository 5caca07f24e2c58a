"""The programs whose numbers were taken from Keras once, written so that they run on Keras and on fastmlp alike.

Every function takes ``api``, the module to run on (``keras`` or ``fastmlp``), and ``compile_options``, passed on to ``compile`` (the engine
to use). Nothing here draws a random number at run time: data and initial weights come from NumPy's frozen ``RandomState`` streams.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np

INPUTS, HIDDEN, OUTPUTS, ROWS, STEPS = 5, (8, 4), 3, 12, 10

OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.005, "rho": 0.8, "momentum": 0.7}),
    "adam": ("Adam", {"learning_rate": 0.01}),
}

# name: (loss class, its arguments, activation of the last layer, metrics). The last two read probabilities that no fused path covers.
HEADS = {
    "mse": ("MeanSquaredError", {}, "linear", ["mae"]),
    "mae": ("MeanAbsoluteError", {}, "linear", ["mse"]),
    "bce_logits": ("BinaryCrossentropy", {"from_logits": True}, "linear", ["mse"]),
    "bce_sigmoid": ("BinaryCrossentropy", {}, "sigmoid", ["binary_accuracy"]),
    "cce_logits": ("CategoricalCrossentropy", {"from_logits": True}, "linear", ["accuracy"]),
    "cce_softmax": ("CategoricalCrossentropy", {}, "softmax", ["accuracy"]),
    "scce_logits": ("SparseCategoricalCrossentropy", {"from_logits": True}, "linear", ["accuracy"]),
    "scce_softmax": ("SparseCategoricalCrossentropy", {}, "softmax", ["accuracy"]),
    "bce_softmax": ("BinaryCrossentropy", {}, "softmax", ["binary_accuracy"]),
    "cce_sigmoid": ("CategoricalCrossentropy", {}, "sigmoid", ["accuracy"]),
}

ACTIVATIONS = ("linear", "relu", "leaky_relu", "sigmoid", "tanh")

CURVES = tuple(product(OPTIMIZERS, HEADS, ACTIVATIONS))


def inputs() -> np.ndarray:
    return np.random.RandomState(1).normal(size=(ROWS, INPUTS)).astype(np.float32)


def targets(head: str) -> np.ndarray:
    random = np.random.RandomState(2)
    if head in ("mse", "mae"):
        return random.normal(size=(ROWS, OUTPUTS)).astype(np.float32)
    if head.startswith("bce"):
        return random.randint(0, 2, size=(ROWS, OUTPUTS)).astype(np.float32)
    labels = random.randint(0, OUTPUTS, size=ROWS)
    return labels.astype(np.int32) if head.startswith("scce") else np.eye(OUTPUTS, dtype=np.float32)[labels]


def sample_weight() -> np.ndarray:
    return np.random.RandomState(3).uniform(0, 2, size=ROWS).astype(np.float32)


def initial_weights() -> list[np.ndarray]:
    random = np.random.RandomState(4)
    widths = (INPUTS, *HIDDEN, OUTPUTS)
    weights = []
    for fan_in, units in pairwise(widths):
        weights.append(random.normal(scale=fan_in**-0.5, size=(fan_in, units)).astype(np.float32))
        weights.append(random.normal(scale=0.1, size=units).astype(np.float32))
    return weights


def network(api, optimizer: str, head: str, activation: str, **compile_options):
    """A compiled 5-8-4-3 network with the initial weights in place."""
    loss, loss_options, last_activation, metrics = HEADS[head]
    model = api.Sequential([api.layers.Input(shape=(INPUTS,))])
    for units in HIDDEN:
        model.add(api.layers.Dense(units, activation=activation))
    model.add(api.layers.Dense(OUTPUTS, activation=last_activation))
    name, options = OPTIMIZERS[optimizer]
    compile_options = {"metrics": list(metrics), **compile_options}
    model.compile(optimizer=getattr(api.optimizers, name)(**options), loss=getattr(api.losses, loss)(**loss_options), **compile_options)
    model.set_weights(initial_weights())
    return model


def curve(api, optimizer: str, head: str, activation: str, *, weighted: bool = False, **compile_options):
    """Ten full-batch steps: ``(losses and metrics, (10, 2), as each step saw them; the final weights)``."""
    model = network(api, optimizer, head, activation, **compile_options)
    x, y = inputs(), targets(head)
    weight = sample_weight() if weighted else None
    steps = [list(model.train_on_batch(x, y, sample_weight=weight)) for _ in range(STEPS)]
    return np.array(steps, dtype=np.float64), model.get_weights()


def fits() -> dict[str, dict]:
    """Arguments of `fit` whose histories are compared; rows are never shuffled."""
    x = inputs()
    return {
        "partial last batch": {"epochs": 3, "batch_size": 5},
        "validation split": {"epochs": 2, "batch_size": 4, "validation_split": 0.3},
        "validation data with weights": {
            "epochs": 2,
            "batch_size": 5,
            "validation_data": (x[::-1], targets("cce_softmax"), sample_weight()),
        },
        "sample weights": {"epochs": 2, "batch_size": 5, "sample_weight": sample_weight()},
        "class weights": {"epochs": 2, "batch_size": 5, "class_weight": {0: 0.5, 2: 3.0}},
        "initial epoch": {"epochs": 5, "initial_epoch": 3, "batch_size": 12},
        "validation frequency": {"epochs": 4, "batch_size": 6, "validation_split": 0.25, "validation_freq": 2},
        "steps per epoch": {"epochs": 2, "batch_size": 3, "steps_per_epoch": 2},
    }


def fit(api, arguments: dict, **compile_options):
    """``(history.history, evaluate's list with and without weights, evaluate's dict)`` after one fit."""
    model = network(
        api,
        "adam",
        "cce_softmax",
        "tanh",
        metrics=["acc", "mae"],
        weighted_metrics=["accuracy", "categorical_crossentropy"],
        **compile_options,
    )
    x, y = inputs(), targets("cce_softmax")
    history = model.fit(x, y, shuffle=False, verbose=0, **arguments)
    plain = model.evaluate(x, y, batch_size=5, verbose=0)
    weighted = model.evaluate(x, y, batch_size=5, sample_weight=sample_weight(), verbose=0)
    named = model.evaluate(x, y, verbose=0, return_dict=True)
    return history.history, plain, weighted, named


# Outputs far outside what a trained network gives: where clipping and overflow would show.
EXTREMES = {
    "bce": (("BinaryCrossentropy", {}), [-0.5, 0.0, 1e-9, 0.3, 0.7, 1.0, 1.5]),
    "bce_logits": (("BinaryCrossentropy", {"from_logits": True}), [-200.0, -20.0, -0.5, 0.0, 3.0, 30.0, 200.0]),
    "cce": (("CategoricalCrossentropy", {}), [0.0, 1e-9, 0.25, 0.5, 1.0, 3.0, 40.0]),
    "cce_logits": (("CategoricalCrossentropy", {"from_logits": True}), [-200.0, -20.0, -0.5, 0.0, 3.0, 30.0, 200.0]),
    "scce": (("SparseCategoricalCrossentropy", {}), [0.0, 1e-9, 0.25, 0.5, 1.0, 3.0, 40.0]),
    "scce_logits": (("SparseCategoricalCrossentropy", {"from_logits": True}), [-200.0, -20.0, -0.5, 0.0, 3.0, 30.0, 200.0]),
    "mae": (("MeanAbsoluteError", {}), [-2.0, -1.0, 0.25, 0.5, 0.75, 2.0, 1e6]),  # at 0 and 1, the targets, JAX takes a slope of 1
}


def extreme(api, name: str, **compile_options) -> tuple[list[float], np.ndarray]:
    """The loss of each row alone, and the summed gradient of the bias, of a loss read straight from extreme outputs."""
    (loss, options), values = EXTREMES[name]
    columns = len(values)
    random = np.random.RandomState(5)
    x = np.array([random.permutation(values) for _ in range(8)], dtype=np.float32)
    labels = random.randint(0, columns, size=len(x))
    y = labels.astype(np.int32) if name.startswith("scce") else np.eye(columns, dtype=np.float32)[labels]
    model = api.Sequential([api.layers.Input(shape=(columns,)), api.layers.Dense(columns)])
    model.compile(optimizer=api.optimizers.SGD(learning_rate=1.0), loss=getattr(api.losses, loss)(**options), **compile_options)
    identity = [np.eye(columns, dtype=np.float32), np.zeros(columns, dtype=np.float32)]
    losses, gradient = [], np.zeros((len(x), columns), dtype=np.float64)
    for row in range(len(x)):
        model.set_weights(identity)
        result = model.train_on_batch(x[row : row + 1], y[row : row + 1])
        losses.append(float(np.ravel(result)[0]))
        gradient[row] = -model.get_weights()[1].astype(np.float64)
    return losses, gradient


def summaries(api) -> dict[str, str]:
    """What `summary` prints for a built, an unbuilt and a deeper model."""
    layers = api.layers
    models = {
        "course": api.Sequential(
            [
                layers.Input(shape=(784,)),
                layers.Dense(512, activation="relu", name="hidden"),
                layers.Dense(10, activation="softmax", name="digits"),
            ],
            name="sequential",
        ),
        "unbuilt": api.Sequential([layers.Dense(4, name="first"), layers.Dense(2, name="second")], name="sequential"),
        "mixed": api.Sequential(
            [
                layers.Input(shape=(28, 28)),
                layers.Flatten(name="flatten"),
                layers.Dense(1500, name="wide"),
                layers.LeakyReLU(name="leaky"),
                layers.Dropout(0.5, name="dropout"),
                layers.Dense(10, use_bias=False, name="scores"),
                layers.Activation("softmax", name="activation"),
            ],
            name="digits",
        ),
    }
    texts = {}
    for name, model in models.items():
        lines: list[str] = []
        model.summary(print_fn=lambda text, *_args, lines=lines, **_options: lines.append(text))
        texts[name] = "\n".join(lines)
    return texts
