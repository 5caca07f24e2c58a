"""Files as they come: each is learned, or refused in one clear line on the standard error with exit code 1."""

from __future__ import annotations

import csv
import gzip
import io
import re

import numpy as np
import pytest

ROWS = 90
_RANDOM = np.random.default_rng(1)
X, COLOURS = _RANDOM.normal(0, 2, ROWS), _RANDOM.choice(["red", "green", "blue"], ROWS)
Y = np.where(X + 2 * (COLOURS == "red") > 0.5, "yes", "no")


def lines(header, row):
    """A text with a header and a line for each row."""
    return header + "\n" + "".join(row(k) + "\n" for k in range(ROWS))


def plain(k):
    return f"{X[k]:.3f},{COLOURS[k]},{Y[k]}"


GOOD = {
    "quotes": (lines('"size, in m","the ""colour""",y', lambda k: f'{X[k]:.3f},"{COLOURS[k]}, bright","{Y[k]}"'), "utf-8", "y"),
    "line ends in quotes": (lines('"size\nin m",colour,y', lambda k: f'{X[k]:.3f},"{COLOURS[k]}\nbright",{Y[k]}'), "utf-8", "y"),
    "semicolons and decimal commas": (
        lines("size;colour;y", lambda k: f"{X[k]:.3f};{COLOURS[k]};{Y[k]}".replace(".", ",")),
        "utf-8",
        "y",
    ),
    "thousands separators": (lines("size,colour,y", lambda k: f'"{X[k] * 5000:,.1f}",{COLOURS[k]},{Y[k]}'), "utf-8", "y"),
    "thousands points": (
        lines("size;share;colour;y", lambda k: f"{X[k] * 5e5:,.0f};0,{k + 10};{COLOURS[k]};{Y[k]}".replace(",", ".", 1)),
        "utf-8",
        "y",
    ),
    "dates": (lines("day,size,colour,y", lambda k: f"{k % 28 + 1}.{k % 12 + 1}.2023,{plain(k)}"), "utf-8", "y"),
    "unicode names": (lines("größe,色,ответ", plain), "utf-8", "ответ"),
    "Windows-1252": (lines("größe,colour,y", lambda k: f"{plain(k)}é"), "cp1252", "y"),
    "UTF-16": (lines("size\tcolour\ty", lambda k: plain(k).replace(",", "\t")), "utf-16", "y"),
    "empty lines": ("\n \n" + lines("size,colour,y", lambda k: plain(k) + "\n" + ",," * (k % 2)), "utf-8", "y"),
    "duplicate names": (lines("size,colour,size,y", lambda k: f"{X[k]:.3f},{COLOURS[k]},{k % 5},{Y[k]}"), "utf-8", "y"),
    "mixed types": (lines("size,colour,y", lambda k: plain(k) if k % 20 else f"unknown,{COLOURS[k]},{Y[k]}"), "utf-8", "y"),
    "CR line ends": (lines("size,colour,y", plain).replace("\n", "\r"), "utf-8", "y"),
    "missing values": (lines("size,colour,y", lambda k: plain(k) if k % 9 else f" ?, {['NA', ''][k % 2]}, {Y[k]}"), "utf-8", "y"),
    "no header": (lines(plain(0), plain), "utf-8", "3"),
    "blanks between": (lines("size colour y", lambda k: plain(k).replace(",", "   ")), "utf-8", "y"),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_awkward_file_is_learned_predicted_and_evaluated(run, tmp_path, name):
    text, encoding, target = GOOD[name]
    file, model = tmp_path / "awkward file.csv", tmp_path / "model.safetensors"
    file.write_bytes(text.encode(encoding))
    code, out, err = run("train", file, "--target", target, "--epochs", 80, "--test-fraction", 0.3, "--out", model)
    assert code == 0
    assert float(re.search(r"│ network +│ +([\d.]+)", out).group(1)) > 0.8
    assert not [line for line in err.splitlines() if "epoch" not in line and not line.startswith("fastmlp: ")]
    predictions = list(csv.DictReader(io.StringIO(run("predict", model, file, "--csv")[1])))
    labels = [list(row.values())[1].removesuffix("é") for row in predictions]
    assert np.mean([label == wanted for label, wanted in zip(labels[-ROWS:], Y, strict=True)]) > 0.85
    assert run("evaluate", model, file)[0] == 0


def test_what_was_done_with_an_awkward_column_is_said(run, tmp_path):
    def train(name):
        (tmp_path / "file.csv").write_text(GOOD[name][0])
        code, out, err = run("train", tmp_path / "file.csv", "--target", GOOD[name][2], "--epochs", 1)
        assert code == 0
        return out, err

    assert re.search(r"│ size +│ number +│ .* +│ +5 │ .*5 values such as 'unknown' are missing", train("mixed types")[0])
    assert re.search(r"│ day +│ date ", train("dates")[0])
    assert "has several columns called 'size'; one of them is called 'size.1' here" in train("duplicate names")[1]
    assert "seems to have no header: the columns are column_1 to column_3" in train("no header")[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines("size,colour,y", lambda k: f"{X[k]:.3f},{COLOURS[k]},yes"), "the target 'y' has one class only, 'yes', so there is nothing"),
        (lines("y,size,y", lambda k: f"{Y[k]},{X[k]:.3f},{Y[k]}"), "has several columns called 'y'; rename all but one"),
        (lines("size,colour,y", plain) + "1,2\n", "line 92 has 2 columns, but the header has 3"),
        (lines("size,y", lambda k: f"{X[k]:.3f},k{k}"), "the target 'y' has 90 classes in 90 rows"),
        (lines("size,y", lambda k: f"{X[k]:.3f},?"), "has 0 rows with a value in 'y', but at least 10 are needed"),
        (lines("y", lambda k: Y[k]), "has no column from which 'y' could be learned"),
        (lines("size,country,y", lambda k: f",NO,{Y[k]}"), "could be learned: size (no values), country (constant)"),
        ("size,y\n", "has no rows, only a header"),
        ("", "is empty"),
        ("\n\n\n", "is empty"),
        (b"PK\x03\x04" + bytes(100), "is a workbook or a zip archive; save the table as CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(100), "is not a text"),
        (gzip.compress(b"size,y\n1,2\n", mtime=0)[:-4], "is a damaged gzip file"),
        (f"size,y\n{'9' * 200_000},1\n", "field larger than field limit"),
    ],
    ids=lambda value: None if isinstance(value, bytes) or len(value) > 60 else value,
)
def test_a_file_from_which_nothing_is_learned_is_one_line_and_code_1(run, tmp_path, content, message):
    file = tmp_path / "awkward.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = run("train", file, "--target", "y", "--out", tmp_path / "model.safetensors")
    assert (code, out) == (1, "")
    assert message in err
    assert err.startswith("fastmlp: ")
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["awkward.csv"]
