"""What fastmlp asks of data, whatever its kind; each class in the files beside this one answers for one kind.

An adapter wraps a value as the user passed it and converts nothing before it is asked to. Nothing is copied that need not be: C-contiguous
float32 (and, for x, uint8) arrays go through as they are, memory maps included, and sparse matrices stay sparse.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._data.conversion import as_float32
from fastmlp._engine.spec import SparseRows
from fastmlp.errors import UnsupportedError

Selection: TypeAlias = slice | npt.NDArray[np.int64]
"""A range of samples, or their indices."""


class DataAdapter:
    """Data of one kind.

    Not an ``ABC``, whose ``isinstance`` takes longer than all else that is asked of an array.

    Args:
        value: What the user passed.
    """

    feature_names: Sequence[Hashable] | None = None
    """The names of the columns of a frame; None for data without names."""
    scans_values: bool = True
    """Whether the values may be read once more to look for NaN and Inf."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @classmethod
    @abstractmethod
    def accepts(cls, value: object) -> bool:
        """Whether a value is of this kind."""

    @abstractmethod
    def as_array(self, name: str) -> np.ndarray:
        """All samples as an array ``(samples, ...)`` of real numbers or bools, in the type they have.

        Args:
            name: What to call the data in messages.

        Raises:
            TypeError: They are not numbers.
            ValueError: They have no axis of samples, or values are missing.
            UnsupportedError: Data of this kind can't be targets or weights.
        """

    def shape(self, name: str) -> Shape:
        """The shape of the data, samples first; raises what :meth:`as_array` raises."""
        return self.as_array(name).shape

    def as_inputs(
        self, sample_shape: Shape, *, name: str = "x", check_finite: bool = True, gaps: np.ndarray | None = None
    ) -> np.ndarray | SparseRows:
        """All samples as an engine reads them: ``(samples, features)``, float32 or uint8, C-contiguous, or without zeros.

        Args:
            sample_shape: The shape of a sample that the model expects, without the batch axis.
            name: What to call the data in messages.
            check_finite: Whether NaN and Inf are errors.
            gaps: Of each feature, whether it may be NaN nevertheless: ``(features,)``. Sparse matrices may not.

        Raises:
            ValueError: For a wrong rank or width, for NaN or Inf.
            TypeError: For anything that is not numbers.
        """
        array = self.as_array(name)
        if array.shape[1:] != sample_shape:
            if array.ndim == 1 and sample_shape == (1,):
                array = array.reshape(-1, 1)
            else:
                raise ValueError(self._wrong_shape(name, array.shape, sample_shape))
        if array.ndim != 2:
            array = array.reshape(len(array), math.prod(sample_shape))
        if array.itemsize == 1 and array.dtype.kind == "u":
            return as_native(array, np.uint8)
        check_finite = check_finite and self.scans_values
        return as_float32(name, array, check_finite=check_finite, sample_shape=sample_shape, columns=self.feature_names, gaps=gaps)

    def columns(self) -> Iterator[tuple[Hashable, Any]] | None:
        """The names of the columns of a frame, each with the column; None for data without names."""
        return None

    def select_features(self, places: Sequence[int]) -> DataAdapter:
        """The features in these places, of data whose features have names."""
        raise NotImplementedError(f"the features of a {type(self.value).__name__} have no names")

    def as_batch(self, sample_shape: Shape | None) -> DataAdapter:
        """A single sample as a batch of one; a batch as it is.

        Args:
            sample_shape: The shape of a sample that the model expects, where it is known.
        """
        return self

    def reading(self, *, shuffled: bool) -> AbstractContextManager[None]:
        """A context in which ``fit`` reads the samples: in random order if ``shuffled``."""
        return nullcontext()

    def sample_count(self) -> int | None:
        """The number of samples; None for a single value, and for data that comes in batches."""
        return None

    def take(self, which: Selection) -> Any:
        """The samples of a slice, or of these indices, as data of the same kind where that can be indexed, else as an array."""
        raise NotImplementedError(f"a {type(self.value).__name__} has no samples that can be indexed")

    def stored_arrays(self) -> Iterator[np.ndarray]:
        """The arrays that identify the data, of whatever type: equal data of one kind have equal ones."""
        yield np.asarray(self.value)

    def _wrong_shape(self, name: str, shape: Shape, sample_shape: Shape) -> str:
        """What to say of data ``(samples, ...)`` whose samples have another shape."""
        if len(sample_shape) == 1 and len(shape) == 2:
            return f"{name} has {shape[1]} features, but the first layer expects {sample_shape[0]}"
        text = f"{name} has shape {shape}, but the model expects (samples, {', '.join(map(str, sample_shape))})"
        reshape = f"{name}.reshape(" if hasattr(self.value, "reshape") else f"np.reshape({name}, "
        if len(sample_shape) == 1 and shape == sample_shape:
            return f"{text}; for one sample, pass {self._advice_for_one(name)}"
        if len(sample_shape) == 1 and math.prod(shape[1:]) == sample_shape[0]:
            return f"{text}; reshape it: {reshape}len({name}), -1)"
        if len(sample_shape) > 1 and len(shape) == 2 and shape[1] == math.prod(sample_shape):
            return f"{text}; reshape it: {reshape}-1, {', '.join(map(str, sample_shape))})"
        return text

    def _advice_for_one(self, name: str) -> str:
        """How to pass a single sample as a batch of one."""
        return f"{name}[None]" if hasattr(self.value, "reshape") else f"np.array({name})[None]"


class StreamAdapter(DataAdapter):
    """Data that comes in batches: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""

    restarts: bool = True
    """Whether there can be a second pass over the data."""

    @abstractmethod
    def __iter__(self) -> Iterator[object]:
        """The batches of a pass."""

    def batch_count(self) -> int | None:
        """The number of batches; None where that is not known."""
        return None

    def batch(self, index: int) -> object:
        """The batch of this number, of data whose batches are counted."""
        raise NotImplementedError(f"the batches of a {type(self.value).__name__} have no numbers")

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of an epoch."""

    def as_array(self, name: str) -> np.ndarray:
        raise UnsupportedError(f"{name} is a {type(self.value).__name__}; only x of fit, evaluate and predict may come in batches")
