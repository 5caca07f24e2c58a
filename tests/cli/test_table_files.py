"""Users' files on the command line: how text becomes columns, and what is detected in them."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import numpy as np
import pytest

from fastmlp.cli.tables import formats
from fastmlp.cli.tables.kinds import convert, detect_decimal, guess, kinds_of
from fastmlp.cli.tables.problem import pose, split
from fastmlp.cli.tables.reading import read_columns

real_tables = pytest.mark.skipif(
    not (Path(os.environ.get("FASTMLP_DATA", "")) / "tabular").is_dir(), reason="FASTMLP_DATA does not name a folder with real tables"
)


def real(name):
    return str(Path(os.environ["FASTMLP_DATA"]) / "tabular" / name)


@pytest.fixture
def table(tmp_path):
    """Reads a text as a file."""

    def read(text, name="table.csv", encoding="utf-8", **options):
        path = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return read_columns(str(path), **options)

    return read


def values(column):
    fields = column.fields()
    return [fields[code] for code in column.codes.tolist()]


# Text to columns


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("name,size\nred,1.5\nblue,\n", "utf-8"),
        ("name;size\r\nred;1.5\r\nblue;\r\n", "utf-8"),
        ("name\tsize\nred\t1.5\nblue\tNA\n", "utf-16"),
        ("name|size\nred|1.5\nblue|?\n", "utf-8"),
        ('"name","size"\n"red","1.5"\n"blue",""\n', "utf-8-sig"),
        ("name,size\rred,1.5\rblue,\r", "utf-8"),
        ("\n\nname,size\n\nred,1.5\n,\nblue, NaN \n\n", "utf-8"),
        ("name,size\nred,1.5,\nblue,,\n", "utf-8"),
    ],
    ids=["commas", "semicolons", "tabs", "bars", "quotes", "carriage returns", "empty lines", "an empty last field"],
)
def test_columns_are_read_however_they_are_separated(table, text, encoding):
    found = table(text, encoding=encoding)
    assert {name: values(column) for name, column in found.columns.items()} == {"name": ["red", "blue"], "size": ["1.5", None]}
    assert found.header


def test_the_separator_is_the_one_that_finds_the_names_that_are_expected(table):
    text = "a,b;c\n1,5;2\n3,7;1\n"
    assert list(table(text, expected=["a,b"]).columns) == ["a,b", "c"]
    assert list(table(text, expected=["a"]).columns) == ["a", "b;c"]


def test_decimal_commas_do_not_separate_columns_that_semicolons_separate(table):
    assert values(table("x;y\n1,5;2,5\n0,5;1,5\n").columns["x"]) == ["1,5", "0,5"]


@pytest.mark.parametrize(
    ("text", "expected", "header"),
    [
        ("age,sex\n39,m\n50,f\n", [], True),
        ("39,m\n50,f\n", [], False),
        ("m,39\nf,50\n", [], False),
        ("2019,2020\n1,2\n", [], False),
        ("a,2020\nb,2\n", ["a"], True),
        ("15,2\n3,4\n", ["15"], False),
        ("0,1,2\n5,4,3\n", [], True),
        ("year,2020\n1,2\n3,4\n", [], True),
        ("p,x,s\np,x,n\ne,x,s\np,b,n\n", [], False),
        ("class,cap,odour\np,x,n\ne,x,s\n", [], True),
    ],
)
def test_a_header_is_told_from_values(table, text, expected, header):
    found = table(text, expected=expected)
    assert found.header == header
    assert found.rows == len(text.splitlines()) - header
    assert table(text, header=not header).header != header


def test_columns_without_names_are_numbered_and_equal_names_are_made_different(table):
    assert list(table("1,a\n2,b\n").columns) == ["column_1", "column_2"]
    found = table("x,,x,x.1\n1,2,3,4\n")
    assert list(found.columns) == ["x", "column_2", "x.2", "x.1"]
    assert found.renamed == {"x.2": "x"}


def test_names_of_rows_that_r_writes_without_a_title_are_a_column(table):
    assert list(table('"size","y"\n"1",0.5,"a"\n"2",0.7,"b"\n').columns) == ["column_1", "size", "y"]


def test_a_large_file_is_read_in_parts(table):
    found = table("n,word\n" + "".join(f"{k},{'odd' if k % 2 else 'even'}\n" for k in range(45_000)), "table.csv.gz")
    assert found.rows == 45_000
    assert values(found.columns["n"])[-1] == "44999"
    assert found.columns["word"].counts.tolist() == [22_500, 22_500]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n", "has no rows, only a header"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 columns, but the header has 2"),
        (b"1,2\n3,4,5\n", "line 2 has 3 columns, but line 1 has 2"),
        (b"PK\x03\x04 and so on", "is a workbook or a zip archive; save the table as CSV"),
        (b"PAR1 and so on", "its name must end in .parquet"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(table, content, message):
    with pytest.raises(ValueError, match=message):
        table(content)


# Numbers, dates and booleans


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1234.5", ".", 1234.5),
        ("1,234.5", ".", 1234.5),
        ("-1,234,567", ".", -1234567),
        ("$5", ".", 5),
        ("-$1,500", ".", -1500),
        ("12%", ".", 12),
        ("1'234.5", ".", 1234.5),
        ("1 234", ".", 1234),
        ("−3", ".", -3),
        ("1e-3", ".", 0.001),
        (".5", ".", 0.5),
        ("1,5", ",", 1.5),
        ("1.234", ",", 1234),
        ("1.234,5", ",", 1234.5),
        ("12,5 €", ",", 12.5),
        ("7", ",", 7),
    ],
)
def test_numbers_are_read_as_people_write_them(text, decimal, value):
    assert formats.numbers([text], decimal)[0].tolist() == [value]


@pytest.mark.parametrize(
    ("text", "decimal"), [("1,5", "."), ("12,34,5", "."), ("1.5", ","), ("x", "."), ("1_000", "."), ("inf", "."), ("1e999", ".")]
)
def test_what_is_no_number_is_marked(text, decimal):
    found, wrong = formats.numbers([text, None, "1"], decimal)
    assert np.isnan(found).tolist() == [True, True, False]
    assert wrong.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("2024-02-03", "dmy", "2024-02-03"),
        ("2024/2/3", "mdy", "2024-02-03"),
        ("03.02.2024", "dmy", "2024-02-03"),
        ("02/03/2024", "mdy", "2024-02-03"),
        ("03-02-24", "dmy", "2024-02-03"),
        ("3 Feb 2024", "dmy", "2024-02-03"),
        ("February 3, 2024", "dmy", "2024-02-03"),
        ("2024-02-03T04:05:06", "dmy", "2024-02-03T04:05:06"),
        ("2024-02-03 04:05:06.789Z", "dmy", "2024-02-03T04:05:06"),
        ("2024-02-03 04:05+02:00", "dmy", "2024-02-03T02:05"),
        ("2/3/2024 4:05 PM", "mdy", "2024-02-03T16:05"),
    ],
)
def test_dates_are_read_as_people_write_them(text, order, moment):
    assert formats.dates([text], order)[0][0] == np.datetime64(moment)


@pytest.mark.parametrize("text", ["2024-13-01", "32.1.2024", "1.2.3", "12:30", "1.234.567", "Spring 3, 2024"])
def test_what_is_no_date_is_marked(text):
    found, wrong = formats.dates([text, None], "dmy")
    assert np.isnat(found).all()
    assert wrong.tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("x;y\n1,5;a\n2,5;b\n", ","),
        ("x;y\n1.5;a\n2.5;b\n", "."),
        ("x;y\n1.500;12,5\n2.500;1,25\n", ","),
        ('x,y\n"1,500",a\n"2,500",b\n', "."),
        ("x;y\n1,500;a\n2,500;b\n", ","),
        ("x,y\n1,a\n2,b\n", "."),
    ],
)
def test_the_decimal_mark_is_that_of_the_whole_file(table, text, decimal):
    assert detect_decimal(table(text)) == decimal


def test_a_file_that_does_not_tell_has_the_decimal_mark_of_the_training(table):
    assert detect_decimal(table("x;y\n1,500;a\n"), ".") == "."
    assert detect_decimal(table("x;y\n12,5;a\n"), ".") == ","


# Kinds


def kind_of(table, *fields, name="x"):
    quoted = "\n".join(f'"{field}"' for field in fields)
    found = table(f'"{name}",other\n' + "\n".join(f"{line},1" for line in quoted.splitlines()) + "\n", header=True)
    return guess(name, found.columns[name], detect_decimal(found))


def test_kinds_are_detected_from_the_values(table):
    assert kind_of(table, "1", "2.5", "").kind == "number"
    assert kind_of(table, "true", "False", "NA").values.tolist()[:2] == [1, 0]
    assert kind_of(table, "yes", "no").kind == "category"
    assert kind_of(table, "2024-01-31", "2024-02-01").kind == "date"
    assert kind_of(table, "red", "1").kind == "category"


def test_all_spellings_of_a_missing_value_are_missing(table):
    reading = kind_of(table, "red", "", "?", "NA", "n/a", "NaN", "null", "None", " - ", "blue")
    assert reading.missing == 8
    assert [value for value in reading.values if value is not None] == ["red", "blue"]


def test_days_come_first_if_the_dates_tell_and_months_where_slashes_leave_it_open(table):
    assert kind_of(table, "31/01/2024", "01/02/2024").values[1] == np.datetime64("2024-02-01")
    assert kind_of(table, "01/31/2024", "01/02/2024").values[1] == np.datetime64("2024-01-02")
    assert kind_of(table, "01/02/2024", "03/04/2024").notation.order == "mdy"
    assert kind_of(table, "01.02.2024", "03.04.2024").notation.order == "dmy"


def test_a_few_words_among_numbers_are_missing_and_many_make_a_category(table):
    numbers = [str(k / 7) for k in range(20)]
    few = kind_of(table, *numbers, "unknown")
    assert (few.kind, few.missing, few.wrong, few.wrong_example) == ("number", 1, 1, "unknown")
    assert kind_of(table, *numbers, *["unknown"] * 10).kind == "category"


def test_columns_that_say_nothing_are_useless(table):
    words = [f"word {k}" for k in range(40)]
    assert kind_of(table, "a", "a").useless == "constant"
    assert kind_of(table, "", "?").useless == "no values"
    assert kind_of(table, *words).useless == "text: 40 different values"
    assert kind_of(table, *map(str, range(5, 30)), name="row").useless == "row numbers"
    for name in ("id", "customer_id", "PassengerId", "Unnamed: 0"):
        assert kind_of(table, *(str(7 * k % 30) for k in range(30)), name=name).useless == "keys"
        assert kind_of(table, "1", "2", "2", name=name).useless == ""
    for name in ("hour", "grid", "valid", "x", "candid"):
        assert kind_of(table, *map(str, range(5, 30)), name=name).useless == ""
    assert kind_of(table, "a", "").useless == ""


def test_kinds_that_are_given_are_used(table):
    found = table("zip,y\n01234,a\n99999,b\n")
    readings = kinds_of(found, {"zip": "category"}, ".")
    assert readings["zip"].values.tolist() == ["01234", "99999"]
    with pytest.raises(ValueError, match="no value of column 'y' is a date, such as 'a'"):
        kinds_of(found, {"y": "date"}, ".")
    answers = kinds_of(table("answer,y\nYes,1\nno,2\n,3\n"), {"answer": "boolean"}, ".")["answer"]
    assert np.array_equal(answers.values, [1, 0, np.nan], equal_nan=True)


def test_columns_of_parquet_files_keep_their_types(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    moments = np.array(["2024-01-31T12:00", "NaT", "2024-02-01T00:00"], "datetime64[us]")
    columns = {
        "n": pa.array([1, None, 3]),
        "x": pa.array([0.5, 1.5, float("nan")]),
        "b": pa.array([True, None, False]),
        "c": pa.array(["12", "b", None]).dictionary_encode(),
        "t": pa.array(moments),
        "price": pa.array(["1", "2", "4"]),
        "__index_level_0__": pa.array([7, 8, 9]),
    }
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    readings = kinds_of(read_columns(str(tmp_path / "table.parquet")), {}, ".")
    assert [reading.kind for reading in readings.values()] == ["number", "number", "boolean", "category", "date", "number"]
    assert np.array_equal(readings["n"].values, [1, np.nan, 3], equal_nan=True)
    assert np.array_equal(readings["b"].values, [1, np.nan, 0], equal_nan=True)
    assert readings["c"].values.tolist() == ["12", "b", None]
    assert np.isnat(readings["t"].values).tolist() == [False, True, False]


def test_a_damaged_parquet_file_is_refused(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / "table.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        read_columns(str(tmp_path / "table.parquet"))


# Tasks and splits


def posed(table, targets, **options):
    lines = "".join(f"{k * 7 % 13},{target}\n" for k, target in enumerate(targets))
    return pose(table("x,y\n" + lines), "y", **options)


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        (["yes", "no"] * 10, "classification", ["no", "yes"]),
        (["true", "FALSE"] * 10, "classification", ["FALSE", "true"]),
        ([0, 1] * 10, "classification", ["0", "1"]),
        ([-1, 1] * 10, "classification", ["-1", "1"]),
        ([0, 1, 2, 3] * 5, "classification", ["0", "1", "2", "3"]),
        ([1.0, 2.0, 3.0] * 5, "classification", ["1", "2", "3"]),
        ([3, 4, 5, 6] * 5, "regression", []),
        (np.arange(30), "regression", []),
        (np.linspace(0, 1, 20), "regression", []),
    ],
)
def test_the_task_is_decided_by_the_values_of_the_target(table, targets, task, classes):
    problem = posed(table, targets)
    assert (problem.task, problem.classes) == (task, classes)
    assert len(problem.y) == len(targets)


def test_the_task_can_be_chosen(table):
    assert posed(table, [0, 1, 2] * 5, task="regression").y.tolist() == [0, 1, 2] * 5
    assert posed(table, [3, 5, 10] * 5, task="classification").classes == ["3", "5", "10"]
    assert posed(table, [3, 5, 10] * 5).reason == "'y' has numbers from 3 to 10; --task classification predicts one of 3 classes"
    assert posed(table, [0, 1, 2] * 5).reason == "'y' has 3 classes, 0 to 2; --task regression predicts a number"
    assert posed(table, range(101)).reason == "'y' has numbers from 0 to 100"
    with pytest.raises(ValueError, match="a regression needs numbers in the target 'y', which has 'a'"):
        posed(table, ["a", "b"] * 10, task="regression")


def test_rows_without_a_target_are_not_used(table):
    problem = posed(table, [*["a", "b"] * 10, "", "?"])
    assert (problem.table.rows, problem.without_target) == (20, 2)
    assert len(problem.features["x"].values) == 20


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["a"] * 20, "has one class only, 'a'"),
        ([1.5] * 20, "has one class only, '1.5'"),
        (["a", "b"] * 4, "has 8 rows with a value in 'y', but at least 10 are needed"),
        ([f"k{k}" for k in range(20)], "has 20 classes in 20 rows; choose a target with fewer"),
        ([f"{k}.1.2024" for k in range(1, 20)], "holds dates, which can't be predicted"),
    ],
)
def test_targets_from_which_nothing_is_learned_are_refused(table, targets, message):
    with pytest.raises(ValueError, match=message):
        posed(table, targets)


def test_columns_are_given_by_name_or_number(table):
    text = "id,x,note,y\n" + "".join(f"{k},{k % 7},{k % 3},{k % 2}\n" for k in range(20))
    for target, dropped in (("y", "note"), ("4", "3"), ("-1", "-2")):
        problem = pose(table(text), target, drop=[dropped], identifier="1")
        assert (problem.target, problem.id, list(problem.features)) == ("y", "id", ["x"])
        assert problem.left_out == {"id": "--id", "note": "--drop"}
    with pytest.raises(ValueError, match="unknown column 'nte'; did you mean 'note'"):
        pose(table(text), "y", drop=["nte"])
    with pytest.raises(ValueError, match="is the target, and can't be given to --id as well"):
        pose(table(text), "y", identifier="y")


def test_a_target_that_occurs_twice_is_refused(table):
    with pytest.raises(ValueError, match="several columns called 'y'"):
        pose(table("y,x,y\n" + "a,1,a\nb,2,b\n" * 10), "y")


def test_splits_keep_the_shares_of_the_classes():
    y = np.array([0] * 70 + [1] * 28 + [2] * 2)
    first, second = split(y, np.arange(100), 0.25, True, np.random.default_rng(0))
    assert sorted([*first, *second]) == list(range(100))
    assert np.bincount(y[second], minlength=3).tolist() in ([18, 7, 0], [18, 6, 1], [17, 7, 1])
    assert set(y[first]) == {0, 1, 2}


def test_a_class_with_one_row_is_for_training():
    first, second = split(np.array([0] * 10 + [1]), np.arange(11), 0.5, True, np.random.default_rng(0))
    assert 10 in first
    assert 10 not in second


def test_small_classes_leave_a_row_for_the_second_part():
    y = np.array([0, 0, 1, 2, 2, 3])
    first, second = split(y, np.arange(6), 0.1, True, np.random.default_rng(0))
    assert len(second) == 1
    assert set(y[first]) == {0, 1, 2, 3}


def test_equal_seeds_split_equally():
    y = np.arange(50.0)
    parts = [split(y, np.arange(50), 0.2, False, np.random.default_rng(seed))[1].tolist() for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    assert len(parts[0]) == 10


# Real files


@real_tables
@pytest.mark.parametrize(
    ("name", "rows", "header", "separator", "kinds"),
    [
        ("adult-train.csv.gz", 32_561, False, ",", {"column_1": "number", "column_2": "category", "column_15": "category"}),
        ("bank-additional-full.csv.gz", 41_188, True, ";", {"age": "number", "job": "category", "euribor3m": "number"}),
        ("credit-default.csv.gz", 30_000, True, ",", {"LIMIT_BAL": "number", "default.payment.next.month": "number"}),
        ("telco-churn.csv.gz", 7_043, True, ",", {"TotalCharges": "number", "Contract": "category"}),
        ("bike-hour.csv.gz", 17_379, True, ",", {"dateday": "date", "temp": "number"}),
        ("california.csv.gz", 20_640, True, ",", {"total_bedrooms": "number", "ocean_proximity": "category"}),
        ("abalone.csv", 4_177, False, ",", {"column_1": "category", "column_9": "number"}),
    ],
)
def test_real_files_are_understood(name, rows, header, separator, kinds):
    table = read_columns(real(name))
    readings = kinds_of(table, {}, detect_decimal(table))
    assert (table.rows, table.header, table.separator) == (rows, header, separator)
    assert {name: readings[name].kind for name in kinds} == kinds
    assert not any(reading.wrong for reading in readings.values())


@real_tables
def test_missing_values_of_adult_are_found_and_reading_it_is_fast():
    start = time.perf_counter()
    table = read_columns(real("adult-train.csv.gz"))
    readings = kinds_of(table, {}, detect_decimal(table))
    assert time.perf_counter() - start < 3  # 0.2 s on an idle core
    assert {name: reading.missing for name, reading in readings.items() if reading.missing} == {
        "column_2": 1836,
        "column_7": 1843,
        "column_14": 583,
    }


def test_a_column_is_converted_to_another_kind(table):
    column = table("x\n1\n2.50\nabc\n", header=True).columns["x"]
    assert convert(column, "category", guess("x", column, ".").notation).values.tolist() == ["1", "2.50", "abc"]
