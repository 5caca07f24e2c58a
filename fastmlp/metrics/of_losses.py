"""Every loss as a metric of the same name, which the engines compute."""

from __future__ import annotations

from typing import Any, ClassVar

from fastmlp import losses
from fastmlp.errors import UnsupportedError
from fastmlp.metrics.base import END_IN_PROBABILITIES, EngineMetric


class LossMetric(EngineMetric):
    """A loss to watch: :class:`fastmlp.losses.Loss` of the same name, of the predictions.

    Args:
        name: See :class:`Metric`.
        options: The loss's own arguments, such as ``from_logits``.
    """

    loss: ClassVar[type[losses.Loss]]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        made = self._made = self.loss(dtype=dtype, **options)
        if made.axis not in (-1, 1):
            raise UnsupportedError(f"{type(self).__name__}(axis={made.axis}) is not in fastmlp; a row's columns are its last axis")
        super().__init__(name)
        self.from_logits, self.parameters, self.smoothing = made.from_logits, made.parameters, made.smoothing
        self._options = {key: value for key, value in made.get_config().items() if key not in ("name", "reduction")}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._options}

    def advice_for_scores(self) -> str | None:
        if "crossentropy" in self.kind and not self.from_logits:
            return "give it as an object with from_logits=True"
        return END_IN_PROBABILITIES if self.kind == "kl_divergence" else None

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._made._target_shape(shape)


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


CLASSES = (
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
_BY_KIND = {cls.kind: cls for cls in CLASSES}


def of_loss(loss: losses.Loss) -> EngineMetric:
    """The metric that has the value of a loss."""
    if loss.kind not in _BY_KIND:
        raise TypeError(f"the loss {loss.name} can't be a metric; compute it from predict's output")
    options = {key: value for key, value in losses.serialize(loss)["config"].items() if key not in ("name", "reduction")}
    return _BY_KIND[loss.kind](loss.name, **options)
