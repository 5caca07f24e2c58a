"""Tables of pandas, polars and pyarrow train as their arrays do, and a column that can't is named."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from fastmlp import layers, models, utils

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
NAMES = ["age", "height", "sex"]
LIBRARIES = ["pandas", "polars", "pyarrow"]


def frame(library, columns):
    """A table of named columns."""
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


def series(library, values):
    module = pytest.importorskip(library)
    return module.chunked_array([values]) if library == "pyarrow" else module.Series(values)


def trained(x, y, **options):
    utils.set_random_seed(1)
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(3,)), layers.Dense(2, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(x, y, epochs=2, verbose=0, **options)
    return model


def assert_same_weights(a, b):
    for left, right in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint8", "bool"])
def test_a_frame_trains_as_its_array_bit_for_bit(library, kind):
    x = (X * 3 + 9).astype(kind)
    table = frame(library, {name: x[:, i] for i, name in enumerate(NAMES)})
    weight = np.linspace(0, 2, 60)
    from_frame = trained(table, series(library, Y), sample_weight=series(library, weight), validation_data=(table, series(library, Y)))
    from_array = trained(x, Y, sample_weight=weight)
    assert_same_weights(from_frame, from_array)
    np.testing.assert_array_equal(from_frame.predict(table, verbose=0), from_array.predict(x, verbose=0))
    assert from_frame.evaluate(table, series(library, Y), verbose=0) == from_array.evaluate(x, Y, verbose=0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_columns_of_several_types_become_numbers(library):
    table = frame(library, {"age": [30, 40], "height": [1.5, 1.75], "sex": [True, False]})
    np.testing.assert_array_equal(trained(X, Y).predict(table, verbose=0), trained(X, Y).predict([[30, 1.5, 1], [40, 1.75, 0]], verbose=0))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        (["a", "b"], TypeError, "'height' of x holds strings such as 'a'; .* layers.TableEncoder"),
        (
            [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1)],
            TypeError,
            "'height' of x holds dates or times; .* a layers.TableEncoder",
        ),
    ],
)
def test_a_column_that_is_not_numbers_is_named(library, column, error, message):
    model = trained(X, Y)
    with pytest.raises(error, match=message):
        model.fit(frame(library, {"age": [1.0, 2.0], "height": column, "sex": [0, 1]}), [0, 1], verbose=0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_column_with_missing_values_is_named(library):
    table = frame(library, {"age": [1.0, 2.0, 3.0], "height": [1, None, None], "sex": [0, 1, 0]})
    if library == "pandas":
        table = table.astype({"height": "Int64"})
    with pytest.raises(ValueError, match=r"'height' of x has 2 missing values; fill or drop them first, or .* layers\.TableEncoder"):
        trained(X, Y).predict(table, verbose=0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_nan_in_a_column_of_floats_is_found_by_row_and_name(library):
    table = frame(library, {"age": [1.0, 2.0, 3.0], "height": np.array([1, 2, np.nan]), "sex": [0, 1, 0]})
    with pytest.raises(ValueError, match=r"x\[2, 'height'\] is NaN; .* begin the model with a layers\.TableEncoder"):
        trained(X, Y).predict(table, verbose=0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_categorical_column_is_named(library):
    module = pytest.importorskip(library)
    columns = {"age": [1.0, 2.0], "height": ["a", "b"], "sex": [0, 1]}
    table = frame(library, columns)
    if library == "pandas":
        table = table.astype({"height": "category"})
    elif library == "polars":
        table = table.cast({"height": module.Categorical})
    else:
        table = table.set_column(1, "height", table["height"].dictionary_encode())
    with pytest.raises(TypeError, match=r"'height' of x is categorical; .* a layers\.TableEncoder, after encoder\.adapt\(table\)"):
        trained(X, Y).predict(table, verbose=0)


def test_nullable_and_arrow_columns_of_pandas_are_read():
    pandas = pytest.importorskip("pandas")
    x = np.round(X * 10)
    table = pandas.DataFrame(x, columns=NAMES)
    for kinds in ({"age": "Int64", "height": "Float32", "sex": "float64"}, {"age": "int64[pyarrow]", "height": "double[pyarrow]"}):
        if any("pyarrow" in kind for kind in kinds.values()):
            pytest.importorskip("pyarrow")
        assert_same_weights(trained(table.astype(kinds), Y), trained(x, Y))


@pytest.mark.parametrize("library", LIBRARIES)
def test_targets_that_are_strings_are_told(library):
    with pytest.raises(TypeError, match=r"y holds strings such as 'no'; .* integer class labels: np\.unique\(y"):
        trained(X[:2], series(library, ["no", "yes"]))


def test_tables_without_a_library_are_told_of_the_layer_that_reads_them():
    for table in ({"age": [1.0], "sex": ["m"]}, [[1.0, 2.0, "m"]]):
        with pytest.raises((TypeError, ValueError), match=r"begin the model with a layers\.TableEncoder"):
            trained(X, Y).predict(table, verbose=0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_of_another_width_is_told(library):
    with pytest.raises(ValueError, match="x has 1 features, but the first layer expects 3"):
        trained(X, Y).predict(frame(library, {"age": [1.0, 2.0]}), verbose=0)
