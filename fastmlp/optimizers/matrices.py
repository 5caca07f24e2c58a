"""Optimizers that treat kernels as matrices: Adafactor and Muon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Unpack

from fastmlp._base.arguments import Boolean, Converted, Divisor, Integer, Real
from fastmlp._engine.spec import Parameter, Update
from fastmlp.optimizers.base import Optimizer, OptimizerOptions, names_of
from fastmlp.optimizers.schedules import LearningRateLike

__all__ = ["Adafactor", "Muon"]


class Adafactor(Optimizer):
    """Steps scaled by factored second moments, the mean squared gradients of a kernel's rows and columns, and by the weights' root mean
    square (Shazeer & Stern 2018, "Adafactor: adaptive learning rates with sublinear memory cost").

    As in Keras, the product of the factors is stored too, so no memory is saved.

    Args:
        learning_rate: See :class:`Optimizer`; the root mean square of a step relative to that of the weights, at most 1 / √t in step t.
        beta_2_decay: From −100 to 0. In step t, the new squared gradients have the weight t to this power in the means.
        epsilon_1: Added to squared gradients for numerical stability.
        epsilon_2: The minimum root mean square of the weights, ≥ 0.
        clip_threshold: The maximum root mean square of a step before scaling.
        relative_step: No effect, as in Keras, where the learning rate is limited to 1 / √t either way.
        weight_decay: See :class:`Optimizer`.
    """

    number_for_nothing: ClassVar[bool] = True

    beta_2_decay = Real(-100, 0)
    epsilon_1 = Divisor()
    epsilon_2 = Real(0)
    clip_threshold = Divisor()
    relative_step = Boolean()

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
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
    """Orthogonalised momentum steps for hidden kernels (Jordan et al. 2024, "Muon: an optimizer for hidden layers"); AdamW for all other
    weights.

    Each step takes several products of each kernel with its transpose, which is expensive for small batches.

    Args:
        learning_rate: See :class:`Optimizer`. With ``rms_rate=0.2``, use that of AdamW.
        adam_beta_1, adam_beta_2, epsilon: For the weights trained with AdamW; see :class:`Adam`.
        weight_decay: The weight decay of the kernels trained with Muon; None for none.
        adam_weight_decay: The weight decay of the weights trained with AdamW; None for none.
        exclude_layers: Regular expressions; kernels whose name, such as ``"output/kernel"``, contains a match are trained with AdamW. Name
            the output layer here.
        exclude_embeddings: Whether weights with "embedding" in their name are trained with AdamW.
        muon_a, muon_b, muon_c: The coefficients of x, x³ and x⁵ in the polynomial that moves singular values towards 1.
        adam_lr_ratio: The learning rate of AdamW, as a multiple of ``learning_rate``.
        momentum: The decay rate of the momentum, 0 ≤ momentum < 1.
        ns_steps: The number of Newton-Schulz iterations, ≥ 0: how often the polynomial is applied.
        nesterov: Whether to use Nesterov momentum.
        rms_rate: The root mean square of a step, relative to the learning rate (Liu et al. 2025, "Muon is scalable for LLM training");
            None for the norm of an orthogonal matrix.
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
        learning_rate: LearningRateLike = 0.001,
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
        **options: Unpack[OptimizerOptions],
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
            newton_a=self.muon_a,
            newton_b=self.muon_b,
            newton_c=self.muon_c,
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
