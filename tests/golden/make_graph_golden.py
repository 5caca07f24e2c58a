"""Takes the golden numbers of functional models from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_graph_golden.py

writes ``graphs.json`` beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "0"

import graph_programs as programs
import jax
import keras
from make_keras_golden import plain


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    runs = {}
    for name in programs.PROGRAMS:
        for optimizer in programs.OPTIMIZERS:
            result = programs.run(keras, name, optimizer)
            layers = result.pop("layers")
            runs[f"{name}/{optimizer}"] = {**plain(result), "layers": layers}
            print(name, optimizer, flush=True)
            keras.backend.clear_session()
    golden = {"made with": {"keras": keras.__version__, "jax": jax.__version__}, "runs": runs, "summaries": programs.summaries(keras)}
    text = json.dumps(golden, indent=1, ensure_ascii=False)
    Path(__file__).with_name("graphs.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
