"""What surrounds an optimizer's step: penalties, gradient accumulation, clipping, weight decay, EMA and constraints.

Their order in an update, see :func:`update`, is that of Keras.
"""

from __future__ import annotations

import math

import numpy as np

from fastmlp._engine.spec import Bounds, Parameter, Penalty, Update
from fastmlp.reference.optimizers import Step, slot_names

__all__ = ["initial_slots", "penalize", "update"]

NORM_EPSILON = 1e-7

Arrays = tuple[np.ndarray, ...]
Slots = tuple[dict[str, np.ndarray], ...]


def initial_slots(rule: Update, parameters: Arrays) -> Slots:
    """The slots before the first step: zeros, except accumulators with an initial value and copies of the parameters."""
    return tuple({name: rule.first(name, i, w) for name in slot_names(rule)} for i, w in enumerate(parameters))


def penalize(described: tuple[Parameter, ...], parameters: Arrays) -> tuple[float, list[np.ndarray | None]]:
    """The penalties of all parameters, and their derivative with respect to each, None if it has none."""
    total, slopes = 0.0, []
    for parameter, w in zip(described, parameters, strict=True):
        value, slope = penalty(parameter.penalty, w) if parameter.penalty and parameter.trainable else (0.0, None)
        total += value
        slopes.append(slope)
    return total, slopes


def penalty(rule: Penalty, w: np.ndarray) -> tuple[float, np.ndarray]:
    """``l1·Σ|w| + l2·Σw²`` plus the orthogonal penalty, and the derivative of the sum."""
    value = rule.l1 * float(np.abs(w).sum(dtype=np.float64)) + rule.l2 * float((w * w).sum(dtype=np.float64))
    slope = rule.l1 * np.sign(w) + 2 * rule.l2 * w
    if rule.orthogonal:
        more, its_slope = orthogonality(w.T if rule.columns else w)
        value += rule.orthogonal * more
        slope = slope + rule.orthogonal * (its_slope.T if rule.columns else its_slope)
    return value, slope.astype(w.dtype)


def orthogonality(w: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean |cosine| of two different rows of ``w``, and its derivative.

    With rows x of length 1, the mean of |xᵢ·xⱼ| changes with xᵢ by Σⱼ sign(xᵢ·xⱼ)·xⱼ, of which only the part orthogonal to xᵢ
    counts.
    """
    length = np.maximum(np.sqrt((w * w).sum(axis=1, keepdims=True)), NORM_EPSILON)
    x = w / length
    cosines = x @ x.T
    np.fill_diagonal(cosines, 0)
    pairs = max(len(w) * (len(w) - 1) / 2, 1)  # one row has none, and no cosine
    slope = np.sign(cosines) @ x
    across = slope - x * (x * slope).sum(axis=1, keepdims=True)
    return float(np.abs(cosines).sum(dtype=np.float64)) / 2 / pairs, across / length / pairs


def update(
    rule: Update,
    step: Step,
    rate: float,
    iterations: int,
    described: tuple[Parameter, ...],
    parameters: Arrays,
    gradients: list[np.ndarray],
    slots: Slots,
    *,
    still: frozenset[int] = frozenset(),
) -> tuple[Arrays, Slots]:
    """One batch's update: the new parameters and slots, from gradients that include those of the penalties.

    The parameters of the indices ``still`` are not moved by the rule, as if they were not trainable.
    """
    new = [dict(of_one) for of_one in slots]
    if iterations == 0:
        for of_one, w in zip(new, parameters, strict=True):
            of_one |= dict.fromkeys(rule.copies, w)
    moved = list(parameters)
    done = iterations // rule.accumulate
    """Steps taken."""
    if rule.accumulate > 1:
        gradients = [of_one["gradient_accumulator"] + g for of_one, g in zip(new, gradients, strict=True)]
    if (iterations + 1) % rule.accumulate:
        for of_one, g in zip(new, gradients, strict=True):
            of_one["gradient_accumulator"] = g
    else:
        gradients = clipped(rule, [g / rule.accumulate for g in gradients] if rule.accumulate > 1 else gradients)
        for i, (w, g) in enumerate(zip(parameters, gradients, strict=True)):
            if not described[i].trainable or i in still:
                continue
            own = {name: value for name, value in new[i].items() if name not in ("average", "gradient_accumulator")}
            if decay := rule.decay_of(i):
                w = w - w * (rate * decay)
            moved[i], stepped = step(rule, rate, done + 1, w, g, **own)
            new[i] |= stepped
            if rule.accumulate > 1:
                new[i]["gradient_accumulator"] = np.zeros_like(w)
    for i, parameter in enumerate(described):
        if not parameter.trainable:
            continue
        if rule.ema_momentum is not None:
            momentum = rule.ema_momentum if done else 0.0
            new[i]["average"] = momentum * new[i]["average"] + (1 - momentum) * moved[i]
            if rule.ema_overwrite_frequency and (done + 1) % rule.ema_overwrite_frequency == 0:
                moved[i] = new[i]["average"]
        if parameter.bounds is not None and parameter.bounds.function is None:
            moved[i] = bounded(parameter.bounds, moved[i])
    return tuple(moved), tuple(new)


def clipped(rule: Update, gradients: list[np.ndarray]) -> list[np.ndarray]:
    """Gradients clipped by value, by the norm of each, or by the norm of all together."""
    squares = [float((g.astype(np.float64) ** 2).sum()) for g in gradients]
    if rule.clipnorm:
        return [g * shortening(square, rule.clipnorm) for g, square in zip(gradients, squares, strict=True)]
    if rule.global_clipnorm:
        return [g * shortening(sum(squares), rule.global_clipnorm) for g in gradients]
    if rule.clipvalue:
        return [np.clip(g, -rule.clipvalue, rule.clipvalue) for g in gradients]
    return gradients


def shortening(square: float, longest: float) -> float:
    """The factor that clips a vector with this squared norm to norm ``longest``."""
    length = math.sqrt(square)
    return longest / length if length > longest else 1.0


def bounded(bounds: Bounds, w: np.ndarray) -> np.ndarray:
    """``w`` with its constraint applied: see :class:`~fastmlp._engine.spec.Bounds`."""
    if bounds.kind == "non_negative":
        return np.maximum(w, 0)
    matrix = np.atleast_2d(w)
    norm = np.sqrt((matrix * matrix).sum(axis=bounds.axis, keepdims=True))
    desired = bounds.rate * np.clip(norm, bounds.min_value, bounds.max_value) + (1 - bounds.rate) * norm
    return (matrix * (desired / (NORM_EPSILON + norm))).reshape(w.shape).astype(w.dtype)
