"""Optimizers: how a gradient becomes a step.

An optimizer is a pair of functions:

- ``slots(rule)`` names the arrays it remembers for each parameter from step to step, of the parameter's shape and zero at the start;
- ``step(rule, rate, t, w, g, **slots)`` gives the new parameter and the new slots. ``w`` is the parameter, ``g`` its gradient, ``rate`` the
  learning rate, ``t`` the number of this step, from 1, and ``rule`` the constants.

Steps change no array in place: they return new ones. To add an optimizer, write its pair and add a row to ``OPTIMIZERS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastmlp.plan import Update

__all__ = ["OPTIMIZERS", "Optimizer"]

Stepped = tuple[np.ndarray, dict[str, np.ndarray]]


def sgd_slots(rule: Update) -> tuple[str, ...]:
    return ("momentum",) if rule.momentum else ()


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


def rmsprop_slots(rule: Update) -> tuple[str, ...]:
    return ("velocity", "momentum") if rule.momentum else ("velocity",)


def rmsprop(
    rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, velocity: np.ndarray, momentum: np.ndarray | None = None
) -> Stepped:
    """RMSprop (Tieleman and Hinton, 2012, lecture 6.5): divides each gradient by its own recent size, the root of a running mean square.

    v ← ρ·v + (1 − ρ)·g², step = rate·g / √(v + ε), w ← w − step; with momentum, m ← μ·m + step, w ← w − m.
    """
    v = rule.rho * velocity + (1 - rule.rho) * (g * g)
    step = rate * g / np.sqrt(v + rule.epsilon)
    if momentum is None:
        return w - step, {"velocity": v}
    m = rule.momentum * momentum + step
    return w - m, {"velocity": v, "momentum": m}


def adam_slots(rule: Update) -> tuple[str, ...]:
    return ("momentum", "velocity")


def adam(rule: Update, rate: float, t: int, w: np.ndarray, g: np.ndarray, momentum: np.ndarray, velocity: np.ndarray) -> Stepped:
    """Adam (Kingma and Ba, 2015, "Adam: a method for stochastic optimization"): a running mean of g over the root of one of g².

    m ← m + (g − m)·(1 − β₁), v ← v + (g² − v)·(1 − β₂), w ← w − α·m / (√v + ε).

    m and v start at zero, so the first means are too small; α = rate·√(1 − β₂ᵗ) / (1 − β₁ᵗ) makes up for it.
    """
    alpha = rate * math.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t)
    m = momentum + (g - momentum) * (1 - rule.beta_1)
    v = velocity + (g * g - velocity) * (1 - rule.beta_2)
    return w - m * alpha / (np.sqrt(v) + rule.epsilon), {"momentum": m, "velocity": v}


class Optimizer(NamedTuple):
    """What is remembered, and the rule of a step."""

    slots: Callable[[Update], tuple[str, ...]]
    step: Callable[..., Stepped]


OPTIMIZERS = {
    "sgd": Optimizer(sgd_slots, sgd),
    "rmsprop": Optimizer(rmsprop_slots, rmsprop),
    "adam": Optimizer(adam_slots, adam),
}
