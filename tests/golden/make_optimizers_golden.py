"""Takes the numbers of optimizer_programs.py from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_optimizers_golden.py

writes ``optimizers.npz`` beside this file.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "0"

import jax
import keras
import numpy as np
import optimizer_programs as programs

HERE = Path(__file__).parent


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    losses, weights = [], []
    for name, case in programs.cases().items():
        curve, final = programs.trajectory(keras, *case)
        losses.append(curve)
        weights.append(final)
        print(f"{name}: {curve[0]:.6f} → {curve[-1]:.6f}", flush=True)
        keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    moments = [[programs.moments(keras, name, shape) for shape in programs.SHAPES] for name in programs.INITIALIZERS]
    arrays = {"losses": losses, "weights": weights, "moments": moments}
    np.savez_compressed(HERE / "optimizers.npz", **{name: np.array(values, np.float32) for name, values in arrays.items()})


if __name__ == "__main__":
    main()
