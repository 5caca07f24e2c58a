"""A small sweep that test files share."""

from __future__ import annotations

from fastmlp import layers, models, optimizers, sweep
from fastmlp.datasets import moons

TRAIN, TEST = moons.load_data(points_per_class=100)
GRID = {"units": [2, 8], "learning_rate": [0.01, 0.1], "epochs": [1, 3]}


def build(units, learning_rate=0.01, activation="relu"):
    model = models.Sequential(
        [layers.Input((2,)), layers.Dense(units, activation=activation), layers.Dropout(0.1), layers.Dense(2, activation="softmax")]
    )
    model.compile(optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def run(grid=GRID, build=build, train=TRAIN, validation=TEST, **options):
    return sweep.run(build, grid, train, validation, **{"verbose": 0, "seeds": 2} | options)


def numbers(results):
    """All that must be the same in every sweep: everything but the time."""
    return [(run.combination, run.seed, {name: value for name, value in run.numbers.items() if name != "seconds"}) for run in results.runs]


def lines(file):
    return file.read_text(encoding="utf-8").splitlines()
