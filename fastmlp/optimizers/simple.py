"""First-order optimizers: SGD, RMSprop, Adagrad, Adadelta, Lion, Ftrl."""

from __future__ import annotations

from typing import Unpack

from fastmlp._base.arguments import Boolean, Divisor, Real
from fastmlp._engine.spec import Update
from fastmlp.optimizers.base import Optimizer, OptimizerOptions
from fastmlp.optimizers.schedules import LearningRateLike

__all__ = ["SGD", "Adadelta", "Adagrad", "Ftrl", "Lion", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w − lr·g; with momentum m ← μ·m − lr·g, w ← w + m.

    Args:
        learning_rate: See :class:`Optimizer`.
        momentum: The momentum μ, from 0 to 1.
        nesterov: Whether to use Nesterov momentum: w ← w + μ·m − lr·g (Sutskever et al. 2013, "On the importance of initialization and
            momentum in deep learning").
        weight_decay: See :class:`Optimizer`.
    """

    momentum = Real(0, 1)
    nesterov = Boolean()

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.momentum, self.nesterov = momentum, nesterov

    def rule(self) -> Update:
        return Update("sgd", momentum=self.momentum, nesterov=self.nesterov)


class RMSprop(Optimizer):
    """Divides the gradient by a moving root mean square of past gradients (Tieleman & Hinton 2012, lecture 6.5).

    Args:
        learning_rate: See :class:`Optimizer`.
        rho: The decay rate of the moving mean of squared gradients, 0 ≤ rho < 1.
        momentum: The momentum of the steps, from 0 to 1.
        epsilon: Added inside the square root for numerical stability.
        centered: Whether to divide by the standard deviation instead (Graves 2013, "Generating sequences with recurrent neural networks").
        weight_decay: See :class:`Optimizer`.
    """

    rho = Real(0, below=1)
    momentum = Real(0, 1)
    epsilon = Divisor(1e-7)
    centered = Boolean()

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def rule(self) -> Update:
        return Update("rmsprop", momentum=self.momentum, rho=self.rho, epsilon=self.epsilon, centered=self.centered)


class Adagrad(Optimizer):
    """Divides the gradient by the root of the sum of all past squared gradients (Duchi et al. 2011, "Adaptive subgradient methods").

    Args:
        learning_rate: See :class:`Optimizer`.
        initial_accumulator_value: The initial value of the sum of squared gradients, ≥ 0.
        epsilon: Added inside the square root for numerical stability.
        weight_decay: See :class:`Optimizer`.
    """

    initial_accumulator_value = Real(0)
    epsilon = Divisor(1e-7)

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def rule(self) -> Update:
        return Update("adagrad", initial_accumulator=self.initial_accumulator_value, epsilon=self.epsilon)


class Adadelta(Optimizer):
    """Scales the gradient by moving root mean squares of past steps and gradients (Zeiler 2012, "Adadelta: an adaptive learning rate
    method").

    Args:
        learning_rate: See :class:`Optimizer`; the paper uses 1.
        rho: The decay rate of the moving means, 0 ≤ rho < 1.
        epsilon: Added inside the square roots, > 0; the first steps are proportional to its root.
        weight_decay: See :class:`Optimizer`.
    """

    rho = Real(0, below=1)
    epsilon = Divisor(1e-7)

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.rho, self.epsilon = rho, epsilon

    def rule(self) -> Update:
        return Update("adadelta", rho=self.rho, epsilon=self.epsilon)


class Lion(Optimizer):
    """Steps by the sign of the momentum (Chen et al. 2023, "Symbolic discovery of optimization algorithms").

    Use a learning rate 3 to 10 times smaller than for Adam, and a weight decay larger by the same factor.

    Args:
        learning_rate: See :class:`Optimizer`; all steps have this size.
        beta_1: The weight of the momentum against the gradient when the sign is taken, 0 < beta_1 ≤ 1.
        beta_2: The decay rate of the momentum, 0 ≤ beta_2 < 1.
        weight_decay: See :class:`Optimizer`.
    """

    beta_1 = Real(0, 1)
    beta_2 = Real(0, below=1)

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_1, self.beta_2 = beta_1, beta_2
        if self.beta_1 == 0:
            raise ValueError("beta_1 must be > 0, got 0: Lion would step by the sign of the last gradient alone")

    def rule(self) -> Update:
        return Update("lion", beta_1=self.beta_1, beta_2=self.beta_2)


class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al. 2013, "Ad click prediction: a view from the trenches"), for sparse weights.

    For shallow models with many rare features. Each step computes a weight from the sum of its gradients, so the initial value of the
    weight is lost in the first step: a weight without a gradient becomes 0.

    Args:
        learning_rate: See :class:`Optimizer`.
        learning_rate_power: From −100 to 0. Steps are divided by the sum of squared gradients to the power of its negative; 0 for a
            constant step size.
        initial_accumulator_value: The initial value of the sum of squared gradients, ≥ 0.
        l1_regularization_strength: L1 penalty, ≥ 0; sets weights with a small sum of gradients to exactly 0.
        l2_regularization_strength: L2 penalty on the steps, ≥ 0; stabilises the weights.
        l2_shrinkage_regularization_strength: L2 penalty on the weights, ≥ 0.
        beta: Added to the power of the sum of squared gradients, ≥ 0.
        weight_decay: See :class:`Optimizer`.
    """

    learning_rate_power = Real(-100, 0)
    initial_accumulator_value = Real(0)
    l1_regularization_strength = Real(0)
    l2_regularization_strength = Real(0)
    l2_shrinkage_regularization_strength = Real(0)
    beta = Real(0)

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def rule(self) -> Update:
        return Update(
            "ftrl",
            initial_accumulator=self.initial_accumulator_value,
            l1=self.l1_regularization_strength,
            l2=self.l2_regularization_strength,
            shrinkage=self.l2_shrinkage_regularization_strength,
            power=-self.learning_rate_power,
            beta=self.beta,
        )
