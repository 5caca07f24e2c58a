"""Takes the values and gradients of ops_programs.py from Keras on JAX: run once, by hand, where both are installed.

    python tests/golden/make_ops_golden.py

writes ``ops.npz`` beside this file.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import numpy as np
import ops_programs


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    found = {"made with": np.array([f"keras {keras.__version__}", f"jax {jax.__version__}"])}
    for name, (arrays, function) in ops_programs.PROGRAMS.items():
        tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
        value = np.asarray(function(keras.ops, *tensors))
        found[f"{name}/value"] = value
        if value.dtype == np.float32:
            weights = ops_programs.direction(value.shape)

            def scalar(x, tensors=tensors, function=function, weights=weights):
                return (function(keras.ops, x, *tensors[1:]) * weights).sum()

            found[f"{name}/gradient"] = np.asarray(jax.grad(scalar)(tensors[0]))
    np.savez_compressed(Path(__file__).parent / "ops.npz", **found)
    print(len(ops_programs.PROGRAMS), "programs")


if __name__ == "__main__":
    main()
