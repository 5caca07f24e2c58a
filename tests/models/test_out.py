"""``model(x, out=array)``: predictions written to an array of the caller."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from fastmlp import Model, Sequential, layers
from fastmlp.errors import UnsupportedError

rng = np.random.default_rng(11)
X = rng.normal(size=(5, 6)).astype(np.float32)
ENGINES = ("native", "reference")


def chain(engine="native", *, inputs=6, first=()):
    model = Sequential([layers.Input((inputs,)), *first, layers.Dense(8, activation="relu"), layers.Dense(6)])
    model.compile("adam", "mse", engine=engine)
    model.predict(np.zeros((1, inputs)), verbose=0)
    return model


def empty(*shape):
    return np.full(shape or (5, 6), np.nan, np.float32)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "x", [X, X.astype(np.float64), X.tolist(), X.astype(np.uint8), sparse.csr_matrix(X)], ids=lambda x: type(x).__name__
)
def test_the_output_is_written_to_the_array_and_that_array_is_returned(x, engine):
    model, out = chain(engine), empty()
    assert model(x, out=out) is out
    np.testing.assert_array_equal(out, model(x))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_single_sample_has_an_output_of_one_row(engine):
    model, out = chain(engine), empty(1, 6)
    model(X[0], out=out)
    np.testing.assert_array_equal(out, model(X[:1]))


def test_an_array_can_be_used_again():
    model, out = chain(), empty()
    model(X, out=out)
    model(X[::-1], out=out)
    np.testing.assert_array_equal(out, model(X[::-1]))


def test_samples_of_no_rows_leave_nothing_to_write():
    out = empty(0, 6)
    assert chain()(X[:0], out=out) is out


def test_part_of_an_array_can_be_written_to():
    model, collected = chain(), empty(10, 6)
    model(X, out=collected[5:])
    assert np.isnan(collected[:5]).all()
    np.testing.assert_array_equal(collected[5:], model(X))


def test_x_may_have_any_layout():
    model, out = chain(), empty()
    both = np.repeat(X, 2, axis=1)
    assert model(both[:, ::2], out=out) is out
    np.testing.assert_array_equal(out, model(X))


def test_models_that_read_integers_write_too():
    model, out = Sequential([layers.Input((2,)), layers.Embedding(4, 3), layers.Flatten(), layers.Dense(2)]), empty(2, 2)
    numbers = [[0, 3], [1, 2]]
    assert model(numbers, out=out) is out
    np.testing.assert_array_equal(out, model(numbers))


def test_predictions_of_several_axes_are_written_in_their_shape():
    model, out = Sequential([layers.Input((2, 3)), layers.Dense(4)]), empty(5, 2, 4)
    x = X.reshape(5, 2, 3)
    assert model(x, out=out) is out
    np.testing.assert_array_equal(out, model(x))


def test_models_that_share_weights_write_too():
    shared = layers.Dense(6)
    x = layers.Input((6,))
    one, other = Model(x, shared(x)), Model(x, layers.ReLU()(shared(x)))
    out = empty()
    assert one(X, out=out) is out
    np.testing.assert_array_equal(np.maximum(out, 0), other(X))


def test_noise_of_training_is_written_too():
    model, out = chain(first=[layers.Dropout(0.5)]), empty()
    assert model(np.ones_like(X), training=True, out=out) is out
    assert not np.isnan(out).any()
    assert not np.array_equal(out, model(np.ones_like(X)))


def wrong_arrays():
    read_only = empty()
    read_only.flags.writeable = False
    unaligned = np.zeros(5 * 6 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(5, 6)
    return {
        "a list": ([[0.0] * 6] * 5, TypeError, "float32 array, got a list"),
        "float64": (np.zeros((5, 6)), TypeError, "got an array of float64"),
        "swapped bytes": (empty().astype(">f4"), TypeError, "got an array of >f4"),
        "one axis": (empty(30), ValueError, r"shape \(5, 6\)"),
        "other samples": (empty(4, 6), ValueError, r"shape \(5, 6\), \(samples, outputs\), got \(4, 6\)"),
        "other outputs": (empty(5, 7), ValueError, r"got \(5, 7\)"),
        "columns": (empty(6, 5).T, ValueError, "C-contiguous"),
        "every second row": (empty(10, 6)[::2], ValueError, "C-contiguous"),
        "unaligned": (unaligned, ValueError, "aligned"),
        "read-only": (read_only, ValueError, "read-only"),
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", wrong_arrays())
def test_arrays_that_no_engine_can_write_to_are_refused(kind, engine):
    out, error, text = wrong_arrays()[kind]
    with pytest.raises(error, match=text):
        chain(engine)(X, out=out)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_array_that_shares_memory_with_x_is_refused(engine):
    model, memory = chain(engine), np.zeros((8, 6), np.float32)
    memory[:5] = X
    for out in (memory[:5], memory[2:7], memory[3:8]):
        with pytest.raises(ValueError, match="shares memory with x"):
            model(memory[:5], out=out)
    np.testing.assert_array_equal(memory[:5], X)
    rows = memory.ravel()[30:48].reshape(3, 6)
    model(memory[:3], out=rows)  # behind the samples
    np.testing.assert_array_equal(rows, model(X[:3]))


def test_bytes_that_share_memory_with_the_output_are_refused():
    model, out = chain(), empty()
    with pytest.raises(ValueError, match="shares memory"):
        model(out.view(np.uint8).ravel()[:30].reshape(5, 6), out=out)


def test_what_is_wrong_with_x_comes_first():
    out = empty()
    with pytest.raises(ValueError, match="x has 5 features, but the first layer expects 6"):
        chain()(X[:, :5], out=out)
    assert np.isnan(out).all()


def test_several_outputs_need_no_array():
    x = layers.Input((6,))
    model = Model(x, [layers.Dense(1)(x), layers.Dense(2)(x)])
    with pytest.raises(UnsupportedError, match="one output, but this one has 2"):
        model(X, out=empty(5, 3))


def test_a_model_that_is_called_on_tensors_computes_nothing():
    with pytest.raises(TypeError, match="called on tensors"):
        chain()(layers.Input((6,)), out=empty())
