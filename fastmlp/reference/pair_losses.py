"""Losses of pairs: every row of a batch is compared with every other one. See losses.py for what a loss is.

A row may be alone with its class, or far enough from all others that nothing is lost; such rows do not count, and the loss of a batch is
the mean over the rest. So values here are multiplied by rows / rows that count.
"""

from __future__ import annotations

import numpy as np

__all__ = ["circle_of_pairs", "sparse_circle", "sparse_circle_gradient", "sparse_circle_weighted_gradient"]


def sparse_circle(labels: np.ndarray, p: np.ndarray, gamma: float, margin: float, others_only: float) -> np.ndarray:
    """ℓᵢ = softplus(log Σ e^(γ(d² − m²)) + log Σ e^(γ·max(1 + m − d, 0)·(1 − m − d))) with d = max(1 − pᵢ·pⱼ, 0) (Sun et al., 2020).

    The first sum goes over the rows of the same label, but for i itself where ``others_only``, the second over the rows of other labels.
    """
    values, _ = circle_of_pairs(labels, p, labels, p, gamma, margin, bool(others_only))
    return values * _share(values)


def sparse_circle_gradient(labels: np.ndarray, p: np.ndarray, gamma: float, margin: float, others_only: float) -> np.ndarray:
    """The derivative of Σ ℓ; how many rows count is taken to be constant."""
    return sparse_circle_weighted_gradient(labels, p, np.ones(len(p), p.dtype), gamma, margin, others_only)


def sparse_circle_weighted_gradient(
    labels: np.ndarray, p: np.ndarray, share: np.ndarray, gamma: float, margin: float, others_only: float
) -> np.ndarray:
    """The derivative of Σ share·ℓ. A pair is part of the values of both its rows: ∂/∂pᵢ = −Σⱼ (∂ℓᵢ/∂dᵢⱼ + ∂ℓⱼ/∂dⱼᵢ)·pⱼ."""
    values, by_distance = circle_of_pairs(labels, p, labels, p, gamma, margin, bool(others_only))
    by_distance = by_distance * share[:, None]
    return np.ascontiguousarray(-(by_distance + by_distance.T) @ p) * _share(values)


def _share(values: np.ndarray) -> np.ndarray:
    return values.dtype.type(len(values) / max(int((values > 0).sum()), 1))


def circle_of_pairs(
    labels: np.ndarray,
    p: np.ndarray,
    other_labels: np.ndarray,
    others: np.ndarray,
    gamma: float,
    margin: float,
    others_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The value of each row, and its derivative with respect to the distance from each of the others.

    Args:
        labels: Integers (rows,).
        p: (rows, columns), each row of length 1.
        other_labels: Integers (others,).
        others: (others, columns); what rows are compared with, ``p`` itself in training.
        gamma: How sharply.
        margin: From which similarity on rows are left alone.
        others_only: Whether a row is not compared with itself, where there are as many others.
    """
    gamma, margin = p.dtype.type(gamma), p.dtype.type(margin)
    distance = np.maximum(1 - p @ others.T, 0)
    near = labels[:, None] == other_labels
    far = ~near
    if others_only and near.shape[0] == near.shape[1]:
        np.fill_diagonal(near, False)
    pull, pull_share = _log_sum_exp(gamma * (distance * distance - margin * margin), near)
    room = np.maximum(1 + margin - distance, 0)
    push, push_share = _log_sum_exp(gamma * room * (1 - margin - distance), far)
    total = pull + push
    values = np.logaddexp(0, total).astype(p.dtype)
    slope = np.exp(total - values)[:, None] * (values > 0)[:, None]  # sigmoid(total)
    by_room = np.where(room > 0, 2 * gamma * (distance - 1), 0)
    by_distance = slope * (pull_share * 2 * gamma * distance + push_share * by_room)
    return values, (by_distance * (distance > 0)).astype(p.dtype)


def _log_sum_exp(values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log Σ exp over the chosen columns of each row, −∞ where there are none, and its derivative."""
    masked = np.where(chosen, values, -np.inf)
    largest = masked.max(axis=1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0)
    terms = np.exp(masked - largest)
    total = terms.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return (np.log(total) + largest)[:, 0], terms / np.where(total, total, 1)
