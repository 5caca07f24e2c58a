"""Takes the fits of custom_loss_programs.py from Keras on JAX: run once, by hand, where both are installed.

    python tests/golden/make_custom_loss_golden.py

writes ``custom_losses.json`` beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import custom_loss_programs
import jax
import keras


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    golden = {"made with": {"keras": keras.__version__, "jax": jax.__version__}}
    for name, weighted in custom_loss_programs.fits():
        golden[f"{name}{', weighted' * weighted}"] = custom_loss_programs.fitted(keras, name, weighted)
    (Path(__file__).parent / "custom_losses.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
