"""The configuration of a network for training, and the losses and metrics of a minibatch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp._engine.spec import Batches, Objective, Update
from fastmlp.reference.losses import Loss, RowFunction
from fastmlp.reference.optimizers import Step


@dataclass(frozen=True)
class Term:
    """One of the losses whose weighted sum is minimised."""

    objective: Objective
    output: int
    """The buffer of the predictions."""
    loss: Loss
    metrics: tuple[RowFunction, ...]


@dataclass(frozen=True)
class Losses:
    """Of a minibatch: the loss of each term, and what is minimised, with penalties."""

    terms: list[float]
    total: float


@dataclass(frozen=True)
class Task:
    """What a network is configured for: losses, metrics and optimizer."""

    objective: Objective | tuple[Objective, ...]
    """As it was given."""
    terms: tuple[Term, ...]
    needed: frozenset[int]
    """The buffers on the way to a loss."""
    update: Update
    step: Step


@dataclass(frozen=True)
class Batch:
    """The rows of one minibatch."""

    x: np.ndarray
    """``(rows, inputs)``, still bytes if the data are."""
    y: tuple[np.ndarray, ...]
    """For each term ``(rows, outputs)``, or integer labels ``(rows,)``; a term with groups has several of these for a row of x."""
    weight: tuple[np.ndarray, ...]
    """For each term ``(rows,)``: the sample weights, or ones."""


def mean_losses(task: Task, batch: Batch, buffers: dict[int, np.ndarray]) -> list[float]:
    """For each term: Σ over rows of weight · loss, divided by the number of rows."""
    losses = []
    for term, y, weight in zip(task.terms, batch.y, batch.weight, strict=True):
        y, weight, p = without_ignored(term, y, weight, buffers[term.objective.source])
        values = weight * term.loss.value(y, p)
        losses.append(float(values.sum(dtype=np.float64)) / len(values))
    return losses


def without_ignored(term: Term, labels: np.ndarray, weight: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, weights and predictions without ignored rows: the others are weighted up, so that their mean is that of the minibatch."""
    if term.objective.ignored is None:
        return labels, weight, p
    valid = labels != term.objective.ignored
    heavier = weight.dtype.type(len(labels) / max(int(valid.sum()), 1))
    weight = np.where(valid, weight * heavier, 0).astype(weight.dtype)
    return np.where(valid, labels, 0), weight, np.where(valid[:, None], p, p.dtype.type(1))


def add_totals(totals: np.ndarray, task: Task, batch: Batch, losses: Losses, buffers: dict[int, np.ndarray]) -> None:
    """Adds a minibatch to the totals: Σ loss·rows, Σ rows, then Σ value·weight and Σ weight of each metric.

    With several terms the first two are of what is minimised, and before each term's metrics stand the same two of it alone.
    """
    rows = len(batch.x)
    added = [losses.total * rows, rows]
    for term, loss, y, row_weight in zip(task.terms, losses.terms, batch.y, batch.weight, strict=True):
        if len(task.terms) > 1:
            added += [loss * rows, rows]
        for metric, function in zip(term.objective.metrics, term.metrics, strict=True):
            values = function(y, buffers[term.output if metric.source is None else metric.source])
            weight = row_weight if metric.weighted else np.ones_like(row_weight)
            groups = term.objective.groups
            added += [(values * weight).sum(dtype=np.float64) / groups, weight.sum(dtype=np.float64) / groups]
    totals += added


def copy_predictions(batches: Batches, place: int, task: Task, buffers: dict[int, np.ndarray]) -> None:
    """Writes the predictions of all terms side by side to the caller's array: the minibatch is number ``place`` of this call."""
    if batches.predictions is not None:
        rows = len(buffers[0])
        predictions = np.concatenate([buffers[term.output].reshape(rows, -1) for term in task.terms], axis=1)
        start = place * batches.batch_size
        batches.predictions[start : start + len(predictions)] = predictions
