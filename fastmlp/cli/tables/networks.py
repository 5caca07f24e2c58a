"""Networks of tables: an encoder of the columns, dense layers, and outputs in the units of the target or for its classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import callbacks, layers, losses, models, optimizers
from fastmlp.cli.answers import for_classes
from fastmlp.cli.tables.problem import Problem
from fastmlp.cli.tables.scores import Scores, classification_scores, regression_scores
from fastmlp.cli.tables.settings import TableSettings

if TYPE_CHECKING:
    from fastmlp._engine.backends import EngineName
    from fastmlp.callbacks import Callback, History
    from fastmlp.models import Sequential

__all__ = ["Rows", "constant_score", "described_features", "features_of", "learn", "make_encoder", "network", "predicted", "score"]

Rows = NDArray[np.intp]
"""Indices of rows."""


def features_of(problem: Problem, rows: Rows) -> dict[str, NDArray[Any]]:
    """The features of some rows, as the encoder takes them."""
    return {name: reading.values[rows] for name, reading in problem.features.items()}


def make_encoder(problem: Problem, train: Rows, settings: TableSettings) -> layers.TableEncoder:
    """The encoder of the features, adapted to the training rows."""
    kinds = {name: reading.kind for name, reading in problem.features.items()}
    encoder = layers.TableEncoder(kinds=kinds, bins=None if settings.bins else 0)
    encoder.adapt(features_of(problem, train))
    return encoder


def network(problem: Problem, train: Rows, settings: TableSettings, engine: EngineName, name: str) -> Sequential:
    """A compiled network; that of a regression predicts in the units of the target, and its loss is relative to the target's variance."""
    model = models.Sequential([make_encoder(problem, train, settings)], name=name)
    for units in settings.hidden:
        model.add(layers.Dense(units, activation=settings.activation))
        if settings.dropout:
            model.add(layers.Dropout(settings.dropout))
    optimizer = optimizers.get(settings.optimizer)
    if settings.learning_rate is not None:
        optimizer.learning_rate = settings.learning_rate
    if settings.optimizer == "adamw":
        optimizer.weight_decay = settings.weight_decay
    steps = math.ceil(len(train) / settings.batch_size) * settings.averaged_epochs
    optimizer.use_ema, optimizer.ema_momentum = True, 1 - 1 / max(steps, 2)
    if problem.task == "regression":
        center, spread = float(problem.y[train].mean()), float(problem.y[train].std()) or 1.0
        model.add(layers.Dense(1))
        model.add(layers.Rescaling(spread, center))
        # The gradients are those of a standardized target, whatever its unit.
        model.compile(optimizer, loss=losses.MeanSquaredError(), loss_weights=[spread**-2], engine=engine)
        return model
    if len(problem.classes) == 2:
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(optimizer, loss=losses.BinaryCrossentropy(), metrics=["accuracy"], engine=engine)
    else:
        model.add(layers.Dense(len(problem.classes), activation="softmax"))
        model.compile(optimizer, loss=losses.SparseCategoricalCrossentropy(), metrics=["accuracy"], engine=engine)
    model.class_names = problem.classes
    return model


def learn(
    model: Sequential, problem: Problem, train: Rows, validation: Rows, settings: TableSettings, watchers: Sequence[Callback] = ()
) -> History:
    """Fit a network until the loss of its averaged weights on the validation rows does not decrease any more; the best are kept."""
    stopping = callbacks.EarlyStopping(monitor="val_loss", patience=settings.patience, restore_best_weights=True)
    return model.fit(
        features_of(problem, train),
        problem.y[train],
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_data=(features_of(problem, validation), problem.y[validation]),
        verbose=0,
        callbacks=[callbacks.SwapEMAWeights(swap_on_epoch=True), stopping, *watchers],
    )


def predicted(model: Any, features: dict[str, NDArray[Any]], classes: Sequence[str]) -> NDArray[np.float32]:
    """Probabilities ``(rows, classes)``, or without classes the outputs ``(rows, outputs)``."""
    return for_classes(model.predict(features, verbose=0), classes)


def score(model: Any, problem: Problem, rows: Rows) -> Scores:
    """The scores of a network on some rows."""
    values = predicted(model, features_of(problem, rows), problem.classes)
    return classification_scores(problem.y[rows], values) if problem.classes else regression_scores(problem.y[rows], values[:, 0])


def constant_score(problem: Problem, train: Rows, rows: Rows) -> Scores:
    """The scores of the prediction that needs no features: the frequencies of the classes, or the mean, among the training rows."""
    if not problem.classes:
        return regression_scores(problem.y[rows], np.full(len(rows), problem.y[train].mean()))
    frequencies = np.bincount(problem.y[train], minlength=len(problem.classes)) / len(train)
    return classification_scores(problem.y[rows], np.tile(frequencies, (len(rows), 1)))


def described_features(model: Any) -> dict[str, dict[str, Any]] | None:
    """What the encoder of a model says of each column; None if the model does not begin with an encoder."""
    encoder = next((layer for layer in model.layers if not isinstance(layer, layers.InputLayer)), None)
    if not isinstance(encoder, layers.TableEncoder):
        return None
    return {feature["name"]: feature for feature in encoder.describe()}
