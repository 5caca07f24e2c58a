"""Losses that see a batch as a whole: the overlap of targets and predictions, and distances between the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.losses.base import Loss, axis_of
from fastmlp.numeric import quietly


class Overlap(Loss):
    """What Dice and Tversky have in common.

    Args:
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
        axis: The axes of arrays to sum over; None for all, so that a batch has one value. In models None, or all axes but that of the rows:
            ``axis=1`` where predictions are ``(rows, outputs)``.
    """

    def __init__(self, reduction: str | None, name: str | None, axis: Any, **options: Any) -> None:
        super().__init__(reduction, name, **options)
        self.axis = None if axis is None else axis_of(axis)

    def takes_axes(self, count: int) -> bool:
        if self.axis is None:
            return True
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return sorted({axis % count for axis in axes if -count <= axis < count}) == list(range(1, count))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis}

    @quietly
    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """The loss of each set, as a float32 array of the shape that is left of the axes; a single number for ``axis=None``."""
        p, y = np.asarray(y_pred, np.float32), np.asarray(y_true, np.float32)
        y = y[..., None] if y.ndim == p.ndim - 1 and p.shape[-1] == 1 else y
        if y.shape != p.shape:
            raise ValueError(f"y_true has shape {y.shape}, but for y_pred of shape {p.shape} {self.name} takes the same")
        return np.asarray(self._of_sums(*(part.sum(axis=self.axis) for part in (y * p, y, p))), np.float32)

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The loss from Σ y·p, Σ y and Σ p."""
        raise NotImplementedError


class Dice(Overlap):
    """1 − 2·Σ y·p / (Σ y + Σ p), over all rows of a batch: how little targets and predictions overlap, for classes that are rare.

    Args:
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
        axis: Axes to sum over, None for all: then the loss of a batch is one number, and it depends on the size of batches, in ``evaluate``
            too. In models None, or all axes but that of the rows.

    Example:

    >>> from fastmlp import losses
    >>> round(losses.Dice()([[1, 0], [1, 1]], [[0.8, 0.1], [0.9, 0.7]]), 4)
    0.1273

    Milletari et al., "V-Net", 2016.
    """

    kind = "dice"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "dice", axis: Any = None, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(reduction, name, axis, dtype=dtype, **options)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (0.0, 0.0, float(self.axis is not None))

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.asarray(1 - 2 * product / (y + p + np.float32(1e-7)))


class Tversky(Overlap):
    """1 − Σ y·p / (Σ y·p + alpha·Σ y·(1 − p) + beta·Σ (1 − y)·p), over all rows of a batch; :class:`Dice` for ½ and ½.

    Args:
        alpha: What counts that is in the targets and not predicted.
        beta: What counts that is predicted and not in the targets.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
        axis: See :class:`Dice`.

    Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional deep networks", 2017.
    """

    kind = "tversky"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name, axis, dtype=dtype, **options)
        self.alpha, self.beta = checks.number("alpha", alpha, 0.0), checks.number("beta", beta, 0.0)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.alpha, self.beta, float(self.axis is not None))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        size = product + np.float32(self.alpha) * (y - product) + np.float32(self.beta) * (p - product)
        return np.asarray(1 - product / (size + np.float32(1e-7)))


class Circle(Loss):
    """The circle loss of embeddings: rows of one class are pulled together and rows of different classes pushed apart.

    With d = max(1 − pᵢ·pⱼ, 0) for two rows of a batch, a row's loss is softplus(a + b), where a = log Σ exp(gamma·(d² − margin²)) over the
    others of its class and b = log Σ exp(gamma·max(1 + margin − d, 0)·(1 − margin − d)) over the rows of other classes. Rows without a
    partner in either sum, and those whose loss is 0, do not count in the mean. Predictions are embeddings of length 1.

    In a model it is computed by NumPy, in both engines, once for each batch, as a loss of the user's own is. Sample weights are refused.

    Args:
        gamma: How sharply.
        margin: From which similarity on rows are left alone.
        remove_diagonal: Whether a row is no partner of itself.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Sun et al., "Circle loss: a unified perspective of pair similarity optimization", 2020.
    """

    kind = "circle"

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name, dtype=dtype, **options)
        self.gamma, self.margin = checks.number("gamma", gamma), checks.number("margin", margin)
        self.remove_diagonal = checks.flag("remove_diagonal", remove_diagonal)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}

    def takes_axes(self, count: int) -> bool:
        return count == 2

    @quietly
    def call(self, y_true: Any, y_pred: Any, ref_labels: Any = None, ref_embeddings: Any = None) -> np.ndarray:
        """The loss of each row, float32.

        Args:
            y_true: Integer class labels ``(rows,)``.
            y_pred: Embeddings ``(rows, outputs)`` of length 1.
            ref_labels: The labels of other rows to compare with; ``y_true`` by default.
            ref_embeddings: Their embeddings; ``y_pred`` by default.
        """
        p = np.asarray(y_pred, np.float32)
        labels = np.asarray(y_true).reshape(-1)
        if p.ndim != 2 or len(labels) != len(p):
            raise ValueError(f"{self.name} takes labels (rows,) and embeddings (rows, outputs), got {np.shape(y_true)} and {p.shape}")
        others = p if ref_embeddings is None else np.asarray(ref_embeddings, np.float32)
        return self._pairs(labels, p, labels if ref_labels is None else np.asarray(ref_labels).reshape(-1), others)[0]

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray:
        return values > 0

    def evaluate(self, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and gradient of a batch as the engines read them; the labels stand in every column of ``y``."""
        labels = y[:, 0]
        values, by_distance = self._pairs(labels, p, labels, p)
        share = len(values) / max(int((values > 0).sum()), 1)
        by_distance *= p.dtype.type(share)
        return values * p.dtype.type(share), np.ascontiguousarray(-(by_distance + by_distance.T) @ p)

    def _pairs(self, labels: np.ndarray, p: np.ndarray, other_labels: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each row, and the derivative of their sum with respect to the distance of each pair."""
        product = p @ others.T
        distance = np.maximum(1 - product, 0)
        same = labels[:, None] == other_labels
        near, far = same.copy(), ~same
        if self.remove_diagonal and near.shape[0] == near.shape[1]:
            np.fill_diagonal(near, False)
        gamma, margin = p.dtype.type(self.gamma), p.dtype.type(self.margin)
        pull, pull_share = _log_sum_exp(gamma * (distance * distance - margin * margin), near)
        room = np.maximum(1 + margin - distance, 0)
        push, push_share = _log_sum_exp(gamma * room * (1 - margin - distance), far)
        total = pull + push
        values = np.logaddexp(0, total).astype(p.dtype)
        slope = np.exp(total - values)[:, None] * (values > 0)[:, None]  # sigmoid(total)
        by_room = np.where(room > 0, 2 * gamma * (distance - 1), 0)
        by_distance = slope * (pull_share * 2 * gamma * distance + push_share * by_room)
        return values, (by_distance * (product < 1)).astype(p.dtype)


def _log_sum_exp(values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log Σ exp over the chosen columns of each row, −∞ where there are none, and its derivative."""
    masked = np.where(chosen, values, -np.inf)
    largest = masked.max(axis=1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0)
    terms = np.exp(masked - largest)
    total = terms.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return (np.log(total) + largest)[:, 0], terms / np.where(total, total, 1)
