"""Writes keras_arguments.json: the arguments of Keras' public classes, functions and methods, so that a test can ask fastmlp for each.

Run with Keras 3 installed: ``KERAS_BACKEND=jax python tests/golden/make_keras_arguments.py``.
"""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
from make_keras_names import MODULES, public

CLASSES = {
    "Model": keras.Model,
    "Sequential": keras.Sequential,
    "layers.Layer": keras.layers.Layer,
    "layers.Normalization": keras.layers.Normalization,
    "optimizers.Optimizer": keras.optimizers.Optimizer,
    "callbacks.Callback": keras.callbacks.Callback,
    "metrics.Metric": keras.metrics.Metric,
    "losses.Loss": keras.losses.Loss,
    "initializers.Initializer": keras.initializers.Initializer,
    "regularizers.Regularizer": keras.regularizers.Regularizer,
    "constraints.Constraint": keras.constraints.Constraint,
    "utils.PyDataset": keras.utils.PyDataset,
}
"""Those whose methods are asked for too."""
REQUIRED = "<required>"


def arguments(item: Any) -> dict[str, Any] | None:
    """The names of an object's arguments with their default values, as JSON values; None of what has no signature."""
    try:
        parameters = inspect.signature(item).parameters.values()
    except (TypeError, ValueError):
        return None
    named = [one for one in parameters if one.name not in ("self", "cls") and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return {one.name: _plain(one.default) for one in named}


def _plain(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return REQUIRED
    return value if value is None or isinstance(value, (bool, int, float, str)) else list(value) if isinstance(value, tuple) else None


def main() -> None:
    """Writes the file beside this script."""
    found: dict[str, Any] = {}
    for module in (*MODULES, "saving"):
        for name in public(import_module(f"keras.{module}")):
            item = getattr(import_module(f"keras.{module}"), name)
            if callable(item):
                found[f"{module}.{name}"] = arguments(item)
    for path, cls in CLASSES.items():
        for name in public(cls):
            if callable(getattr(cls, name)):
                found[f"{path}.{name}"] = arguments(getattr(cls, name))
    target = Path(__file__).with_name("keras_arguments.json")
    lines = ",\n".join(f" {json.dumps(path)}: {json.dumps(listed)}" for path, listed in sorted(found.items()) if listed is not None)
    target.write_text(f'{{\n "keras": {json.dumps(keras.__version__)},\n{lines}\n}}\n')


if __name__ == "__main__":
    main()
