"""Regression losses."""

from __future__ import annotations

import math

from numpy.typing import DTypeLike

from fastmlp._base.arguments import Boolean, Integer, Real
from fastmlp.losses.base import MAX_AXES, Loss
from fastmlp.losses.functions import function_of

__all__ = [
    "CosineSimilarity",
    "GaussianNLL",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "Quantile",
    "cosine_similarity",
    "gaussian_nll",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "quantile",
]


class MeanSquaredError(Loss):
    """mean((y − p)²)."""

    kind = "mean_squared_error"
    elementwise = True
    aliases = ("mse",)


mean_squared_error = function_of(MeanSquaredError)


class MeanAbsoluteError(Loss):
    """mean(|y − p|)."""

    kind = "mean_absolute_error"
    elementwise = True
    aliases = ("mae",)


mean_absolute_error = function_of(MeanAbsoluteError)


class MeanAbsolutePercentageError(Loss):
    """100 · mean(|y − p| / max(|y|, 10⁻⁷)), in percent. Targets near zero dominate it."""

    kind = "mean_absolute_percentage_error"
    elementwise = True
    aliases = ("mape",)


mean_absolute_percentage_error = function_of(MeanAbsolutePercentageError)


class MeanSquaredLogarithmicError(Loss):
    """mean((log(1 + y) − log(1 + p))²), with y and p clipped below at 10⁻⁷: for targets that span orders of magnitude."""

    kind = "mean_squared_logarithmic_error"
    elementwise = True
    aliases = ("msle",)


mean_squared_logarithmic_error = function_of(MeanSquaredLogarithmicError)


class Huber(Loss):
    """mean(½·e² where |e| ≤ delta, else delta·(|e| − ½·delta)) with e = p − y: the gradient of outliers is bounded by delta.

    Args:
        delta: The error at which the loss changes from quadratic to linear, ≥ 0.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Huber, "Robust estimation of a location parameter", 1964.
    """

    kind = "huber"
    elementwise = True

    delta = Real(0)

    def __init__(
        self, delta: float = 1.0, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.delta = delta

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.delta,)


huber = function_of(Huber)


class LogCosh(Loss):
    """mean(log cosh(p − y)): quadratic for small errors, linear for large ones, and smooth."""

    kind = "log_cosh"
    elementwise = True


log_cosh = function_of(LogCosh)


class Quantile(Loss):
    """mean(max(q·e, (q − 1)·e)) with e = y − p, the pinball loss, which is minimal at the q-quantile of the targets.

    Args:
        q: The quantile, 0 ≤ q ≤ 1; 0.5 is the median.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Koenker and Bassett, "Regression quantiles", 1978. Not in Keras.
    """

    kind = "quantile"
    elementwise = True
    aliases = ("pinball",)
    in_keras = False

    q = Real(0, 1)

    def __init__(
        self, q: float = 0.5, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.q = q

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.q,)


quantile = function_of(Quantile)


class Poisson(Loss):
    """mean(p − y·log(p + 10⁻⁷)), for counts y and predicted rates p, which must be positive."""

    kind = "poisson"
    elementwise = True
    advice = "; poisson needs positive predictions, so use an output activation such as 'softplus' or 'exponential'"


poisson = function_of(Poisson)


class GaussianNLL(Loss):
    """mean(½·(log v + (m − y)²/v)), the Gaussian negative log-likelihood of y, with predicted means m and variances v.

    For n targets per sample the model has 2·n outputs: first the n means, then the n variances. Variances are clipped below at ``eps``;
    the gradient is computed at the clipped value, as in PyTorch, so that they can grow again. Keep them positive with a dense layer with
    ``"softplus"``, concatenated after the layer of the means.

    Args:
        full: Whether to add the constant ½·log 2π.
        eps: The minimum variance.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.

    Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994. Not in Keras.
    """

    kind = "gaussian_nll"
    in_keras = False
    advice = "; gaussian_nll is steep where the variances, the second half of the outputs, are tiny"

    full = Boolean()
    eps = Real(1e-37)

    def __init__(
        self,
        full: bool = False,
        eps: float = 1e-6,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.full = full
        self.eps = eps

    @property
    def parameters(self) -> tuple[float, ...]:
        return (self.eps, 0.5 * math.log(2 * math.pi) if self.full else 0.0)

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if shape[-1] % 2:
            raise ValueError(f"y_pred has {shape[-1]} columns, but {self.name} needs an even number: the means, then the variances")
        return (*shape[:-1], shape[-1] // 2)


gaussian_nll = function_of(GaussianNLL)


class CosineSimilarity(Loss):
    """−Σ ŷ·p̂ with ŷ and p̂ scaled to unit length: −1 for the same direction, 1 for opposite directions.

    Args:
        axis: The axis of the vectors; models support the last axis only.
        reduction: See :class:`Loss`.
        name: See :class:`Loss`.
    """

    kind = "cosine_similarity"

    axis = Integer(-MAX_AXES, omit=-1)

    def __init__(
        self, axis: int = -1, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(reduction, name, dtype=dtype)
        self.axis = axis

    @property
    def parameters(self) -> tuple[float, ...]:
        return (-1.0,)


cosine_similarity = function_of(CosineSimilarity)
