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
import keras
import numpy as np


def row(array) -> list[float]:
    return [float(f"{value:.9g}") for value in np.ravel(array)]


def measured(function) -> dict[str, list[float]]:
    z, above = programs.inputs(), programs.weights()
    slope = jax.grad(lambda x: (function(x) * above).sum())(z)
    return {"value": row(function(z)), "gradient": row(slope)}


def main() -> None:
    numbers = {
        "made with": {"keras": keras.__version__, "jax": jax.__version__},
        "functions": {
            key: measured(lambda x, name=name, options=options: getattr(keras.activations, name)(x, **options))
            for key, (name, options) in programs.FUNCTIONS.items()
        },
        "layers": {key: measured(getattr(keras.layers, name)(**options)) for key, (name, options) in programs.LAYERS.items()},
    }
    text = json.dumps(numbers, indent=None).replace('}, "', '},\n "')
    (Path(__file__).parent / "activations.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
