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

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        errors,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        regularizers,
        saving,
        sweep,
        utils,
    )
    from fastmlp._engine.backends import build_info
    from fastmlp._engine.capi import get_include
    from fastmlp._engine.threads import get_num_threads, set_num_threads
    from fastmlp.errors import NonFiniteLossError
    from fastmlp.initializers import Initializer
    from fastmlp.layers import Input, Layer
    from fastmlp.losses import Loss
    from fastmlp.metrics import Metric
    from fastmlp.models import Model, Sequential
    from fastmlp.optimizers import Optimizer
    from fastmlp.regularizers import Regularizer
    from fastmlp.saving import load_model
    from fastmlp.variables import Variable

    __version__: str

_MODULES = (
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "errors",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "regularizers",
    "saving",
    "sweep",
    "utils",
)
_ATTRIBUTES = {
    "Initializer": "initializers",
    "Input": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "NonFiniteLossError": "errors",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "variables",
    "build_info": "_engine.backends",
    "get_include": "_engine.capi",
    "get_num_threads": "_engine.threads",
    "load_model": "saving",
    "set_num_threads": "_engine.threads",
}

__all__ = [
    "Initializer",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "NonFiniteLossError",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "backend",
    "build_info",
    "callbacks",
    "config",
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
    "ops",
    "optimizers",
    "regularizers",
    "saving",
    "set_num_threads",
    "sweep",
    "utils",
]


def _step_aside() -> None:
    """In a checkout whose folder stands before an installed fastmlp: give this one's place in ``sys.modules`` to that.

    The checkout has no compiled engine beside its files, unless it was installed with ``pip install -e``, where a finder knows one.
    """
    if any(finder.find_spec("fastmlp._core", __path__) for finder in sys.meta_path):
        return
    from importlib.util import module_from_spec
    from pathlib import Path

    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("fastmlp", [entry for entry in sys.path if Path(entry).resolve() != here.parent])
    if spec is None or spec.loader is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ImportError(
            f"{here} is the source of fastmlp, whose engine is not compiled for this Python ({version}, {sys.executable}): "
            f"run `pip install .`, or `pip install -e .` to develop it, in {here.parent}"
        )
    installed = sys.modules[__name__] = module_from_spec(spec)
    spec.loader.exec_module(installed)


_step_aside()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"fastmlp.{name}")
    if name in _ATTRIBUTES:
        value = getattr(import_module(f"fastmlp.{_ATTRIBUTES[name]}"), name)
    elif name == "__version__":
        value = import_module("fastmlp._core").version()
    else:
        return import_module("fastmlp._base.keras_names").missing("", name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


class _ModulesOfKeras:
    """The last import finder, for modules of Keras that fastmlp lacks: Keras programs may import some without using them."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        return import_module("fastmlp._base.keras_names").find_spec(name) if name.startswith("fastmlp.") else None


sys.meta_path.append(_ModulesOfKeras)
