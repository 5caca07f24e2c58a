"""Built-in losses of symbolic values, which custom losses may call: the reference engine's formulas, recorded."""

from __future__ import annotations

from typing import Any

from fastmlp import ops
from fastmlp._base.numeric import quiet
from fastmlp.errors import UnsupportedError
from fastmlp.reference.losses import make_loss

__all__ = ["of_samples", "reduced"]


def of_samples(loss: Any, y_true: Any, y_pred: Any) -> Any:
    """The values of a loss object for each sample, of the shape of ``y_pred`` without its last axis.

    Raises:
        UnsupportedError: The formula can't be recorded, or ``loss`` has another axis.
    """
    if loss.axis != -1:
        raise UnsupportedError(f"{loss.name}(axis={loss.axis}) of symbolic values is not in fastmlp; transpose them")
    p, y = ops.cast(y_pred, "float32"), ops.convert_to_tensor(y_true)
    last, outer = p.shape[-1], ops.shape(p)[:-1]
    if loss.sparse:
        y = ops.reshape(ops.cast(y, "int32"), [-1])
    else:
        y = ops.reshape(ops.cast(ops.broadcast_to(y if ops.ndim(y) == ops.ndim(p) else y[..., None], ops.shape(p)), "float32"), (-1, last))
    try:
        with quiet():
            formula = make_loss(loss.kind, loss.from_logits, loss.parameters, loss.label_smoothing).value
            values = formula(y, ops.reshape(p, (-1, last)))
    except (TypeError, ValueError, AttributeError) as error:
        raise UnsupportedError(f"{loss.name} of symbolic values is not in fastmlp; write it with functions of fastmlp.ops") from error
    return ops.reshape(values, outer)


def reduced(values: Any, weight: Any, reduction: str | None) -> Any:
    """The losses of samples, combined by a reduction of Keras."""
    if weight is not None:
        weight = ops.cast(weight, "float32")
        values = values * (weight if ops.ndim(weight) in (0, ops.ndim(values)) else ops.reshape(weight, ops.shape(values)))
    if reduction in (None, "none"):
        return values
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.sum(values) / ops.sum(weight * ops.ones_like(values))
    return ops.sum(values) if reduction == "sum" else ops.mean(values)
