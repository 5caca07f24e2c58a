"""Callbacks: objects whose methods are called during ``fit``, ``evaluate`` and ``predict``.

Training runs about 50 ms of minibatches per call into the engine. Only a callback that overrides one of the batch methods makes it run one
batch per call; those of this module do not, even those that act after a number of batches.

Example:

>>> import numpy as np
>>> from fastmlp import callbacks, layers, models
>>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
>>> model.compile(optimizer="sgd", loss="mse")
>>> stopper = callbacks.EarlyStopping(monitor="loss", patience=2)
>>> history = model.fit(np.eye(2), np.ones(2), epochs=5, verbose=0, callbacks=[stopper, callbacks.CSVLogger("training.csv")])
"""

from __future__ import annotations

from fastmlp._base import keras_names
from fastmlp.callbacks.average import SwapEMAWeights
from fastmlp.callbacks.backup import BackupAndRestore
from fastmlp.callbacks.base import Callback
from fastmlp.callbacks.checkpoint import ModelCheckpoint
from fastmlp.callbacks.collection import CallbackList, History, ProgbarLogger
from fastmlp.callbacks.finder import LearningRateFinder
from fastmlp.callbacks.liveplot import LivePlot
from fastmlp.callbacks.logs import CSVLogger, TensorBoard
from fastmlp.callbacks.monitoring import EarlyStopping, MonitorCallback, ReduceLROnPlateau
from fastmlp.callbacks.simple import LambdaCallback, LearningRateScheduler, TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateFinder",
    "LearningRateScheduler",
    "LivePlot",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]


def __getattr__(name: str) -> object:
    return keras_names.missing("callbacks", name)
