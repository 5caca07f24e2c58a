"""Adam and its kin: running means of the gradient and of its size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from fastmlp._base import checks
from fastmlp._engine.spec import Update
from fastmlp.optimizers.base import Optimizer, epsilon_of, share

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
        self.beta_1 = share("beta_1", beta_1)
        self.beta_2 = share("beta_2", beta_2)
        self.epsilon = epsilon_of(epsilon)

    def rule(self) -> Update:
        return Update(self.kind, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


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
        if catch_up not in ("exact", "rounded"):
            raise ValueError(f"catch_up must be 'exact' or 'rounded', got {catch_up!r}")
        self.catch_up = catch_up
        self.amsgrad = checks.check_bool("amsgrad", amsgrad)

    def rule(self) -> Update:
        return replace(super().rule(), amsgrad=self.amsgrad, rounded=self.catch_up == "rounded")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amsgrad": self.amsgrad, "catch_up": self.catch_up}


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
        self.beta_1 = checks.check_float("beta_1", beta_1, 0.0, 1.0)
        if self.beta_1 == 0:
            raise ValueError("beta_1 must be above 0: with 0 nothing of the mean is in the weights, which Keras divides by it; use AdamW")
        self.beta_2 = share("beta_2", beta_2)
        self.epsilon = epsilon_of(epsilon)
        self.warmup_steps = checks.check_int("warmup_steps", warmup_steps, 0)

    def rule(self) -> Update:
        return Update("schedule_free", beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon, warmup=self.warmup_steps)

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "warmup_steps": self.warmup_steps}
        return {**super().get_config(), **own}


class Nadam(_Moments):
    """Adam with Nesterov's momentum, which grows in the first steps (Dozat 2015, "Incorporating Nesterov momentum into Adam").

    Args:
        learning_rate, beta_1, beta_2, epsilon: See :class:`Adam`.
    """

    kind = "nadam"

    def count_scalars(self) -> int:
        return super().count_scalars() + 1  # the product of the momenta so far
