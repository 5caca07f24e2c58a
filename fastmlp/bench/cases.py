"""The benchmark cases: networks, data and batch sizes, the same for fastmlp and all peers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.typing import SparseMatrix

__all__ = ["CASES", "INFERENCE", "TRAINING", "Case", "InferenceCase", "TrainingCase", "initial_weights"]


Targets: TypeAlias = NDArray[np.float32] | NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """Training of one network on one data set; an epoch is ``rows / batch_size`` steps over newly shuffled samples."""

    name: str
    widths: tuple[int, ...]
    task: str
    """``"classify"``: softmax cross-entropy with integer class labels. ``"regress"``: mean squared error."""
    optimizer: str
    batch_size: int
    rows: int
    epochs: int
    """Epochs per timed round."""
    data: str = "normal"
    """``"normal"``: normal deviates. ``"one-hot"``: ten of them and two one-hot encoded features. ``"mnist"``: the digits.

    ``"words"``: texts of 100 words with frequencies by Zipf's law, as a sparse matrix.
    """
    skip_zeros: bool = True
    """Whether fastmlp may skip zeros of the input."""
    activation: str = "relu"
    learning_rate: float = 0.001

    @property
    def repeats(self) -> int:
        """Steps (weight updates) per timed round."""
        return self.epochs * -(-self.rows // self.batch_size)

    @property
    def flops(self) -> float:
        """Floating-point operations in the matrix products of a step, averaged over an epoch.

        Two per weight and sample in the forward pass, two for dW, and two for dX, which the first layer does not need.
        """
        first, *others = _weights(self.widths)
        return (4 * first + 6 * sum(others)) * self.rows * self.epochs / self.repeats

    @property
    def about(self) -> str:
        """``2-64-64-3, batches of 32, adam``."""
        return f"{'-'.join(map(str, self.widths))}, batches of {self.batch_size}, {self.optimizer}"

    def load(self) -> tuple[NDArray[np.float32] | SparseMatrix, Targets]:
        """Returns x, float32 ``(samples, features)``, and y, int32 labels ``(samples,)`` or float32 ``(samples, outputs)``."""
        if self.data == "mnist":
            return _mnist()
        random = np.random.default_rng(0)
        if self.data == "words":
            return _words(random, self.rows, self.widths[0]), random.integers(self.widths[-1], size=self.rows, dtype=np.int32)
        x = random.standard_normal((self.rows, self.widths[0]), dtype=np.float32)
        if self.data == "one-hot":
            # As in the Covertype data set: ten numeric features, then two categorical ones of 4 and 40 classes.
            x[:, 10:] = 0
            x[np.arange(self.rows), 10 + random.integers(4, size=self.rows)] = 1
            x[np.arange(self.rows), 14 + random.integers(40, size=self.rows)] = 1
        if self.task == "regress":
            return x, random.standard_normal((self.rows, self.widths[-1]), dtype=np.float32)
        return x, random.integers(self.widths[-1], size=self.rows, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class InferenceCase:
    """A prediction of ``rows`` samples by one call from Python, as a float32 array ``(rows, outputs)``."""

    name: str
    widths: tuple[int, ...]
    task: str
    rows: int
    repeats: int
    """Calls per timed round."""
    data: str = "normal"
    activation: str = "relu"

    @property
    def flops(self) -> float:
        """Floating-point operations in the matrix products of a call: two per weight and sample."""
        return 2 * sum(_weights(self.widths)) * self.rows

    @property
    def about(self) -> str:
        """``784-512-10, 10,000 rows``."""
        return f"{'-'.join(map(str, self.widths))}, {self.rows:,} row{'s' * (self.rows > 1)}"

    def load(self) -> NDArray[np.float32]:
        """Returns x, float32 ``(samples, features)``."""
        if self.data == "mnist":
            return _mnist()[0][: self.rows]
        return np.random.default_rng(0).standard_normal((self.rows, self.widths[0]), dtype=np.float32)


Case: TypeAlias = TrainingCase | InferenceCase


def _mnist() -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The training samples, if they are on this machine: benchmarks download nothing."""
    from fastmlp.datasets import mnist

    folder = mnist.local_folder()
    if folder is None:
        raise FileNotFoundError("MNIST is not on this machine; `fastmlp train mnist` downloads it (11 MB)")
    (x, y), _ = mnist.load_data(folder)
    return x.reshape(len(x), -1).astype(np.float32) / np.float32(255), y.astype(np.int32)


def _words(random: np.random.Generator, rows: int, words: int) -> SparseMatrix:
    """A ``csr_matrix`` of ones with a density of about 1/200 for 20,000 words; frequent words have random columns."""
    from scipy.sparse import csr_matrix

    likely = 1 / np.arange(1, words + 1)
    columns = random.permutation(words)[random.choice(words, size=rows * _TEXT_WORDS, p=likely / likely.sum())]
    x = csr_matrix((np.ones(len(columns), np.float32), columns, np.arange(0, len(columns) + 1, _TEXT_WORDS)), shape=(rows, words))
    x.sum_duplicates()
    x.data[:] = 1
    matrix: SparseMatrix = x
    return matrix


def _weights(widths: tuple[int, ...]) -> list[int]:
    """The number of weights of each layer, without biases."""
    return [inputs * units for inputs, units in pairwise(widths)]


def initial_weights(widths: tuple[int, ...]) -> list[NDArray[np.float32]]:
    """Glorot-uniform kernels ``(inputs, units)`` and zero biases ``(units,)``, alternating."""
    random = np.random.default_rng(1)
    weights = []
    for inputs, units in pairwise(widths):
        limit = np.sqrt(6 / (inputs + units))
        weights.append(random.uniform(-limit, limit, (inputs, units)).astype(np.float32))
        weights.append(np.zeros(units, dtype=np.float32))
    return weights


_TEXT_WORDS = 100
_SPIRAL = (2, 64, 64, 3)
_POLICY = (17, 64, 64, 6)
_MNIST = (784, 512, 10)
_TABULAR = (54, 256, 256, 7)
_WIDE = (1024, 2048, 2048, 1000)

TRAINING = {
    case.name: case
    for case in (
        TrainingCase("spiral", _SPIRAL, "classify", "adam", batch_size=32, rows=3072, epochs=20),
        TrainingCase("policy", _POLICY, "regress", "adam", batch_size=64, rows=8192, epochs=8),
        TrainingCase("mnist", _MNIST, "classify", "rmsprop", batch_size=128, rows=60000, epochs=1, data="mnist"),
        TrainingCase("mnist-dense", _MNIST, "classify", "rmsprop", batch_size=128, rows=60000, epochs=1, data="mnist", skip_zeros=False),
        TrainingCase("tabular", _TABULAR, "classify", "adam", batch_size=256, rows=32768, epochs=2, data="one-hot"),
        TrainingCase("wide", _WIDE, "classify", "adam", batch_size=512, rows=4096, epochs=1),
        TrainingCase("text", (20000, 16, 16, 2), "classify", "rmsprop", batch_size=512, rows=4096, epochs=8, data="words"),
        TrainingCase("text-wide", (20000, 256, 2), "classify", "adam", batch_size=512, rows=4096, epochs=4, data="words"),
    )
}

INFERENCE = {
    case.name: case
    for case in (
        InferenceCase("policy-1", _POLICY, "regress", rows=1, repeats=2000),
        InferenceCase("mnist-1", _MNIST, "classify", rows=1, repeats=1000, data="mnist"),
        InferenceCase("mnist-dense-1", _MNIST, "classify", rows=1, repeats=1000),
        InferenceCase("mnist-10000", _MNIST, "classify", rows=10000, repeats=5, data="mnist"),
        InferenceCase("wide-1024", _WIDE, "classify", rows=1024, repeats=5),
    )
}

CASES: dict[str, Case] = {**TRAINING, **INFERENCE}
"""All cases by name."""
