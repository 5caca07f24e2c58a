"""Hyperparameter sweeps: train every combination of layer sizes, learning rates, activations, … in parallel and compare the results.

Example:

>>> from fastmlp import layers, models, optimizers, sweep
>>> from fastmlp.datasets import moons
>>> def build(units, learning_rate):
...     model = models.Sequential([layers.Dense(units, activation="relu", input_shape=(2,)), layers.Dense(2, activation="softmax")])
...     model.compile(optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
...     return model
>>> train, (x, y) = moons.load_data()
>>> validation, test = (x[::2], y[::2]), (x[1::2], y[1::2])
>>> grid = {"units": [2, 16], "learning_rate": [0.001, 0.1], "epochs": [1, 5]}
>>> results = sweep.run(build, grid, train, validation, test_data=test, seeds=2, verbose=0)
>>> results
<8 combinations in 16 runs>
>>> results.best.combination["learning_rate"]
0.1
>>> results.test.mean("test_accuracy") > 0.8
True
"""

from fastmlp.sweep.results import Results, Row, Run, SweepInterrupted
from fastmlp.sweep.running import run

__all__ = ["Results", "Row", "Run", "SweepInterrupted", "run"]
