"""Takes the golden numbers of layers from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_keras_layers.py

writes ``layers.npz`` beside this file: for each network all that ``layers.run`` finds, end to end.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import layers
import numpy as np

HERE = Path(__file__).parent


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    arrays = {}
    for name in layers.NETWORKS:
        found = layers.run(keras, name)
        arrays[name] = np.concatenate([values.ravel() for values in found.values()]).astype(np.float32)
        print(name, found["momentum losses"][[0, -1]], flush=True)
        keras.backend.clear_session()
    arrays["adapted"] = np.concatenate([values.ravel() for values in layers.adapted(keras).values()]).astype(np.float32)
    np.savez_compressed(HERE / "layers.npz", **arrays)


if __name__ == "__main__":
    main()
