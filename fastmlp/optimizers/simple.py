"""Steps along the gradient, scaled by what a weight's gradients have been: SGD, RMSprop, Adagrad, Adadelta, Lion, Ftrl."""

from __future__ import annotations

from typing import Any

from fastmlp._base.arguments import Boolean, Divisor, Real
from fastmlp._engine.spec import Update
from fastmlp.optimizers.base import Optimizer

__all__ = ["SGD", "Adadelta", "Adagrad", "Ftrl", "Lion", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w − lr·g; with momentum m ← μ·m − lr·g, w ← w + m.

    Args:
        learning_rate: See :class:`Optimizer`.
        momentum: From 0 to 1.
        nesterov: Look ahead: w ← w + μ·m − lr·g (Sutskever et al. 2013, "On the importance of initialization and momentum in deep
            learning").
    """

    momentum = Real(0, 1)
    nesterov = Boolean()

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.momentum, self.nesterov = momentum, nesterov

    def rule(self) -> Update:
        return Update("sgd", momentum=self.momentum, nesterov=self.nesterov)


class RMSprop(Optimizer):
    """Divide each gradient by a running root mean square of its history (Tieleman & Hinton 2012, lecture 6.5).

    Args:
        learning_rate: See :class:`Optimizer`.
        rho: How much of the history is kept, from 0 up to but not including 1.
        momentum: From 0 to 1.
        epsilon: Added inside the root.
        centered: Divide by the standard deviation instead (Graves 2013, "Generating sequences with recurrent neural networks").
    """

    rho = Real(0, below=1)
    momentum = Real(0, 1)
    epsilon = Divisor(1e-7)
    centered = Boolean()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def rule(self) -> Update:
        return Update("rmsprop", momentum=self.momentum, rho=self.rho, epsilon=self.epsilon, centered=self.centered)


class Adagrad(Optimizer):
    """Steps that shrink with all that a weight's gradients have been (Duchi et al. 2011, "Adaptive subgradient methods").

    Args:
        learning_rate: See :class:`Optimizer`.
        initial_accumulator_value: What the sum of squared gradients begins with, at least 0.
        epsilon: Added inside the root.
    """

    initial_accumulator_value = Real(0)
    epsilon = Divisor(1e-7)

    def __init__(
        self,
        learning_rate: float = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def rule(self) -> Update:
        return Update("adagrad", initial_accumulator=self.initial_accumulator_value, epsilon=self.epsilon)


class Adadelta(Optimizer):
    """Steps in the units of the weights (Zeiler 2012, "Adadelta: an adaptive learning rate method"), which calls for a learning rate of 1.

    Args:
        learning_rate: See :class:`Optimizer`.
        rho: How much of the history is kept, from 0 up to but not including 1.
        epsilon: Added inside the roots; above 0, or no step is ever taken.
    """

    rho = Real(0, below=1)
    epsilon = Divisor(1e-7)

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.rho, self.epsilon = rho, epsilon

    def rule(self) -> Update:
        return Update("adadelta", rho=self.rho, epsilon=self.epsilon)


class Lion(Optimizer):
    """Steps of one size, by the sign of a mean gradient (Chen et al. 2023, "Symbolic discovery of optimization algorithms").

    Use a third to a tenth of Adam's learning rate, and as many times its weight decay.

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: Weight of the mean against the gradient where the sign is taken, above 0 and at most 1.
        beta_2: How much of the mean is kept, from 0 up to but not including 1.
    """

    beta_1 = Real(0, 1)
    beta_2 = Real(0, below=1)

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, weight_decay: float | None = None, **options: Any
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_1, self.beta_2 = beta_1, beta_2
        if self.beta_1 == 0:
            raise ValueError("beta_1 must be above 0: with 0 Lion would be the sign of the last gradient alone")

    def rule(self) -> Update:
        return Update("lion", beta_1=self.beta_1, beta_2=self.beta_2)


class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al. 2013, "Ad click prediction: a view from the trenches"): weights that are exactly 0.

    For shallow models of many rare features. Each step makes a weight anew from the sum of its gradients, so that its initial value, which
    others move on from, is lost in the first: what has no gradient becomes 0.

    Args:
        learning_rate: See :class:`Optimizer`.
        learning_rate_power: At most 0, and at least -100. The sum of squared gradients to its negative is what steps are divided by; 0 for
            steps that do not shrink.
        initial_accumulator_value: What the sum of squared gradients begins with, at least 0.
        l1_regularization_strength: At least 0. Weights whose gradients sum up to less are 0.
        l2_regularization_strength: At least 0; steadies the weights.
        l2_shrinkage_regularization_strength: At least 0; shrinks them, as a penalty on their squares does.
        beta: At least 0; added to the power of the sum of squared gradients.
    """

    learning_rate_power = Real(-100, 0)
    initial_accumulator_value = Real(0)
    l1_regularization_strength = Real(0)
    l2_regularization_strength = Real(0)
    l2_shrinkage_regularization_strength = Real(0)
    beta = Real(0)

    def __init__(
        self,
        learning_rate: float = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        **options: Any,
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
