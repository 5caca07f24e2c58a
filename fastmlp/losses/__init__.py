"""Losses: what training minimises, by name (``"mse"``), as an object (``MeanSquaredError()``) or as a function of your own.

A loss object says which loss is meant and checks its arguments; the engines compute it, fused with the softmax or sigmoid before it where
there is one. It can also be called on arrays, as can the functions of the same names, which give one number a row. docs/losses.md has
all formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fastmlp.losses.classification as classification
import fastmlp.losses.overlap as overlap
import fastmlp.losses.regression as regression
from fastmlp._base import keras_names
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._base.registry import Registry, classes_in
from fastmlp.losses.base import Loss
from fastmlp.losses.classification import *
from fastmlp.losses.custom import FunctionLoss
from fastmlp.losses.functions import CLASSES
from fastmlp.losses.overlap import *
from fastmlp.losses.regression import *

__all__ = ["Loss", "deserialize", "get", "serialize"]
__all__ += classification.__all__
__all__ += overlap.__all__
__all__ += regression.__all__

registry: Registry[Loss] = Registry("loss", Loss, classes_in(Loss, regression, classification, overlap), "losses", FunctionLoss)


def get(identifier: Any) -> Loss:
    """The loss meant by a name, a class, an object, a configuration or a function.

    A function of your own takes ``(y_true, y_pred)`` and returns the loss of each row and its gradient with respect to ``y_pred``; so does
    the method ``call`` of a class of your own that is derived from :class:`Loss`.

    Example:

    >>> from fastmlp import losses
    >>> losses.get("mse").kind
    'mean_squared_error'
    """
    if callable(identifier) and not isinstance(identifier, (type, Loss)) and identifier in CLASSES:
        return CLASSES[identifier]()
    loss = registry.get(identifier)
    if hasattr(loss, "kind"):
        return loss
    if type(loss).call is Loss.call:
        raise TypeError(
            f"{type(loss).__name__} is a Loss class of your own, which needs a method call(y_true, y_pred) that returns the loss of each "
            "row and its gradient with respect to y_pred; or give such a function"
        )
    return FunctionLoss(loss.call, loss)


def serialize(loss: Loss) -> dict[str, Any]:
    """``{"class": name, "config": {...}}`` of a loss, as JSON values; of a loss of your own, its name alone says which it is."""
    return registry.serialize(loss.of if isinstance(loss, FunctionLoss) and loss.of is not None else loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """The loss that :func:`serialize` described; ``custom_objects`` are the user's own classes and functions, by name."""
    with CustomObjectScope(custom_objects):
        return get(name)


def __getattr__(name: str) -> Any:
    return keras_names.missing("losses", name)
