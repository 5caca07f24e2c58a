"""Takes the golden numbers from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_keras_golden.py

writes ``curves.npz`` (ten-step loss curves; final weights for the relu networks) and ``keras.json`` (everything small) beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "0"

import jax
import keras
import numpy as np
import programs

HERE = Path(__file__).parent


def plain(value):
    """`value` as JSON holds it, floats with the digits of a float32."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    return float(f"{value:.9g}")


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    arrays = {}
    curves = []
    for number, (optimizer, head, activation) in enumerate(programs.CURVES):
        steps, weights = programs.curve(keras, optimizer, head, activation)
        curves.append(steps)
        if activation == "relu":
            arrays[f"weights/{optimizer}/{head}"] = np.concatenate([w.ravel() for w in weights])
        print(f"{number + 1}/{len(programs.CURVES)} {optimizer} {head} {activation}: {steps[0, 0]:.6f} → {steps[-1, 0]:.6f}", flush=True)
        keras.backend.clear_session()
    arrays["curves"] = np.array(curves, dtype=np.float32)
    arrays["weighted_curves"] = np.array(
        [programs.curve(keras, "adam", head, "tanh", weighted=True)[0] for head in programs.HEADS], dtype=np.float32
    )
    np.savez_compressed(HERE / "curves.npz", **arrays)

    small = {
        "made with": {"keras": keras.__version__, "jax": jax.__version__, "numpy": np.__version__},
        "fits": {name: plain(programs.fit(keras, arguments)) for name, arguments in programs.fits().items()},
        "extremes": {name: plain(programs.extreme(keras, name)) for name in programs.EXTREMES},
        "summaries": programs.summaries(keras),
    }
    (HERE / "keras.json").write_text(json.dumps(small, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
