"""How each kind of data is read, and the only place where it is decided of what kind data are."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base.shapes import Shape
from fastmlp._data.adapters.arrays import ArrayAdapter
from fastmlp._data.adapters.base import DataAdapter, StreamAdapter
from fastmlp._data.adapters.frames import FrameAdapter, LazyFrameAdapter
from fastmlp._data.adapters.memory_maps import MemoryMapAdapter
from fastmlp._data.adapters.sparse import SparseAdapter
from fastmlp._data.adapters.streams import BatchSequenceAdapter, DataLoaderAdapter, IteratorAdapter, UnsupportedDatasetAdapter

__all__ = ["ADAPTERS", "DataAdapter", "StreamAdapter", "choose_adapter", "unwrap_single"]

ADAPTERS: tuple[type[DataAdapter], ...] = (
    FrameAdapter,
    SparseAdapter,
    MemoryMapAdapter,
    IteratorAdapter,
    BatchSequenceAdapter,
    DataLoaderAdapter,
    LazyFrameAdapter,
    UnsupportedDatasetAdapter,
    ArrayAdapter,
)
"""All kinds of data. The first that accepts a value reads it; the last accepts everything."""


def choose_adapter(value: object) -> DataAdapter:
    """The adapter for x, y, weights, validation data or a batch, as the user passed them.

    Lists and dicts of several inputs or outputs are taken apart first, by the model that knows their order.

    Raises:
        UnsupportedError: It is a data set of another library that can't be read.
    """
    if type(value) is np.ndarray:  # at once: a prediction takes a microsecond
        return ArrayAdapter(value)
    return next(adapter for adapter in ADAPTERS if adapter.accepts(value))(value)


def unwrap_single(value: object, *, sample_shape: Shape | None = None, samples: int | None = None) -> Any:
    """The array in a list of one, as models with several inputs take them; anything else as it is.

    A list of one array may also be the list of all samples, of which there is one.

    Args:
        value: What the user passed.
        sample_shape: The shape of a sample, where it is known.
        samples: The number of samples, where it is known.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 1 or not hasattr(value[0], "shape"):
        return value
    shape = value[0].shape
    if samples is not None:
        holds_samples = shape[:1] == (samples,) and (samples > 1 or len(shape) > 1)
    else:
        axes = 1 if sample_shape is None else len(sample_shape)
        holds_samples = len(shape) > axes or (len(shape) == 1 and sample_shape == (1,))
    return value[0] if holds_samples else value
