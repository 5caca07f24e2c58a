"""Losses: what training minimises, by name (``"mse"``), as an object (``MeanSquaredError()``) or as a function of your own.

A loss object says which loss is meant and checks its arguments; the engines compute it, fused with the softmax or sigmoid before it where
there is one. It can also be called on arrays, as can the functions of the same names, which give one number a row. docs/losses.md has
all formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp import elsewhere
from fastmlp.losses.base import Loss
from fastmlp.losses.classification import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from fastmlp.losses.custom import FunctionLoss
from fastmlp.losses.functions import (
    CLASSES,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    cosine_similarity,
    gaussian_nll,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    quantile,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastmlp.losses.regression import (
    CosineSimilarity,
    GaussianNLL,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
)
from fastmlp.registry import Registry

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "gaussian_nll",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "quantile",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

registry: Registry[Loss] = Registry(
    "loss",
    Loss,
    CLASSES.values(),
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "bce": BinaryCrossentropy,
        "kld": KLDivergence,
        "kullback_leibler_divergence": KLDivergence,
        "pinball": Quantile,
    },
    "losses",
)


def get(identifier: Any) -> Loss:
    """The loss meant by a name, a class, an object, a configuration or a function.

    A function of your own takes ``(y_true, y_pred)`` and returns the loss of each row and its gradient with respect to ``y_pred``.

    Example:

    >>> from fastmlp import losses
    >>> losses.get("mse").kind
    'mean_squared_error'
    """
    if isinstance(identifier, Loss):
        if not hasattr(identifier, "kind"):
            raise TypeError(
                f"{type(identifier).__name__} is a Loss class of your own, which the engines can't compute; "
                "give a function that returns the loss of each row and its gradient"
            )
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        return CLASSES[identifier]() if identifier in CLASSES else FunctionLoss(identifier)
    return registry.get(identifier)


def serialize(loss: Loss) -> dict[str, Any]:
    """The configuration of a loss, as JSON values."""
    if isinstance(loss, FunctionLoss):
        raise TypeError(
            f"the loss {loss.title} is a Python function, which a configuration or a file can't hold; keep the weights (get_weights), or "
            "compile the model with one of fastmlp's own losses before saving it"
        )
    return registry.serialize(loss)


def deserialize(config: Mapping[str, Any]) -> Loss:
    """The loss that :func:`serialize` described."""
    return registry.deserialize(config)


def __getattr__(name: str) -> Any:
    return elsewhere.missing("losses", name)
