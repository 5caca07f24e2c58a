"""Takes the losses' golden numbers from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_loss_golden.py

writes ``losses.npz`` beside this file: for every case of ``loss_programs.CASES`` the loss of each row, the gradient of their mean with
respect to the predictions, what the loss object gives with sample weights
and with other reductions, and the metric of that name.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import loss_programs
import numpy as np

HERE = Path(__file__).parent


def main() -> None:
    arrays = {}
    for name in loss_programs.CASES:
        function, loss, y, p = loss_programs.make(keras, name)
        arrays[f"{name}/value"] = np.asarray(function(y, p))
        arrays[f"{name}/gradient"] = np.asarray(jax.grad(lambda q, f=function, y=y: jnp.mean(f(y, q)))(jnp.array(p)))
        arrays[f"{name}/weighted"] = np.float32(loss(y, p, sample_weight=loss_programs.weights()))
        arrays[f"{name}/reduced"] = loss_programs.reduced(keras, name)
    for name in loss_programs.BATCH_CASES:
        function, loss, y, p = loss_programs.make_batch(keras, name)
        arrays[f"{name}/value"] = np.asarray(function(y, p))
        arrays[f"{name}/loss"] = np.float32(loss(y, p))
        arrays[f"{name}/gradient"] = np.asarray(jax.grad(lambda q, f=loss, y=y: f(y, q))(jnp.array(p)))
        if name != "dice_columns":
            weights = loss_programs.weights()
            arrays[f"{name}/weighted"] = np.float32(loss(y, p, sample_weight=weights))
            arrays[f"{name}/weighted_gradient"] = np.asarray(jax.grad(lambda q, f=loss, y=y, w=weights: f(y, q, w))(jnp.array(p)))
    for name in loss_programs.AXIS_CASES:
        function, loss, y, p = loss_programs.make_axis(keras, name)
        arrays[f"axis/{name}/value"], arrays[f"axis/{name}/loss"] = np.asarray(function(y, p)), np.float32(loss(y, p))
    arrays["circle/reduced"] = loss_programs.reduced_batch(keras, "circle")
    for name in loss_programs.METRICS:
        metric = loss_programs.metric(keras, name)
        y, p = loss_programs.data(name)
        metric.update_state(y, p)
        arrays[f"metric/{name}"] = np.float32(metric.result())
    np.savez_compressed(HERE / "losses.npz", **arrays)
    print(f"{len(arrays)} arrays from keras {keras.__version__}")


if __name__ == "__main__":
    main()
