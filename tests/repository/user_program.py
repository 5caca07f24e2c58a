"""A program as users write it, which type checkers accept: test_user_program.py runs them on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

import fastmlp
from fastmlp import Model, Sequential, callbacks, layers, losses, metrics, optimizers, sweep

rng = np.random.default_rng(0)
x: NDArray[np.float32] = rng.normal(size=(64, 4)).astype(np.float32)
y: NDArray[np.int64] = rng.integers(0, 3, 64)
frame = pd.DataFrame(x, columns=pd.Index(["a", "b", "c", "d"]))


# Sequential, compiled with strings, trained on arrays, lists, frames and batches

model = Sequential(
    [
        layers.Input((4,)),
        layers.Dense(16, activation="relu", kernel_initializer="he_normal", kernel_regularizer="l2"),
        layers.Dropout(0.1),
        layers.BatchNormalization(),
        layers.Dense(3, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, validation_split=0.25)
last: float = history.history["val_accuracy"][-1]
model.fit(frame, y, verbose=0, validation_data=(frame, y), class_weight={0: 2.0}, shuffle=False)
model.fit([[0.0, 1.0, 2.0, 3.0]] * 4, [0, 1, 2, 0], verbose=2)
model.fit(x, y.tolist(), sample_weight=np.ones(64), verbose="auto", validation_freq=[1, 2])


def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    while True:
        yield x, y


model.fit(batches(), steps_per_epoch=2, verbose=0)
values: dict[str, float] = model.evaluate(x, y, verbose=0, return_dict=True)
classes = model.predict(frame, verbose=0).argmax(axis=1)
fast = model(x[:1])
model.train_on_batch(x, y)


# A functional model with two outputs, compiled with objects and functions of the user's own


def fourth_power(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    error = y_pred - y_true
    return (error**4).sum(axis=1), 4 * error**3


def largest(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    worst: np.ndarray = np.abs(y_true - y_pred).max(axis=-1)
    return worst


class LargestError(metrics.Metric):
    """The largest error so far."""

    def __init__(self, name: str = "largest_error") -> None:
        super().__init__(name=name)
        self.largest = self.add_weight(name="largest", initializer="zeros")

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self.largest.assign(np.maximum(self.largest.numpy(), np.abs(np.asarray(y_true) - np.asarray(y_pred)).max()))

    def result(self) -> float:
        return float(self.largest.numpy())


class StopWhenSmall(callbacks.Callback):
    """Ends training at a loss."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if logs is not None and logs["loss"] < self.limit:
            self.model.stop_training = True


inputs = layers.Input(shape=(4,))
hidden = layers.Dense(8, activation="tanh")(inputs)
hidden = layers.Add()([hidden, layers.Dense(8)(hidden)])
price = layers.Dense(1, name="price")(hidden)
kind = layers.Dense(3, activation="softmax", name="kind")(hidden)
both = Model(inputs, {"price": price, "kind": kind}, name="both")
both.compile(
    optimizer=optimizers.Adam(learning_rate=optimizers.schedules.ExponentialDecay(0.01, 100, 0.9)),
    loss={"price": fourth_power, "kind": losses.SparseCategoricalCrossentropy()},
    loss_weights={"price": 1.0, "kind": 0.5},
    metrics={"price": ["mae", largest, LargestError()], "kind": "accuracy"},
)
both.fit(
    x,
    {"price": x[:, :1], "kind": y},
    epochs=2,
    verbose=0,
    callbacks=[StopWhenSmall(0.01), callbacks.EarlyStopping("loss", patience=3, mode="min")],
)
prices = both.predict(x, verbose=0)["price"]
both.summary()
single = Sequential([layers.Dense(1)])
single.compile("sgd", losses.Huber(0.5), metrics=[metrics.RootMeanSquaredError()])
single.fit(x, x[:, 0], callbacks=callbacks.TerminateOnNaN(), verbose=0)
single.compile(optimizers.SGD, losses.mean_squared_error)


# Files and sweeps


def save(path: Path) -> Model:
    model.save(path / "model.safetensors")
    model.save_weights(path / "model.weights.h5")
    model.load_weights(path / "model.weights.h5")
    return fastmlp.load_model(path / "model.safetensors")


def build(units: int = 8, learning_rate: float = 0.01) -> Sequential:
    made = Sequential([layers.Dense(units, activation="relu"), layers.Dense(3, activation="softmax")])
    made.compile(optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def search() -> float:
    grid = {"units": [4, 8], "learning_rate": [0.1, 0.01], "epochs": [2]}
    results = sweep.run(build, grid, (x, y), (x, y), seeds=2, verbose=0)
    return results.best.mean("val_accuracy")
