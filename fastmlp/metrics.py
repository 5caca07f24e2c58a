"""Metrics: numbers averaged over the rows beside the loss, by name (``"accuracy"``) or as an object (``BinaryAccuracy(threshold=0.8)``)."""

from __future__ import annotations

from typing import Any, ClassVar

from fastmlp import checks, losses, naming
from fastmlp.registry import Configurable, Registry

__all__ = [
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Quantile",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
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
    from_logits: bool = False
    parameters: tuple[float, ...] = ()
    smoothing: float = 0.0

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        checks.reject_unknown(type(self).__name__, options, {})
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


class LossMetric(Metric):
    """A loss to watch: :class:`fastmlp.losses.Loss` of the same name, of the predictions.

    Args:
        name: See :class:`Metric`.
        options: The loss's own arguments, such as ``from_logits``.
    """

    loss: ClassVar[type[losses.Loss]]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name)
        made = self.loss(dtype=dtype, **options)
        self.from_logits, self.parameters, self.smoothing = made.from_logits, made.parameters, made.smoothing
        self._options = {key: value for key, value in made.get_config().items() if key not in ("name", "reduction")}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._options}


class MeanSquaredError(LossMetric):
    """mean((y − p)²)."""

    loss = losses.MeanSquaredError
    kind = loss.kind


class MeanAbsoluteError(LossMetric):
    """mean(|y − p|)."""

    loss = losses.MeanAbsoluteError
    kind = loss.kind


class MeanAbsolutePercentageError(LossMetric):
    """100 · mean(|y − p| / |y|)."""

    loss = losses.MeanAbsolutePercentageError
    kind = loss.kind


class MeanSquaredLogarithmicError(LossMetric):
    """mean((log(1 + y) − log(1 + p))²)."""

    loss = losses.MeanSquaredLogarithmicError
    kind = loss.kind


class Huber(LossMetric):
    """The Huber loss of the predictions."""

    loss = losses.Huber
    kind = loss.kind


class LogCoshError(LossMetric):
    """mean(log cosh(p − y))."""

    loss = losses.LogCosh
    kind = loss.kind

    def __init__(self, name: str | None = "logcosh", dtype: Any = None, **options: Any) -> None:
        super().__init__(name, dtype, **options)


class Quantile(LossMetric):
    """The pinball loss of the predictions."""

    loss = losses.Quantile
    kind = loss.kind


class Poisson(LossMetric):
    """mean(p − y·log p)."""

    loss = losses.Poisson
    kind = loss.kind


class GaussianNLL(LossMetric):
    """The negative log-likelihood of predicted means and variances."""

    loss = losses.GaussianNLL
    kind = loss.kind


class Hinge(LossMetric):
    """mean(max(1 − y·p, 0))."""

    loss = losses.Hinge
    kind = loss.kind


class SquaredHinge(LossMetric):
    """mean(max(1 − y·p, 0)²)."""

    loss = losses.SquaredHinge
    kind = loss.kind


class CategoricalHinge(LossMetric):
    """max(1 + the largest wrong output − the true one, 0)."""

    loss = losses.CategoricalHinge
    kind = loss.kind


class KLDivergence(LossMetric):
    """Σ y·log(y / p)."""

    loss = losses.KLDivergence
    kind = loss.kind


class BinaryCrossentropy(LossMetric):
    """The binary cross-entropy of the predictions."""

    loss = losses.BinaryCrossentropy
    kind = loss.kind


class BinaryFocalCrossentropy(LossMetric):
    """The binary focal cross-entropy of the predictions."""

    loss = losses.BinaryFocalCrossentropy
    kind = loss.kind


class CategoricalCrossentropy(LossMetric):
    """The cross-entropy of the predictions, one-hot targets."""

    loss = losses.CategoricalCrossentropy
    kind = loss.kind


class CategoricalFocalCrossentropy(LossMetric):
    """The focal cross-entropy of the predictions, one-hot targets."""

    loss = losses.CategoricalFocalCrossentropy
    kind = loss.kind


class SparseCategoricalCrossentropy(LossMetric):
    """The cross-entropy of the predictions, class numbers as targets."""

    loss = losses.SparseCategoricalCrossentropy
    kind = loss.kind


class CosineSimilarity(LossMetric):
    """Σ ŷ·p̂, each row made one long: 1 for the same direction. The loss of this name is its negative."""

    loss = losses.CosineSimilarity
    kind = loss.kind
    higher_is_better = True

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name, dtype, **options)
        self.parameters = (1.0,)


_OF_LOSS = (
    MeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Huber,
    LogCoshError,
    Quantile,
    Poisson,
    GaussianNLL,
    Hinge,
    SquaredHinge,
    CategoricalHinge,
    KLDivergence,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalCrossentropy,
    CosineSimilarity,
)
_BY_KIND = {cls.kind: cls for cls in _OF_LOSS}

registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    (BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, *_OF_LOSS),
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "bce": BinaryCrossentropy,
        "kld": KLDivergence,
        "log_cosh": LogCoshError,
    },
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
        return _of_loss(identifier)
    if callable(identifier) and not isinstance(identifier, type):
        if identifier in losses.functions.CLASSES:
            return _of_loss(losses.get(identifier))
        raise TypeError(
            f"metrics that are functions are not in fastmlp; give one of {', '.join(registry.classes)}, or compute it from predict's output"
        )
    return registry.get(identifier)


def _of_loss(loss: losses.Loss) -> Metric:
    if loss.kind not in _BY_KIND:
        raise TypeError(f"the loss {loss.name} is a Python function, which is a loss only; compute the metric from predict's output")
    options = {key: value for key, value in losses.serialize(loss)["config"].items() if key not in ("name", "reduction")}
    return _BY_KIND[loss.kind](loss.name, **options)
