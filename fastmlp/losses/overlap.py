"""Losses over a whole batch: overlap of targets and predictions, and similarities between samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastmlp._base.arguments import Boolean, Converted, Real
from fastmlp._base.numeric import quietly
from fastmlp.losses.base import Axis, Loss, axis_of
from fastmlp.losses.functions import CLASSES, function_of

__all__ = ["Circle", "Dice", "Tversky", "circle", "dice", "tversky"]


def _axis_or_all(axis: Axis | None) -> int | tuple[int, ...] | None:
    return None if axis is None else axis_of(axis)


class Overlap(Loss):
    """Base class of Dice and Tversky.

    Args:
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
        axis: The axes to sum over; None for all, so that a batch has a single value. Models support None, and all axes but the batch axis:
            ``axis=1`` for predictions ``(samples, outputs)``.
    """

    axis = Converted(_axis_or_all, lambda axis: list(axis) if isinstance(axis, tuple) else axis)

    def __init__(self, reduction: str | None, name: str | None, axis: Axis | None, dtype: DTypeLike | None = None) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.axis = axis

    def takes_axes(self, count: int) -> bool:
        if self.axis is None:
            return True
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return sorted({axis % count for axis in axes if -count <= axis < count}) == list(range(1, count))

    @quietly
    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        """Returns the loss, float32, of the shape that remains after summing over the axes; a single number for ``axis=None``."""
        p, y = np.asarray(y_pred, np.float32), np.asarray(y_true, np.float32)
        y = y[..., None] if y.ndim == p.ndim - 1 and p.shape[-1] == 1 else y
        if y.shape != p.shape:
            raise ValueError(f"y_true has shape {y.shape}, but for y_pred of shape {p.shape} {self.name} takes the same")
        return np.asarray(self._of_sums(*(part.sum(axis=self.axis) for part in (y * p, y, p))), np.float32)

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The loss from Σ y·p, Σ y and Σ p."""
        raise NotImplementedError


class Dice(Overlap):
    """1 − 2·Σ y·p / (Σ y + Σ p) over all samples of a batch: 1 minus the overlap of targets and predictions; for rare classes.

    Args:
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
        axis: The axes to sum over. None means all: the loss of a batch is then a single number that depends on the batch size, in
            ``evaluate`` too. Models support None, and all axes but the batch axis.

    Example:

    >>> from fastmlp import losses
    >>> round(losses.Dice()([[1, 0], [1, 1]], [[0.8, 0.1], [0.9, 0.7]]), 4)
    0.1273

    Milletari et al., "V-Net", 2016.
    """

    kind = "dice"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axis | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, axis, dtype=dtype)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (0.0, 0.0, float(self.axis is not None))

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.asarray(1 - 2 * product / (y + p + np.float32(1e-7)))


dice = function_of(Dice, "along the given axes, of all elements by default")


class Tversky(Overlap):
    """1 − Σ y·p / (Σ y·p + alpha·Σ y·(1 − p) + beta·Σ (1 − y)·p) over all samples of a batch; :class:`Dice` for alpha = beta = ½.

    Args:
        alpha: The weight of false negatives.
        beta: The weight of false positives.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
        axis: See :class:`Dice`.

    Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional deep networks", 2017.
    """

    kind = "tversky"

    alpha = Real(0)
    beta = Real(0)

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axis | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, axis, dtype=dtype)
        self.alpha, self.beta = alpha, beta

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.alpha, self.beta, float(self.axis is not None))

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        size = product + np.float32(self.alpha) * (y - product) + np.float32(self.beta) * (p - product)
        return np.asarray(1 - product / (size + np.float32(1e-7)))


tversky = function_of(Tversky, "along the given axes, of all elements by default")


class Circle(Loss):
    """The circle loss of embeddings: samples of one class are pulled together, samples of different classes pushed apart.

    With d = max(1 − pᵢ·pⱼ, 0) for two samples of a batch, the loss of a sample is softplus(a + b), where
    a = log Σ exp(gamma·(d² − margin²)) over the other samples of its class and
    b = log Σ exp(gamma·max(1 + margin − d, 0)·(1 − margin − d)) over the samples of other classes. Samples for which either sum is empty,
    and those whose loss is 0, do not count in the mean. Predictions are embeddings of unit length.

    Samples are compared within a batch, so the loss depends on ``batch_size``. Sample weights multiply the losses; they do not change how
    many samples count.

    Args:
        gamma: The scale; larger values concentrate the loss on the hardest pairs.
        margin: The relaxation margin: pairs within it contribute little.
        remove_diagonal: Whether a sample is not paired with itself.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Sun et al., "Circle loss: a unified perspective of pair similarity optimization", 2020.
    """

    kind = "sparse_circle"

    gamma = Real()
    margin = Real()
    remove_diagonal = Boolean()

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal

    def takes_axes(self, count: int) -> bool:
        return count == 2

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.gamma, self.margin, float(self.remove_diagonal))

    @quietly
    def call(
        self, y_true: ArrayLike, y_pred: ArrayLike, ref_labels: ArrayLike | None = None, ref_embeddings: ArrayLike | None = None
    ) -> np.ndarray:
        """Returns the loss of each sample, float32 ``(samples,)``.

        Args:
            y_true: Integer class labels ``(samples,)``.
            y_pred: Embeddings ``(samples, outputs)`` of unit length.
            ref_labels: The class labels of the samples to compare with; ``y_true`` by default.
            ref_embeddings: Their embeddings; ``y_pred`` by default.

        Raises:
            ValueError: The shapes do not fit.
        """
        from fastmlp.reference.pair_losses import circle_of_pairs

        p = np.asarray(y_pred, np.float32)
        labels = np.asarray(y_true).reshape(-1)
        if p.ndim != 2 or len(labels) != len(p):
            raise ValueError(
                f"{self.name} takes class labels (samples,) and embeddings (samples, outputs), got shapes {np.shape(y_true)} and {p.shape}"
            )
        others = p if ref_embeddings is None else np.asarray(ref_embeddings, np.float32)
        other_labels = labels if ref_labels is None else np.asarray(ref_labels).reshape(-1)
        return circle_of_pairs(labels, p, other_labels, others, self.gamma, self.margin, self.remove_diagonal)[0]

    def mask(self, y_true: ArrayLike, values: np.ndarray) -> np.ndarray:
        return values > 0


def circle(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    ref_labels: ArrayLike | None = None,
    ref_embeddings: ArrayLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> np.ndarray:
    """:class:`Circle` of each sample, compared with the other samples or with ``ref_embeddings``."""
    return Circle(gamma, margin, remove_diagonal).call(y_true, y_pred, ref_labels, ref_embeddings)


CLASSES[circle] = Circle
