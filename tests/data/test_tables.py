"""Tables of any kind become the same matrix of numbers and codes, and a value that does not fit is named."""

from __future__ import annotations

import datetime
import decimal
import json
from collections import namedtuple

import numpy as np
import pytest

from fastmlp._data.tables import constants
from fastmlp._data.tables.schema import TableSchema
from fastmlp.layers.numeric import edges_of

LIBRARIES = ["pandas", "polars", "pyarrow"]
UTC = datetime.UTC
DAY = datetime.timedelta(days=1)
COLUMNS = {
    "age": [31, 45, None, 27, 52, 38],
    "height": [1.5, 1.75, 1.6, 1.8, 1.55, 1.7],
    "member": [True, False, True, True, None, False],
    "city": ["Rome", "Oslo", None, "Rome", "Bern", "Oslo"],
    "since": [datetime.date(2020, 1, day) for day in (5, 3, 9, 3, 4, 7)],
    "seen": [datetime.datetime(2021, 1, 1, hour) for hour in (0, 6, 12, 18, 0, 6)],
    "away": [1 * DAY, 2 * DAY, None, 1.5 * DAY, 1 * DAY, 3 * DAY],
    "same": [7] * 6,
}
EXPECTED = np.array(
    [
        [31, 1.5, 1, 2, 0, 1, 2],
        [45, 1.75, 0, 0, 0.25, 2, 1],
        [np.nan, 1.6, 1, 6, 0.5, np.nan, 3],
        [27, 1.8, 1, 0, 0.75, 1.5, 2],
        [52, 1.55, np.nan, 1, 0, 1, 0],
        [38, 1.7, 0, 4, 0.25, 3, 1],
    ],
    np.float32,
)
"""Age, height, member, since, seen and away, then the code of the city among Bern, Oslo, Rome and missing."""


def frame(library, columns=COLUMNS):
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


def rows(columns=COLUMNS):
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def learned(table, **options):
    return TableSchema.learn(table, **options)


def read_back(schema):
    return TableSchema.from_config(json.loads(json.dumps(schema.get_config(), allow_nan=False)))


def assert_same(matrix, expected):
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.asarray(expected, np.float32))


TABLES = {
    **{library: (lambda library=library: frame(library)) for library in LIBRARIES},
    "dict": lambda: COLUMNS,
    "dict of arrays": lambda: {name: np.array(values, object) for name, values in COLUMNS.items()},
    "list of dicts": rows,
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_all_kinds_become_the_same_matrix(kind):
    table = TABLES[kind]()
    schema = learned(table)
    assert [column.kind for column in schema.columns] == ["number", "number", "boolean", "category", "date", "date", "duration", "number"]
    assert [column.encoding for column in schema.columns] == [*["numeric"] * 3, "one_hot", *["numeric"] * 3, "constant"]
    assert [column.name for column in schema.columns if column.missing] == ["age", "member", "city", "away"]
    for other in TABLES:
        assert_same(schema.read(TABLES[other]()), EXPECTED)
        assert_same(read_back(schema).read(TABLES[other]()), EXPECTED)


def test_rows_and_arrays_of_objects_are_read_in_the_order_of_their_columns():
    listed = [list(row.values()) for row in rows()]
    schema = learned(listed)
    assert not schema.named
    for table in (listed, [tuple(row) for row in listed], np.array(listed, object), COLUMNS, frame("pandas")):
        assert_same(schema.read(table), EXPECTED)
    assert_same(learned(COLUMNS).read(listed), EXPECTED)
    numbers = np.arange(6.0).reshape(3, 2)
    for table in (numbers, numbers.tolist(), numbers.astype(np.int64), numbers.astype("S3").astype(np.float32)):
        assert_same(learned(numbers).read(table), numbers)


def test_columns_that_pandas_has_numbered_have_no_names_but_are_found_by_their_numbers():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame([[1.0, 10], [2, 20]])
    schema = learned(table)
    assert not schema.named
    assert_same(schema.read(table[[1, 0]]), table)
    assert_same(schema.read(table.rename(columns={0: "a", 1: "b"})), table)


def test_a_structured_array_has_the_names_of_its_fields():
    array = np.array([(1, "a"), (2, "b")], [("size", "i4"), ("kind", "U1")])
    assert learned(array).names == ("size", "kind")
    assert_same(learned(array).read({"kind": ["b"], "size": [3]}), [[3, 1]])


def test_columns_are_found_by_name_and_others_are_ignored():
    schema = learned(COLUMNS)
    turned = {"extra": list("abcdef"), **dict(reversed(COLUMNS.items()))}
    del turned["same"]  # which was constant
    for library in LIBRARIES:
        assert_same(schema.read(frame(library, turned)), EXPECTED)


def test_one_sample_is_a_dict_of_values_a_row_of_a_frame_or_a_list_that_is_said_to_be_one():
    schema, first = learned(COLUMNS), rows()[0]
    for one in (first, [first], frame("pandas").iloc[0], frame("pandas").iloc[:1]):
        assert_same(schema.read(one), EXPECTED[:1])
    for one in (list(first.values()), np.array(list(first.values()), object)):
        assert_same(schema.read(one, single=True), EXPECTED[:1])


def test_a_series_is_a_table_of_one_column():
    pandas, polars, pyarrow = map(pytest.importorskip, LIBRARIES)
    values = [1.5, 2.5]
    for series in (pandas.Series(values, name="size"), polars.Series("size", values), pyarrow.chunked_array([values]), values):
        assert_same(learned(np.array([[1.0], [2.0]])).read(series), [[1.5], [2.5]])


def categoricals(library, values, categories):
    module = pytest.importorskip(library)
    if library == "pandas":
        return module.DataFrame({"c": module.Categorical(values, categories)})
    if library == "polars":
        return module.DataFrame({"c": module.Series(values, dtype=module.Enum(categories))})
    return module.table({"c": module.array(values).dictionary_encode()})


@pytest.mark.parametrize("library", LIBRARIES)
def test_categorical_columns_are_the_categories_that_occur_in_them(library):
    schema = learned(categoricals(library, ["b", None, "a", "b"], ["b", "never", "a"]))
    assert schema.columns[0].categories == ("a", "b", None)
    assert_same(schema.read(categoricals(library, [None, "b", "z", "a"], ["z", "b", "a"])), [[2], [1], [-1], [0]])
    assert_same(schema.read({"c": ["b", None, "z"]}), [[1], [2], [-1]])
    assert_same(learned({"c": ["b", "a", "b"]}).read(categoricals(library, ["a", None], ["b", "a"])), [[0], [-1]])


@pytest.mark.parametrize("kind", ["Int64", "UInt8", "Float32", "boolean", "int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]"])
def test_nullable_and_arrow_columns_of_pandas_are_numbers(kind):
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in kind:
        pytest.importorskip("pyarrow")
    column = pandas.Series([1, None, 0], dtype=kind)
    assert_same(learned({"a": column}).read(pandas.DataFrame({"a": column})), [[1], [np.nan], [0]])
    full = column.dropna()
    assert_same(learned({"a": full}).read({"a": full}), [[1], [0]])


def test_batches_and_tables_of_several_chunks_of_pyarrow_are_read():
    pyarrow = pytest.importorskip("pyarrow")
    table = frame("pyarrow")
    schema = learned(table)
    assert_same(schema.read(table.to_batches()[0]), EXPECTED)
    assert_same(schema.read(pyarrow.concat_tables([table.slice(0, 2), table.slice(2)])), EXPECTED)


def test_times_with_a_zone_are_compared_as_instants():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    here = [datetime.datetime(2024, 3, day, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=6))) for day in (1, 2, 4)]
    schema = learned({"t": here})
    assert schema.columns[0].origin == (datetime.datetime(2024, 3, 1, 6) - datetime.datetime(1970, 1, 1)) / DAY
    zoned = pandas.DataFrame({"t": pandas.Series(here).dt.tz_convert("Asia/Tokyo")})
    for table in (zoned, polars.DataFrame({"t": here}), pyarrow.Table.from_pandas(zoned), zoned.convert_dtypes(dtype_backend="pyarrow")):
        assert_same(schema.read(table), [[0], [1], [3]])


def test_values_of_other_types_are_categories_or_durations():
    half = datetime.time(12)
    table = {
        "t": [half, None, datetime.time(6)],
        "d": [decimal.Decimal("1.5"), 2, None],
        "b": [b"x", b"y", b"x"],
        "p": [(1, 2), (3,), (1, 2)],
    }
    schema = learned(table)
    assert [column.kind for column in schema.columns] == ["duration", "number", "category", "category"]
    assert_same(schema.read(table), [[0.5, 1.5, 0, 2], [np.nan, 2, 1, 3], [0.25, np.nan, 0, 2]])


def test_strings_that_are_numbers_are_categories_with_a_warning_that_names_the_others():
    numbers = list(map(str, range(100)))
    with pytest.warns(UserWarning, match=r"column 'mpg' of the table holds strings that are numbers, but for '\?', 'n/a', which become"):
        learned({"mpg": [*numbers, *numbers, "?", "n/a", None]})
    for silent in ([f"0{number}" for number in numbers], ["1", "2", "?"] * 9, [*numbers, *"abcdefghijkl"]):
        learned({"mpg": silent, "x": range(len(silent))})
    learned({"mpg": numbers * 2}, kinds={"mpg": "category"})


def test_categories_are_compared_as_text():
    schema = learned({"zip": [12, 7, 12, 99]}, kinds={"zip": "category"})
    assert schema.columns[0].categories == ("12", "7", "99")
    for values in ([12, 99], [12.0, 99.0], ["12", "99"], np.array([12, 99], np.float32), np.array(["12", "99"])):
        assert_same(schema.read({"zip": values}), [[0], [2]])


def test_many_categories_are_embedded_and_rare_ones_share_a_code_with_unknown_ones():
    values = [f"c{number}" for number in range(12)] * 2 + ["once", None, None]
    table = {"a": values, "b": [*"xy"] * 13 + ["x"], "c": values[::-1]}
    schema = learned(table, max_one_hot=8)
    assert [column.encoding for column in schema.columns] == ["embedded", "one_hot", "embedded"]
    assert schema.columns[0].categories == (*sorted(f"c{number}" for number in range(12)), None)
    assert schema.columns[0].codes == 14
    read = schema.read({"a": ["c0", "once", "new", None], "b": ["y", "x", "new", None], "c": ["c0", "once", "new", None]})
    assert_same(read, [[1, 0, 14], [0, 13, 27], [-1, 13, 27], [-1, 12, 26]])


def test_a_column_of_names_is_left_out():
    assert learned({"name": [f"n{i}" for i in range(20)], "a": range(20)}).columns[0].encoding == "unique"


def test_numbers_are_standardized_without_their_outliers():
    usual = np.random.default_rng(0).normal(3, 2, 998)
    values = np.concatenate((usual, [1e4, -1e4])).tolist()
    (a,) = learned({"a": values}).columns
    low, high = np.quantile(values, [0.01, 0.99])
    clipped = np.clip(values, low, high)
    np.testing.assert_allclose((a.center, 1 / a.scale), (clipped.mean(), clipped.std()), rtol=1e-5)
    assert 1.5 < 1 / a.scale < 2.5


def test_a_number_that_hardly_ever_differs_is_standardized_by_all_values():
    b, c = learned({"b": [5.0] * 999 + [9.0], "c": [None] + [3] * 999}).columns
    np.testing.assert_allclose((b.center, 1 / b.scale), (5.004, np.std([5.0] * 999 + [9.0])), rtol=1e-5)
    assert (c.center, c.scale, c.missing) == (3, 0, True)


def test_bins_are_those_of_the_piecewise_linear_encoding_unless_there_is_only_one():
    a, b, c, flag = learned(
        {"a": [0.0] * 900 + list(range(1, 101)), "b": [1, 2, 4, 8] * 250, "c": [0, 1] * 500, "flag": [True, False] * 500}, bins=4
    ).columns
    assert a.edges == edges_of(np.array([0.0] * 900 + list(range(1, 101))), 4)
    assert b.edges == (1, 2, 4, 8)
    assert c.edges == flag.edges == ()


def test_there_are_bins_by_default_only_with_enough_samples():
    for samples, bins in ((constants.SAMPLES_FOR_BINS, constants.BINS), (constants.SAMPLES_FOR_BINS - 1, 0)):
        (column,) = learned({"a": np.arange(samples)}).columns
        assert len(column.edges) == bins + bool(bins)
    assert learned({"a": np.arange(5000)}, bins=0).columns[0].edges == ()


def test_numbers_that_float32_does_not_resolve_are_read_from_an_origin():
    stamps = 1_700_000_000_000.0 + np.arange(100)
    schema = learned({"t": stamps})
    assert_same(schema.read({"t": stamps}) - schema.read({"t": stamps[:1]}), np.arange(100.0)[:, None])
    assert learned({"t": np.arange(100.0)}).columns[0].origin == 0


def test_kinds_override_what_is_guessed():
    table = {"n": ["1", "2.5", None], "d": ["2020-01-03", "2020-01-01T12:00", None], "f": ["yes", "no", "yes"], "x": [1, 2, 3]}
    schema = learned(table, kinds={"n": "number", "d": "date", "f": "boolean", "x": "drop"})
    assert_same(schema.read({name: table[name] for name in "ndf"}), [[1, 1.5, 1], [2.5, 0, 0], [np.nan, np.nan, 1]])


def test_a_column_whose_values_are_all_missing_can_be_read():
    schema = learned(COLUMNS)
    matrix = schema.read({name: [None, None] for name in COLUMNS})
    assert_same(matrix, [[np.nan] * 6 + [3]] * 2)
    pyarrow = pytest.importorskip("pyarrow")
    assert_same(schema.read(pyarrow.table({name: pyarrow.nulls(2) for name in COLUMNS})), matrix)


def test_a_table_without_rows_is_read_as_a_matrix_without_rows():
    for library in LIBRARIES:
        table = frame(library)
        assert learned(COLUMNS).read(table[:0] if library != "pyarrow" else table.slice(0, 0)).shape == (0, 7)


SCHEMA = {
    "age": [31, 45, 27],
    "Work class": ["a", "b", "a"],
    "since": [datetime.date(2020, 1, day) for day in (1, 2, 5)],
    "for": [1 * DAY, 2 * DAY, 5 * DAY],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"age": [1, "x", 2]},
            r"column 'age' of x holds the string 'x' in row 1, but it held numbers when the encoder was adapted",
        ),
        (
            {"age": [None, np.datetime64("2020-01-01"), None]},
            r"column 'age' of x holds the date 2020-01-01.* in row 1, but it held numbers",
        ),
        ({"since": [None, None, 3]}, r"column 'since' of x holds the number 3\S* in row 2, but it held dates"),
        ({"since": ["2020-01-01", "soon", ""]}, r"holds the string 'soon' in row 1, but it held dates"),
        ({"for": [None, "x", 1 * DAY]}, r"column 'for' of x holds the string 'x' in row 1, but it held durations"),
        ({"for": [None, 2.5, 1]}, r"column 'for' of x holds the number 2.5 in row 1, but it held durations"),
        ({"age": [1, np.inf, 2]}, r"column 'age' of x is inf in row 1"),
        ({"age": [1, 1e39, 2]}, r"column 'age' of x is 1e\+39, which is too large for float32"),
        ({"age": [1, 10**400, 2]}, r"column 'age' of x is inf in row 1"),
        ({"age": [1, [2], 3]}, r"column 'age' of x holds a list, \[2\] in row 1, but a column has one value for each sample"),
        ({"age": [1j, 2, 3]}, r"column 'age' of x holds complex values"),
        ({"age": np.ones((3, 2))}, r"column 'age' of x must have one value for each sample, got an array of shape \(3, 2\)"),
        ({"age": np.ma.array([1, 2, 3], mask=[0, 1, 0])}, r"column 'age' of x has masked elements"),
        ({"age": [1, 2]}, r"has 3 values, but column 'age' of x has 2"),
        ({"age": 3}, r"column 'age' of x is the single value 3"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_column_and_row(change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learned(SCHEMA).read({**SCHEMA, **change})


def test_missing_columns_are_named_with_similar_ones_that_are_there():
    with pytest.raises(ValueError, match=r"x lacks the columns 'age', 'Work class' \(did you mean 'work_class'\?\), which the encoder"):
        learned(SCHEMA).read({"since": [None], "for": [None], "work_class": ["a"]})
    with pytest.raises(ValueError, match=r"x has 2 columns, but the encoder was adapted to 4: 'age', 'Work class', 'since', 'for'"):
        learned(SCHEMA).read([[1, 2]])


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (None, ValueError, r"the table is missing"),
        ("adult.csv", TypeError, r"got 'adult.csv'; read a file first, for example with pandas.read_csv"),
        ([], ValueError, r"the table is empty"),
        ({}, ValueError, r"the table is an empty dict"),
        (np.zeros((2, 2, 2)), ValueError, r"the table has shape \(2, 2, 2\), but a table has two axes"),
        ([[1, 2], [3]], ValueError, r"row 1 of the table is \[3\], but row 0 has 2 values"),
        ([{"a": 1}, [2]], TypeError, r"row 1 of the table is \[2\], but row 0 is a dict"),
        ([1, [2]], ValueError, r"pass rows of equal lengths"),
        (np.zeros((0, 2)), ValueError, r"the table has 0 rows"),
        ({"a": [1, 1]}, ValueError, r"no column of the table varies in its 2 rows"),
        ({"a": [1, np.inf]}, ValueError, r"column 'a' of the table is inf in row 1"),
        ((row for row in [[1]]), TypeError, r"must be a table.* got a generator"),
    ],
)
def test_what_can_not_be_learned_is_an_error_that_says_why(table, error, message):
    with pytest.raises(error, match=message):
        learned(table)


def test_sparse_matrices_and_lazy_frames_are_refused_with_what_to_do():
    sparse, polars = pytest.importorskip("scipy.sparse"), pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"\.toarray\(\)"):
        learned(sparse.eye(3, format="csr"))
    with pytest.raises(TypeError, match=r"\.collect\(\)"):
        learned(polars.DataFrame({"a": [1, 2]}).lazy())


def test_repeated_names_and_unknown_kinds_are_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"several columns called 'a'; rename them"):
        learned(pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]))
    with pytest.raises(ValueError, match=r"kinds names the column 'Age' \(did you mean 'age'\?\), which the table lacks"):
        learned(SCHEMA, kinds={"Age": "category"})
    with pytest.raises(ValueError, match=r"holds the string 'a' in row 0, but kinds=\{'Work class': 'number'\} says that it holds numbers"):
        learned(SCHEMA, kinds={"Work class": "number"})


def test_rows_may_be_named_tuples():
    person = namedtuple("person", "age city")
    assert_same(learned([person(1, "a"), person(2, "b")]).read([person(2, "a")]), [[2, 0]])


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": [3]},
        {"named": 1},
        {"more": 1},
        {"columns": [{"name": "a", "kind": "number", "encoding": "numeric"}] * 2},
        *(
            {"columns": [{"name": "a", "kind": "number", "encoding": "numeric", **wrong}]}
            for wrong in (
                *({"kind": "x"}, {"encoding": "x"}, {"encoding": "one_hot"}, {"kind": "category"}, {"x": 1}, {"missing": 3}),
                *({"scale": "1"}, {"scale": 1e39}, {"center": float("inf")}, {"categories": ["a", "a"]}, {"categories": [1]}),
                *({"edges": edges} for edges in ([2, 1], [1], ["x"], [1, 1 + 1e-12], [[1, 2]])),
            )
        ),
    ],
)  # fmt: skip
def test_a_malformed_schema_is_refused(change):
    with pytest.raises((TypeError, ValueError)):
        TableSchema.from_config({**learned(SCHEMA).get_config(), **change})
