"""Takes the values of value_programs.py from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_value_golden.py

writes ``values.json`` beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import value_programs


def rounded(value):
    """``value`` with the digits of a float32."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.9g}")


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    keras.utils.set_random_seed(0)
    values = value_programs.all_values(keras, keras.ops.convert_to_tensor)
    golden = {"made with": {"keras": keras.__version__, "jax": jax.__version__}} | rounded(values)
    (Path(__file__).parent / "values.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
