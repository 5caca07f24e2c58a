"""Optimizers: how the weights move, by name (``"adam"``) or as an object (``Adam(1e-3)``)."""

from __future__ import annotations

from typing import Any

from fastmlp._base import keras_names
from fastmlp._base.registry import Registry
from fastmlp.optimizers import schedules
from fastmlp.optimizers.base import Optimizer
from fastmlp.optimizers.lbfgs import LBFGS
from fastmlp.optimizers.matrices import Adafactor, Muon
from fastmlp.optimizers.moments import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from fastmlp.optimizers.simple import SGD, Adadelta, Adagrad, Ftrl, Lion, RMSprop

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


registry: Registry[Optimizer] = Registry(
    "optimizer",
    Optimizer,
    (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion, Ftrl, ScheduleFreeAdamW, Lamb, Adafactor, Muon, LBFGS),
    module="optimizers",
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
