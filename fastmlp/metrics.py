"""Metrics: numbers averaged over the rows beside the loss, by name (``"accuracy"``) or as an object (``BinaryAccuracy(threshold=0.8)``)."""

from __future__ import annotations

from typing import Any, ClassVar

from fastmlp import checks, losses, naming
from fastmlp.errors import UnsupportedError
from fastmlp.registry import Configurable, Registry

__all__ = [
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "get",
]


class Metric(Configurable):
    """The base of all metrics.

    Args:
        name: The key in ``History.history`` and in ``evaluate(return_dict=True)``.
    """

    kind: ClassVar[str]
    """The engines' name of the metric."""
    higher_is_better: ClassVar[bool] = False
    threshold: float = 0.5

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        if options.pop("from_logits", False):
            raise UnsupportedError("metrics read predictions, not logits; let the last layer end in a softmax or sigmoid")
        checks.reject_unknown(type(self).__name__, options, {"label_smoothing": "smooth the targets yourself"})
        self.name = name or naming.snake_case(type(self).__name__)

    @property
    def sparse(self) -> bool:
        """True when the targets are integer labels."""
        return self.kind.startswith("sparse_")

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class BinaryAccuracy(Metric):
    """The fraction of outputs on the right side of the threshold: (p > threshold) == y, averaged over the columns.

    Args:
        name: See :class:`Metric`.
        threshold: A prediction strictly above counts as 1.
    """

    kind = "binary_accuracy"
    higher_is_better = True

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5, **options: Any) -> None:
        super().__init__(name, dtype, **options)
        self.threshold = checks.number("threshold", threshold, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "threshold": self.threshold}


class CategoricalAccuracy(Metric):
    """The fraction of rows whose largest prediction stands where the largest target does."""

    kind = "categorical_accuracy"
    higher_is_better = True


class SparseCategoricalAccuracy(Metric):
    """The fraction of rows whose largest prediction stands at the class number in ``y``."""

    kind = "sparse_categorical_accuracy"
    higher_is_better = True


class MeanSquaredError(Metric):
    """mean((y − p)²)."""

    kind = "mean_squared_error"


class MeanAbsoluteError(Metric):
    """mean(|y − p|)."""

    kind = "mean_absolute_error"


class BinaryCrossentropy(Metric):
    """The binary cross-entropy of the predictions."""

    kind = "binary_crossentropy"


class CategoricalCrossentropy(Metric):
    """The cross-entropy of the predictions, one-hot targets."""

    kind = "categorical_crossentropy"


class SparseCategoricalCrossentropy(Metric):
    """The cross-entropy of the predictions, class numbers as targets."""

    kind = "sparse_categorical_crossentropy"


_CLASSES = (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    MeanSquaredError,
    MeanAbsoluteError,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
_OF_LOSS = {cls.kind: cls for cls in _CLASSES}

registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    _CLASSES,
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy},
    {
        **losses.LATER,
        **dict.fromkeys(
            ("auc", "precision", "recall", "f1_score", "fbeta_score", "true_positives", "false_positives"),
            "compute it from predict's output",
        ),
        **dict.fromkeys(("root_mean_squared_error", "rmse", "r2_score"), "use 'mse'"),
        **dict.fromkeys(("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"), "use 'accuracy'"),
    },
)


def get(identifier: Any) -> Metric:
    """The metric meant by a name, a class, an object, a loss or a configuration.

    ``"accuracy"`` and ``"crossentropy"`` mean different metrics for different models; ``compile`` resolves them.
    """
    if isinstance(identifier, losses.Loss):
        return _OF_LOSS[identifier.kind](identifier.name)
    if callable(identifier) and not isinstance(identifier, type):
        raise TypeError(
            f"metrics that are functions are not in fastmlp; give one of {', '.join(registry.classes)}, or compute it from predict's output"
        )
    return registry.get(identifier)
