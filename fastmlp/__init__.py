"""fastmlp: fast multilayer perceptrons on CPUs, with the interface of Keras.

Everything is loaded when it is first used, so ``import fastmlp`` costs next to nothing.

Example:

>>> import numpy as np
>>> import fastmlp
>>> from fastmlp import layers
>>> model = fastmlp.Sequential([layers.Dense(8, activation="tanh", input_shape=(2,)), layers.Dense(1, activation="sigmoid")])
>>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
>>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
>>> history = model.fit(x, [0, 1, 1, 0], epochs=2, verbose=0)
>>> model.predict(x, verbose=0).shape
(4, 1)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp import (
        activations,
        callbacks,
        constraints,
        datasets,
        errors,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        regularizers,
        utils,
    )
    from fastmlp.capi import get_include
    from fastmlp.engines import build_info
    from fastmlp.errors import NonFiniteLossError
    from fastmlp.layers import Input
    from fastmlp.models import Model, Sequential
    from fastmlp.saving import load_model
    from fastmlp.threads import get_num_threads, set_num_threads

    __version__: str

_MODULES = (
    "activations",
    "callbacks",
    "constraints",
    "datasets",
    "errors",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "utils",
)
_ATTRIBUTES = {
    "Input": "layers",
    "Model": "models",
    "NonFiniteLossError": "errors",
    "Sequential": "models",
    "build_info": "engines",
    "get_include": "capi",
    "get_num_threads": "threads",
    "load_model": "saving",
    "set_num_threads": "threads",
}

__all__ = [
    "Input",
    "Model",
    "NonFiniteLossError",
    "Sequential",
    "__version__",
    "activations",
    "build_info",
    "callbacks",
    "constraints",
    "datasets",
    "errors",
    "get_include",
    "get_num_threads",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "set_num_threads",
    "utils",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"fastmlp.{name}")
    if name in _ATTRIBUTES:
        value = getattr(import_module(f"fastmlp.{_ATTRIBUTES[name]}"), name)
    elif name == "__version__":
        value = import_module("fastmlp._core").version()
    else:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
