"""Losses of predicted classes and probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp.losses.base import MAX_AXES, Loss, axis_in_config
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


class CrossEntropy(Loss):
    """A cross-entropy: what all of them take.

    Args:
        from_logits: True when the last layer has no softmax or sigmoid and so gives unnormalised scores. It changes no number: a softmax or
            sigmoid before the loss is computed together with it, from the scores, anyway.
        label_smoothing: Share of the targets that is spread evenly: over all classes, or for a binary loss over yes and no. Szegedy et al.,
            "Rethinking the Inception architecture for computer vision", 2015.
        axis: Which axis of arrays holds the classes, −1 by default; models take the last one only.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name, **options)
        self.axis = checks.check_int("axis", axis, -MAX_AXES)
        self.from_logits = checks.check_bool("from_logits", from_logits)
        self.smoothing = checks.check_float("label_smoothing", label_smoothing, 0.0, 1.0)

    @property
    def label_smoothing(self) -> float:
        """Share of the targets that is spread evenly."""
        return self.smoothing

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "label_smoothing": self.smoothing, **axis_in_config(self.axis)}


class BinaryCrossentropy(CrossEntropy):
    """−mean(y·log p + (1 − y)·log(1 − p)), for one or several yes-no outputs; arguments as :class:`CrossEntropy`."""

    kind = "binary_crossentropy"
    of_two_classes = True
    elementwise = True
    aliases = ("bce",)


binary_crossentropy = function_of(BinaryCrossentropy)


class CategoricalCrossentropy(CrossEntropy):
    """−Σ y·log p over the classes; ``y`` is one-hot (``utils.to_categorical``); arguments as :class:`CrossEntropy`."""

    kind = "categorical_crossentropy"


categorical_crossentropy = function_of(CategoricalCrossentropy)


class SparseCategoricalCrossentropy(CrossEntropy):
    """−log p of the true class; ``y`` holds class numbers.

    Args:
        from_logits: See :class:`CrossEntropy`.
        ignore_class: A label, any integer, whose rows do not count: the loss of a batch is the mean over its other rows.
        reduction: See :class:`Loss`.
        axis: See :class:`CrossEntropy`.
        name: See :class:`Loss`.
        label_smoothing: See :class:`CrossEntropy`. Keras has it for one-hot targets only.
    """

    kind = "sparse_categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
        *,
        label_smoothing: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype=dtype, **options)
        self.ignored = None if ignore_class is None else checks.check_int("ignore_class", ignore_class, -MAX_LABEL)

    @property
    def ignore_class(self) -> int | None:
        """A label whose rows do not count."""
        return self.ignored

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray | None:
        return None if self.ignored is None else np.asarray(np.reshape(np.asarray(y_true), values.shape) != self.ignored)

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        if self.ignored is None:
            return super().call(y_true, y_pred)
        labels = np.asarray(y_true)
        ignored = labels == self.ignored
        values = super().call(np.where(ignored, 0, labels), y_pred)
        return np.where(ignored.reshape(values.shape), np.float32(0), values)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **({} if self.ignored is None else {"ignore_class": self.ignored})}


sparse_categorical_crossentropy = function_of(SparseCategoricalCrossentropy)


MAX_LABEL = 1 << 24
"""Labels of models with several outputs travel as float32, which holds integers up to here."""


class CategoricalGeneralizedCrossEntropy(Loss):
    """(1 − p^q) / q of the true class: less sure of labels than cross-entropy, which it becomes for small q; ``y`` holds class labels.

    Args:
        q: Between 0 and 1; near 1 it is the absolute error, which minds wrong labels least.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Example:

    >>> from fastmlp import losses
    >>> round(losses.CategoricalGeneralizedCrossEntropy()([0, 1], [[0.81, 0.19], [0.75, 0.25]]), 4)
    0.6

    Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", 2018.
    """

    kind = "sparse_categorical_generalized_cross_entropy"

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name, dtype=dtype, **options)
        self.q = checks.check_float("q", q, 0.0, below=1.0)
        if self.q == 0:
            raise ValueError("q must be above 0, got 0; use SparseCategoricalCrossentropy, which is the limit")

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.q,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "q": self.q}


categorical_generalized_cross_entropy = function_of(CategoricalGeneralizedCrossEntropy)


class BinaryFocalCrossentropy(CrossEntropy):
    """mean(w·uᵞ·bce), binary cross-entropy that counts less where the prediction is good already: u = y·(1 − p) + (1 − y)·p.

    Args:
        apply_class_balancing: Whether ones weigh ``alpha`` and zeros 1 − ``alpha``.
        alpha: The weight of ones.
        gamma: How much less; 0 is binary cross-entropy.
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
        **options: Any,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, **options)
        self.apply_class_balancing = checks.check_bool("apply_class_balancing", apply_class_balancing)
        self.alpha = checks.check_float("alpha", alpha)
        self.gamma = checks.check_float("gamma", gamma, 0.0, MAX_GAMMA)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.gamma, self.alpha, 1 - self.alpha) if self.apply_class_balancing else (self.gamma, 1.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        own = {"apply_class_balancing": self.apply_class_balancing, "alpha": self.alpha, "gamma": self.gamma}
        return {**super().get_config(), **own}


binary_focal_crossentropy = function_of(BinaryFocalCrossentropy)


class CategoricalFocalCrossentropy(CrossEntropy):
    """−alpha·Σ y·(1 − p)ᵞ·log p, categorical cross-entropy that counts less where the prediction is good already.

    Args:
        alpha: A weight.
        gamma: How much less; 0 is categorical cross-entropy.
        from_logits: See :class:`CrossEntropy`.
        label_smoothing: See :class:`CrossEntropy`.
        axis: See :class:`CrossEntropy`.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Lin et al., "Focal loss for dense object detection", 2017.
    """

    kind = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, **options)
        self.alpha = checks.check_float("alpha", alpha)
        self.gamma = checks.check_float("gamma", gamma, 0.0, MAX_GAMMA)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.gamma, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


categorical_focal_crossentropy = function_of(CategoricalFocalCrossentropy)


MAX_GAMMA = 1000.0


class KLDivergence(Loss):
    """Σ y·log(y / p), both clipped to [10⁻⁷, 1]: how far a predicted distribution is from the true one.

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
    """max(1 + max((1 − y)·p) − Σ y·p, 0): the true column has to be ahead of all others by one; ``y`` is one-hot.

    Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001.
    """

    kind = "categorical_hinge"


categorical_hinge = function_of(CategoricalHinge)
