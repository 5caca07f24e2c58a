"""Takes from Keras how it describes operations on tensors: run once, by hand, where keras and jax are installed.

    python tests/golden/make_keras_operations.py

writes ``keras_operations.json`` beside this file: a functional model of ``operations``, and what it predicts for ``rows``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def rows() -> np.ndarray:
    return np.random.RandomState(4).uniform(1, 2, size=(3, 4, 6)).astype(np.float32)


def operations(api):
    """A model of quotients and slices; ``api`` is the module to run on."""
    x = api.layers.Input((4, 6), name="x")
    whole = api.layers.Dense(5, name="dense", kernel_initializer="ones")(x)
    slices = [x[:, 1], x[..., 0], x[:, 1:3, ::-1], whole[:, -1, 1:]]
    return api.Model(x, [*slices, (2 - x * 3) / 4, x / (x * x), x - 1, x + 2])


def main() -> None:
    os.environ["KERAS_BACKEND"], os.environ["JAX_PLATFORMS"] = "jax", "cpu"
    import keras

    model = operations(keras)
    predictions = [np.ravel(values).tolist() for values in model.predict(rows(), verbose=0)]
    (HERE / "keras_operations.json").write_text(json.dumps({"model": json.loads(model.to_json()), "predictions": predictions}))


if __name__ == "__main__":
    main()
