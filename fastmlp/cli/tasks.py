"""The data sets the command line can train on, with settings that suit each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.prepare import AS_IS, Preparation

if TYPE_CHECKING:
    from fastmlp._engine.backends import EngineName
    from fastmlp.models import Sequential

__all__ = ["TASKS", "Data", "Task", "network"]


@dataclass(frozen=True, slots=True)
class Data:
    """Rows prepared for training."""

    x_train: NDArray[np.float32]
    y_train: NDArray[Any]
    x_test: NDArray[np.float32]
    y_test: NDArray[Any]
    preparation: Preparation
    row: tuple[int, ...]
    """The shape of a sample before it was prepared."""

    @property
    def classes(self) -> int:
        """Labels run from 0 to one less than this."""
        return int(self.y_train.max()) + 1

    @property
    def features(self) -> int:
        """Columns of a prepared row."""
        return int(self.x_train.shape[1])


@dataclass(frozen=True, slots=True)
class Task:
    """A data set and the network it is learned with unless told otherwise."""

    name: str
    what: str
    hidden: tuple[int, ...] = (64, 64)
    optimizer: str = "adam"
    batch_size: int = 32
    epochs: int = 100
    options: tuple[str, ...] = ("points_per_class", "noise")
    """Arguments of ``load_data`` that can be set from the command line."""
    preparation: Preparation = AS_IS

    def load(self, seed: int, **options: Any) -> Data:
        """Loads the data set and prepares its rows."""
        module = import_module(f"fastmlp.datasets.{self.name}")
        seeded = {"seed": seed} if self.options else {}
        (x_train, y_train), (x_test, y_test) = module.load_data(**options, **seeded)
        apply = self.preparation.apply
        return Data(apply(x_train), y_train, apply(x_test), y_test, self.preparation, x_train.shape[1:])


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
            preparation=Preparation(flatten=True, divide_by=255.0),
        ),
    )
}


def network(
    features: int,
    classes: int,
    hidden: tuple[int, ...],
    activation: str,
    dropout: float,
    optimizer: str,
    learning_rate: float | None,
    engine: EngineName,
    name: str,
) -> Sequential:
    """A classifier, compiled. The learning rate is the optimizer's own unless given."""
    from fastmlp import layers, models, optimizers

    model = models.Sequential([layers.Input((features,))], name=name)
    for units in hidden:
        model.add(layers.Dense(units, activation=activation))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(classes, activation="softmax"))
    chosen = optimizers.get(optimizer)
    if learning_rate is not None:
        chosen.learning_rate = learning_rate
    model.compile(chosen, loss="sparse_categorical_crossentropy", metrics=["accuracy"], engine=engine)
    return model
