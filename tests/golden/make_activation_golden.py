"""Takes values and slopes of the activations from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_activation_golden.py

writes ``activations.json`` beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import activation_programs as programs
import jax
import jax.numpy as jnp
import keras
import numpy as np


def row(array) -> list[float]:
    return [float(f"{value:.9g}") for value in np.ravel(array)]


def measured(function) -> dict[str, list[float]]:
    z = programs.inputs()
    above = programs.weights()[:, : function(z).shape[1]]
    slope = jax.grad(lambda x: (function(x) * above).sum())(z)
    return {"value": row(function(z)), "gradient": row(slope)}


def sparsemax(x):
    """By the definition of Martins and Astudillo (2016): that of Keras 3.15 adds up wrong sums where more than one output is above 0."""
    descending = -jnp.sort(-x, axis=1)
    sums = jnp.cumsum(descending, axis=1)
    k = (descending - (sums - 1) / jnp.arange(1, x.shape[1] + 1) > 0).sum()
    return jnp.maximum(x - (sums[:, k - 1] - 1) / k, 0)


def function(name):
    return sparsemax if name == "sparsemax" else getattr(keras.activations, name)


def main() -> None:
    numbers = {
        "made with": {"keras": keras.__version__, "jax": jax.__version__},
        "functions": {
            key: measured(lambda x, name=name, options=options: function(name)(x, **options))
            for key, (name, options) in programs.FUNCTIONS.items()
        },
        "layers": {key: measured(getattr(keras.layers, name)(**options)) for key, (name, options) in programs.LAYERS.items()},
    }
    text = json.dumps(numbers, indent=None).replace('}, "', '},\n "')
    (Path(__file__).parent / "activations.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
