"""Gradient-based optimizers, given by name (``"adam"``) or as an object (``Adam(1e-3)``)."""

from __future__ import annotations

import fastmlp.optimizers.lbfgs as lbfgs
import fastmlp.optimizers.matrices as matrices
import fastmlp.optimizers.moments as moments
import fastmlp.optimizers.simple as simple
from fastmlp._base import keras_names
from fastmlp._base.registry import Registry, classes_in
from fastmlp.optimizers import schedules
from fastmlp.optimizers.base import Optimizer, OptimizerLike
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


def get(identifier: OptimizerLike) -> Optimizer:
    """Returns the optimizer object for a name (in any case), a class, an object or a configuration.

    Args:
        identifier: A name such as ``"adam"``, an :class:`Optimizer` or its class, or a dict from :func:`serialize`.

    Raises:
        ValueError: The name is unknown or the configuration malformed.
        TypeError: ``identifier`` is none of these.

    Example:

    >>> from fastmlp import optimizers
    >>> optimizers.get("RMSprop").learning_rate
    0.001
    """
    return registry.get(identifier)


def __getattr__(name: str) -> object:
    return keras_names.missing("optimizers", name)
