"""Losses: what training minimises, by name (``"mse"``) or as an object (``MeanSquaredError()``).

A loss object says which loss is meant and checks its arguments; the engines compute it, fused with the softmax or sigmoid before it where
there is one.
"""

from __future__ import annotations

from typing import Any, ClassVar

from fastmlp import checks, naming
from fastmlp.errors import UnsupportedError
from fastmlp.registry import Configurable, Registry

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
]


class Loss(Configurable):
    """The base of all losses: a mean over the columns of a row (or a sum over classes), then over the rows.

    Args:
        reduction: ``"sum_over_batch_size"``, the mean over the rows; with sample weights Σ weight·loss / rows.
        name: The name it has as a metric.
    """

    kind: ClassVar[str]
    """The engines' name of the loss."""
    from_logits: bool = False

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None, **options: Any) -> None:
        if reduction not in ("sum_over_batch_size", "mean"):
            raise UnsupportedError(
                f"reduction={reduction!r} is not in fastmlp yet; the loss is the mean over the rows ('sum_over_batch_size')"
            )
        checks.reject_unknown(type(self).__name__, {k: v for k, v in options.items() if k != "dtype"}, {})
        self.name = name or naming.snake_case(type(self).__name__)

    @property
    def sparse(self) -> bool:
        """True when the targets are integer labels."""
        return self.kind == "sparse_categorical_crossentropy"

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class MeanSquaredError(Loss):
    """mean((y − p)²)."""

    kind = "mean_squared_error"


class MeanAbsoluteError(Loss):
    """mean(|y − p|)."""

    kind = "mean_absolute_error"


class _CrossEntropy(Loss):
    """A cross-entropy.

    Args:
        from_logits: True when the last layer has no softmax or sigmoid and so gives unnormalised scores. It changes no number: a softmax or
            sigmoid before the loss is computed together with it, from the scores, anyway.
    """

    def __init__(self, from_logits: bool = False, *args: Any, **options: Any) -> None:
        smoothing = options.pop("label_smoothing", 0.0)
        if args and not isinstance(args[0], str):
            smoothing, *args = args  # type: ignore[assignment]
        if smoothing:
            raise UnsupportedError("label_smoothing is not in fastmlp yet; smooth the targets: y * (1 - a) + a / number of classes")
        if options.pop("axis", -1) not in (-1, 1):
            raise UnsupportedError("axis is not in fastmlp yet; classes stand in the columns (axis=-1)")
        if options.pop("ignore_class", None) is not None:
            raise UnsupportedError("ignore_class is not in fastmlp yet; give those rows sample_weight 0")
        super().__init__(*args, **options)
        self.from_logits = checks.flag("from_logits", from_logits)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "from_logits": self.from_logits}


class BinaryCrossentropy(_CrossEntropy):
    """−mean(y·log p + (1 − y)·log(1 − p)), for one or several yes-no outputs."""

    kind = "binary_crossentropy"


class CategoricalCrossentropy(_CrossEntropy):
    """−Σ y·log p over the classes; ``y`` is one-hot (``utils.to_categorical``)."""

    kind = "categorical_crossentropy"


class SparseCategoricalCrossentropy(_CrossEntropy):
    """−log p of the true class; ``y`` holds class numbers."""

    kind = "sparse_categorical_crossentropy"


_REGRESSION = "use 'mse' or 'mae'"
_CLASSES = "use 'categorical_crossentropy' or 'sparse_categorical_crossentropy'"
LATER = {
    **dict.fromkeys(
        ("mean_absolute_percentage_error", "mape", "mean_squared_logarithmic_error", "msle"), "use 'mse' on the logarithm of y"
    ),
    **dict.fromkeys(("huber", "log_cosh", "poisson", "cosine_similarity"), _REGRESSION),
    **dict.fromkeys(("hinge", "squared_hinge", "binary_focal_crossentropy"), "use 'binary_crossentropy'"),
    **dict.fromkeys(("categorical_hinge", "categorical_focal_crossentropy", "kl_divergence", "kld"), _CLASSES),
}
"""Keras' losses that are not here, with the nearest that is."""

registry: Registry[Loss] = Registry(
    "loss",
    Loss,
    (MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy),
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy},
    LATER,
)


def get(identifier: Any) -> Loss:
    """The loss meant by a name, a class, an object or a configuration.

    Example:

    >>> from fastmlp import losses
    >>> losses.get("mse").kind
    'mean_squared_error'
    """
    if callable(identifier) and not isinstance(identifier, type):
        raise TypeError(f"losses that are functions are not in fastmlp; give one of {', '.join(registry.classes)}, as a name or an object")
    return registry.get(identifier)
