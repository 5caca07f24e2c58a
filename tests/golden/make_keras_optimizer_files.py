"""Takes golden files from Keras: run once, by hand, where keras, jax and h5py are installed.

    python tests/golden/make_keras_optimizer_files.py

writes ``keras_optimizer_files.npz`` beside this file: for each optimizer the bytes of NAME.keras, and for some of NAME.h5, saved by Keras
after some training, and the weights after more training.
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
from keras import constraints, initializers, layers, optimizers, regularizers

TARGET = Path(__file__).parent / "keras_optimizer_files.npz"
schedules = optimizers.schedules

OPTIMIZERS = {
    "momentum": lambda: optimizers.SGD(
        schedules.CosineDecay(0.02, 20, warmup_target=0.1, warmup_steps=5), momentum=0.9, use_ema=True, ema_momentum=0.8
    ),
    "centered": lambda: optimizers.RMSprop(0.003, momentum=0.4, centered=True, clipvalue=0.02),
    "amsgrad": lambda: optimizers.Adam(
        0.01, amsgrad=True, clipnorm=0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2, gradient_accumulation_steps=2
    ),
    "adamw": lambda: optimizers.AdamW(schedules.ExponentialDecay(0.01, 3, 0.5), weight_decay=0.1),
    "adagrad": lambda: optimizers.Adagrad(0.1, initial_accumulator_value=0.3),
    "adadelta": lambda: optimizers.Adadelta(1.0, rho=0.9),
    "adamax": lambda: optimizers.Adamax(0.01, weight_decay=0.05),
    "nadam": lambda: optimizers.Nadam(0.01, global_clipnorm=0.3, gradient_accumulation_steps=2),
    "lion": lambda: optimizers.Lion(0.003),
    # No l1 strength: at weights of exactly 0 jax takes 1 for the derivative of a penalty on |w|, the other backends and fastmlp 0.
    "ftrl": lambda: optimizers.Ftrl(0.2, initial_accumulator_value=0.3, beta=0.1),
    "schedule_free": lambda: optimizers.ScheduleFreeAdamW(0.02, warmup_steps=4, weight_decay=0.1),
    "lamb": lambda: optimizers.Lamb(schedules.CosineDecay(0.05, 20), clipnorm=0.2),
    "adafactor": lambda: optimizers.Adafactor(0.1, clip_threshold=0.9, use_ema=True, ema_momentum=0.8),
    "muon": lambda: optimizers.Muon(0.05, exclude_layers=[r"dense_\d*[02468]/"], adam_lr_ratio=0.5, gradient_accumulation_steps=2),
}
AS_H5 = ("momentum", "amsgrad", "nadam", "muon")


def model_for(optimizer):
    """A model with everything that weights can have around them."""
    model = keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(
                4,
                activation="tanh",
                kernel_initializer=initializers.Orthogonal(0.8, seed=1),
                kernel_regularizer=regularizers.L1L2(0.001, 0.002),
                bias_regularizer="l2",
                kernel_constraint=constraints.MaxNorm(1.2),
                bias_constraint="non_neg",
            ),
            layers.Dense(
                3,
                kernel_initializer=initializers.Identity(0.5),
                kernel_regularizer=regularizers.OrthogonalRegularizer(0.02, mode="columns"),
                kernel_constraint=constraints.MinMaxNorm(0.3, 1.0, rate=0.9, axis=[0]),
                bias_constraint=constraints.UnitNorm(axis=0),
                bias_initializer="ones",
            ),
            layers.ActivityRegularization(l1=0.003, l2=0.01),
            layers.Dense(2, use_bias=False, kernel_regularizer=regularizers.L1(0.003), activity_regularizer=regularizers.L2(0.05)),
        ],
        name="net",
    )
    model.compile(optimizer, "mse")
    return model


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    keras.utils.set_random_seed(5)
    generator = np.random.default_rng(5)
    x, y = (generator.standard_normal((24, width)).astype(np.float32) for width in (6, 2))
    numbers = {"x": x, "y": y}
    for name, optimizer in OPTIMIZERS.items():
        model = model_for(optimizer())
        how = {"batch_size": 8, "shuffle": False, "verbose": 0}
        model.fit(x, y, epochs=2, **how)
        model.set_weights(model.get_weights())  # else Keras on jax, having put the average there, gives its memory away twice
        with tempfile.TemporaryDirectory() as folder:
            for ending in ("keras", "h5") if name in AS_H5 else ("keras",):
                path = Path(folder, f"{name}.{ending}")
                model.save(path)
                numbers[f"files/{path.name}"] = np.frombuffer(path.read_bytes(), np.uint8)
        numbers[f"evaluation/{name}"] = np.float32(model.evaluate(x, y, batch_size=24, verbose=0))
        model.fit(x, y, epochs=2, **how)
        for index, weight in enumerate(model.get_weights()):
            numbers[f"continued/{name}/{index}"] = weight
    np.savez_compressed(TARGET, **numbers)


if __name__ == "__main__":
    main()
