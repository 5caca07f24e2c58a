"""Data that comes in batches: generators, :class:`~fastmlp.utils.PyDataset` and its like in Keras, PyTorch's DataLoaders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastmlp._data.adapters.base import DataAdapter, StreamAdapter
from fastmlp._data.pydataset import PyDataset
from fastmlp.errors import UnsupportedError


class IteratorAdapter(StreamAdapter):
    """Generators and other iterators: one pass, of unknown length."""

    restarts = False

    @classmethod
    def accepts(cls, value: object) -> bool:
        return isinstance(value, Iterator)

    def __iter__(self) -> Iterator[object]:
        return iter(self.value)


class BatchSequenceAdapter(StreamAdapter):
    """Data sets whose batches are asked for by their numbers: :class:`~fastmlp.utils.PyDataset`, Keras' ``PyDataset`` and ``Sequence``."""

    @classmethod
    def accepts(cls, value: object) -> bool:
        return isinstance(value, PyDataset) or _is_a(value, "keras", "PyDataset", "Sequence")

    def __iter__(self) -> Iterator[object]:
        return map(self.batch, range(self.batch_count()))

    def batch_count(self) -> int:
        return len(self.value)

    def batch(self, index: int) -> object:
        batch: object = self.value[index]
        return batch

    def on_epoch_begin(self) -> None:
        self._call("on_epoch_begin")

    def on_epoch_end(self) -> None:
        self._call("on_epoch_end")

    def _call(self, hook: str) -> None:
        if hasattr(self.value, hook):
            getattr(self.value, hook)()


class DataLoaderAdapter(StreamAdapter):
    """PyTorch's ``DataLoader``."""

    @classmethod
    def accepts(cls, value: object) -> bool:
        return _is_a(value, "torch", "DataLoader")

    def __iter__(self) -> Iterator[object]:
        return iter(self.value)


class UnsupportedDatasetAdapter(DataAdapter):
    """Data sets of other libraries that fastmlp does not read: an error says what to pass instead."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.as_array("x")  # refused at once, wherever it is passed

    @classmethod
    def accepts(cls, value: object) -> bool:
        return _is_of_tensorflow(value) or _is_a(value, "torch", "Dataset")

    def as_array(self, name: str) -> np.ndarray:
        raise UnsupportedError(
            "tf.data datasets are not read by fastmlp; pass dataset.as_numpy_iterator() with steps_per_epoch, or the arrays it is made of"
            if _is_of_tensorflow(self.value)
            else "Datasets of PyTorch give single samples; pass a loader of batches: torch.utils.data.DataLoader(dataset, batch_size=32)"
        )


def _is_of_tensorflow(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "tensorflow" and hasattr(value, "as_numpy_iterator")


def _is_a(value: object, library: str, *names: str) -> bool:
    """Whether a class of this library that has one of these names is among the classes of a value; the library is not imported."""
    return any(cls.__name__ in names and cls.__module__.partition(".")[0] == library for cls in type(value).__mro__)
