"""SciPy's sparse matrices as x: every method takes them, in every format, with the numbers of the dense array and never as one."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from fastmlp import layers, models, optimizers, utils
from fastmlp.errors import UnsupportedError

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

ROWS, COLUMNS = 60, 120
rng = np.random.default_rng(0)
DENSE = np.where(rng.random((ROWS, COLUMNS)) < 0.05, rng.normal(size=(ROWS, COLUMNS)), 0).astype(np.float32)
X = sp.csr_matrix(DENSE)
Y = rng.integers(0, 3, ROWS)


def made(engine="native", first=(), columns=COLUMNS, **options):
    utils.set_random_seed(1)
    model = models.Sequential(
        [
            layers.Input(shape=(columns,)),
            *(layer() for layer in first),
            layers.Dense(20, activation="tanh"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], engine=engine, **options)
    return model


def everything(model, x, **options):
    """What every method gives for x, and the weights at the end."""
    history = model.fit(x[:40], Y[:40], epochs=8, batch_size=8, verbose=0, validation_data=(x[40:], Y[40:]), **options).history
    model.fit(x, Y, epochs=2, verbose=0, validation_split=0.25)
    return [
        *(np.array(values) for values in history.values()),
        np.array(model.train_on_batch(x, Y)),
        np.array(model.test_on_batch(x, Y)),
        np.array(model.evaluate(x, Y, verbose=0)),
        model.predict(x, verbose=0),
        model(x),
        model(x[:1]),
        model(x, training=True),
        *model.get_weights(),
    ]


def assert_same_bits(left, right):
    assert [a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True)] == [True] * len(left)


@pytest.mark.parametrize("first", [(), (lambda: layers.Dropout(0.3),), (layers.Flatten,), (lambda: layers.Activation("relu"),)])
def test_every_method_gives_the_bits_of_the_dense_array(engine, first):
    assert_same_bits(everything(made(engine, first), X), everything(made(engine, first), DENSE))


@pytest.mark.parametrize(
    "layer",
    [
        *(layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization, layers.PReLU),
        *(lambda: layers.AlphaDropout(0.1), lambda: layers.Rescaling(0.5)),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_other_layers_before_or_after_the_first_dense_one_get_the_same_bits(engine, layer, place):
    def trained(x):
        utils.set_random_seed(1)
        stack = [layers.Dense(20, activation="tanh"), layers.Dense(3, activation="softmax")]
        stack.insert(place, layer())
        model = models.Sequential([layers.Input(shape=(COLUMNS,)), *stack])
        model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", engine=engine)
        return everything(model, x)

    assert_same_bits(trained(X), trained(DENSE))


def test_a_first_layer_that_is_frozen_or_released_between_fits_gets_the_same_bits(engine):
    def trained(x):
        model = made(engine)
        for trainable in (True, False, True):
            model.layers[0].trainable = trainable
            model.compile(model.optimizer, "sparse_categorical_crossentropy", engine=engine)
            model.fit(x, Y, epochs=3, batch_size=8, verbose=0)
        return model.get_weights()

    assert_same_bits(trained(X), trained(DENSE))


@pytest.mark.parametrize("skip_zeros", ["auto", True, False, 0.5])
def test_skipping_zeros_or_not_is_a_matter_of_speed(skip_zeros):
    assert_same_bits(everything(made(skip_zeros=skip_zeros), X), everything(made(skip_zeros=False), DENSE))


@pytest.mark.parametrize("form", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_every_format_is_read(engine, form, kind):
    x = getattr(sp, f"{form}_{kind}")(X)
    np.testing.assert_array_equal(made(engine).predict(x, verbose=0), made(engine).predict(DENSE, verbose=0))


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int16, np.int64, np.bool_])
def test_values_and_places_of_every_width(dtype, index):
    x = sp.csr_matrix((DENSE > 0).astype(dtype) * dtype(3))
    x.indptr, x.indices = x.indptr.astype(index), x.indices.astype(index)
    dense = x.toarray()
    assert_same_bits(everything(made(), x), everything(made(), dense))


def test_a_model_learns_its_input_shape_from_a_sparse_matrix():
    model = models.Sequential([layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    assert model.input_shape == (None, COLUMNS)


# Entries that are not in order


def scrambled(dtype=np.float64):
    """Entries in any order, one place three times, another with a sum of zero."""
    rows = np.array([0, 0, 0, 0, 2, 2, 2, 1])
    columns = np.array([5, 2, 5, 5, 9, 1, 9, 0])
    values = np.array([1, 7, 2, 3, 4, 6, -4, 8]).astype(dtype)
    starts = np.array([0, 4, 5, 8])
    order = np.argsort(rows, kind="stable")
    return sp.csr_matrix((values[order], columns[order], starts), shape=(3, 70))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_entries_out_of_order_are_sorted_and_those_of_one_place_added_in_a_copy(dtype):
    x = scrambled(dtype)
    before = [x.data.copy(), x.indices.copy(), x.indptr.copy()]
    predicted = made(columns=70).predict(x, verbose=0)
    assert all((a == b).all() for a, b in zip(before, [x.data, x.indices, x.indptr], strict=True))
    np.testing.assert_array_equal(predicted, made(columns=70).predict(x.toarray(), verbose=0))
    np.testing.assert_array_equal(made(columns=70)(x), predicted)


def test_fractions_are_added_as_toarray_adds_them_and_integers_do_not_wrap_around():
    values = (rng.normal(size=3000) * 10.0 ** rng.integers(-3, 3, 3000)).astype(np.float32)
    x = sp.csr_matrix((values, rng.integers(0, 100, 3000), np.arange(0, 3001, 300)), shape=(10, 100))
    np.testing.assert_array_equal(made(columns=100)(x), made(columns=100)(x.toarray()))
    bytes_ = sp.csr_matrix((np.full(3, 100, np.uint8), np.zeros(3, int), [0, 3]), shape=(1, 70))
    np.testing.assert_array_equal(made(columns=70)(bytes_), made(columns=70)(300.0 * np.eye(1, 70)))


def test_matrices_that_are_as_the_engine_wants_them_are_not_copied():
    x = sp.random(20_000, 500, 0.1, "csr", np.float32, random_state=0)
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int64)
    model = made(columns=500)
    model.predict(x[:100], verbose=0)  # which imports what it needs
    tracemalloc.start()
    try:
        predictions = model.predict(x, verbose=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < predictions.nbytes + x.indptr.nbytes + 1e5 < x.data.nbytes / 4


# Errors


BAD = {
    "width": (X[:, :9], ValueError, "x has 9 features, but the first layer expects 120"),
    "complex": (X.astype(complex), TypeError, "x must be numbers, but holds complex128 values"),
    "column": (
        (X.data, np.where(np.arange(X.nnz) == 9, 500, X.indices), X.indptr),
        ValueError,
        "has an entry in column 500, but there are only",
    ),
    "negative": (
        (X.data, np.where(np.arange(X.nnz) == 9, -1, X.indices), X.indptr),
        ValueError,
        "has an entry in column -1, but there are only",
    ),
    "pointers": ((X.data, X.indices, X.indptr[::-1]), ValueError, "x.indptr must ascend from 0 to at most"),
    "too long": ((X.data, X.indices, X.indptr * 2), ValueError, "x.indptr must ascend from 0 to at most"),
    "too few": ((X.data, X.indices, X.indptr[:-1]), ValueError, "x.indptr must be 61 integers, one more than there are rows"),
}


class Damaged:
    """What a csr_matrix would be if its constructor let these arrays pass."""

    shape = X.shape

    def __init__(self, data, indices, indptr):
        self.data, self.indices, self.indptr = data, indices, indptr

    def tocsr(self):
        return self


@pytest.mark.parametrize("case", BAD)
def test_a_damaged_matrix_is_an_error_and_no_crash(engine, case):
    x, error, message = BAD[case]
    x = Damaged(*x) if isinstance(x, tuple) else x
    model = made(engine)
    for call in (
        lambda: model.fit(x, Y, verbose=0),
        lambda: model.evaluate(x, Y, verbose=0),
        lambda: model.predict(x, verbose=0),
        lambda: model(x),
    ):
        with pytest.raises(error) as caught:
            call()
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "is NaN; remove these samples"),
        (-np.inf, "is -Inf; remove these samples"),
        (1e300, "is 1e+300, which is too large for float32"),
    ],
)
def test_values_that_are_not_finite_are_named_by_row_and_column(engine, value, message):
    x = X.astype(np.float64)
    at = 25
    x.data[at] = value
    row = int(np.searchsorted(x.indptr, at, side="right")) - 1
    with pytest.raises(ValueError, match="x") as caught:
        made(engine).fit(x, Y, verbose=0)
    assert f"x[{row}, {x.indices[at]}] {message}" in str(caught.value)


def test_shapes_that_do_not_fit_are_explained():
    images = models.Sequential([layers.Flatten(input_shape=(10, 12)), layers.Dense(3)])
    images.compile(loss="mse")
    with pytest.raises(
        ValueError, match=r"x is a sparse matrix of shape \(60, 120\), but the model expects samples of shape \(10, 12\); begin"
    ):
        images.predict(X)
    with pytest.raises(
        ValueError, match=r"x is a sparse array of shape \(120,\), but the model expects \(samples, 120\); pass x.reshape\(1, -1\)"
    ):
        made()(sp.coo_array(DENSE[0]))
    with pytest.raises(UnsupportedError, match=r"y is a sparse matrix, but only x may be one; pass y.toarray\(\)"):
        made().fit(X, sp.csr_matrix(utils.to_categorical(Y)))
    with pytest.raises(ValueError, match="x has 60 samples, y has 59 samples"):
        made().fit(X, Y[1:])
    with pytest.raises(ValueError, match="x has no samples"):
        made().fit(X[:0], Y[:0])
    assert made().predict(X[:0], verbose=0).shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "error"), [("no", TypeError), (None, TypeError), (-0.1, ValueError), (1.5, ValueError), (np.nan, ValueError)]
)
def test_what_skip_zeros_may_be(value, error):
    with pytest.raises(error, match="skip_zeros must be"):
        made(skip_zeros=value)


# What it costs


def test_a_matrix_is_never_made_dense():
    wide = sp.random_array((2000, 100_000), density=1e-4, format="csr", dtype=np.float32, rng=0)
    model = models.Sequential([layers.Input(shape=(100_000,)), layers.Dense(4, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy")
    model.predict(wide[:1], verbose=0)
    tracemalloc.start()
    model.fit(wide, np.arange(2000) % 2, batch_size=512, epochs=2, verbose=0, validation_split=0.5)
    model.evaluate(wide, np.arange(2000) % 2, verbose=0)
    model.predict(wide, verbose=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20  # 800 MB if it were dense


def test_scipy_is_not_imported_for_those_who_do_not_use_it():
    code = (
        "import sys, numpy as np; from fastmlp import layers, models; m = models.Sequential([layers.Dense(1)]); "
        "m.compile(loss='mse'); m.fit(np.eye(3), np.ones(3), verbose=0); print('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


# A run that is stopped, saved and resumed


def test_a_saved_and_resumed_run_ends_with_the_same_bits(tmp_path):
    whole, stopped = made(), made()
    whole.fit(X, Y, epochs=6, batch_size=4, verbose=0)
    stopped.fit(X, Y, epochs=3, batch_size=4, verbose=0)
    stopped.save(tmp_path / "m.safetensors")
    resumed = models.load_model(tmp_path / "m.safetensors")
    resumed.fit(X, Y, epochs=3, batch_size=4, verbose=0)
    assert_same_bits(whole.get_weights(), resumed.get_weights())


def test_steps_that_adam_adds_up_resume_with_the_same_bits_between_epochs(tmp_path):
    def model():
        utils.set_random_seed(1)
        result = models.Sequential(
            [layers.Input(shape=(COLUMNS,)), layers.Dense(20, activation="tanh"), layers.Dense(3, activation="softmax")]
        )
        result.compile(optimizer=optimizers.Adam(0.01, catch_up="rounded"), loss="sparse_categorical_crossentropy")
        return result

    whole, stopped, looked_at = model(), model(), model()
    whole.fit(X, Y, epochs=6, batch_size=4, verbose=0)
    stopped.fit(X, Y, epochs=3, batch_size=4, verbose=0)
    stopped.save(tmp_path / "m.safetensors")
    resumed = models.load_model(tmp_path / "m.safetensors")
    resumed.fit(X, Y, epochs=3, batch_size=4, verbose=0)
    looked_at.fit(X, Y, epochs=6, batch_size=4, verbose=0, validation_data=(X, Y))
    assert_same_bits(whole.get_weights(), resumed.get_weights())
    assert_same_bits(whole.get_weights(), looked_at.get_weights())
    assert resumed.optimizer.catch_up == "rounded"
    with pytest.raises(ValueError, match="catch_up must be 'exact' or 'rounded', got 'fast'"):
        optimizers.Adam(catch_up="fast")


def test_skip_zeros_is_saved_with_the_model(tmp_path):
    model = made(skip_zeros=0.25)
    model.save(tmp_path / "m.safetensors")
    assert models.load_model(tmp_path / "m.safetensors").get_compile_config()["skip_zeros"] == 0.25
