"""The numbers of training do not change with the code: the weights of a fixed set of runs have the bits they have always had.

A change of these digests is a change of what users' programs compute, on every machine: the bits do not depend on the processor.
``python tests/training/test_same_weights.py`` prints them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp import Model, callbacks, layers, losses, models, optimizers, regularizers, utils


def data(rows: int = 150, columns: int = 9, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Integers alone, so that no library's arithmetic has a part in the bits."""
    table = np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)
    x = ((table * 7919 + table**2 * 104729) % 1009 - 504).astype(np.float32) / 256
    return x, (np.arange(rows) * 13 % 7 % classes).astype(np.int64)


def mlp(activation: str = "relu", *extra: Any, last: str = "softmax", units: int = 4, **options: Any) -> models.Sequential:
    return models.Sequential([layers.Dense(24, activation, input_shape=(9,), **options), *extra, layers.Dense(units, last)])


def branches() -> Model:
    x = layers.Input((9,))
    left, right = layers.Dense(8, "tanh")(x), layers.Dense(8, "gelu")(x)
    merged = layers.Concatenate()([layers.Add()([left, right]), layers.Multiply()([left, right]), x])
    return Model(x, layers.Dense(4, "softmax")(layers.LayerNormalization()(merged)))


def train(model: Any, optimizer: Any = "adam", loss: Any = "sparse_categorical_crossentropy", y: Any = None, **options: Any) -> Any:
    x, labels = data()
    model.compile(optimizer, loss)
    model.fit(x, labels if y is None else y, epochs=3, batch_size=32, verbose=0, **options)
    return model


def columns(count: int = 2) -> np.ndarray:
    return data()[0][:, :count].copy()


RUNS: dict[str, Callable[[], Any]] = {
    **{
        f"relu, {name}": lambda name=name: train(mlp(), name)
        for name in ("sgd", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "lion")
    },
    "momentum": lambda: train(mlp("tanh"), optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    "decay and clipping": lambda: train(mlp(), optimizers.AdamW(0.01, weight_decay=0.02, clipnorm=0.5)),
    "averages": lambda: train(mlp(), optimizers.Adam(0.01, amsgrad=True, use_ema=True, global_clipnorm=1.0)),
    "accumulation": lambda: train(mlp(), optimizers.Adam(0.01, gradient_accumulation_steps=2)),
    "a schedule": lambda: train(mlp(), optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 4, 0.8))),
    **{
        f"{name}, adam": lambda name=name: train(mlp(name))
        for name in ("elu", "selu", "sigmoid", "softplus", "silu", "gelu", "mish", "leaky_relu", "hard_sigmoid")
    },
    "dropout": lambda: train(mlp("relu", layers.Dropout(0.3))),
    "noise": lambda: train(mlp("relu", layers.GaussianNoise(0.2), layers.AlphaDropout(0.1))),
    "batch normalization": lambda: train(mlp("relu", layers.BatchNormalization())),
    "root mean square": lambda: train(mlp("relu", layers.RMSNormalization(), layers.PReLU())),
    "penalties": lambda: train(mlp(kernel_regularizer=regularizers.L1L2(1e-3, 1e-2), activity_regularizer=regularizers.L2(1e-3))),
    "branches": lambda: train(branches()),
    "embedding": lambda: train_numbers(),
    "squares": lambda: train(mlp(last="linear", units=2), loss="mse", y=columns()),
    "huber": lambda: train(mlp(last="linear", units=2), loss=losses.Huber(0.5), y=columns()),
    "log-cosh": lambda: train(mlp(last="linear", units=2), loss="log_cosh", y=columns()),
    "yes or no": lambda: train(mlp(last="sigmoid", units=1), loss="binary_crossentropy", y=data()[1] % 2),
    "focal": lambda: train(mlp(last="sigmoid", units=1), loss="binary_focal_crossentropy", y=data()[1] % 2),
    "one-hot": lambda: train(mlp(), loss=losses.CategoricalCrossentropy(label_smoothing=0.1), y=utils.to_categorical(data()[1], 4)),
    "weights of classes": lambda: train(mlp(), class_weight={0: 1.0, 1: 2.0, 2: 0.5, 3: 1.5}),
    "validation and stopping": lambda: train(mlp(), validation_split=0.2, callbacks=[callbacks.EarlyStopping(patience=1)]),
    "many zeros": lambda: train_zeros(),
}


def train_numbers() -> Any:
    model = models.Sequential([layers.Embedding(50, 6, input_shape=(5,)), layers.Flatten(), layers.Dense(4, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.arange(150 * 5).reshape(150, 5) * 7 % 50, data()[1], epochs=3, batch_size=32, verbose=0)
    return model


def train_zeros() -> Any:
    x, y = data(columns=200)
    x[np.arange(x.size).reshape(x.shape) % 5 > 0] = 0
    model = models.Sequential([layers.Dense(24, "relu", input_shape=(200,)), layers.Dense(4, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=3, batch_size=32, verbose=0)
    return model


def digest(name: str) -> str:
    utils.set_random_seed(3)
    weights = RUNS[name]().get_weights()
    return hashlib.sha256(b"".join(np.ascontiguousarray(weight, "<f4").tobytes() for weight in weights)).hexdigest()[:16]


DIGESTS = {
    "relu, sgd": "d7bda6be42516cef",
    "relu, rmsprop": "3a6842adab598661",
    "relu, adagrad": "d01dd37a3227e92c",
    "relu, adadelta": "4ef453d472155d6e",
    "relu, adamax": "f2e7e3d5e4bd09dd",
    "relu, nadam": "e0ecce946367dbad",
    "relu, lion": "ef22922a88111393",
    "momentum": "dc63c123d4840070",
    "decay and clipping": "40600a57efb4decf",
    "averages": "57d38e2c962169ee",
    "accumulation": "2cab56a37bbad629",
    "a schedule": "e00ec20756565c28",
    "elu, adam": "d13ac4079ee83b67",
    "selu, adam": "7facb1bab0762051",
    "sigmoid, adam": "ee12e350250d6d52",
    "softplus, adam": "dabbdb249e914672",
    "silu, adam": "08616de640cc8ac1",
    "gelu, adam": "2bbeacf95bc79d2a",
    "mish, adam": "d2a19b3be68883c3",
    "leaky_relu, adam": "3f6b437b671e35b5",
    "hard_sigmoid, adam": "7e28845debf946b9",
    "dropout": "77a83de710d58156",
    "noise": "81fecaf4b0082c16",
    "batch normalization": "204d86055213c6c1",
    "root mean square": "1fb41cf0c38e882a",
    "penalties": "7d2b04f54a83de48",
    "branches": "bcadb1ef803556b3",
    "embedding": "fc12c672da8f297d",
    "squares": "d8e6b157e50aa4cf",
    "huber": "d54f64fd145050de",
    "log-cosh": "c4ae8dd0dc6c2ce1",
    "yes or no": "d0901828a3383dea",
    "focal": "14f5ed778642b66c",
    "one-hot": "b0f3a325119e2bd1",
    "weights of classes": "1acae9dcfae5b9fc",
    "validation and stopping": "f5f9757d672db808",
    "many zeros": "fef40135abd6b3a3",
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_with_the_weights_it_has_always_ended_with(name):
    assert digest(name) == DIGESTS[name]


if __name__ == "__main__":
    for name in RUNS:
        print(f'    "{name}": "{digest(name)}",')
