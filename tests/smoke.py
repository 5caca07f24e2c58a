"""Checks an installed wheel from outside the source tree: trains, saves, loads, and runs the command. ``python tests/smoke.py``"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import fastmlp
from fastmlp import layers, models
from fastmlp.datasets import spiral

TREE = Path(__file__).resolve().parents[1]


def main() -> None:
    package = Path(fastmlp.__file__).resolve().parent
    if package.parent == TREE:
        sys.exit(f"fastmlp was imported from the source tree {TREE}, not from an installed wheel")
    if not (package / "py.typed").is_file() or not (package / "_core.pyi").is_file():
        sys.exit("the wheel lacks its type information")
    if not Path(fastmlp.get_include(), "fastmlp_api.h").is_file() or not (package / "__init__.pxd").is_file():
        sys.exit("the wheel lacks its C and Cython interface")
    print("fastmlp", fastmlp.__version__, fastmlp.build_info())

    fastmlp.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = spiral.load_data()
    model = models.Sequential(
        [
            layers.Input(shape=(2,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=60, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    if accuracy < 0.9:
        sys.exit(f"test accuracy on the spiral is {accuracy:.3f}, expected at least 0.9")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spiral.safetensors"
        model.save(path)
        if not np.array_equal(models.load_model(path).predict(x_test, verbose=0), model.predict(x_test, verbose=0)):
            sys.exit("the loaded model predicts other numbers than the saved one")
        command = Path(sysconfig.get_path("scripts")) / "fastmlp"
        subprocess.run([command, "train", "spiral", "--epochs", "2"], check=True)
        subprocess.run([command, "info", path], check=True)
    print(f"smoke test passed: spiral test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
