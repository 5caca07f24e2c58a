"""Classification losses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastmlp._base.arguments import Boolean, Integer, Real
from fastmlp.losses.base import MAX_AXES, Loss
from fastmlp.losses.functions import function_of

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Hinge",
    "KLDivergence",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "hinge",
    "kl_divergence",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]


MAX_LABEL = 1 << 24
"""Class labels of models with several outputs are passed as float32, which represents integers exactly up to here."""


MAX_GAMMA = 1000.0


class CrossEntropy(Loss):
    """Base class of the cross-entropies, with the arguments they share.

    Args:
        from_logits: True if the predictions are logits, that is, if the last layer has no softmax or sigmoid. A softmax or sigmoid before
            the loss is fused with it and computed from the logits in any case, so leaving it out makes no result more accurate.
        label_smoothing: The fraction of each target that is spread evenly over all classes (for a binary loss, over 0 and 1). Szegedy et
            al., "Rethinking the Inception architecture for computer vision", 2015.
        axis: The axis of the classes; models support the last axis only.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
    """

    from_logits = Boolean()
    label_smoothing = Real(0, 1)
    axis = Integer(-MAX_AXES, omit=-1)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class BinaryCrossentropy(CrossEntropy):
    """−mean(y·log p + (1 − y)·log(1 − p)), for one or several binary outputs; arguments as for :class:`CrossEntropy`."""

    kind = "binary_crossentropy"
    of_two_classes = True
    elementwise = True
    aliases = ("bce",)


binary_crossentropy = function_of(BinaryCrossentropy)


class CategoricalCrossentropy(CrossEntropy):
    """−Σ y·log p over the classes; ``y`` is one-hot (``utils.to_categorical``); arguments as for :class:`CrossEntropy`."""

    kind = "categorical_crossentropy"


categorical_crossentropy = function_of(CategoricalCrossentropy)


class SparseCategoricalCrossentropy(CrossEntropy):
    """−log p of the true class; ``y`` holds integer class labels.

    Args:
        from_logits: See :class:`CrossEntropy`.
        ignore_class: The label (any integer) of samples to ignore: the loss of a batch is the mean over the other samples.
        reduction: See :class:`Loss`.
        axis: See :class:`CrossEntropy`.
        name: See :class:`Loss`.
        label_smoothing: See :class:`CrossEntropy`. Keras has it for one-hot targets only.
    """

    kind = "sparse_categorical_crossentropy"

    ignore_class = Integer(-MAX_LABEL, optional=True, omit=None)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        *,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype=dtype)
        self.ignore_class = ignore_class

    def mask(self, y_true: ArrayLike, values: np.ndarray) -> np.ndarray | None:
        return None if self.ignore_class is None else np.asarray(np.reshape(np.asarray(y_true), values.shape) != self.ignore_class)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        if self.ignore_class is None:
            return super().call(y_true, y_pred)
        labels = np.asarray(y_true)
        ignored = labels == self.ignore_class
        values = super().call(np.where(ignored, 0, labels), y_pred)
        return np.where(ignored.reshape(values.shape), np.float32(0), values)


sparse_categorical_crossentropy = function_of(SparseCategoricalCrossentropy)


class CategoricalGeneralizedCrossEntropy(Loss):
    """(1 − p^q) / q of the true class, a cross-entropy that is robust to noisy labels; ``y`` holds integer class labels.

    Args:
        q: 0 < q < 1. Near 0 the loss approaches cross-entropy; near 1 it approaches the absolute error, which is most robust to wrong
            labels.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Example:

    >>> from fastmlp import losses
    >>> round(losses.CategoricalGeneralizedCrossEntropy()([0, 1], [[0.81, 0.19], [0.75, 0.25]]), 4)
    0.6

    Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", 2018.
    """

    kind = "sparse_categorical_generalized_cross_entropy"

    q = Real(0, below=1)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.q = q
        if self.q == 0:
            raise ValueError("q must be > 0, got 0; use SparseCategoricalCrossentropy, which is the limit")

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.q,)


categorical_generalized_cross_entropy = function_of(CategoricalGeneralizedCrossEntropy)


class BinaryFocalCrossentropy(CrossEntropy):
    """mean(w·uᵞ·bce) with u = y·(1 − p) + (1 − y)·p: binary cross-entropy that down-weights easy samples.

    Args:
        apply_class_balancing: Whether targets of 1 have the weight ``alpha`` and targets of 0 the weight 1 − ``alpha``.
        alpha: The weight of class 1.
        gamma: The focusing parameter γ; 0 is plain binary cross-entropy.
        from_logits: See :class:`CrossEntropy`.
        label_smoothing: See :class:`CrossEntropy`.
        axis: See :class:`CrossEntropy`.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Lin et al., "Focal loss for dense object detection", 2017.
    """

    kind = "binary_focal_crossentropy"
    of_two_classes = True
    elementwise = True

    apply_class_balancing = Boolean()
    alpha = Real()
    gamma = Real(0, MAX_GAMMA)

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype=dtype)
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.gamma, self.alpha, 1 - self.alpha) if self.apply_class_balancing else (self.gamma, 1.0, 1.0)


binary_focal_crossentropy = function_of(BinaryFocalCrossentropy)


class CategoricalFocalCrossentropy(CrossEntropy):
    """−alpha·Σ y·(1 − p)ᵞ·log p: categorical cross-entropy that down-weights easy samples; ``y`` is one-hot.

    Args:
        alpha: A constant factor.
        gamma: The focusing parameter γ; 0 is alpha times categorical cross-entropy.
        from_logits: See :class:`CrossEntropy`.
        label_smoothing: See :class:`CrossEntropy`.
        axis: See :class:`CrossEntropy`.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Lin et al., "Focal loss for dense object detection", 2017.
    """

    kind = "categorical_focal_crossentropy"

    alpha = Real()
    gamma = Real(0, MAX_GAMMA)

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype=dtype)
        self.alpha, self.gamma = alpha, gamma

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.gamma, self.alpha)


categorical_focal_crossentropy = function_of(CategoricalFocalCrossentropy)


class KLDivergence(Loss):
    """Σ y·log(y / p), both clipped to [10⁻⁷, 1]: the Kullback-Leibler divergence of the predicted distribution from the true one.

    Kullback and Leibler, "On information and sufficiency", 1951.
    """

    kind = "kl_divergence"
    aliases = ("kld", "kullback_leibler_divergence")


kl_divergence = function_of(KLDivergence)


class Hinge(Loss):
    """mean(max(1 − y·p, 0)); targets are −1 and 1, or 0 and 1."""

    kind = "hinge"
    of_two_classes = True
    elementwise = True


hinge = function_of(Hinge)


class SquaredHinge(Loss):
    """mean(max(1 − y·p, 0)²); targets are −1 and 1, or 0 and 1."""

    kind = "squared_hinge"
    of_two_classes = True
    elementwise = True


squared_hinge = function_of(SquaredHinge)


class CategoricalHinge(Loss):
    """max(1 + max((1 − y)·p) − Σ y·p, 0): zero if the score of the true class exceeds all others by 1; ``y`` is one-hot.

    Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001.
    """

    kind = "categorical_hinge"


categorical_hinge = function_of(CategoricalHinge)
