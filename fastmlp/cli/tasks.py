"""The data sets of the command line, each with default settings, and recipes that reach a certain accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastmlp._data.pydataset import PyDataset
    from fastmlp._engine.backends import EngineName
    from fastmlp.models import Sequential
    from fastmlp.optimizers.schedules import LearningRateSchedule

__all__ = ["RECIPES", "TASKS", "Data", "Task", "network"]


@dataclass(frozen=True, slots=True)
class Data:
    """The training and test samples of a data set: float32 vectors, or uint8 images."""

    x_train: NDArray[Any]
    y_train: NDArray[np.integer]
    x_test: NDArray[Any]
    y_test: NDArray[np.integer]

    @property
    def classes(self) -> int:
        """The number of classes; labels are 0 to one less than this."""
        return int(self.y_train.max()) + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return self.x_train.shape[1:]

    @property
    def features(self) -> int:
        """The number of features of a sample."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Task:
    """A data set with the network and the settings that are used by default."""

    name: str
    what: str
    hidden: tuple[int, ...] = (64, 64)
    optimizer: str = "adam"
    learning_rate: float | None = None
    """None for the optimizer's default."""
    one_cycle: bool = False
    """Whether the learning rate is the maximum of a one-cycle schedule."""
    label_smoothing: float = 0.0
    batch_size: int = 32
    epochs: int = 100
    options: tuple[str, ...] = ("points_per_class", "noise")
    """The arguments of ``load_data`` that are options of the command line."""
    images: bool = False
    """Whether samples are images."""
    deformed: bool = False
    """Whether images are randomly deformed in training."""

    def load(self, seed: int, **options: Any) -> Data:
        """Load the data set."""
        module = import_module(f"fastmlp.datasets.{self.name}")
        seeded = {"seed": seed} if self.options else {}
        (x_train, y_train), (x_test, y_test) = module.load_data(**options, **seeded)
        if self.images:
            return Data(x_train, y_train, x_test, y_test)
        return Data(x_train.astype(np.float32), y_train, x_test.astype(np.float32), y_test)

    def schedule(self, samples: int) -> float | LearningRateSchedule | None:
        """The learning rate of a training on this many samples; None for the optimizer's default."""
        if not self.one_cycle or self.learning_rate is None:
            return self.learning_rate
        from fastmlp.optimizers.schedules import OneCycle

        return OneCycle(self.learning_rate, self.epochs * math.ceil(samples / self.batch_size))

    def batches(self, data: Data, seed: int) -> PyDataset:
        """The training samples, deformed anew in every epoch."""
        from fastmlp._data.deformations import DeformedImages

        return DeformedImages(data.x_train, data.y_train, self.batch_size, seed)


TASKS = {
    task.name: task
    for task in (
        Task("spiral", "spiral arms around each other", options=("points_per_class", "classes", "noise")),
        Task("moons", "two half circles", epochs=60),
        Task("circles", "a circle inside a circle", epochs=60),
        Task("xor", "four clouds in two classes", epochs=40),
        Task("gaussians", "round clouds", epochs=20, options=("points_per_class", "classes", "noise")),
        Task(
            "mnist",
            "70,000 handwritten digits",
            hidden=(512,),
            optimizer="rmsprop",
            batch_size=128,
            epochs=5,
            options=(),
            images=True,
        ),
    )
}


_QUICK = replace(TASKS["mnist"], hidden=(256, 128), optimizer="adam", learning_rate=0.005, one_cycle=True, label_smoothing=0.1, epochs=3)
RECIPES = {"mnist": {0.982: _QUICK, 0.99: replace(_QUICK, hidden=(512, 512), learning_rate=0.003, epochs=14, deformed=True)}}
"""Recipes for a data set, by the test accuracy that they reach, in ascending order. docs/mnist-accuracy.md has the measurements."""


def network(
    shape: tuple[int, ...],
    classes: int,
    hidden: tuple[int, ...],
    activation: str,
    dropout: float,
    optimizer: str,
    learning_rate: float | LearningRateSchedule | None,
    engine: EngineName,
    name: str,
    label_smoothing: float = 0.0,
) -> Sequential:
    """A compiled classifier of vectors or images; with ``learning_rate`` None, the optimizer's default applies."""
    from fastmlp import layers, losses, models, optimizers

    model = models.Sequential([layers.Input(shape)], name=name)
    if len(shape) > 1:
        model.add(layers.Rescaling(1 / 255))
        model.add(layers.Flatten())
    for units in hidden:
        model.add(layers.Dense(units, activation=activation))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(classes, activation="softmax"))
    chosen = optimizers.get(optimizer)
    if learning_rate is not None:
        chosen.learning_rate = learning_rate
    loss = losses.SparseCategoricalCrossentropy(label_smoothing=label_smoothing)
    model.compile(chosen, loss=loss, metrics=["accuracy"], engine=engine)
    return model
