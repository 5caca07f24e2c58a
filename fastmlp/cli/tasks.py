"""The data sets of the command line, each with default settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastmlp._engine.backends import EngineName
    from fastmlp.models import Sequential

__all__ = ["TASKS", "Data", "Task", "network"]


@dataclass(frozen=True, slots=True)
class Data:
    """The training and test samples of a data set, each a vector."""

    x_train: NDArray[np.float32]
    y_train: NDArray[np.integer]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.integer]
    image: tuple[int, ...] | None = None
    """The shape of an image before it was scaled and flattened; None for other samples."""

    @property
    def classes(self) -> int:
        """The number of classes; labels are 0 to one less than this."""
        return int(self.y_train.max()) + 1

    @property
    def features(self) -> int:
        """The number of features of a sample."""
        return int(self.x_train.shape[1])


@dataclass(frozen=True, slots=True)
class Task:
    """A data set with the network and the settings that are used by default."""

    name: str
    what: str
    hidden: tuple[int, ...] = (64, 64)
    optimizer: str = "adam"
    batch_size: int = 32
    epochs: int = 100
    options: tuple[str, ...] = ("points_per_class", "noise")
    """The arguments of ``load_data`` that are options of the command line."""
    images: bool = False
    """Whether samples are images, whose pixels are scaled to 0 … 1 and flattened."""

    def load(self, seed: int, **options: Any) -> Data:
        """Load the data set."""
        module = import_module(f"fastmlp.datasets.{self.name}")
        seeded = {"seed": seed} if self.options else {}
        (x_train, y_train), (x_test, y_test) = module.load_data(**options, **seeded)
        if not self.images:
            return Data(x_train.astype(np.float32), y_train, x_test.astype(np.float32), y_test)
        flat_train, flat_test = (x.reshape(len(x), -1).astype(np.float32) / np.float32(255) for x in (x_train, x_test))
        return Data(flat_train, y_train, flat_test, y_test, x_train.shape[1:])


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
    """A compiled classifier; with ``learning_rate`` None, the optimizer's default applies."""
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
