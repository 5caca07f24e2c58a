"""Losses as metrics of the same name, computed by the engines."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import DTypeLike

from fastmlp import losses
from fastmlp._base import keywords
from fastmlp._base.configs import Config
from fastmlp.errors import UnsupportedError
from fastmlp.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastmlp.metrics.base import END_IN_PROBABILITIES, EngineMetric

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
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
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]


class LossMetric(EngineMetric):
    """Base class of losses as metrics: the loss of the same name, averaged over samples.

    Args:
        name: See :class:`Metric`.
        dtype: See :class:`Metric`.
        options: The arguments of the loss, such as ``from_logits``.
    """

    loss: ClassVar[type[losses.Loss]]
    further_arguments: ClassVar[tuple[str, ...]]
    """The arguments of the loss."""

    def __init_subclass__(cls, of: type[losses.Loss] | None = None, **options: object) -> None:
        super().__init_subclass__(**options)
        if of is not None:
            cls.loss, cls.kind, cls.elementwise = of, of.kind, of.elementwise
            cls.further_arguments = tuple(name for name in keywords.parameters(of) if name not in ("reduction", "name", "dtype"))
            cls.aliases, cls.in_keras = vars(cls).get("aliases", of.aliases), vars(cls).get("in_keras", of.in_keras)

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, **options: Any) -> None:
        made = self._made = self.loss(dtype=dtype, **options)
        if made.axis not in (-1, 1):
            raise UnsupportedError(f"{type(self).__name__}(axis={made.axis}) is not in fastmlp; the outputs must be the last axis")
        super().__init__(name)
        self.from_logits, self.parameters, self.smoothing = made.from_logits, made.parameters, made.label_smoothing
        self._options = {key: value for key, value in made.get_config().items() if key not in ("name", "reduction")}

    def get_config(self) -> Config:
        return {"name": self.name, **self._options}

    def advice_for_logits(self) -> str | None:
        if "crossentropy" in self.kind and not self.from_logits:
            return "pass it as an object with from_logits=True"
        return END_IN_PROBABILITIES if self.kind == "kl_divergence" else None

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._made._target_shape(shape)


class MeanSquaredError(LossMetric, of=losses.MeanSquaredError):
    """mean((y − p)²)."""


class MeanAbsoluteError(LossMetric, of=losses.MeanAbsoluteError):
    """mean(|y − p|)."""


class MeanAbsolutePercentageError(LossMetric, of=losses.MeanAbsolutePercentageError):
    """100 · mean(|y − p| / |y|)."""


class MeanSquaredLogarithmicError(LossMetric, of=losses.MeanSquaredLogarithmicError):
    """mean((log(1 + y) − log(1 + p))²)."""


class Huber(LossMetric, of=losses.Huber):
    """The Huber loss of the predictions."""

    in_keras = False


class LogCoshError(LossMetric, of=losses.LogCosh):
    """mean(log cosh(p − y))."""

    aliases = ("log_cosh",)

    def __init__(self, name: str | None = "logcosh", dtype: DTypeLike | None = None, **options: Any) -> None:
        super().__init__(name, dtype, **options)


class Quantile(LossMetric, of=losses.Quantile):
    """The pinball loss of the predictions."""


class Poisson(LossMetric, of=losses.Poisson):
    """mean(p − y·log p)."""


class GaussianNLL(LossMetric, of=losses.GaussianNLL):
    """The negative log-likelihood of predicted means and variances."""


class Hinge(LossMetric, of=losses.Hinge):
    """mean(max(1 − y·p, 0))."""


class SquaredHinge(LossMetric, of=losses.SquaredHinge):
    """mean(max(1 − y·p, 0)²)."""


class CategoricalHinge(LossMetric, of=losses.CategoricalHinge):
    """max(1 + the largest output of a wrong class − the output of the true class, 0)."""


class KLDivergence(LossMetric, of=losses.KLDivergence):
    """Σ y·log(y / p)."""


class BinaryCrossentropy(LossMetric, of=losses.BinaryCrossentropy):
    """The binary cross-entropy of the predictions."""


class BinaryFocalCrossentropy(LossMetric, of=losses.BinaryFocalCrossentropy):
    """The binary focal cross-entropy of the predictions."""

    in_keras = False


class CategoricalCrossentropy(LossMetric, of=losses.CategoricalCrossentropy):
    """The cross-entropy of the predictions, with one-hot targets."""


class CategoricalFocalCrossentropy(LossMetric, of=losses.CategoricalFocalCrossentropy):
    """The focal cross-entropy of the predictions, with one-hot targets."""

    in_keras = False


class SparseCategoricalCrossentropy(LossMetric, of=losses.SparseCategoricalCrossentropy):
    """The cross-entropy of the predictions, with integer class labels as targets."""


class CosineSimilarity(LossMetric, of=losses.CosineSimilarity):
    """Σ ŷ·p̂ with ŷ and p̂ scaled to unit length: 1 for the same direction. The loss of this name is its negative."""

    higher_is_better = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, **options: Any) -> None:
        super().__init__(name, dtype, **options)
        self.parameters = (1.0,)


_BY_KIND = {cls.kind: cls for cls in LossMetric.__subclasses__() if cls.__name__ in __all__}


def metric_of_loss(loss: losses.Loss) -> EngineMetric:
    """Returns the metric with the value of a loss."""
    if loss.kind not in _BY_KIND:
        raise TypeError(f"the loss {loss.name} can't be a metric; compute it from predict's output")
    options = {key: value for key, value in losses.serialize(loss)["config"].items() if key not in ("name", "reduction")}
    return _BY_KIND[loss.kind](loss.name, **options)
