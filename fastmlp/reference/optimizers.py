"""Optimizers: how a gradient becomes a step.

``step(rule, rate, t, w, g, **slots)`` returns the new parameter and the new slots. Slots are the arrays that an optimizer keeps for each
parameter from step to step, such as Adam's running means; they have the shape of the parameter unless ``rule.slot_shape`` returns another.
``w`` is the parameter, ``g`` its gradient, ``rate`` the learning rate, ``t`` the number of this step, counted from 1, and ``rule`` holds
the hyperparameters.

Steps change no array in place: they return new ones. To add an optimizer, write its step, whose parameters after ``g`` are its slots, and
add a row to ``OPTIMIZERS``. What happens around a step, clipping for example, is in :mod:`fastmlp.reference.updates`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import numpy as np

from fastmlp._engine.spec import Update

__all__ = ["OPTIMIZERS", "Step", "slot_names"]

NORM_EPSILON = 1e-7

Stepped = tuple[np.ndarray, dict[str, np.ndarray]]
Step = Callable[..., Stepped]


def sgd(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray | None = None) -> Stepped:
    """Stochastic gradient descent: w ← w − rate·g, a small step downhill.

    With momentum (Polyak, 1964) the steps add up to a velocity m ← μ·m − rate·g, w ← w + m, which evens out zigzags. Nesterov's
    momentum (Sutskever et al., 2013, "On the importance of initialization and momentum in deep learning") looks one velocity ahead:
    w ← w + μ·m − rate·g, with the new m.
    """
    if momentum is None:
        return w - rate * g, {}
    m = rule.momentum * momentum - rate * g
    step = rule.momentum * m - rate * g if rule.nesterov else m
    return w + step, {"momentum": m}


def rmsprop(
    rule: Update,
    rate: float,
    t: int,
    w: np.ndarray,
    g: np.ndarray,
    velocity: np.ndarray,
    momentum: np.ndarray | None = None,
    average_gradient: np.ndarray | None = None,
) -> Stepped:
    """RMSprop (Tieleman and Hinton, 2012, lecture 6.5): divides each gradient by its own recent size, the root of a running mean square.

    v ← ρ·v + (1 − ρ)·g², step = rate·g / √(v + ε), w ← w − step; with momentum, m ← μ·m + step, w ← w − m. Centered (Graves, 2013), it
    divides by the root of the variance v − a², a the running mean of g, which rounding alone may bring below zero.
    """
    slots = {"velocity": rule.rho * velocity + (1 - rule.rho) * (g * g)}
    spread = slots["velocity"]
    if average_gradient is not None:
        slots["average_gradient"] = rule.rho * average_gradient + (1 - rule.rho) * g
        spread = np.maximum(spread - slots["average_gradient"] ** 2, 0)
    step = rate * g / np.sqrt(spread + rule.epsilon)
    if momentum is not None:
        slots["momentum"] = step = rule.momentum * momentum + step
    return w - step, slots


def adam(
    rule: Update,
    rate: float,
    t: int,
    w: np.ndarray,
    g: np.ndarray,
    momentum: np.ndarray,
    velocity: np.ndarray,
    velocity_hat: np.ndarray | None = None,
) -> Stepped:
    """Adam (Kingma and Ba, 2015, "Adam: a method for stochastic optimization"): a running mean of g over the root of one of g².

    m ← m + (g − m)·(1 − β₁), v ← v + (g² − v)·(1 − β₂), w ← w − α·m / (√v + ε).

    m and v start at zero, so the first means are too small; α = rate·√(1 − β₂ᵗ) / (1 − β₁ᵗ) makes up for it. AMSGrad (Reddi et al., 2018,
    "On the convergence of Adam and beyond") divides by the root of the largest v so far, so that steps never grow again.
    """
    alpha = rate * (math.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t))
    m = momentum + (g - momentum) * (1 - rule.beta_1)
    v = velocity + (g * g - velocity) * (1 - rule.beta_2)
    slots = {"momentum": m, "velocity": v}
    if velocity_hat is not None:
        slots["velocity_hat"] = v = np.maximum(velocity_hat, v)
    return w - m * alpha / (np.sqrt(v) + rule.epsilon), slots


def adagrad(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, accumulator: np.ndarray) -> Stepped:
    """Adagrad (Duchi et al., 2011, "Adaptive subgradient methods"): a ← a + g², w ← w − rate·g / √(a + ε).

    A number that has seen large gradients takes small steps, for good.
    """
    a = accumulator + g * g
    return w - rate * g / np.sqrt(a + rule.epsilon), {"accumulator": a}


def adadelta(
    rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, accumulated_grad: np.ndarray, accumulated_delta_var: np.ndarray
) -> Stepped:
    """Adadelta (Zeiler, 2012, "Adadelta: an adaptive learning rate method"): steps in the units of w.

    a ← ρ·a + (1 − ρ)·g², x = √(d + ε) / √(a + ε)·g, d ← ρ·d + (1 − ρ)·x², w ← w − rate·x.
    """
    a = rule.rho * accumulated_grad + (1 - rule.rho) * (g * g)
    x = np.sqrt(accumulated_delta_var + rule.epsilon) * g / np.sqrt(a + rule.epsilon)
    d = rule.rho * accumulated_delta_var + (1 - rule.rho) * (x * x)
    return w - rate * x, {"accumulated_grad": a, "accumulated_delta_var": d}


def adamax(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray, norm: np.ndarray) -> Stepped:
    """Adamax (Kingma and Ba, 2015, section 7.1): Adam with the largest recent gradient instead of the root of a mean square.

    u ← max(β₂·u, |g|), w ← w − rate / (1 − β₁ᵗ)·m / (u + ε).
    """
    m = momentum + (g - momentum) * (1 - rule.beta_1)
    u = np.maximum(rule.beta_2 * norm, np.abs(g))
    return w - m * (rate / (1 - rule.beta_1**t)) / (u + rule.epsilon), {"momentum": m, "norm": u}


def nadam_product(beta_1: float, t: int) -> float:
    """μ₁·…·μₜ of :func:`nadam`, whose factors are β₁ itself from some hundred on."""
    grows = min(t, 1000)
    return math.prod(beta_1 * (1 - 0.5 * 0.96**i) for i in range(1, grows + 1)) * beta_1 ** (t - grows)


def nadam(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray, velocity: np.ndarray) -> Stepped:
    """Nadam (Dozat, 2015, "Incorporating Nesterov momentum into Adam"): Adam that looks one step of its momentum ahead.

    With μᵢ = β₁·(1 − ½·0.96ⁱ) and Uₜ = μ₁·…·μₜ: w ← w − rate·(μₜ₊₁·m / (1 − Uₜ₊₁) + (1 − μₜ)·g / (1 − Uₜ)) / (√(v / (1 − β₂ᵗ)) + ε).
    """

    def mu(i: int) -> float:
        return rule.beta_1 * (1 - 0.5 * 0.96**i)

    product = nadam_product(rule.beta_1, t)
    m = momentum + (g - momentum) * (1 - rule.beta_1)
    v = velocity + (g * g - velocity) * (1 - rule.beta_2)
    step = rate * mu(t + 1) / (1 - product * mu(t + 1)) * m + rate * (1 - mu(t)) / (1 - product) * g
    return w - step / (np.sqrt(v * (1 / (1 - rule.beta_2**t))) + rule.epsilon), {"momentum": m, "velocity": v}


def lion(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray) -> Stepped:
    """Lion (Chen et al., 2023, "Symbolic discovery of optimization algorithms"): steps of one size, by the sign alone.

    w ← w − rate·sign(β₁·m + (1 − β₁)·g), m ← β₂·m + (1 − β₂)·g.
    """
    direction = np.sign(rule.beta_1 * momentum + (1 - rule.beta_1) * g)
    return w - rate * direction, {"momentum": rule.beta_2 * momentum + (1 - rule.beta_2) * g}


def ftrl(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, accumulator: np.ndarray, linear: np.ndarray) -> Stepped:
    """FTRL (McMahan et al., 2013, "Ad click prediction: a view from the trenches"): the weight that would have been best so far.

    n' = n + g², z ← z + g + 2·s·w − (n'ᵖ − nᵖ) / rate·w, w ← (λ₁·sign(z) − z) / ((β + n'ᵖ) / rate + 2·λ₂), or 0 where |z| ≤ λ₁ or the
    divisor is 0. s is the shrinkage and p the power. z gathers what the gradients ask for, and the weight is made anew from it in every
    step, so that little is left of what it began with. A rate of 0 moves nothing.
    """
    if rate == 0:
        return w, {"accumulator": accumulator, "linear": linear}
    n = accumulator + g * g
    power = n**rule.power
    z = linear + (g + 2 * rule.shrinkage * w - (power - accumulator**rule.power) / rate * w)
    divisor = (power + rule.beta) / rate + 2 * rule.l2
    far = np.abs(z) > rule.l1
    moved = np.divide(rule.l1 * np.sign(z) - z, divisor, out=np.zeros_like(z), where=(far | np.isnan(z)) & (divisor != 0))
    return moved, {"accumulator": n, "linear": z}


def schedule_free(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray, velocity: np.ndarray) -> Stepped:
    """Schedule-free AdamW (Defazio et al., 2024, "The road less scheduled"): an average of the weights instead of a falling rate.

    Adam's steps d = rate·g / (√(v / (1 − β₂ᵗ)) + ε) move z, the slot ``momentum``: z ← z − d. x is the mean of all z so far, and the
    parameter lies between the two, w = (1 − β₁)·z + β₁·x, where the next gradient is taken. With cₜ = 1/t, x ← (1 − cₜ)·x + cₜ·z, so
    that x need not be kept: w ← w + cₜ·(z − w) − (1 − β₁·(1 − cₜ))·d, with the z before the step. The rate grows for the first steps.
    """
    v = velocity + (g * g - velocity) * (1 - rule.beta_2)
    grown = rate * min(t / rule.warmup, 1.0) if rule.warmup else rate
    d = grown * g / (np.sqrt(v * (1 / (1 - rule.beta_2**t))) + rule.epsilon)
    moved = w + 1 / t * (momentum - w) - (1 - rule.beta_1 * (1 - 1 / t)) * d
    return moved, {"momentum": momentum - d, "velocity": v}


def lamb(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray, velocity: np.ndarray) -> Stepped:
    """LAMB (You et al., 2020, "Large batch optimization for deep learning"): Adam's direction, steps in proportion to the parameter.

    With Adam's m and v, u = (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) and w ← w − rate·‖w‖ / ‖u‖·u, the lengths being those of the whole
    kernel or bias. Where one of them is 0 there is no proportion: w ← w − rate·u.
    """
    m = momentum + (g - momentum) * (1 - rule.beta_1)
    v = velocity + (g * g - velocity) * (1 - rule.beta_2)
    u = m * (1 / (1 - rule.beta_1**t)) / (np.sqrt(v * (1 / (1 - rule.beta_2**t))) + rule.epsilon)
    of_weights, of_step = length(w), length(u)
    trust = of_weights / of_step if of_weights > 0 and of_step > 0 else 1.0
    return w - rate * trust * u, {"momentum": m, "velocity": v}


def length(x: np.ndarray) -> float:
    """‖x‖, the root of the sum of squares of all numbers."""
    return math.sqrt((x.astype(np.float64) ** 2).sum())


def adafactor(
    rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, row: np.ndarray, column: np.ndarray, velocity: np.ndarray
) -> Stepped:
    """Adafactor (Shazeer and Stern, 2018, "Adaptive learning rates with sublinear memory cost"): squares known by rows and columns.

    With s = g² + ε₁ and β = 1 − t^decay, a matrix keeps r ← β·r + (1 − β)·(mean of s over each row), c likewise over each column, and
    v = r / (mean of r)·c, row by column; other parameters v ← β·v + (1 − β)·s. The step u = g / √v is shortened so that its root mean
    square is no more than the threshold, and is in proportion to the parameter's:
    w ← w − min(rate, 1/√t)·max(ε₂, rms(w))·u / max(1, rms(u) / threshold).
    """
    beta = 1 - float(t) ** rule.beta_2_decay
    s = g * g + rule.epsilon
    if row.size:
        row = beta * row + (1 - beta) * s.mean(axis=1)
        column = beta * column + (1 - beta) * s.mean(axis=0)
        v = (row / row.mean())[:, None] * column
    else:
        v = beta * velocity + (1 - beta) * s
    u = g / np.sqrt(v)
    size = math.sqrt(1 / w.size)
    alpha = min(rate, 1 / math.sqrt(t)) * max(rule.epsilon_2, size * length(w)) / max(1.0, size * length(u) / rule.clip_threshold)
    return w - alpha * u, {"row": row, "column": column, "velocity": v}


def muon(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray, velocity: np.ndarray) -> Stepped:
    """Muon (Jordan et al., 2024, "Muon: an optimizer for hidden layers"): momentum, made orthogonal, for matrices; Adam for the others.

    m ← μ·m + g; d = g + μ·m with Nesterov's momentum, else m. d = U·S·Vᵀ becomes about U·Vᵀ, so that all directions count alike: with
    x = d / ‖d‖, all singular values are at most 1, and some rounds of x ← a·x + b·(x·xᵀ)·x + c·(x·xᵀ)²·x, which sends each of them
    through one odd polynomial (Newton and Schulz's iteration), bring them near 1. w ← w − rate·r·√(longer side)·x gives steps the root
    mean square rate·r (Liu et al., 2025, "Muon is scalable for LLM training").

    What has a velocity is not taken as a matrix, and takes Adam's step at ``vector_rate`` times the rate.
    """
    if velocity.size:
        return adam(rule, rate * rule.vector_rate, t, w, g, momentum, velocity)
    m = rule.momentum * momentum + g
    d = g + rule.momentum * m if rule.nesterov else m
    tall = d.shape[0] > d.shape[1]
    x = (d.T if tall else d) / (length(d) + NORM_EPSILON)
    a, b, c = rule.newton_a, rule.newton_b, rule.newton_c
    for _ in range(rule.newton_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    scale = 1.0 if rule.rms_rate is None else rule.rms_rate * math.sqrt(max(d.shape))
    return w - rate * scale * (x.T if tall else x), {"momentum": m, "velocity": velocity}


OPTIMIZERS: dict[str, Step] = {
    "sgd": sgd,
    "rmsprop": rmsprop,
    "adam": adam,
    "adagrad": adagrad,
    "adadelta": adadelta,
    "adamax": adamax,
    "nadam": nadam,
    "lion": lion,
    "ftrl": ftrl,
    "schedule_free": schedule_free,
    "lamb": lamb,
    "adafactor": adafactor,
    "muon": muon,
}


OPTIONAL_SLOTS: dict[str, Callable[[Update], bool]] = {
    "momentum": lambda rule: rule.momentum != 0,
    "average_gradient": lambda rule: rule.centered,
    "velocity_hat": lambda rule: rule.amsgrad,
}
"""When a rule has the slots that are None by default in the signature of its step."""


def slot_names(rule: Update) -> tuple[str, ...]:
    """Names of the arrays kept for each parameter: those of the rule, by Keras' names, then ``average`` and ``gradient_accumulator``."""
    slots = list(inspect.signature(OPTIMIZERS[rule.kind]).parameters.values())[len(("rule", "rate", "t", "w", "g")) :]
    named = [slot for slot in slots if slot.kind is slot.POSITIONAL_OR_KEYWORD]
    own = (slot.name for slot in named if slot.default is slot.empty or OPTIONAL_SLOTS[slot.name](rule))
    return (*own, *("average",) * (rule.ema_momentum is not None), *("gradient_accumulator",) * (rule.accumulate > 1))
