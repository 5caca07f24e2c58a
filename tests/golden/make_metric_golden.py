"""Takes the values of metrics from Keras: run once, by hand, where keras and jax are installed.

    python tests/golden/make_metric_golden.py

writes ``metrics.json`` beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import metric_programs as programs

HERE = Path(__file__).parent


def main() -> None:
    values = [
        [programs.value(keras.metrics, keras.ops.mean, *case, weighted).tolist() for weighted in programs.weightings(case)]
        for case in programs.CASES
    ]
    golden = {
        "made with": {"keras": keras.__version__},
        "values": values,
        "by element": [programs.value_by_element(keras.metrics, keras.ops.mean, *case).tolist() for case in programs.BY_ELEMENT],
        "of values": [programs.value_of_values(keras.metrics, *case).tolist() for case in programs.OF_VALUES],
        "functions": [programs.value_of_function(keras.metrics, *case).tolist() for case in programs.FUNCTIONS],
        "fit": programs.fit(keras),
    }
    (HERE / "metrics.json").write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
