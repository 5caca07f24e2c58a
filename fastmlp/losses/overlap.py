"""Losses that see a batch as a whole: the overlap of targets and predictions, and distances between the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._base.numeric import quietly
from fastmlp.losses.base import Loss, axis_of
from fastmlp.losses.functions import CLASSES, function_of

__all__ = ["Circle", "Dice", "Tversky", "circle", "dice", "tversky"]


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


dice = function_of(Dice, "along some axes, of all elements by default")


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
        self.alpha, self.beta = checks.check_float("alpha", alpha, 0.0), checks.check_float("beta", beta, 0.0)

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.alpha, self.beta, float(self.axis is not None))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}

    def _of_sums(self, product: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        size = product + np.float32(self.alpha) * (y - product) + np.float32(self.beta) * (p - product)
        return np.asarray(1 - product / (size + np.float32(1e-7)))


tversky = function_of(Tversky, "along some axes, of all elements by default")


class Circle(Loss):
    """The circle loss of embeddings: rows of one class are pulled together and rows of different classes pushed apart.

    With d = max(1 − pᵢ·pⱼ, 0) for two rows of a batch, a row's loss is softplus(a + b), where a = log Σ exp(gamma·(d² − margin²)) over the
    others of its class and b = log Σ exp(gamma·max(1 + margin − d, 0)·(1 − margin − d)) over the rows of other classes. Rows without a
    partner in either sum, and those whose loss is 0, do not count in the mean. Predictions are embeddings of length 1.

    In a model the rows of a batch are compared, so the loss depends on ``batch_size``. Sample weights multiply what rows lose; how many
    rows count does not depend on them.

    Args:
        gamma: How sharply.
        margin: From which similarity on rows are left alone.
        remove_diagonal: Whether a row is no partner of itself.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Sun et al., "Circle loss: a unified perspective of pair similarity optimization", 2020.
    """

    kind = "sparse_circle"

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
        self.gamma, self.margin = checks.check_float("gamma", gamma), checks.check_float("margin", margin)
        self.remove_diagonal = checks.check_bool("remove_diagonal", remove_diagonal)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}

    def takes_axes(self, count: int) -> bool:
        return count == 2

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.gamma, self.margin, float(self.remove_diagonal))

    @quietly
    def call(self, y_true: Any, y_pred: Any, ref_labels: Any = None, ref_embeddings: Any = None) -> np.ndarray:
        """The loss of each row, float32.

        Args:
            y_true: Integer class labels ``(rows,)``.
            y_pred: Embeddings ``(rows, outputs)`` of length 1.
            ref_labels: The labels of other rows to compare with; ``y_true`` by default.
            ref_embeddings: Their embeddings; ``y_pred`` by default.
        """
        from fastmlp.reference.pair_losses import circle_of_pairs

        p = np.asarray(y_pred, np.float32)
        labels = np.asarray(y_true).reshape(-1)
        if p.ndim != 2 or len(labels) != len(p):
            raise ValueError(f"{self.name} takes labels (rows,) and embeddings (rows, outputs), got {np.shape(y_true)} and {p.shape}")
        others = p if ref_embeddings is None else np.asarray(ref_embeddings, np.float32)
        other_labels = labels if ref_labels is None else np.asarray(ref_labels).reshape(-1)
        return circle_of_pairs(labels, p, other_labels, others, self.gamma, self.margin, self.remove_diagonal)[0]

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray:
        return values > 0


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
    return Circle(gamma, margin, remove_diagonal).call(y_true, y_pred, ref_labels, ref_embeddings)


CLASSES[circle] = Circle
