"""Loss functions, given by name (``"mse"``), as an object (``MeanSquaredError()``) or as a function of your own.

A loss object holds the checked arguments; the engines compute the loss, fused with the softmax or sigmoid before it where there is one.
Loss objects can also be called on arrays, as can the functions of the same names, which return one value per sample. All formulas are in
docs/losses.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import fastmlp.losses.classification as classification
import fastmlp.losses.overlap as overlap
import fastmlp.losses.regression as regression
from fastmlp._base import keras_names
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._base.registry import Registry, classes_in
from fastmlp.losses.base import Loss, LossLike
from fastmlp.losses.classification import *
from fastmlp.losses.custom import FunctionLoss, StoredLoss, is_stored
from fastmlp.losses.functions import CLASSES
from fastmlp.losses.overlap import *
from fastmlp.losses.regression import *

__all__ = ["Loss", "deserialize", "get", "serialize"]
__all__ += classification.__all__
__all__ += overlap.__all__
__all__ += regression.__all__

registry: Registry[Loss] = Registry("loss", Loss, classes_in(Loss, regression, classification, overlap), "losses", FunctionLoss)


def get(identifier: LossLike) -> Loss:
    """Returns the loss object for a name, a class, an object, a configuration or a function.

    A function of your own takes ``(y_true, y_pred)`` and returns the loss of each sample, of each element or of the batch, of which
    fastmlp finds the gradient; or the loss of each sample and its gradient with respect to ``y_pred``. So does the method ``call`` of
    your own subclass of :class:`Loss`. See docs/losses.md.

    Args:
        identifier: A name such as ``"mse"``, a :class:`Loss` or its class, a dict from :func:`serialize`, or a function.

    Raises:
        ValueError: The name is unknown or the configuration malformed.
        TypeError: ``identifier`` is none of these, or a subclass of :class:`Loss` without ``call``.

    Example:

    >>> from fastmlp import losses
    >>> losses.get("mse").kind
    'mean_squared_error'
    """
    if callable(identifier) and not isinstance(identifier, (type, Loss)) and identifier in CLASSES:
        return CLASSES[identifier]()
    if is_stored(identifier):
        return StoredLoss(cast(StoredConfig, identifier))
    loss = registry.get(identifier)
    if hasattr(loss, "kind"):
        return loss
    if type(loss).call is Loss.call:
        raise TypeError(
            f"{type(loss).__name__} is a custom Loss, which must define call(y_true, y_pred) and return the loss of each sample; or pass "
            "a function that does so"
        )
    return FunctionLoss(loss.call, loss)


def serialize(loss: Loss) -> Config:
    """Returns ``{"class": name, "config": {...}}`` in JSON values; for a custom loss with the program of its values, if there is one."""
    return loss.stored() if isinstance(loss, FunctionLoss) else registry.serialize(loss)


def deserialize(name: LossLike, custom_objects: Mapping[str, object] | None = None) -> Loss:
    """Returns the loss that :func:`serialize` described.

    Args:
        name: The dict, or a name.
        custom_objects: Your own classes and functions, by name.

    Raises:
        ValueError: The name is unknown or the configuration malformed.
    """
    with CustomObjectScope(custom_objects):
        return get(name)


def __getattr__(name: str) -> object:
    return keras_names.missing("losses", name)
