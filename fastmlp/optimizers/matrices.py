"""Steps that look at a kernel as a matrix: Adafactor and Muon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from fastmlp._base.arguments import Boolean, Converted, Divisor, Integer, Real
from fastmlp._engine.spec import Parameter, Update
from fastmlp.optimizers.base import Optimizer, names_of

__all__ = ["Adafactor", "Muon"]


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

    beta_2_decay = Real(-100, 0)
    epsilon_1 = Divisor()
    epsilon_2 = Real(0)
    clip_threshold = Divisor()
    relative_step = Boolean()

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
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def rule(self) -> Update:
        return Update(
            "adafactor",
            beta_2_decay=self.beta_2_decay,
            epsilon=self.epsilon_1,
            epsilon_2=self.epsilon_2,
            clip_threshold=self.clip_threshold,
        )

    def _matrices(self, parameters: Sequence[Parameter]) -> tuple[int, ...]:
        return tuple(index for index, one in enumerate(parameters) if _is_matrix(one))


class Muon(Optimizer):
    """Steps of hidden kernels along orthogonal matrices, in which all directions count alike (Jordan et al. 2024, "Muon: an optimizer for
    hidden layers"); AdamW for the other weights.

    A step costs some products of each kernel with its transpose, which small batches do not hide.

    Args:
        learning_rate: See :class:`Optimizer`. With ``rms_rate`` 0.2, what suits AdamW suits Muon.
        adam_beta_1, adam_beta_2, epsilon: Adam's, for the weights that take its steps: see :class:`Adam`.
        adam_weight_decay: Their weight decay, or None.
        weight_decay: That of the kernels, or None.
        exclude_layers: Regular expressions. Kernels in whose name, ``"output/kernel"``, one of them is found take Adam's steps. Name the
            output layer here.
        exclude_embeddings: Whether weights with "embedding" in their name take Adam's steps.
        muon_a, muon_b, muon_c: Of x, x³ and x⁵ in the polynomial that brings singular values near 1.
        adam_lr_ratio: The learning rate of Adam's steps, as a multiple.
        momentum: How much of the momentum is kept, from 0 up to but not including 1.
        ns_steps: How often the polynomial is applied (Newton and Schulz's iteration), at least 0.
        nesterov: Whether to look one momentum ahead.
        rms_rate: The root mean square of a step, in proportion to the learning rate (Liu et al. 2025, "Muon is scalable for LLM
            training"); None for steps as long as an orthogonal matrix is.
    """

    adam_beta_1 = Real(0, below=1)
    adam_beta_2 = Real(0, below=1)
    adam_weight_decay = Real(0, optional=True)
    epsilon = Divisor(1e-7)
    exclude_layers = Converted(lambda given: list(names_of("exclude_layers", given or ())))
    exclude_embeddings = Boolean()
    muon_a = Real()
    muon_b = Real()
    muon_c = Real()
    adam_lr_ratio = Real(0)
    momentum = Real(0, below=1)
    ns_steps = Integer(0)
    nesterov = Boolean()
    rms_rate = Real(0, optional=True)

    def __init__(
        self,
        learning_rate: float = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.adam_beta_1, self.adam_beta_2, self.epsilon = adam_beta_1, adam_beta_2, epsilon
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.exclude_layers, self.exclude_embeddings = exclude_layers, exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c, self.ns_steps = muon_a, muon_b, muon_c, ns_steps
        self.momentum, self.nesterov, self.rms_rate = momentum, nesterov, rms_rate

    def rule(self) -> Update:
        return Update(
            "muon",
            momentum=self.momentum,
            nesterov=self.nesterov,
            beta_1=self.adam_beta_1,
            beta_2=self.adam_beta_2,
            epsilon=self.epsilon,
            coefficients=(self.muon_a, self.muon_b, self.muon_c),
            newton_steps=self.ns_steps,
            rms_rate=self.rms_rate,
            vector_rate=self.adam_lr_ratio,
            vector_decay=self.adam_weight_decay or 0.0,
        )

    def _matrices(self, parameters: Sequence[Parameter]) -> tuple[int, ...]:
        return tuple(
            index
            for index, one in enumerate(parameters)
            if _is_matrix(one)
            and not (self.exclude_embeddings and "embedding" in one.name.lower())
            and not any(re.search(pattern, one.name) for pattern in self.exclude_layers)
        )


def _is_matrix(parameter: Parameter) -> bool:
    return len(parameter.shape) == 2 and not parameter.flat
