"""The cases every benchmark measures: networks, data and batch sizes, the same for fastmlp and for every peer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["INFERENCE", "TRAINING", "InferenceCase", "TrainingCase", "initial_weights"]


@dataclass(frozen=True)
class TrainingCase:
    """One network trained on one data set; one epoch is ``rows / batch_size`` steps over freshly shuffled rows."""

    name: str
    widths: tuple[int, ...]
    activation: str
    task: str
    """``"classify"``: softmax cross-entropy on integer labels. ``"regress"``: mean squared error on as many targets as outputs."""
    optimizer: str
    batch_size: int
    rows: int
    epochs: int
    """Epochs in one timed round."""
    learning_rate: float = 0.001

    @property
    def steps(self) -> int:
        """Weight updates in one timed round."""
        return self.epochs * -(-self.rows // self.batch_size)

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """``x (rows, inputs) float32`` and ``y``: ``(rows,)`` int32 labels or ``(rows, outputs)`` float32 targets."""
        if self.name == "mnist":
            return _mnist()
        random = np.random.default_rng(0)
        x = random.standard_normal((self.rows, self.widths[0]), dtype=np.float32)
        if self.name == "tabular":
            # As in the Covertype data: ten measured columns, then two categorical columns of 4 and 40 classes, one-hot.
            x[:, 10:] = 0
            x[np.arange(self.rows), 10 + random.integers(4, size=self.rows)] = 1
            x[np.arange(self.rows), 14 + random.integers(40, size=self.rows)] = 1
        if self.task == "regress":
            return x, random.standard_normal((self.rows, self.widths[-1]), dtype=np.float32)
        return x, random.integers(self.widths[-1], size=self.rows, dtype=np.int32)


@dataclass(frozen=True)
class InferenceCase:
    """One call from Python: ``rows`` rows in, ``(rows, outputs)`` float32 out as a NumPy array."""

    name: str
    widths: tuple[int, ...]
    activation: str
    task: str
    rows: int
    calls: int
    """Calls in one timed round."""

    def load(self) -> np.ndarray:
        """``x (rows, inputs) float32``."""
        if self.name.startswith("mnist"):
            return _mnist()[0][: self.rows]
        return np.random.default_rng(0).standard_normal((self.rows, self.widths[0]), dtype=np.float32)


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    from fastmlp.datasets import mnist

    (x, y), _ = mnist.load_data()
    return x.reshape(len(x), -1).astype(np.float32) / np.float32(255), y.astype(np.int32)


def initial_weights(widths: tuple[int, ...]) -> list[np.ndarray]:
    """Glorot-uniform kernels ``(inputs, units)`` and zero biases ``(units,)``, alternating."""
    random = np.random.default_rng(1)
    weights = []
    for inputs, units in pairwise(widths):
        limit = np.sqrt(6 / (inputs + units))
        weights.append(random.uniform(-limit, limit, (inputs, units)).astype(np.float32))
        weights.append(np.zeros(units, dtype=np.float32))
    return weights


TRAINING = {
    case.name: case
    for case in (
        TrainingCase("spiral", (2, 64, 64, 3), "relu", "classify", "adam", batch_size=32, rows=3072, epochs=20),
        TrainingCase("policy", (17, 64, 64, 6), "relu", "regress", "adam", batch_size=64, rows=8192, epochs=8),
        TrainingCase("mnist", (784, 512, 10), "relu", "classify", "rmsprop", batch_size=128, rows=60000, epochs=1),
        TrainingCase("tabular", (54, 256, 256, 7), "relu", "classify", "adam", batch_size=256, rows=32768, epochs=2),
        TrainingCase("wide", (1024, 2048, 2048, 1000), "relu", "classify", "adam", batch_size=512, rows=4096, epochs=1),
    )
}

INFERENCE = {
    case.name: case
    for case in (
        InferenceCase("policy-1", (17, 64, 64, 6), "relu", "regress", rows=1, calls=2000),
        InferenceCase("mnist-1", (784, 512, 10), "relu", "classify", rows=1, calls=1000),
        InferenceCase("mnist-10000", (784, 512, 10), "relu", "classify", rows=10000, calls=3),
        InferenceCase("wide-1024", (1024, 2048, 2048, 1000), "relu", "classify", rows=1024, calls=2),
    )
}
