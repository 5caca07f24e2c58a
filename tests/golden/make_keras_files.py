"""Takes golden files from Keras: run once, by hand, where keras, jax and h5py are installed.

    python tests/golden/make_keras_files.py

writes ``keras_files.npz`` beside this file: for each model the bytes of NAME.keras, NAME.h5 and NAME.weights.h5, saved by Keras after some
training, with the data, Keras' predictions, and the weights after more training. ``keras_files_layers.npz`` has the same of models with the
layers of :func:`models_of_layers`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "0"

import graph_programs
import jax
import keras
import numpy as np
from keras import layers, losses, metrics, optimizers

FOLDER = Path(__file__).parent
INPUTS = 6


def models():
    """Each kind of layer, loss, metric and optimizer, in Sequential and in functional models."""
    yield (
        "classes",
        keras.Sequential(
            [
                layers.Input((6,)),
                layers.Dense(5, activation="relu"),
                layers.Dropout(0.0),
                layers.Dense(4, activation="leaky_relu", use_bias=False, kernel_initializer="he_normal"),
                layers.ReLU(negative_slope=0.05),
                layers.Dense(3),
                layers.Softmax(),
            ]
        ),
        (optimizers.Adam(0.01), losses.SparseCategoricalCrossentropy(), ["accuracy"]),
    )
    yield (
        "binary",
        keras.Sequential(
            [
                layers.Dense(4, activation=layers.LeakyReLU(0.13), bias_initializer=keras.initializers.RandomNormal(seed=1)),
                layers.Activation("tanh"),
                layers.Dense(1, activation="sigmoid"),
            ]
        ),
        (optimizers.SGD(0.05, momentum=0.9, nesterov=True), "binary_crossentropy", [metrics.BinaryAccuracy(threshold=0.4), "mse"]),
    )
    inputs = keras.Input((2, 3))
    hidden = layers.Flatten()(inputs)
    hidden = layers.Dense(5, activation="sigmoid")(hidden)
    hidden = layers.LeakyReLU(0.07)(hidden)
    outputs = layers.Dense(2)(hidden)
    yield "chain", keras.Model(inputs, outputs), (optimizers.RMSprop(0.003, momentum=0.4), losses.MeanAbsoluteError(), None)
    yield "plain", keras.Sequential([layers.Input((6,)), layers.Dense(2, kernel_regularizer=None)]), (optimizers.SGD(), "mse", None)


def models_of_layers():
    """The layers beside Dense, activations and Dropout; without noise, which no two libraries draw alike."""
    normalized = keras.Sequential(
        [
            layers.Input((INPUTS,)),
            layers.Normalization(),
            layers.Dense(5, use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ELU(0.7),
            layers.Dense(4, activation="mish"),
            layers.LayerNormalization(epsilon=0.01),
            layers.PReLU(),
            layers.Dense(4),
            layers.RMSNormalization(),
            layers.Dense(3),
        ]
    )
    normalized.layers[0].adapt(np.random.default_rng(6).normal(3, 2, (50, INPUTS)).astype(np.float32))
    yield "normalized", normalized, (optimizers.Adam(0.01), "mse", None)
    yield (
        "frozen",
        keras.Sequential(
            [
                layers.Input((INPUTS,)),
                layers.Dense(5, activation="tanh"),
                layers.Dense(4, activation="tanh", trainable=False),
                layers.BatchNormalization(scale=False, trainable=False),
                layers.Dense(3, activation=layers.ReLU(max_value=2.0, negative_slope=0.1, name="re_lu")),
            ]
        ),
        (optimizers.RMSprop(0.003, momentum=0.4), "mse", None),
    )
    yield (
        "prepared",
        keras.Sequential(
            [
                layers.Input((INPUTS,)),
                layers.AlphaDropout(0.0),
                layers.GaussianDropout(0.0),
                layers.GaussianNoise(0.0),
                layers.Rescaling(0.5, offset=np.linspace(-1, 1, INPUTS)),
                layers.Normalization(mean=np.linspace(0, 1, INPUTS), variance=np.linspace(1, 2, INPUTS)),
                layers.Normalization(axis=None, mean=0.5, variance=2.0, invert=True),
                layers.Reshape((2, -1)),
                layers.Normalization(axis=(-2, -1), mean=np.zeros((2, 3)), variance=np.full((2, 3), 0.5)),
                layers.Flatten(),
                layers.Dense(3, activation=layers.ELU(0.5, name="elu")),
            ]
        ),
        (optimizers.SGD(0.05, momentum=0.9), "mse", None),
    )
    readers = {mode: layers.CategoryEncoding(9, output_mode=mode) for mode in ("one_hot", "multi_hot", "count")}
    for name, first in {"embedded": layers.Embedding(9, 4), **readers}.items():
        model = keras.Sequential([layers.Input((INPUTS,), dtype="int32"), first, layers.Flatten(), layers.Dense(3)])
        yield name, model, (optimizers.Adam(0.01), "mse", None)


def models_of_graphs():
    """Functional models; one with dicts; and a Sequential one with a model inside."""
    for name in ("two outputs", "shared layers", "nested"):
        program, compiled, *_ = graph_programs.PROGRAMS[name]
        x, y, _ = graph_programs.data(name)
        yield name.replace(" ", "_"), program(keras), {"optimizer": optimizers.Adam(0.003), **compiled}, x, y
    left, right = keras.Input((5,), name="left"), keras.Input((4,), name="right")
    inner = keras.Model({"left": left, "right": right}, layers.Concatenate()([layers.Dense(3)(left), right]), name="inner")
    a, b = keras.Input((4,), name="a"), keras.Input((5,), name="b")
    h = inner({"right": a, "left": b})
    model = keras.Model(
        {"b": b, "a": a}, {"top": layers.Dense(1, activation="sigmoid", name="high")(h), "low": layers.Dense(2, name="deep")(h)}
    )
    x, y, _ = graph_programs.data("shared")
    x, y = {"a": x[0][:, :4], "b": x[1]}, {"top": y, "low": np.repeat(y, 2, axis=1)}
    chosen = {
        "loss": {"top": "binary_crossentropy", "low": losses.MeanAbsoluteError()},
        "metrics": {"low": ["mae"]},
        "loss_weights": {"low": 0.3, "top": 1.5},
    }
    model.layers[-1].trainable = False
    yield "dicts", model, {"optimizer": optimizers.RMSprop(0.003), **chosen}, x, y
    chain = keras.Sequential([keras.Sequential([layers.Input((5,)), layers.Dense(4, activation="tanh")]), layers.Dense(1)])
    yield "inside_sequential", chain, {"optimizer": optimizers.SGD(0.05), "loss": "mse"}, x["b"], y["top"]


def take_graph(numbers, name, model, compiled, x, y) -> None:
    """The same as ``take`` does, for several arrays."""
    model.compile(**compiled)
    how = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=2, **how)
    with tempfile.TemporaryDirectory() as folder:
        for ending, save in (("keras", model.save), ("h5", model.save), ("weights.h5", model.save_weights)):
            path = Path(folder, f"{name}.{ending}")
            save(path)
            numbers[f"files/{path.name}"] = np.frombuffer(path.read_bytes(), np.uint8)
    for index, values in enumerate(keras.tree.flatten(model.predict(x, verbose=0))):
        numbers[f"predictions/{name}/{index}"] = values
    numbers[f"evaluation/{name}"] = np.atleast_1d(model.evaluate(x, y, batch_size=20, verbose=0))
    for kind, given in (("x", x), ("y", y)):
        for key, values in given.items() if isinstance(given, dict) else enumerate(given if isinstance(given, list) else [given]):
            numbers[f"{kind}/{name}/{key}"] = values
    model.fit(x, y, epochs=2, **how)
    for index, weight in enumerate(model.get_weights()):
        numbers[f"continued/{name}/{index}"] = weight


def take(numbers, name, model, x, y, compiled) -> None:
    """The files, and the numbers of more training."""
    optimizer, loss, chosen = compiled
    model.compile(optimizer, loss, metrics=chosen)
    how = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=2, **how)
    with tempfile.TemporaryDirectory() as folder:
        for ending, save in (("keras", model.save), ("h5", model.save), ("weights.h5", model.save_weights)):
            path = Path(folder, f"{name}.{ending}")
            save(path)
            numbers[f"files/{path.name}"] = np.frombuffer(path.read_bytes(), np.uint8)
    numbers[f"predictions/{name}"] = model.predict(x, verbose=0)
    numbers[f"evaluation/{name}"] = np.atleast_1d(model.evaluate(x, y, batch_size=24, verbose=0))
    model.fit(x, y, epochs=2, **how)
    for index, weight in enumerate(model.get_weights()):
        numbers[f"continued/{name}/{index}"] = weight


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    keras.utils.set_random_seed(5)
    generator = np.random.default_rng(5)
    numbers = {"x": generator.standard_normal((24, INPUTS)).astype(np.float32)}
    numbers["y/classes"] = generator.integers(0, 3, 24)
    numbers["y/binary"] = generator.integers(0, 2, (24, 1)).astype(np.float32)
    numbers["y/chain"] = numbers["y/plain"] = generator.standard_normal((24, 2)).astype(np.float32)
    for name, model, compiled in models():
        x = numbers["x"].reshape((24, 2, 3) if name == "chain" else (24, INPUTS))
        take(numbers, name, model, x, numbers[f"y/{name}"], compiled)
    np.savez_compressed(FOLDER / "keras_files.npz", **numbers)

    numbers = {"x": generator.standard_normal((24, INPUTS)).astype(np.float32), "numbers": generator.integers(0, 9, (24, INPUTS))}
    numbers["y"] = generator.standard_normal((24, 3)).astype(np.float32)
    for name, model, compiled in models_of_layers():
        take(numbers, name, model, numbers["numbers" if "int" in model.inputs[0].dtype else "x"], numbers["y"], compiled)
    np.savez_compressed(FOLDER / "keras_files_layers.npz", **numbers)

    numbers = {}
    for name, model, compiled, x, y in models_of_graphs():
        take_graph(numbers, name, model, compiled, x, y)
    np.savez_compressed(FOLDER / "keras_files_graphs.npz", **numbers)


if __name__ == "__main__":
    main()
