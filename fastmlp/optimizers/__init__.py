"""Optimizers: how the weights move, by name (``"adam"``) or as an object (``Adam(1e-3)``)."""

from __future__ import annotations

import sys
from typing import Any

from fastmlp import schedules
from fastmlp.optimizers.base import Optimizer
from fastmlp.optimizers.lbfgs import LBFGS
from fastmlp.optimizers.moments import Adam, Adamax, AdamW, Nadam
from fastmlp.optimizers.simple import SGD, Adadelta, Adagrad, Lion, RMSprop
from fastmlp.registry import Registry

__all__ = ["LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "Optimizer", "RMSprop", "get", "schedules"]

sys.modules[f"{__name__}.schedules"] = schedules  # importable under Keras' name too, as os.path is

registry: Registry[Optimizer] = Registry(
    "optimizer",
    Optimizer,
    (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion, LBFGS),
    elsewhere={
        "ftrl": "use 'adagrad', with a kernel_regularizer for its L1 and L2",
        "adafactor": "it saves memory in models far larger than these; use 'adam'",
        "lamb": "it is for batches of tens of thousands; use 'adamw'",
        "muon": "use 'adamw' or 'nadam'",
        "schedulefreeadamw": "use AdamW(use_ema=True), which averages the weights too",
        "lossscaleoptimizer": "everything is float32, so no loss needs a scale; use the optimizer inside it",
        "multioptimizer": "train the parts as models of their own, or use one optimizer for all weights",
    },
)


def get(identifier: Any) -> Optimizer:
    """The optimizer meant by a name (any case), a class, an object or a configuration.

    Example:

    >>> from fastmlp import optimizers
    >>> optimizers.get("RMSprop").learning_rate
    0.001
    """
    return registry.get(identifier)


def __getattr__(name: str) -> Any:
    return registry.missing(name, __name__)
