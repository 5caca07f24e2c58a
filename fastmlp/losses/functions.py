"""The losses as functions of arrays: one number a row. For training, ``compile(loss=losses.huber)`` means the same as ``Huber()``."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastmlp.losses.classification as classification
import fastmlp.losses.overlap as overlap
import fastmlp.losses.regression as regression
from fastmlp.losses.base import Loss


def mean_squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`MeanSquaredError` of each row."""
    return regression.MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`MeanAbsoluteError` of each row."""
    return regression.MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`MeanAbsolutePercentageError` of each row."""
    return regression.MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`MeanSquaredLogarithmicError` of each row."""
    return regression.MeanSquaredLogarithmicError().call(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> np.ndarray:
    """:class:`Huber` of each row."""
    return regression.Huber(delta=delta).call(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`LogCosh` of each row."""
    return regression.LogCosh().call(y_true, y_pred)


def quantile(y_true: Any, y_pred: Any, q: float = 0.5) -> np.ndarray:
    """:class:`Quantile` of each row."""
    return regression.Quantile(q=q).call(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`Poisson` of each row."""
    return regression.Poisson().call(y_true, y_pred)


def gaussian_nll(y_true: Any, y_pred: Any, full: bool = False, eps: float = 1e-6) -> np.ndarray:
    """:class:`GaussianNLL` of each row."""
    return regression.GaussianNLL(full=full, eps=eps).call(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """:class:`CosineSimilarity` of each row."""
    return regression.CosineSimilarity(axis=axis).call(y_true, y_pred)


def hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`Hinge` of each row."""
    return classification.Hinge().call(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`SquaredHinge` of each row."""
    return classification.SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`CategoricalHinge` of each row."""
    return classification.CategoricalHinge().call(y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> np.ndarray:
    """:class:`KLDivergence` of each row."""
    return classification.KLDivergence().call(y_true, y_pred)


def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> np.ndarray:
    """:class:`BinaryCrossentropy` of each row."""
    return classification.BinaryCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis).call(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """:class:`CategoricalCrossentropy` of each row."""
    return classification.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis).call(y_true, y_pred)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> np.ndarray:
    """:class:`BinaryFocalCrossentropy` of each row."""
    return classification.BinaryFocalCrossentropy(
        apply_class_balancing=apply_class_balancing,
        alpha=alpha,
        gamma=gamma,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
    ).call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> np.ndarray:
    """:class:`CategoricalFocalCrossentropy` of each row."""
    return classification.CategoricalFocalCrossentropy(
        alpha=alpha, gamma=gamma, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
    ).call(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> np.ndarray:
    """:class:`SparseCategoricalCrossentropy` of each row."""
    return classification.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> np.ndarray:
    """:class:`CategoricalGeneralizedCrossEntropy` of each row."""
    return classification.CategoricalGeneralizedCrossEntropy(q).call(y_true, y_pred)


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> np.ndarray:
    """:class:`Dice` along some axes, of all elements by default."""
    return overlap.Dice(axis=axis).call(y_true, y_pred)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> np.ndarray:
    """:class:`Tversky` along some axes, of all elements by default."""
    return overlap.Tversky(alpha, beta, axis=axis).call(y_true, y_pred)


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> np.ndarray:
    """:class:`Circle` of each row, compared with the others or with those of ``ref_embeddings``."""
    return overlap.Circle(gamma, margin, remove_diagonal).call(y_true, y_pred, ref_labels, ref_embeddings)


CLASSES: dict[Any, type[Loss]] = {
    mean_squared_error: regression.MeanSquaredError,
    mean_absolute_error: regression.MeanAbsoluteError,
    mean_absolute_percentage_error: regression.MeanAbsolutePercentageError,
    mean_squared_logarithmic_error: regression.MeanSquaredLogarithmicError,
    huber: regression.Huber,
    log_cosh: regression.LogCosh,
    quantile: regression.Quantile,
    poisson: regression.Poisson,
    gaussian_nll: regression.GaussianNLL,
    cosine_similarity: regression.CosineSimilarity,
    hinge: classification.Hinge,
    squared_hinge: classification.SquaredHinge,
    categorical_hinge: classification.CategoricalHinge,
    kl_divergence: classification.KLDivergence,
    binary_crossentropy: classification.BinaryCrossentropy,
    categorical_crossentropy: classification.CategoricalCrossentropy,
    binary_focal_crossentropy: classification.BinaryFocalCrossentropy,
    categorical_focal_crossentropy: classification.CategoricalFocalCrossentropy,
    sparse_categorical_crossentropy: classification.SparseCategoricalCrossentropy,
    categorical_generalized_cross_entropy: classification.CategoricalGeneralizedCrossEntropy,
    dice: overlap.Dice,
    tversky: overlap.Tversky,
    circle: overlap.Circle,
}
"""The class that each function stands for."""
