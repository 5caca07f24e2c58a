"""Optimizers: how the weights move, by name (``"adam"``) or as an object (``Adam(1e-3)``)."""

from __future__ import annotations

from typing import Any

import fastmlp.optimizers.lbfgs as lbfgs
import fastmlp.optimizers.matrices as matrices
import fastmlp.optimizers.moments as moments
import fastmlp.optimizers.simple as simple
from fastmlp._base import keras_names
from fastmlp._base.registry import Registry, classes_in
from fastmlp.optimizers import schedules
from fastmlp.optimizers.base import Optimizer
from fastmlp.optimizers.lbfgs import *
from fastmlp.optimizers.matrices import *
from fastmlp.optimizers.moments import *
from fastmlp.optimizers.simple import *

__all__ = ["Optimizer", "deserialize", "get", "schedules", "serialize"]
__all__ += lbfgs.__all__
__all__ += matrices.__all__
__all__ += moments.__all__
__all__ += simple.__all__

registry: Registry[Optimizer] = Registry(
    "optimizer", Optimizer, classes_in(Optimizer, simple, moments, matrices, lbfgs), module="optimizers"
)

serialize, deserialize = registry.serialize, registry.deserialize


def get(identifier: Any) -> Optimizer:
    """The optimizer meant by a name (any case), a class, an object or a configuration.

    Example:

    >>> from fastmlp import optimizers
    >>> optimizers.get("RMSprop").learning_rate
    0.001
    """
    return registry.get(identifier)


def __getattr__(name: str) -> Any:
    return keras_names.missing("optimizers", name)
