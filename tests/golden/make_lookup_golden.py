"""Takes the golden numbers of models with lookups from Keras: run once, by hand, where keras and tensorflow are installed.

    python tests/golden/make_lookup_golden.py

writes ``lookup.npz`` beside this file: for each program what it gives, end to end, and some models as Keras saves them. Keras has these
layers on TensorFlow alone.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import lookup_programs as programs
import numpy as np

HERE = Path(__file__).parent


def joined(found: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([values.ravel() for values in found.values()]).astype(np.float32)


def main() -> None:
    arrays = {}
    for name in programs.STACKS:
        found = programs.trained(programs.make(keras, name), name)
        arrays[name] = joined(found)
        print(name, found["losses"][[0, -1]], flush=True)
    arrays["graph"] = joined(programs.fitted(programs.graph(keras)))
    with tempfile.TemporaryDirectory() as folder:
        for name in programs.FILES:
            path = Path(folder) / "model.keras"
            programs.made(keras, name).save(path)
            arrays[f"files/{name}"] = np.frombuffer(path.read_bytes(), np.uint8)
    np.savez_compressed(HERE / "lookup.npz", **arrays)


if __name__ == "__main__":
    main()
