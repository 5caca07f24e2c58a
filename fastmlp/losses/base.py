"""What all losses share: their arguments, and how one is taken of arrays outside of any model."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastmlp._base import checks, naming
from fastmlp._base.numeric import as_native, quiet
from fastmlp._base.registry import Configurable

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)
"""Those that Keras has."""
MEANS = ("sum_over_batch_size", "mean")
"""Those that a model can be trained with; both are the mean over the rows."""

MAX_AXES = 64
"""Axes that a NumPy array can have."""


class Loss(Configurable):
    """The base of all losses: a mean over the columns of a row (or a sum over classes), then over the rows.

    Args:
        reduction: What is made of the rows' losses: ``"sum_over_batch_size"`` and ``"mean"``, the mean over the rows, with sample weights
            Σ weight·loss / rows; ``"sum"``; ``"mean_with_sample_weight"``, Σ weight·loss / Σ weight; or None, nothing. Models are trained
            with the mean; the others are for calling a loss on arrays.
        name: The name it has as a metric.

    Example:

    >>> from fastmlp import losses
    >>> loss = losses.MeanSquaredError()
    >>> loss([[0, 1], [2, 3]], [[0, 2], [2, 5]])
    1.25
    """

    kind: ClassVar[str]
    """The engines' name of the loss."""
    advice: ClassVar[str] = ""
    """What else to look at when it becomes NaN or infinite."""
    elementwise: ClassVar[bool] = False
    """Whether it is a mean over the elements of a row, so that it makes no difference along which axes that is taken first."""
    of_two_classes: ClassVar[bool] = False
    """Whether a target that has one column is one of two classes."""
    from_logits: bool = False
    smoothing: float = 0.0
    ignored: int | None = None
    """A label whose rows do not count."""
    axis: Any = -1
    """Which axis of predictions holds the columns of a row, where a loss is called on arrays."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None, **options: Any) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(map(repr, REDUCTIONS))}, got {reduction!r}")
        checks.float32_only(dtype)
        checks.reject_unknown(type(self), options, {})
        self.reduction = reduction
        self.name = name or naming.snake_case(type(self).__name__)

    @property
    def sparse(self) -> bool:
        """True when the targets are integer labels."""
        return self.kind.startswith("sparse_")

    @property
    def parameters(self) -> tuple[float, ...]:
        """The constants the engines need, in the order of docs/losses.md."""
        return ()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of predictions.

        Args:
            y_true: The targets: class numbers for a sparse loss, else of the shape of ``y_pred``.
            y_pred: The predictions; the last axis holds the columns of a row.
            sample_weight: How much each row counts.

        Returns:
            A float; for ``reduction=None`` an array with a number for each row.
        """
        if hasattr(self, "kind"):
            values = self.call(y_true, y_pred)
        else:  # a class of the user's own, which returns the gradient as well
            answer: Any = self.call(as_native(y_true, np.float32), as_native(y_pred, np.float32))
            values = np.asarray(answer[0] if isinstance(answer, tuple) else answer)
        weight = None if sample_weight is None else as_native(sample_weight, np.float32)
        if weight is not None and weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
            weight = weight[..., 0]
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

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray | None:
        """Which of the rows' losses count; None where all do."""
        return None

    def takes_axes(self, count: int) -> bool:
        """Whether a model can be trained with it on an output of so many axes, that of the rows included."""
        return self.axis in (-1, count - 1)

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """The loss of each row, as a float32 array of the shape of ``y_pred`` without the axis of the columns, normally the last."""
        from fastmlp.reference.losses import make_loss

        checks.present(y_true=y_true, y_pred=y_pred)
        p, y = as_native(y_pred, np.float32), np.asarray(y_true)
        if self.axis != -1:
            if not -p.ndim <= self.axis < p.ndim:
                raise ValueError(f"{self.name} has axis={self.axis}, but y_pred has shape {p.shape}")
            y = np.moveaxis(y, self.axis, -1) if y.ndim == p.ndim else y
            p = np.moveaxis(p, self.axis, -1)
        y = self._rows(y, p)
        p_rows = p.reshape(-1, p.shape[-1])
        with quiet():
            values = make_loss(self.kind, self.from_logits, self.parameters, self.smoothing).value(y, p_rows)
        return np.asarray(values.reshape(p.shape[:-1]))

    def _rows(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The targets of predictions of any shape, as the rows or labels that the formulas read."""
        if p.ndim == 0:
            raise ValueError("y_pred is a single number; give an array whose last axis holds the columns of a row")
        if not p.shape[-1]:
            raise ValueError(f"y_pred has shape {p.shape}: it is empty; give an array whose last axis holds the columns of a row")
        if self.sparse:
            labels = y[..., 0] if y.shape == (*p.shape[:-1], 1) else y
            if labels.shape != p.shape[:-1]:
                raise ValueError(f"y_true has shape {y.shape}, but for y_pred of shape {p.shape} {self.name} takes {p.shape[:-1]}")
            if labels.size and (labels.min() < 0 or labels.max() >= p.shape[-1]):
                raise ValueError(
                    f"y_true has class numbers from {labels.min():g} to {labels.max():g}, but y_pred has {p.shape[-1]} columns"
                )
            return labels.astype(np.int32).reshape(-1)
        if y.ndim == p.ndim - 1 and p.shape[-1] == 1:
            y = y[..., None]
        wanted = self._target_shape(p.shape)
        if y.shape != wanted:
            raise ValueError(f"y_true has shape {y.shape}, but for y_pred of shape {p.shape} {self.name} takes {wanted}")
        return as_native(y, np.float32).reshape(-1, wanted[-1])

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


def axis_of(value: Any) -> int | tuple[int, ...]:
    """One or several axes of arrays, as an int or a tuple of ints."""
    if isinstance(value, (list, tuple)):
        return tuple(checks.check_int("axis", axis, -MAX_AXES) for axis in value)
    return checks.check_int("axis", value, -MAX_AXES)


def axis_in_config(axis: int) -> dict[str, int]:
    """The ``axis`` of a loss as part of its configuration: the last one goes without saying."""
    return {} if axis == -1 else {"axis": axis}
