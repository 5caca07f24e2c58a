"""Adam and its kin: running means of the gradient and of its size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from fastmlp._base.arguments import Boolean, Choice, Divisor, Integer, Real
from fastmlp._engine.spec import Update
from fastmlp.optimizers.base import Optimizer

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Nadam", "ScheduleFreeAdamW"]


class _Moments(Optimizer):
    """What the optimizers with running means of the gradient and of its size share.

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: How much of the mean is kept, from 0 up to but not including 1.
        beta_2: The same for the mean size.
        epsilon: Added to what is divided by.
    """

    kind: ClassVar[str]

    beta_1 = Real(0, below=1)
    beta_2 = Real(0, below=1)
    epsilon = Divisor(1e-7)

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rule(self) -> Update:
        return Update(self.kind, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)


class Adam(_Moments):
    """Adaptive moments: running means of the gradient and of its square (Kingma & Ba 2014, "Adam: a method for stochastic optimization").

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: How much of the mean is kept, from 0 up to but not including 1.
        beta_2: The same for the mean square.
        epsilon: Added to the root.
        amsgrad: Divide by the root of the largest mean square so far (Reddi et al. 2018, "On the convergence of Adam and beyond").
        catch_up: For wide input of which a batch has few columns, such as words. The weights of an absent column still move with their
            momentum; they do so when the column comes again, or somebody looks. ``"exact"`` takes every missed step, bit for bit;
            ``"rounded"`` adds them up at once, the same up to rounding and much faster where most words are rare. Neither is done where
            weights move for other reasons as well (weight decay, penalties, constraints, averages) or gradients are needed whole (clipping,
            accumulation, amsgrad): every weight then takes every step.
    """

    kind = "adam"

    amsgrad = Boolean()
    catch_up = Choice("exact", "rounded")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        *,
        catch_up: str = "exact",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, **options)
        self.amsgrad, self.catch_up = amsgrad, catch_up

    def rule(self) -> Update:
        return replace(super().rule(), amsgrad=self.amsgrad, rounded=self.catch_up == "rounded")


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"); biases decay too.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad, catch_up: See :class:`Adam`.
        weight_decay: w ← w − learning_rate · weight_decay · w before each step.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("AdamW needs a weight_decay; use Adam for none")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **options)


class Adamax(_Moments):
    """Adam with the largest recent gradient in the place of the root mean square (Kingma & Ba 2014, section 7.1).

    Args:
        learning_rate, beta_1, beta_2, epsilon: See :class:`Adam`; epsilon is added to the largest gradient.
    """

    kind = "adamax"


class Lamb(_Moments):
    """Adam whose steps are in proportion to the weights (You et al. 2020, "Large batch optimization for deep learning").

    For large batches and large learning rates: a step of a kernel or bias is ``learning_rate`` times as long as that is.

    Args:
        learning_rate: See :class:`Optimizer`; how far each kernel or bias moves for its own length.
        beta_1, beta_2, epsilon: See :class:`Adam`; epsilon is added to the corrected root.
    """

    kind = "lamb"


class ScheduleFreeAdamW(Optimizer):
    """Adam whose weights are an average, so that no schedule has to lower the rate (Defazio et al. 2024, "The road less scheduled").

    Adam's steps move z, which the slot ``momentum`` holds; x is the mean of all z so far. The weights, with which the model predicts as
    well as trains, lie between the two: (1 − beta_1) · z + beta_1 · x. Any number of steps is a good one to stop at.

    Args:
        learning_rate: See :class:`Optimizer`; from 2 to 10 times what suits AdamW with a schedule.
        beta_1: How close the weights are to the mean, above 0 and at most 1.
        beta_2: How much of the mean square of the gradient is kept, from 0 up to but not including 1.
        epsilon: Added to its root; None means 1e-7.
        warmup_steps: The learning rate grows evenly for so many steps, up to what it is; at least 0.
        weight_decay: Shrinks the weights, not z; see :class:`Optimizer`.
    """

    beta_1 = Real(0, 1)
    beta_2 = Real(0, below=1)
    epsilon = Divisor(1e-7)
    warmup_steps = Integer(0)

    def __init__(
        self,
        learning_rate: float = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, name or "schedule_free_adam_w", weight_decay=weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon, self.warmup_steps = beta_1, beta_2, epsilon, warmup_steps
        if self.beta_1 == 0:
            raise ValueError("beta_1 must be above 0: with 0 nothing of the mean is in the weights, which Keras divides by it; use AdamW")

    def rule(self) -> Update:
        return Update("schedule_free", beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon, warmup=self.warmup_steps)


class Nadam(_Moments):
    """Adam with Nesterov's momentum, which grows in the first steps (Dozat 2015, "Incorporating Nesterov momentum into Adam").

    Args:
        learning_rate, beta_1, beta_2, epsilon: See :class:`Adam`.
    """

    kind = "nadam"

    def count_scalars(self) -> int:
        return super().count_scalars() + 1  # the product of the momenta so far
