"""Losses: how wrong the predictions of a batch are, and their gradients.

A loss is a pair of functions of the targets ``y`` and the predictions ``p``, both (rows, columns), and perhaps of constants:

- ``value(y, p)`` returns the loss of each row, (rows,);
- ``gradient(y, p)`` returns its derivative with respect to p, (rows, columns).

``LOSSES`` holds those that read predictions. ``LOGIT_LOSSES`` holds those that read logits z, the scores before a softmax or a sigmoid: the
exponential of the activation and the logarithm of the loss then cancel on paper instead of in float32, where they lose digits or
overflow, and the gradient becomes simply prediction minus target.

A sparse loss takes integer class labels (rows,) in place of one-hot rows. To add a loss, write its pair, ``name`` and ``name_gradient`` or
``name_of_logits`` and ``name_of_logits_gradient``, in one of the files that are read below, and list both in its ``__all__``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np

import fastmlp.reference.class_losses as classes
import fastmlp.reference.overlap_losses as overlaps
import fastmlp.reference.pair_losses as pairs
import fastmlp.reference.regression_losses as regression
from fastmlp._engine.spec import LossFunction
from fastmlp.reference.lookup import lookup

__all__ = ["LOGIT_LOSSES", "LOSSES", "Loss", "RowFunction", "make_loss", "of_function", "one_hot"]

RowFunction = Callable[..., np.ndarray]
"""Of targets, predictions and constants."""


class Loss(NamedTuple):
    """A loss of each row, and its derivative."""

    value: RowFunction
    gradient: RowFunction
    whole_batch: bool = False
    """Whether every row has the value of the whole batch; the gradient is then that of this value."""

    weighted: RowFunction | None = None
    """``weighted_gradient`` itself, for losses whose value for a row depends on other rows."""

    def weighted_gradient(self, y: np.ndarray, p: np.ndarray, share: np.ndarray) -> np.ndarray:
        """The derivative of Σ share·value over the rows, (rows, columns)."""
        if self.weighted is not None:
            return self.weighted(y, p, share)
        return self.gradient(y, p) * (share.sum() if self.whole_batch else share[:, None])


def one_hot(labels: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Turns integer labels (rows,) into rows of zeros with a one at the label, of the shape and dtype of ``like``, (rows, columns)."""
    return (labels[:, None] == np.arange(like.shape[1])).astype(like.dtype)


def sparse(loss: Loss) -> Loss:
    """The same loss of integer labels."""

    def value(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
        return loss.value(one_hot(labels, p), p)

    def gradient(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
        return loss.gradient(one_hot(labels, p), p)

    return Loss(value, gradient)


def make_loss(name: str, from_logits: bool, parameters: tuple[float, ...] = (), smoothing: float = 0.0) -> Loss:
    """The loss of that name with its constants in place: a pair of functions of targets and predictions alone.

    Args:
        name: One of ``LOSSES``.
        from_logits: Whether it is one of ``LOGIT_LOSSES`` instead.
        parameters: Its constants.
        smoothing: Share of the targets that is spread evenly, over all columns or for a binary loss over yes and no, before anything else.
    """
    dense = name.removeprefix("sparse_") if smoothing else name
    loss = lookup("loss", LOGIT_LOSSES if from_logits else LOSSES, dense)

    def targets(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        if not smoothing:
            return y
        choices = 2 if name.startswith("binary") else p.shape[1]
        return (y if y.ndim == 2 else one_hot(y, p)) * (1 - smoothing) + smoothing / choices

    def value(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return loss.value(targets(y, p), p, *parameters)

    def gradient(y: np.ndarray, p: np.ndarray) -> np.ndarray:
        return loss.gradient(targets(y, p), p, *parameters)

    def weighted(y: np.ndarray, p: np.ndarray, share: np.ndarray) -> np.ndarray:
        assert loss.weighted is not None
        return loss.weighted(y, p, share, *parameters)

    return Loss(value, gradient, name in OVERLAPS and not parameters[2], None if loss.weighted is None else weighted)


def of_function(function: LossFunction) -> Loss:
    """A user-defined loss, a function that returns value and gradient; it is called twice per batch, once for each."""
    return Loss(lambda y, p: function(y, p)[0], lambda y, p: function(y, p)[1])


OVERLAPS = ("dice", "tversky")
"""Of these the last constant says whether each row has a value of its own."""


def listed(*modules: ModuleType) -> dict[str, Loss]:
    """The pairs of functions that modules export, by the name of the first."""
    exported = {name: one for module in modules for name, one in vars(module).items() if name in module.__all__}
    return {
        name: Loss(value, exported[f"{name}_gradient"], weighted=exported.get(f"{name}_weighted_gradient"))
        for name, value in exported.items()
        if f"{name}_gradient" in exported
    }


_PAIRS = listed(regression, classes, overlaps, pairs)
LOSSES = {name: loss for name, loss in _PAIRS.items() if not name.endswith("_of_logits")}
LOSSES["sparse_categorical_crossentropy"] = sparse(LOSSES["categorical_crossentropy"])
LOGIT_LOSSES = {name.removesuffix("_of_logits"): loss for name, loss in _PAIRS.items() if name.endswith("_of_logits")}
LOGIT_LOSSES["sparse_categorical_crossentropy"] = sparse(LOGIT_LOSSES["categorical_crossentropy"])
