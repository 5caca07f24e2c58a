"""Writes keras_names.json: what Keras' public modules contain, so that a test can ask fastmlp for every one of those names.

Run with Keras 3 installed: ``KERAS_BACKEND=jax python tests/golden/make_keras_names.py``.
"""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from pathlib import Path

import keras

MODULES = (
    "activations",
    "callbacks",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "optimizers.schedules",
    "regularizers",
    "utils",
)


def public(module: object) -> list[str]:
    """The names of a module that do not begin with an underscore."""
    return sorted(name for name in dir(module) if not name.startswith("_"))


def modules() -> list[str]:
    """Keras' public modules, those in other modules included."""
    found = pkgutil.walk_packages(keras.__path__, "keras.", onerror=lambda name: None)
    paths = [module.name.removeprefix("keras.") for module in found if not module.name.startswith(("keras.src", "keras._"))]
    return sorted(path for path in paths if "_" not in (part[0] for part in path.split(".")))


def main() -> None:
    """Writes the file beside this script."""
    names = {module: public(import_module(f"keras.{module}")) for module in MODULES}
    names[""] = public(keras)
    names["modules"] = modules()
    names["Model"] = public(keras.Model)
    names["Layer"] = public(keras.layers.Layer)
    target = Path(__file__).with_name("keras_names.json")
    lines = ",\n".join(f" {json.dumps(module)}: {json.dumps(listed)}" for module, listed in sorted(names.items()))
    target.write_text(f'{{\n "keras": {json.dumps(keras.__version__)},\n{lines}\n}}\n')


if __name__ == "__main__":
    main()
