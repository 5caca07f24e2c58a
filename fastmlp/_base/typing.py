"""Types of the data and options that users pass to models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["BatchSource", "InputData", "Mode", "SparseMatrix", "Table", "TargetData", "ValidationData", "Verbose", "WeightData"]


class SparseMatrix(Protocol):
    """A sparse matrix or array of ``scipy.sparse``."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def nnz(self) -> int: ...
    def tocsr(self) -> object: ...
    def toarray(self) -> np.ndarray: ...


class BatchLoader(Protocol):
    """An iterable of batches that can be walked through again, as a ``torch.utils.data.DataLoader`` is."""

    @property
    def batch_size(self) -> int | None: ...
    def __iter__(self) -> Iterator[object]: ...


class BatchSequence(Protocol):
    """Batches by their index, as a :class:`~fastmlp.utils.PyDataset` has them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> object: ...
    def on_epoch_end(self) -> None: ...


Table: TypeAlias = Mapping[str, Sequence[object]] | Mapping[str, object] | Sequence[Mapping[str, object]] | Sequence[Sequence[object]]
"""A table for a model that begins with a TableEncoder: a dict of columns or of the values of a sample, a list of dicts or of rows."""

InputData: TypeAlias = ArrayLike | SparseMatrix | Sequence[ArrayLike] | Mapping[str, ArrayLike] | Table
"""Features of samples: an array, lists, a frame, a sparse matrix, a table, or several of them for a model with several inputs."""

TargetData: TypeAlias = ArrayLike | Sequence[ArrayLike | None] | Mapping[str, ArrayLike | None]
"""Targets of samples; None for an output that has no loss."""

WeightData: TypeAlias = ArrayLike | Sequence[ArrayLike | None] | Mapping[str, ArrayLike | None]
"""Sample weights, for all outputs or for each."""

BatchSource: TypeAlias = Iterator[object] | BatchLoader | BatchSequence
"""Data that comes in batches ``(x, y)`` or ``(x, y, sample_weight)``."""

ValidationData: TypeAlias = Sequence[InputData | TargetData | None] | BatchSource
"""``(x, y)`` or ``(x, y, sample_weight)``, or batches of them."""

Verbose: TypeAlias = bool | Literal["auto", 0, 1, 2]
Mode: TypeAlias = Literal["auto", "min", "max"]
"""Whether a monitored value should become small or large; ``"auto"`` follows from its name."""
