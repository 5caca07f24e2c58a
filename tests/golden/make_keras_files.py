"""Takes golden files from Keras: run once, by hand, where keras, jax and h5py are installed.

    python tests/golden/make_keras_files.py

writes ``keras_files.npz`` beside this file: for each model the bytes of NAME.keras, NAME.h5 and NAME.weights.h5, saved by Keras after some
training, with the data, Keras' predictions, and the weights after more training.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "0"

import jax
import keras
import numpy as np
from keras import layers, losses, metrics, optimizers

TARGET = Path(__file__).parent / "keras_files.npz"


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


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    keras.utils.set_random_seed(5)
    generator = np.random.default_rng(5)
    numbers = {"x": generator.standard_normal((24, 6)).astype(np.float32)}
    numbers["y/classes"] = generator.integers(0, 3, 24)
    numbers["y/binary"] = generator.integers(0, 2, (24, 1)).astype(np.float32)
    numbers["y/chain"] = numbers["y/plain"] = generator.standard_normal((24, 2)).astype(np.float32)
    for name, model, (optimizer, loss, chosen) in models():
        x, y = numbers["x"].reshape((24, 2, 3) if name == "chain" else (24, 6)), numbers[f"y/{name}"]
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
    np.savez_compressed(TARGET, **numbers)


if __name__ == "__main__":
    main()
