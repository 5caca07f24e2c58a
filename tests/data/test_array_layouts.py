"""Arrays may lie in memory as they like, in any byte order: it changes no bit of what fastmlp does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fastmlp import layers, models

N = 8
random = np.random.default_rng(0)
ENGINES = ("native", "reference")


def squared(y, p):
    return ((p - y) ** 2).sum(axis=1), 2 * (p - y)


def model(engine, loss="mse", optimizer="adam"):
    made = models.Sequential([layers.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2, activation="sigmoid")])
    made.compile(optimizer, loss, engine=engine)
    return made


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    out = raw[1:].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def spread(array):
    return np.repeat(array, 2, axis=0)[::2]


def field(array):
    records = np.zeros(array.shape, [("other", np.uint8), ("own", array.dtype)])
    records["own"] = array
    return records["own"]


LAYOUTS = {
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "little-endian": lambda a: a.astype(a.dtype.newbyteorder("<")),
    "big-endian double": lambda a: a.astype(">f8"),
    "misaligned": misaligned,
    "misaligned and big-endian": lambda a: misaligned(a.astype(a.dtype.newbyteorder(">"))),
    "reversed": lambda a: a[::-1].copy()[::-1],
    "negative strides in both axes": lambda a: np.flip(np.flip(a).copy()),
    "Fortran order": np.asfortranarray,
    "every other row": spread,
    "read-only": read_only,
    "part of wider rows": lambda a: np.hstack([a, a])[:, : a.shape[1]] if a.ndim == 2 else spread(a),
    "a field of a record": field,
    "subclass": lambda a: a.view(type("Own", (np.ndarray,), {})),
}
F = random.standard_normal((N, 3)).astype(np.float32)
T = random.uniform(0, 1, (N, 2)).astype(np.float32)
W = random.uniform(0.5, 1, N).astype(np.float32)


def trained(engine, x=F, y=T, weight=W, validation=None):
    made = model(engine, optimizer="sgd")
    made.set_weights(WEIGHTS)
    made.fit(x, y, sample_weight=weight, batch_size=3, shuffle=False, verbose=0, validation_data=validation)
    return np.concatenate([w.ravel() for w in made.get_weights()])


WEIGHTS = [random.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (4,), (4, 2), (2,))]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_the_layout_of_an_array_changes_no_bit(engine, lay):
    made = model(engine)
    made.set_weights(WEIGHTS)
    want = made.predict(F, verbose=0)
    x, y, weight = lay(F), lay(T), lay(W)
    assert np.array_equal(made.predict(x, verbose=0), want)
    assert np.array_equal(made(x), made(F))
    assert np.array_equal(np.concatenate([made(row) for row in x]), np.concatenate([made(row) for row in F]))
    assert np.array_equal(made(x, training=True), made(F, training=True))
    assert made.evaluate(x, y, sample_weight=weight, verbose=0) == made.evaluate(F, T, sample_weight=W, verbose=0)
    assert np.array_equal(trained(engine, x, y, weight, validation=(x, y, weight)), trained(engine))
    made.set_weights([lay(w) for w in WEIGHTS])
    assert np.array_equal(made.predict(F, verbose=0), want)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_are_all_the_same_array_are_read_as_such(engine):
    made = model(engine)
    x = np.broadcast_to(F[0], (N, 3))
    assert np.array_equal(made.predict(x, verbose=0), made.predict(x.copy(), verbose=0))
    assert np.array_equal(made(x), made(x.copy()))
    y, weight = np.broadcast_to(np.float32(0.25), (N, 2)), np.broadcast_to(np.float32(0.5), N)
    assert np.array_equal(trained(engine, x, y, weight), trained(engine, x.copy(), y.copy(), weight.copy()))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "u4", "f2", "f4", "f8"])
def test_integer_labels_and_integers_in_any_layout_are_the_same(engine, lay, dtype):
    labels = (np.arange(N) % 2).astype(dtype)
    whole = (np.arange(N * 3).reshape(N, 3) % 7).astype(dtype)

    def train(x, y):
        made = models.Sequential([layers.Input((3,)), layers.Dense(2, activation="softmax", kernel_initializer="ones")])
        made.compile("sgd", "sparse_categorical_crossentropy", engine=engine)
        made.fit(x, y, batch_size=3, shuffle=False, verbose=0)
        return np.concatenate([made(row) for row in x]), made.get_weights()[0]

    for got, wanted in zip(train(lay(whole), lay(labels)), train(whole, labels), strict=True):
        assert np.array_equal(got, wanted)


@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_the_arrays_of_a_sparse_matrix_may_lie_as_they_like(lay):
    dense = np.where(random.random((N, 80)) < 0.1, random.standard_normal((N, 80)), 0).astype(np.float32)
    made = models.Sequential([layers.Input((80,)), layers.Dense(16)])
    want = made.predict(dense, verbose=0)
    matrix = csr_matrix(dense)
    matrix.data, matrix.indices, matrix.indptr = lay(matrix.data), lay(matrix.indices), lay(matrix.indptr)
    if matrix.indices.dtype.kind == "i":
        assert np.array_equal(made.predict(matrix, verbose=0), want)


@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_loss_function_returns_may_lie_as_it_likes(engine, lay):
    def train(change):
        made = model(engine, loss=lambda y, p: tuple(map(change, squared(y, p))), optimizer="sgd")
        made.set_weights(WEIGHTS)
        made.fit(F, T, batch_size=3, shuffle=False, verbose=0)
        return made.get_weights()

    for got, wanted in zip(train(lay), train(lambda a: a), strict=True):
        assert np.array_equal(got, wanted)
