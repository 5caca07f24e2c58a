"""Data of estimators: class labels as the numbers that losses read, float32 samples, and samples that are merged."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

MERGED_SAMPLES = 1000
"""Up to this many samples, a training set that is one batch is sorted and its duplicates are merged."""
NUMBERS = "biuf"
"""Kinds of dtypes whose values can be compared with each other."""
SEEDS = 2**31 - 1
"""The seeds that are drawn from ``random_state`` are less."""
NOT_FINITE = "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed"
"""The error of scikit-learn."""


class ClassLabels:
    """The classes of a classifier, and the conversion between its labels and numbers.

    Args:
        y: Labels of any type, ``(samples,)``, or a label indicator matrix ``(samples, classes)`` of 0 and 1, dense or sparse.
        classes: All classes, if ``y`` may not contain each of them.

    Attributes:
        classes: The classes in ascending order, ``(classes,)``.
        multilabel: Whether a sample may have any number of the classes.
    """

    def __init__(self, y: Any, classes: Any = None) -> None:
        kind = type_of_target(y)
        if not kind.startswith(("binary", "multi")):
            check_classification_targets(y)  # says what is wrong
        if kind == "multiclass-multioutput":
            raise ValueError(
                "Multioutput target data is not supported: y has several columns with more than two classes; use "
                "sklearn.multioutput.MultiOutputClassifier(MLPClassifier()), which trains a network for each column"
            )
        self.multilabel = kind.startswith("multilabel")
        self._sparse = sparse.issparse(y)
        shape = y.shape if self._sparse else np.shape(y)
        self.classes = np.arange(shape[1]) if self.multilabel else np.unique(y if classes is None else classes)

    @property
    def columns(self) -> int:
        """The number of outputs of a network with one logistic output for two classes."""
        return len(self.classes) if self.multilabel or len(self.classes) > 2 else 1

    def encode(self, y: Any) -> np.ndarray:
        """Indices of classes as int32 ``(samples,)``; for multilabel targets, float32 0 and 1 ``(samples, classes)``.

        Raises:
            ValueError: ``y`` has other classes.
        """
        if self.multilabel:
            if np.ndim(y) != 2 or y.shape[1] != len(self.classes):
                raise ValueError(f"y must be a label indicator matrix of {len(self.classes)} columns, got shape {np.shape(y)}")
            return np.asarray(y.toarray() if sparse.issparse(y) else y).astype(np.float32)
        y = np.asarray(y)
        comparable = (y.dtype.kind in NUMBERS) == (self.classes.dtype.kind in NUMBERS)
        codes = np.searchsorted(self.classes, y) if comparable else np.zeros(y.shape, np.intp)
        found = self.classes[np.minimum(codes, len(self.classes) - 1)] == y
        if not np.all(found):
            raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. 'y' has {unique_labels(y)}.")
        return codes.astype(np.int32)

    def targets(self, encoded: np.ndarray, outputs: int, *, indices: bool) -> np.ndarray:
        """The encoded labels as a loss reads them: indices, or float32 0 and 1 ``(samples, outputs)``."""
        if self.multilabel or (indices and outputs > 1):
            return encoded
        if outputs == 1:
            return encoded[:, np.newaxis].astype(np.float32)
        return (encoded[:, np.newaxis] == np.arange(outputs)).astype(np.float32)

    def decode(self, positive: np.ndarray) -> Any:
        """The labels of encoded predictions."""
        if not self.multilabel:
            return self.classes[positive]
        return sparse.csr_array(positive.astype(int)) if self._sparse else positive.astype(int)


def as_float32(x: Any) -> Any:
    """Samples, dense or CSR, as float32.

    Raises:
        ValueError: A number is outside of the range of float32.
    """
    if x.dtype == np.float32:
        return x
    with np.errstate(over="ignore"):
        converted = x.astype(np.float32)
    if not np.isfinite(converted.data if sparse.issparse(converted) else converted).all():
        raise ValueError(f"{NOT_FINITE}. Samples and targets must be in the range of float32, -3.4e38 to 3.4e38.")
    return converted


def merged(x: Any, y: np.ndarray, weight: np.ndarray | None) -> tuple[Any, np.ndarray, np.ndarray]:
    """Samples without duplicates and without those of weight 0, in an order of their own, each with the sum of its weights.

    In a batch of all samples, neither the order nor duplicates change the mean loss. With this, they don't change its rounding either:
    a sample with weight 2 is exactly the same as two samples.
    """
    weights = np.ones(len(y)) if weight is None else weight
    if sparse.issparse(x):
        x.sum_duplicates()
        rows = [x.indices[a:b].tobytes() + x.data[a:b].tobytes() for a, b in zip(x.indptr[:-1], x.indptr[1:], strict=True)]
    else:
        rows = [row.tobytes() for row in x]
    found: dict[tuple[bytes, bytes], list[float]] = {}
    for index, (row, target) in enumerate(zip(rows, y, strict=True)):
        if weights[index]:
            found.setdefault((row, target.tobytes()), [index, 0.0])[1] += weights[index]
    kept = [found[key] for key in sorted(found)]
    which = np.array([index for index, _ in kept], np.intp)
    return x[which], y[which], np.array([total for _, total in kept])
