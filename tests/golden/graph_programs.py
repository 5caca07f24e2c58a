"""Functional models as they are written for Keras, run on either library: `api` is keras or fastmlp."""

from __future__ import annotations

import numpy as np

STEPS = 6
ROWS = 20


def _input(api, width, name):
    return api.layers.Input(shape=(width,), name=name)


def residual(api):
    layers = api.layers
    x = _input(api, 6, "x")
    h = layers.Dense(16, activation="relu", name="first")(x)
    for block in ("a", "b"):
        inner = layers.Dense(24, activation="tanh", name=f"{block}_in")(h)
        inner = layers.Dense(16, name=f"{block}_out")(inner)
        h = layers.Activation("relu", name=f"{block}_relu")(layers.Add(name=f"{block}_add")([h, inner]))
    return api.Model(x, layers.Dense(3, activation="softmax", name="last")(h))


def merges(api):
    """Every merge layer, with ties in the maximum, and tensors that several layers read."""
    layers = api.layers
    x = _input(api, 5, "x")
    a = layers.Dense(12, activation="relu", name="a")(x)
    b = layers.Dense(12, activation="relu", name="b")(x)
    c = layers.Dense(12, activation="sigmoid", name="c")(a)
    merged = [
        layers.Maximum(name="max")([a, b, c]),
        layers.Multiply(name="times")([b, c]),
        layers.Subtract(name="minus")([a, c]),
        layers.Average(name="mean")([a, b, c]),
        layers.Add(name="plus")([a, a, b]),
    ]
    return api.Model(x, layers.Dense(1, name="last")(layers.Concatenate(name="cat")(merged)))


def two_inputs(api):
    layers = api.layers
    text, numbers = _input(api, 7, "text"), _input(api, 3, "numbers")
    left = layers.Dense(10, activation="relu", name="left")(text)
    right = layers.Dense(4, activation="tanh", name="right")(numbers)
    h = layers.Dense(8, activation="relu", name="both")(layers.Concatenate(name="cat")([left, right, numbers]))
    return api.Model([text, numbers], layers.Dense(1, activation="sigmoid", name="last")(h))


def two_outputs(api):
    layers = api.layers
    x = _input(api, 6, "x")
    h = layers.Dense(16, activation="relu", name="h")(x)
    price = layers.Dense(1, name="price")(h)
    kind = layers.Dense(4, activation="softmax", name="kind")(layers.Concatenate(name="cat")([h, price]))
    return api.Model(x, [price, kind])


def shared(api):
    layers = api.layers
    left, right = _input(api, 5, "left"), _input(api, 5, "right")
    tower = layers.Dense(8, activation="tanh", name="tower")
    top = layers.Dense(8, activation="relu", name="top")
    difference = layers.Subtract(name="minus")([top(tower(left)), top(tower(right))])
    return api.Model([left, right], layers.Dense(1, activation="sigmoid", name="last")(difference))


def nested(api):
    layers = api.layers
    inner_x = _input(api, 8, "inner_x")
    inner_h = layers.Dense(8, activation="relu", name="inner_h")(inner_x)
    inner = api.Model(inner_x, layers.Add(name="inner_add")([inner_x, inner_h]), name="inner")
    tail = api.Sequential([layers.Input(shape=(8,), name="tail_x"), layers.Dense(5, activation="tanh", name="tail_h")], name="tail")
    x = _input(api, 8, "x")
    return api.Model(x, layers.Dense(2, name="last")(tail(inner(inner(x)))))


def shared_layers(api):
    """Layers with statistics, tables and slopes of their own, each used twice; among them a frozen layer and a frozen model."""
    layers = api.layers
    words, more, numbers = _input(api, 4, "words"), _input(api, 4, "more"), _input(api, 5, "numbers")
    table, flat = layers.Embedding(9, 3, name="table"), layers.Flatten(name="flat")
    norm, slope = layers.BatchNormalization(momentum=0.8, name="norm"), layers.PReLU(name="slope")
    first, second = (slope(norm(layers.Dense(10, use_bias=False, name=name)(flat(table(x))))) for name, x in (("a", words), ("b", more)))
    inner_x = _input(api, 10, "inner_x")
    inner_h = layers.BatchNormalization(name="inner_norm")(layers.Dense(10, activation="tanh", name="inner_h")(inner_x))
    inner = api.Model(inner_x, inner_h, name="inner")
    inner.trainable = False
    fixed = layers.Dense(10, activation="relu", name="fixed", trainable=False)(layers.Rescaling(0.5, 0.1, name="half")(numbers))
    h = layers.Add(name="sum")([inner(first), layers.LayerNormalization(name="rows")(second), fixed])
    return api.Model([words, more, numbers], layers.Dense(2, name="last")(h))


def arranged(api):
    """Tensors that are spread over larger ones, products along axes, and rows side by side along another axis than the last."""
    layers = api.layers
    x = _input(api, 6, "x")
    grid = layers.Reshape((4, 3), name="grid")(layers.Dense(12, activation="tanh", name="h")(x))
    row = layers.Dense(3, name="row")(x)
    spread = layers.Add(name="spread")([grid, row])
    least = layers.Minimum(name="least")([spread, layers.Multiply(name="times")([grid, row])])
    tall = layers.Concatenate(axis=1, name="tall")([least, grid])
    merged = [
        layers.Dot(axes=(2, 1), name="along")([tall, row]),
        layers.Flatten(name="flat")(layers.Dot(axes=1, normalize=True, name="across")([grid, least])),
        layers.Dot(axes=-1, normalize=False, name="alone")([row, layers.Dense(3, name="other")(x)]),
    ]
    return api.Model(x, layers.Dense(2, name="last")(layers.Concatenate(name="cat")(merged)))


# name -> (program, what compile is told, widths of x, what y is: a number of columns or ("labels", classes))
# columns of ("whole", columns) hold integers
PROGRAMS = {
    "residual": (residual, {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}, [6], [("labels", 3)]),
    "merges": (merges, {"loss": "mse", "metrics": ["mae"]}, [5], [1]),
    "two inputs": (two_inputs, {"loss": "binary_crossentropy", "metrics": ["accuracy"]}, [7, 3], [("yes or no", 1)]),
    "two outputs": (
        two_outputs,
        {
            "loss": ["mse", "sparse_categorical_crossentropy"],
            "loss_weights": [0.7, 1.5],
            "metrics": [["mae"], ["accuracy"]],
            "weighted_metrics": [[], ["sparse_categorical_crossentropy"]],
        },
        [6],
        [1, ("labels", 4)],
    ),
    "two outputs by name": (
        two_outputs,
        {"loss": {"price": "mae", "kind": "sparse_categorical_crossentropy"}, "metrics": {"kind": "accuracy"}},
        [6],
        [1, ("labels", 4)],
    ),
    "shared": (shared, {"loss": "binary_crossentropy"}, [5, 5], [("yes or no", 1)]),
    "nested": (nested, {"loss": "mse"}, [8], [2]),
    "arranged": (arranged, {"loss": "mse", "metrics": ["mae"]}, [6], [2]),
    "shared layers": (shared_layers, {"loss": "mse"}, [("whole", 4), ("whole", 4), 5], [2]),
}
OPTIMIZERS = ("sgd", "adam")


def data(name):
    _, _, widths, targets = PROGRAMS[name]
    rng = np.random.default_rng(11)
    x = [
        rng.integers(0, 9, (ROWS, width[1])).astype("float32")
        if isinstance(width, tuple)
        else rng.normal(size=(ROWS, width)).astype("float32")
        for width in widths
    ]
    y = []
    for target in targets:
        kind, size = target if isinstance(target, tuple) else ("numbers", target)
        if kind == "numbers":
            y.append(rng.normal(size=(ROWS, size)).astype("float32"))
        else:
            y.append(rng.integers(0, size if kind == "labels" else 2, (ROWS, 1)).astype("float32"))
    weight = [rng.uniform(0.5, 2, ROWS).astype("float32") for _ in targets]
    return [values if len(values) > 1 else values[0] for values in (x, y, weight)]


def _start(rng, weight, name):
    values = rng.normal(0, 0.4, weight.shape).astype("float32")
    return np.abs(values) if name == "shared layers" and weight.ndim == 1 else values  # variances are positive


def run(api, name, optimizer, **more):
    """Logs of single steps, of a fit with weights and of an evaluation; the final weights; predictions."""
    program, compiled, *_ = PROGRAMS[name]
    model = program(api)
    rng = np.random.default_rng(5)
    model.set_weights([_start(rng, weight, name) for weight in model.get_weights()])
    model.compile(optimizer=api.optimizers.SGD(0.05) if optimizer == "sgd" else api.optimizers.Adam(0.003), **compiled, **more)
    x, y, weight = data(name)
    steps = [model.train_on_batch(x, y, return_dict=True) for _ in range(STEPS)]
    history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, sample_weight=weight, validation_split=0.25, verbose=0).history
    evaluated = model.evaluate(x, y, batch_size=ROWS, verbose=0)
    predictions = model.predict(x, verbose=0)
    predictions = predictions if isinstance(predictions, list) else [predictions]
    return {
        "last_step": steps[-1],
        "history": history,
        "evaluated": evaluated if isinstance(evaluated, list) else [evaluated],
        "predictions": [prediction[:3].tolist() for prediction in predictions],
        "weights": [float(np.abs(weight).sum()) for weight in model.get_weights()],
        "layers": [layer.name for layer in model.layers],
    }


def summaries(api):
    """What summary prints, line length 80."""
    texts = {}
    for name in ("residual", "two outputs", "shared", "nested", "shared layers"):
        lines = []
        model = PROGRAMS[name][0](api)
        model.name = "model"
        model.summary(print_fn=lines.append, line_length=80)
        texts[name] = "\n".join(lines)
    return texts
