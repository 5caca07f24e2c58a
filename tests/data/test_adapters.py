"""Each kind of data gives the weights, losses and predictions of the NumPy arrays it holds, bit for bit."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from fastmlp import layers, models, utils
from fastmlp._data.adapters import ADAPTERS, StreamAdapter, choose_adapter
from fastmlp._data.adapters.arrays import ArrayAdapter
from fastmlp._data.adapters.frames import FrameAdapter, LazyFrameAdapter
from fastmlp._data.adapters.memory_maps import MemoryMapAdapter
from fastmlp._data.adapters.sparse import SparseAdapter
from fastmlp._data.adapters.streams import BatchSequenceAdapter, DataLoaderAdapter, IteratorAdapter, UnsupportedDatasetAdapter
from fastmlp.errors import UnsupportedError

SIZE = 16
RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(70, 3)) * (RANDOM.random((70, 3)) < 0.7)).astype(np.float32)
Y = (X.sum(axis=1, keepdims=True) > 0).astype(np.float32)
STARTS = range(0, len(X), SIZE)


def columns(x):
    return {f"feature {place}": x[:, place] for place in range(x.shape[1])}


def mapped(x, folder):
    x.tofile(folder / "x.bin")
    return np.memmap(folder / "x.bin", np.float32, "r", shape=x.shape)


def hdf5(x, folder):
    return h5py.File(folder / "x.h5", "w").create_dataset("x", data=x)


class Tensor:
    """An array of another library, as far as NumPy looks."""

    def __init__(self, x):
        self.x, self.shape = x, x.shape

    def __array__(self, dtype=None, copy=None):
        return np.array(self.x, dtype)


SAMPLES = {
    ArrayAdapter: {
        "an array": lambda x, folder: x,
        "columns of another array": lambda x, folder: np.asfortranarray(np.repeat(x, 2, axis=1))[:, ::2],
        "lists": lambda x, folder: x.tolist(),
        "a tensor": lambda x, folder: Tensor(x),
        "a data set of an HDF5 file": hdf5,
    },
    FrameAdapter: {
        "pandas": lambda x, folder: pd.DataFrame(columns(x)),
        "polars": lambda x, folder: pytest.importorskip("polars").DataFrame(columns(x)),
        "pyarrow": lambda x, folder: pytest.importorskip("pyarrow").table(columns(x)),
    },
    SparseAdapter: {
        "a matrix": lambda x, folder: sp.csr_matrix(x),
        "an array": lambda x, folder: sp.coo_array(x),
    },
    MemoryMapAdapter: {"a memory map": mapped},
}
"""For each kind of data that has all samples: the same samples as such data."""


class Sequence:
    """Batches by their numbers."""

    def __init__(self, batches):
        self.batches = list(batches)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class OurDataset(Sequence, utils.PyDataset):
    pass


class Loader:
    """Batches that can be gone through again and again."""

    def __init__(self, batches):
        self.batches = list(batches)

    def __iter__(self):
        return iter(self.batches)


def looks_like(cls, name, module):
    """A class that has the name of one of a library that is not installed."""
    return type(name, (cls,), {"__module__": module})


STREAMS = {
    IteratorAdapter: {"a generator": lambda batches: (batch for batch in batches), "an iterator": lambda batches: iter(list(batches))},
    BatchSequenceAdapter: {"ours": OurDataset, "that of Keras": looks_like(Sequence, "PyDataset", "keras.src.trainers")},
    DataLoaderAdapter: {"that of PyTorch": looks_like(Loader, "DataLoader", "torch.utils.data.dataloader")},
}
"""For each kind of data that comes in batches: such data of these batches."""

REFUSED = {
    LazyFrameAdapter: {
        "a lazy frame": (lambda: pytest.importorskip("polars").DataFrame(columns(X)).lazy(), TypeError, "make a frame of it first"),
        "groups": (lambda: pd.DataFrame(columns(X)).rolling(2), TypeError, "x must be an array or a frame, got a Rolling"),
    },
    UnsupportedDatasetAdapter: {
        "of PyTorch": (
            looks_like(object, "Dataset", "torch.utils.data"),
            UnsupportedError,
            r"pass a loader of batches: torch.utils.data.DataLoader\(",
        ),
        "of TensorFlow": (
            type("DatasetV2", (), {"__module__": "tensorflow.data", "as_numpy_iterator": lambda self: iter([])}),
            UnsupportedError,
            r"pass dataset.as_numpy_iterator\(\)",
        ),
    },
}
"""For each kind of data that can't be read: such data, and the error."""


def cases(table):
    return [pytest.param(adapter, case, id=f"{adapter.__name__}-{name}") for adapter in table for name, case in table[adapter].items()]


def built(engine):
    utils.set_random_seed(5)
    model = models.Sequential([layers.Dense(6, activation="tanh"), layers.Dropout(0.2), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"], engine=engine)
    return model


def everything(engine, x):
    """What each method returns for these samples: numbers and arrays."""
    model = built(engine)
    history = model.fit(x, Y, batch_size=SIZE, epochs=2, validation_data=(x, Y), verbose=0).history
    yield [history[name] for name in sorted(history)]
    yield model.predict(x, verbose=0)
    yield model(x)
    yield model.evaluate(x, Y, verbose=0)
    yield model.train_on_batch(x, Y)
    yield from model.get_weights()


def test_every_kind_of_data_has_a_case_here():
    assert SAMPLES.keys() | STREAMS.keys() | REFUSED.keys() == set(ADAPTERS)
    assert {adapter for adapter in ADAPTERS if issubclass(adapter, StreamAdapter)} == STREAMS.keys()


@pytest.mark.parametrize(("adapter", "case"), cases(SAMPLES))
def test_samples_of_every_kind_are_those_of_the_array(adapter, case, engine, tmp_path):
    data = case(X, tmp_path)
    assert type(choose_adapter(data)) is adapter
    for left, right in zip(everything(engine, data), everything(engine, X), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("adapter", "case"), cases(SAMPLES))
def test_samples_of_every_kind_are_split_as_the_array(adapter, case, tmp_path):
    model = built("native")
    for (part,), (array,) in zip(*(utils.split_dataset((x,), 0.6, shuffle=True, seed=1) for x in (case(X, tmp_path), X)), strict=True):
        np.testing.assert_array_equal(model(part), model(array))


@pytest.mark.parametrize(("adapter", "case"), cases(STREAMS))
def test_batches_of_every_kind_are_those_of_the_array(adapter, case, engine):
    def data(times=1):
        return case((X[start : start + SIZE], Y[start : start + SIZE]) for _ in range(times) for start in STARTS)

    assert type(choose_adapter(data())) is adapter
    expected = built(engine)
    expected.fit(X, Y, batch_size=SIZE, epochs=2, shuffle=False, verbose=0)
    model = built(engine)
    model.fit(data(2), epochs=2, steps_per_epoch=len(STARTS), shuffle=False, validation_data=data(2), validation_steps=3, verbose=0)
    for left, right in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(model.predict(data(), verbose=0), expected.predict(X, verbose=0))
    assert model.evaluate(data(), verbose=0) == pytest.approx(expected.evaluate(X, Y, verbose=0), rel=1e-6)


@pytest.mark.parametrize(("adapter", "case"), cases(STREAMS))
def test_batches_are_no_targets(adapter, case, engine):
    with pytest.raises(UnsupportedError, match=r"y is a .*; only x of fit, evaluate and predict may come in batches"):
        built(engine).fit(X, case([Y]), verbose=0)


@pytest.mark.parametrize(("adapter", "case"), cases(REFUSED))
@pytest.mark.parametrize("call", [lambda m, x: m.fit(x, Y), lambda m, x: m.predict(x), lambda m, x: m(x)], ids=["fit", "predict", "call"])
def test_data_that_can_not_be_read_say_what_to_pass(adapter, case, call):
    make, error, message = case
    with pytest.raises(error, match=message):
        call(built("native"), make())
