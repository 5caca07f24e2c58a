"""Steps that look at a kernel as a matrix: Adafactor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from fastmlp import checks
from fastmlp.optimizers.base import Optimizer
from fastmlp.plan import Parameter, Update


class Adafactor(Optimizer):
    """Steps scaled by the mean squares of a kernel's rows and columns (Shazeer & Stern 2018, "Adaptive learning rates with sublinear memory
    cost"), in proportion to the weights.

    The product of the means is kept as well, as in Keras, so that no memory is saved.

    Args:
        learning_rate: See :class:`Optimizer`; the root mean square of a step, in proportion to that of the weights. It is never more than
            1 / √t, t the number of the step.
        beta_2_decay: From -100 to 0. The power of t that the newest squares weigh in the means.
        epsilon_1: Added to squares.
        epsilon_2: At least 0; the least that the root mean square of weights counts as.
        clip_threshold: The longest step, as a root mean square before it is scaled.
        relative_step: Changes nothing, as in Keras, where the learning rate is never more than 1 / √t either way.
    """

    number_for_nothing: ClassVar[bool] = True

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_2_decay = checks.number("beta_2_decay", beta_2_decay, -100.0, 0.0)
        self.epsilon_1 = checks.divisor("epsilon_1", epsilon_1)
        self.epsilon_2 = checks.number("epsilon_2", epsilon_2, 0.0)
        self.clip_threshold = checks.divisor("clip_threshold", clip_threshold)
        self.relative_step = checks.flag("relative_step", relative_step)

    def rule(self) -> Update:
        return Update(
            "adafactor",
            beta_2_decay=self.beta_2_decay,
            epsilon=self.epsilon_1,
            epsilon_2=self.epsilon_2,
            clip_threshold=self.clip_threshold,
        )

    def _matrices(self, parameters: Sequence[Parameter]) -> tuple[int, ...]:
        return tuple(index for index, one in enumerate(parameters) if len(one.shape) == 2 and not one.flat)

    def get_config(self) -> dict[str, Any]:
        own = {
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }
        return {**super().get_config(), **own}
