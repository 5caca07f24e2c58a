"""Programs written for Keras, run with Keras and, after only changing the imports, with fastmlp.

    python benchmarks/keras_programs.py
    python benchmarks/keras_programs.py --backend torch --rounds 9

Both start from Keras' initial weights. First each trains for one epoch without shuffling: *losses apart* is the relative difference of the
two mean losses (omitted for programs with dropout or noise, whose random numbers differ). Then ``fit`` is timed in interleaved rounds,
after compilation; the results are medians in milliseconds per epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import common
import numpy as np

import fastmlp

Program = Callable[[Any, np.random.Generator], tuple[Any, Any, Any]]
ROWS, BATCH = 8192, 64
RANDOM = ("dropout and batch normalization", "noise")


def points(random: np.random.Generator, columns: int) -> np.ndarray:
    """Random training samples."""
    return random.standard_normal((ROWS, columns), dtype=np.float32)


def classes_of(x: np.ndarray, number: int) -> np.ndarray:
    """Integer class labels that depend on the features."""
    return np.argmax(x[:, : 2 * number : 2] * x[:, 1 : 2 * number : 2], axis=1).astype(np.int32)


def digits(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    x = np.maximum(points(random, 784) - 0.9, 0)
    model = k.Sequential([k.Input(shape=(784,)), k.layers.Dense(512, activation="relu"), k.layers.Dense(10, activation="softmax")])
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    return model, x, np.eye(10, dtype=np.float32)[classes_of(x, 10)]


def dropout_and_normalization(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    x, model = points(random, 64), k.Sequential([k.Input(shape=(64,))])
    for units in (128, 64):
        model.add(k.layers.Dense(units))
        model.add(k.layers.BatchNormalization())
        model.add(k.layers.Activation("relu"))
        model.add(k.layers.Dropout(0.3))
    model.add(k.layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy", k.metrics.AUC()])
    return model, x, classes_of(x, 2)


def penalties(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    x, model = points(random, 32), k.Sequential([k.Input(shape=(32,))])
    for _ in range(2):
        model.add(k.layers.Dense(64, activation="gelu", kernel_regularizer=k.regularizers.L2(1e-4)))
        model.add(k.layers.LayerNormalization())
    model.add(k.layers.Dense(1))
    rate = k.optimizers.schedules.CosineDecay(1e-3, 10_000)
    model.compile(optimizer=k.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0), loss=k.losses.Huber(), metrics=["mae"])
    return model, x, x[:, :1] * x[:, 1:2]


def noise(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    x, model = points(random, 32), k.Sequential([k.Input(shape=(32,)), k.layers.GaussianNoise(0.1)])
    for _ in range(3):
        model.add(k.layers.Dense(64, activation="selu", kernel_initializer="lecun_normal"))
        model.add(k.layers.AlphaDropout(0.1))
    model.add(k.layers.Dense(5, activation="softmax"))
    model.compile(optimizer="nadam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, x, classes_of(x, 5)


def residual(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    x = points(random, 64)
    inputs = k.Input(shape=(64,))
    h = k.layers.Dense(64, activation="relu")(inputs)
    for _ in range(3):
        h = k.layers.Add()([h, k.layers.Dense(64, activation="relu")(k.layers.Dense(64, activation="relu")(h))])
    model = k.Model(inputs, k.layers.Dense(4, activation="softmax")(h))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, x, classes_of(x, 4)


def two_in_two_out(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    left, right = points(random, 24), points(random, 40)
    a, b = k.Input(shape=(24,)), k.Input(shape=(40,))
    h = k.layers.Concatenate()([k.layers.Dense(64, activation="relu")(a), k.layers.Dense(64, activation="relu")(b)])
    h = k.layers.Dense(64, activation="relu")(h)
    model = k.Model([a, b], [k.layers.Dense(1, name="amount")(h), k.layers.Dense(3, activation="softmax", name="kind")(h)])
    model.compile(optimizer="adam", loss=["mse", "sparse_categorical_crossentropy"], loss_weights=[0.5, 1.0])
    return model, [left, right], [left[:, :1] * right[:, :1], classes_of(right, 3)]


def categories(k: Any, random: np.random.Generator) -> tuple[Any, Any, Any]:
    codes = random.integers(0, 1000, (ROWS, 8)).astype(np.int32)
    model = k.Sequential([k.Input(shape=(8,), dtype="int32"), k.layers.Embedding(1000, 16), k.layers.Flatten()])
    model.add(k.layers.Dense(64, activation="relu"))
    model.add(k.layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer=k.optimizers.Adagrad(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    return model, codes, (codes[:, 0] % 2).astype(np.int32)


PROGRAMS: dict[str, Program] = {
    "784-512-10, rmsprop": digits,
    "dropout and batch normalization": dropout_and_normalization,
    "L2, layer normalization, AdamW": penalties,
    "noise": noise,
    "residual": residual,
    "two inputs, two outputs": two_in_two_out,
    "embedding, adagrad": categories,
}


def pair(program: Program) -> Iterator[tuple[Any, Any, Any]]:
    """The program in Keras and in fastmlp, with the same data and initial weights."""
    import keras

    theirs, x, y = program(keras, np.random.default_rng(0))
    ours, *_ = program(fastmlp, np.random.default_rng(0))
    ours.set_weights(theirs.get_weights())
    yield theirs, x, y
    yield ours, x, y


def fitting(model: Any, x: Any, y: Any, epochs: int) -> Callable[[], object]:
    """A function that trains for ``epochs`` epochs."""
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("--backend", default="jax", choices=("jax", "tensorflow", "torch"), help="Keras backend (default: jax)")
    parser.add_argument("--rounds", type=common.count, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--epochs", type=common.count, default=3, help="epochs per round (default: 3)")
    parser.add_argument("--quick", action="store_true", help="a quick check with one round of one epoch")
    options = parser.parse_args()
    rounds, epochs = (1, 1) if options.quick else (options.rounds, options.epochs)
    os.environ["KERAS_BACKEND"] = options.backend
    try:
        import keras
    except ModuleNotFoundError as error:
        parser.exit(1, f"Keras and its backend are needed: pip install keras {error.name}\n")
    rows = []
    for name, program in PROGRAMS.items():
        models = list(pair(program))
        losses = [model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0).history["loss"][0] for model, x, y in models]
        apart = "random" if name in RANDOM else f"{abs(losses[1] / losses[0] - 1):.0e}"
        times = common.in_turns({number: fitting(*model, epochs) for number, model in enumerate(models)}, rounds)
        theirs, ours = (1e3 * float(np.median(times[number])) / epochs for number in (0, 1))
        rows.append([name, common.number(ours), common.number(theirs), f"{theirs / ours:.1f}×", apart])
    columns = ["fastmlp", f"keras on {options.backend}", "ratio", "losses apart"]
    title = f"The same programs in Keras {keras.__version__} and fastmlp {fastmlp.__version__}"
    common.show(title, [f"{ROWS:,} rows in batches of {BATCH}, ms an epoch", *columns], rows)


if __name__ == "__main__":
    main()
