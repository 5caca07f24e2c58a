"""The base class of all losses: common arguments, and evaluation on arrays outside a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastmlp._base import checks, naming
from fastmlp._base.arguments import Choice, Text
from fastmlp._base.configs import StoredConfig
from fastmlp._base.numeric import as_native, quiet
from fastmlp._base.registry import Configurable

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)
"""Keras' reductions."""
MEANS = ("sum_over_batch_size", "mean")
"""The reductions a model can be trained with; both are the mean over the samples."""

Axis: TypeAlias = int | Sequence[int]
"""One or several axes of an array."""

MAX_AXES = 64
"""The maximum number of axes of a NumPy array."""


class Loss(Configurable):
    """Base class of all losses: a mean over a sample's outputs (or a sum over classes), then a mean over the samples.

    Args:
        reduction: How the losses of the samples are combined. ``"sum_over_batch_size"`` and ``"mean"``: their mean, with sample weights
            Σ weight·loss / number of samples. ``"sum"``: their sum. ``"mean_with_sample_weight"``: Σ weight·loss / Σ weight. ``"none"``
            or None: not at all. Models train with the mean; the others are for calling a loss on arrays.
        name: The name of the loss when it serves as a metric.
        dtype: ``"float32"`` or None.

    Raises:
        ValueError: The reduction is unknown.

    Example:

    >>> from fastmlp import losses
    >>> loss = losses.MeanSquaredError()
    >>> loss([[0, 1], [2, 3]], [[0, 2], [2, 5]])
    1.25
    """

    kind: ClassVar[str]
    """The name of the loss in the engines."""
    advice: ClassVar[str] = ""
    """Appended to the error message when the loss becomes NaN or infinite."""
    elementwise: ClassVar[bool] = False
    """True if the loss is a mean over a sample's elements, so that the order of the axes does not matter."""
    of_two_classes: ClassVar[bool] = False
    """True if a target with a single column is a binary class label."""
    from_logits: bool = False
    label_smoothing: float = 0.0
    ignore_class: int | None = None
    """The class label whose samples are ignored."""
    axis: int | tuple[int, ...] | None = -1
    """The axis of the outputs (or classes) in predictions, when the loss is called on arrays."""

    reduction = Choice(*REDUCTIONS)
    name = Text()

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike | None = None) -> None:
        checks.float32_only(dtype)
        self.reduction = reduction
        self.name = name or naming.snake_case(type(self).__name__)

    @property
    def sparse(self) -> bool:
        """True if the targets are integer class labels."""
        return self.kind.startswith("sparse_")

    @property
    def parameters(self) -> tuple[float, ...]:
        """The constants passed to the engines, in the order of docs/losses.md."""
        return ()

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float | np.ndarray:
        """Returns the loss of predictions; of symbolic values, in a function that is recorded, another one.

        Args:
            y_true: The targets: integer class labels for a sparse loss, otherwise of the shape of ``y_pred``.
            y_pred: The predictions, ``(samples, …, outputs)``.
            sample_weight: The weight of each sample.

        Returns:
            A float, or with ``reduction=None`` an array with one value per sample.

        Raises:
            ValueError: The shapes do not fit, or a class label is out of range.
        """
        if is_symbolic(y_true, y_pred):
            from fastmlp.losses.symbolic import reduced

            return cast(np.ndarray, reduced(self.call(y_true, y_pred), sample_weight, self.reduction))
        if hasattr(self, "kind"):
            values = self.call(y_true, y_pred)
        else:  # a user's subclass, which returns the gradient as well
            answer: object = self.call(as_native(y_true, np.float32), as_native(y_pred, np.float32))
            values = np.asarray(answer[0] if isinstance(answer, tuple) else answer)
        weight = None if sample_weight is None else as_native(sample_weight, np.float32)
        if weight is not None and weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
            weight = weight[..., 0]
        if weight is not None and 0 < weight.ndim == values.ndim - 1:  # a loss of the user's own, of elements
            weight = weight[..., None]
        counted = self.mask(y_true, values)
        if counted is not None:
            share = counted.size / max(int(counted.sum()), 1) if self.reduction in MEANS else 1.0
            weight = counted * np.float32(share) * (1 if weight is None else weight)
        if weight is not None:
            with quiet():
                values = values * weight
        if self.reduction in (None, "none"):
            return values
        with quiet():
            total = float(values.sum(dtype=np.float64))
        if self.reduction == "sum":
            return total
        by_weight = self.reduction == "mean_with_sample_weight" and weight is not None
        count = float(weight.sum(dtype=np.float64)) if by_weight and weight is not None else float(values.size)
        return total / count if count else 0.0

    def mask(self, y_true: ArrayLike, values: np.ndarray) -> np.ndarray | None:
        """Which samples count, as a boolean array; None if all do."""
        return None

    def takes_axes(self, count: int) -> bool:
        """Whether a model can train with this loss on an output of ``count`` axes, the batch axis included."""
        return self.axis in (-1, count - 1)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
        """Returns the loss of each sample: float32, of the shape of ``y_pred`` without :attr:`axis`."""
        from fastmlp.reference.losses import make_loss

        checks.present(y_true=y_true, y_pred=y_pred)
        if is_symbolic(y_true, y_pred):
            from fastmlp.losses.symbolic import of_samples

            return cast(np.ndarray, of_samples(self, y_true, y_pred))
        p, y = as_native(y_pred, np.float32), np.asarray(y_true)
        if self.axis != -1:
            assert isinstance(self.axis, int)  # Dice and Tversky, which take several, have a call of their own
            if not -p.ndim <= self.axis < p.ndim:
                raise ValueError(f"{self.name} has axis={self.axis}, but y_pred has shape {p.shape}")
            y = np.moveaxis(y, self.axis, -1) if y.ndim == p.ndim else y
            p = np.moveaxis(p, self.axis, -1)
        y = self._rows(y, p)
        p_rows = p.reshape(-1, p.shape[-1])
        with quiet():
            values = make_loss(self.kind, self.from_logits, self.parameters, self.label_smoothing).value(y, p_rows)
        return np.asarray(values.reshape(p.shape[:-1]))

    def _rows(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The targets as the formulas read them: ``(samples, outputs)`` or labels ``(samples,)``."""
        if p.ndim == 0:
            raise ValueError("y_pred is a single number; pass an array of shape (samples, outputs)")
        if not p.shape[-1]:
            raise ValueError(f"y_pred has shape {p.shape}: it is empty; pass an array of shape (samples, outputs)")
        if self.sparse:
            labels = y[..., 0] if y.shape == (*p.shape[:-1], 1) else y
            if labels.shape != p.shape[:-1]:
                raise ValueError(f"y_true has shape {y.shape}, but for y_pred of shape {p.shape} {self.name} takes {p.shape[:-1]}")
            if labels.size and (labels.min() < 0 or labels.max() >= p.shape[-1]):
                raise ValueError(f"y_true has class labels from {labels.min():g} to {labels.max():g}, but y_pred has {p.shape[-1]} columns")
            return labels.astype(np.int32).reshape(-1)
        if y.ndim == p.ndim - 1 and p.shape[-1] == 1:
            y = y[..., None]
        wanted = self._target_shape(p.shape)
        if y.shape != wanted:
            raise ValueError(f"y_true has shape {y.shape}, but for y_pred of shape {p.shape} {self.name} takes {wanted}")
        return as_native(y, np.float32).reshape(-1, wanted[-1])

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


def is_symbolic(*values: object) -> bool:
    """Whether one of them is a symbolic value, in a function that is being recorded."""
    return any(getattr(value, "is_symbolic", False) for value in values)


LossFunction: TypeAlias = Callable[[np.ndarray, np.ndarray], tuple[ArrayLike, ArrayLike] | np.ndarray]
"""From targets and predictions to the loss of each sample and its gradient; or a function of :mod:`fastmlp.losses`."""

LossLike: TypeAlias = str | Loss | type[Loss] | LossFunction | StoredConfig
"""A loss by name, as an object, as a class, as a function, or as ``serialize`` returned it."""


def axis_of(value: Axis) -> int | tuple[int, ...]:
    """One axis as an int, or several as a tuple of ints."""
    if isinstance(value, (list, tuple)):
        return tuple(checks.check_int("axis", axis, -MAX_AXES) for axis in value)
    return checks.check_int("axis", value, -MAX_AXES)
