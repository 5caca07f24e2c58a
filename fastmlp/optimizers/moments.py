"""Adam and its variants, which keep moving averages of the gradient and of its magnitude."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias, Unpack

from fastmlp._base.arguments import Boolean, Choice, Divisor, Integer, Real
from fastmlp._engine.spec import Update
from fastmlp.optimizers.base import Optimizer, OptimizerOptions, SharedOptions
from fastmlp.optimizers.schedules import LearningRateLike

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Nadam", "ScheduleFreeAdamW"]


CatchUp: TypeAlias = Literal["exact", "rounded"]
"""How Adam applies deferred updates."""


class _Moments(Optimizer):
    """Base class of the optimizers with moving averages of the gradient and of its magnitude.

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: The decay rate of the moving average of the gradient, 0 ≤ beta_1 < 1.
        beta_2: The decay rate of the moving average of its magnitude, 0 ≤ beta_2 < 1.
        epsilon: Added to the divisor for numerical stability.
        weight_decay: See :class:`Optimizer`.
    """

    kind: ClassVar[str]

    beta_1 = Real(0, below=1)
    beta_2 = Real(0, below=1)
    epsilon = Divisor(1e-7)

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rule(self) -> Update:
        return Update(self.kind, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)


class Adam(_Moments):
    """Adaptive moment estimation (Kingma & Ba 2014, "Adam: a method for stochastic optimization").

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: The decay rate of the moving average of the gradient, 0 ≤ beta_1 < 1.
        beta_2: The decay rate of the moving average of the squared gradient, 0 ≤ beta_2 < 1.
        epsilon: Added to the square root for numerical stability.
        amsgrad: Whether to divide by the root of the largest moving average so far (Reddi et al. 2018, "On the convergence of Adam and
            beyond").
        weight_decay: See :class:`Optimizer`.
        catch_up: How to apply deferred updates to sparse input. Where a batch has non-zeros in few of the features, as for bags of words,
            or looks up few of the rows of an :class:`~fastmlp.layers.Embedding`, the steps that weights of absent features take by their
            momentum are deferred until the feature occurs again or the weights are read. ``"exact"`` then takes every missed step, bit
            for bit; ``"rounded"`` takes them in one sum, equal up to rounding and much faster if most features are rare. Updates are not
            deferred if weights also change for other reasons (weight decay, penalties, constraints, EMA) or whole gradients are needed
            (clipping, accumulation, amsgrad).

    Example:

    >>> from fastmlp import optimizers
    >>> optimizers.Adam(1e-3, beta_2=0.99).beta_2
    0.99
    """

    kind = "adam"

    amsgrad = Boolean()
    catch_up = Choice("exact", "rounded")

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        *,
        catch_up: CatchUp = "exact",
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, **options)
        self.amsgrad, self.catch_up = amsgrad, catch_up

    def rule(self) -> Update:
        amsgrad, rounded = self.amsgrad, self.rounds_updates
        return Update(self.kind, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon, amsgrad=amsgrad, rounded=rounded)

    @property
    def rounds_updates(self) -> bool:
        return self.catch_up == "rounded"


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, "Decoupled weight decay regularization").

    Biases decay too; see :meth:`Optimizer.exclude_from_weight_decay`.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad, catch_up: See :class:`Adam`.
        weight_decay: w ← w − learning_rate · weight_decay · w before each step.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        *,
        catch_up: CatchUp = "exact",
        **options: Unpack[OptimizerOptions],
    ) -> None:
        if weight_decay is None:
            raise ValueError("AdamW needs a weight_decay; use Adam for none")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, catch_up=catch_up, **options)


class Adamax(_Moments):
    """Adam with the infinity norm: divides by a decaying maximum of the gradient's magnitude (Kingma & Ba 2014, section 7.1).

    Args:
        learning_rate, beta_1, beta_2, epsilon, weight_decay: See :class:`Adam`; epsilon is added to the maximum.
    """

    kind = "adamax"


class Lamb(_Moments):
    """Adam with layer-wise step sizes proportional to the norm of the weights (You et al. 2020, "Large batch optimization for deep
    learning").

    For large batches and large learning rates.

    Args:
        learning_rate: See :class:`Optimizer`; the norm of a step relative to the norm of the kernel or bias.
        beta_1, beta_2, epsilon, weight_decay: See :class:`Adam`; epsilon is added to the bias-corrected root.
    """

    kind = "lamb"


class ScheduleFreeAdamW(Optimizer):
    """AdamW with averaged weights, which needs no learning rate schedule (Defazio et al. 2024, "The road less scheduled").

    Adam's steps move z, held in the slot ``momentum``; x is the average of all z so far. The weights, used in training and prediction, are
    interpolated between the two: (1 − beta_1) · z + beta_1 · x. Training may stop after any number of steps.

    Args:
        learning_rate: See :class:`Optimizer`; 2 to 10 times that of AdamW with a schedule.
        beta_1: The interpolation between z and the average x, 0 < beta_1 ≤ 1.
        beta_2: The decay rate of the moving average of the squared gradient, 0 ≤ beta_2 < 1.
        epsilon: Added to its root for numerical stability; None means 1e-7.
        warmup_steps: The number of steps of linear warm-up, ≥ 0.
        weight_decay: Applied to the weights, not to z; see :class:`Optimizer`.
        name: See :class:`Optimizer`.
    """

    beta_1 = Real(0, 1)
    beta_2 = Real(0, below=1)
    epsilon = Divisor(1e-7)
    warmup_steps = Integer(0)

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Unpack[SharedOptions],
    ) -> None:
        super().__init__(learning_rate, name or "schedule_free_adam_w", weight_decay=weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon, self.warmup_steps = beta_1, beta_2, epsilon, warmup_steps
        if self.beta_1 == 0:
            raise ValueError("beta_1 must be > 0, got 0: the weights would not contain the average; use AdamW")

    def rule(self) -> Update:
        return Update("schedule_free", beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon, warmup=self.warmup_steps)


class Nadam(_Moments):
    """Adam with Nesterov momentum, increased over the first steps (Dozat 2015, "Incorporating Nesterov momentum into Adam").

    Args:
        learning_rate, beta_1, beta_2, epsilon, weight_decay: See :class:`Adam`.
    """

    kind = "nadam"

    def count_scalars(self) -> int:
        return super().count_scalars() + 1  # the product of the momentum coefficients so far
