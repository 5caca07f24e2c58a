"""Training on one's own file, and what models of tables are good for on the command line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp import saving
from fastmlp.cli import main

ROWS = 240
_RANDOM = np.random.default_rng(0)
SIZES, COLOURS = _RANDOM.normal(5, 2, ROWS), _RANDOM.choice(["red", "green", "blue"], ROWS)
PRICES = 1_000 + 200 * SIZES + 300 * (COLOURS == "red") + _RANDOM.normal(0, 10, ROWS)
LABELS = np.where(SIZES + 3 * (COLOURS == "red") > 6, "dear", "cheap")


def records(target, values, rows=ROWS):
    """A table with some missing values, a column of row numbers and a constant."""
    return [
        {"id": f"h{k}", "size": "" if k % 20 == 3 else f"{SIZES[k]:.3f}", "colour": "?" if k % 25 == 4 else COLOURS[k], "country": "NO"}
        | ({target: values[k]} if target else {})
        for k in range(rows)
    ]


def write(path, rows, **options):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)
    return path


def train(folder, target, values, *options):
    file, model = write(folder / "houses.csv", records(target, values)), folder / "houses.safetensors"
    assert main(["train", str(file), "--target", target, "--epochs", "30", "--id", "id", "--out", str(model), *options]) == 0
    return model


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A model of two classes, and the file it was trained on beside it."""
    return train(tmp_path_factory.mktemp("classes"), "label", LABELS)


@pytest.fixture(scope="module")
def regressor(tmp_path_factory):
    """A model of numbers, and the file it was trained on beside it."""
    return train(tmp_path_factory.mktemp("numbers"), "price", PRICES.round(2))


def scores(text, name):
    """The row of a table of scores, as numbers."""
    line = next(line for line in text.splitlines() if f"│ {name} " in line)
    return [float(number) for number in re.findall(r"-?\d[\d,]*\.?\d*", line.split("│", 2)[2].replace(",", ""))]


# train


def test_training_shows_the_columns_the_task_and_scores_beside_simpler_predictions(run, tmp_path):
    file = write(tmp_path / "houses.csv", records("label", LABELS))
    code, out, err = run("train", file, "--target", "label", "--epochs", 30, "--id", "id")
    assert code == 0
    assert "houses.csv: 240 rows, 5 columns" in out
    for line in (
        r"│ id +│ category +│ h0, h1, h2 +│ +│ left out; predictions repeat it",
        r"│ size +│ number +│ .* +│ +12 │ scaled, missing or not",
        r"│ colour +│ category +│ .* +│ +\d+ │ one-hot, 4 categories",
        r"│ country +│ category +│ NO +│ +│ left out: constant",
        r"│ label +│ classes +│ (dear, cheap|cheap, dear) +│ +│ the target",
    ):
        assert re.search(line, out)
    assert "classification: 'label' has 2 classes" in out
    assert out.index("│ label") < out.index("classification:") < out.index("scores on 48 test rows")
    network, linear = scores(out, "network"), scores(out, "logistic regression")
    assert network[0] > 0.85
    assert linear[0] > 0.8
    assert scores(out, "always '(dear|cheap)'".replace("(dear|cheap)", max(["dear", "cheap"], key=list(LABELS).count)))[2] == 0.5
    assert "not saved; --out model.safetensors saves it" in out
    assert re.search(r"houses +\d+/\d+ ", err)


def test_a_regression_predicts_in_the_units_of_the_target(run, regressor):
    folder = regressor.parent
    code, out, err = run("predict", regressor, folder / "houses.csv", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert list(rows[0]) == ["id", "price"]
    assert [row["id"] for row in rows] == [f"h{k}" for k in range(ROWS)]
    assert np.corrcoef([float(row["price"]) for row in rows], PRICES)[0, 1] > 0.9
    assert abs(np.mean([float(row["price"]) for row in rows]) - PRICES.mean()) < 100
    assert err == ""


def test_a_seed_decides_everything(run, tmp_path):
    file = write(tmp_path / "houses.csv", records("price", PRICES))
    command = ["train", file, "--target", "price", "--epochs", 3, "--id", "id"]
    seeds = [scores(run(*command, "--seed", seed)[1], "network") for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_every_option_reaches_the_network(run, tmp_path):
    file = write(tmp_path / "houses.csv", records("label", LABELS))
    code, out, _ = run(
        *("train", file, "--target", "label", "--hidden", "7,5", "--activation", "tanh", "--dropout", 0.25, "--optimizer", "sgd"),
        *("--lr", 0.3, "--batch-size", 50, "--epochs", 4, "--seed", 9, "--threads", 1, "--drop", "id,country", "--test-fraction", 0.5),
        *("--out", tmp_path / "model.safetensors", "--engine", "reference"),
    )
    assert code == 0
    document = saving.describe(tmp_path / "model.safetensors")
    kinds = [layer["class"] for layer in document["model"]["layers"] if layer["class"] != "InputLayer"]
    assert kinds == ["TableEncoder", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert document["compile"]["optimizer"]["class"] == "SGD"
    assert document["compile"]["optimizer"]["config"]["learning_rate"] == pytest.approx(0.3)
    assert document["training"]["epochs"] == 4
    assert document["training"]["iterations"] == 4 * 2  # 96 of 240 rows, in batches of 50
    provenance = document["provenance"]
    assert (provenance["training_rows"], provenance["validation_rows"], provenance["test_rows"]) == (96, 24, 120)
    assert provenance["scores"]["network"]["accuracy"] == pytest.approx(scores(out, "network")[0], abs=1e-4)
    assert "-7-5-1, tanh" in out


def test_by_default_the_hidden_layers_have_dropout_and_a_constant_metric_stops_the_training(run, tmp_path):
    file = write(tmp_path / "houses.csv", records("label", LABELS))
    code, out, err = run("train", file, "--target", "label", "--id", "id", "--lr", 0, "--out", tmp_path / "model.safetensors")
    assert code == 0
    kinds = [layer["class"] for layer in saving.describe(tmp_path / "model.safetensors")["model"]["layers"]]
    assert kinds[-5:] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert "17 epochs of at most 256" in out
    assert "the network is no better than always" in err


def test_labels_of_any_kind_are_classes(run, tmp_path):
    sizes = np.digitize(SIZES, [4, 6])
    for labels in (["small", "middle", "größer, als"], ["10", "20", "30"]):
        file = write(tmp_path / "sizes.csv", records("size class", [labels[k] for k in sizes]))
        arguments = ["--target", "size class", "--task", "classification", "--epochs", 20, "--id", "id"]
        assert run("train", file, *arguments, "--out", tmp_path / "model.safetensors")[0] == 0
        out = run("predict", tmp_path / "model.safetensors", file, "--csv", "--proba")[1]
        rows = list(csv.DictReader(io.StringIO(out)))
        assert list(rows[0]) == ["id", "size class", *(f"p_{label}" for label in sorted(labels))]
        assert np.mean([row["size class"] == labels[k] for row, k in zip(rows, sizes, strict=True)]) > 0.85
        assert all(sum(float(row[f"p_{label}"]) for label in labels) == pytest.approx(1, abs=1e-4) for row in rows)


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_a_plot_is_written(run, tmp_path, ending):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    file = write(tmp_path / "houses.csv", records("price", PRICES))
    assert run("train", file, "--target", "price", "--epochs", 2, "--plot", tmp_path / f"run.{ending}")[0] == 0
    assert (tmp_path / f"run.{ending}").stat().st_size > 5000


def test_the_plot_compares_predictions_with_the_targets_of_the_test_rows(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from fastmlp.cli.tables.plot import plot_table

    history = {"loss": [1.0, 0.5], "val_loss": [1.1, 0.6], "accuracy": [0.5, 0.8], "val_accuracy": [0.5, 0.7]}
    y, probabilities = np.array([0, 0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    figure = plot_table(history, "y", ["$", "a$b$"], y, probabilities)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Loss", "Accuracy", "Test rows"]
    assert [text.get_text() for text in figure.axes[-1].texts] == ["67%", "33%", "100%"]
    figure.savefig(tmp_path / "classes.png")
    figure = plot_table({"loss": [1.0]}, "price in $_x$", [], np.arange(4.0), np.arange(4.0)[:, None] + 1)
    assert len(figure.axes) == 2
    assert figure.axes[-1].collections[0].get_offsets().tolist() == [[k, k + 1] for k in range(4)]
    figure.savefig(tmp_path / "numbers.png")


def test_a_file_comes_from_the_standard_input(run, tmp_path, monkeypatch):
    content = write(tmp_path / "houses.csv", records("label", LABELS)).read_bytes()
    model = tmp_path / "model.safetensors"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("train", "-", "--target", "label", "--epochs", 2, "--out", model)[0] == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, out, _ = run("predict", model, "-", "--csv")
    assert code == 0
    assert len(out.splitlines()) == ROWS + 1
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert json.loads(run("evaluate", model, "-", "--json")[1])["rows"] == ROWS


def test_parquet_files_are_read_where_csv_files_are(run, classifier, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    rows = [
        row | {"size": float(row["size"] or "nan"), "colour": None if row["colour"] == "?" else row["colour"]}
        for row in records("label", LABELS)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "houses.parquet")
    assert run("train", tmp_path / "houses.parquet", "--target", "label", "--epochs", 2)[0] == 0
    wanted = run("predict", classifier, classifier.parent / "houses.csv", "--csv", "--proba")[1]
    assert run("predict", classifier, tmp_path / "houses.parquet", "--csv", "--proba")[1] == wanted


def test_a_parquet_file_without_pyarrow_is_one_clear_line(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "houses.parquet").write_bytes(b"PAR1")
    code, _, err = run("train", tmp_path / "houses.parquet", "--target", "label")
    assert code == 1
    assert 'Parquet files need pyarrow: pip install "fastmlp[parquet]"' in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--target COLUMN is needed: which column of"),
        (["--target", "label", "--noise", "0.1"], "--noise does not apply to files"),
        (["--target", "label", "--to-accuracy", "0.9"], "--to-accuracy does not apply to files"),
        (["--target", "label", "--kind", "size"], "argument --kind: expected COLUMN=KIND, such as zip=category, got 'size'"),
        (["--target", "label", "--kind", "size=numbr"], "got 'numbr'; did you mean 'number'?"),
        (["--target", "label", "--test-fraction", "1"], "argument --test-fraction: must be a number ≥ 0.01 and < 1, got 1"),
        (["--target", "label", "--task", "clasification"], "did you mean 'classification'?"),
        (["--target", "label", "--tsak", "x"], "unrecognized arguments: --tsak; did you mean '--task'?"),
    ],
)
def test_arguments_that_make_no_sense_end_with_code_2(run, tmp_path, arguments, message):
    file = write(tmp_path / "houses.csv", records("label", LABELS))
    code, out, err = run("train", file, *arguments)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "lable"], "unknown column 'lable'; did you mean 'label'?"),
        (["--target", "LABEL"], "unknown column 'LABEL'; did you mean 'label'?"),
        (["--target", "zzz"], "unknown column 'zzz'; there are id, size, colour, country, label"),
        (["--target", "label", "--drop", "colur"], "unknown column 'colur'; did you mean 'colour'?"),
        (["--target", "label", "--id", "idd"], "unknown column 'idd'; did you mean 'id'?"),
        (["--target", "label", "--kind", "sice=number"], "unknown column 'sice'; did you mean 'size'?"),
        (["--target", "country"], "the target 'country' has one class only, 'NO', so there is nothing to learn"),
        (["--target", "label", "--drop", "size,colour,id"], "has no column from which 'label' could be learned"),
        (["--target", "label", "--out", "model.onnx"], "models are saved as .safetensors files"),
        (["--target", "label", "--out", "missing/model.safetensors"], "missing does not exist; make it first"),
    ],
)
def test_what_cannot_work_ends_before_training_with_one_line_and_code_1(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "houses.csv", records("label", LABELS))
    code, out, err = run("train", file, *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_options_of_files_do_not_apply_to_data_sets(run):
    code, _, err = run("train", "moons", "--target", "y")
    assert code == 2
    assert "--target does not apply to moons" in err


def test_a_name_that_is_no_file_and_no_data_set_gets_a_suggestion(run, tmp_path):
    code, _, err = run("train", "mooons")
    assert code == 2
    assert "invalid choice: 'mooons' is neither a data set nor a file; did you mean 'moons'?" in err
    code, _, err = run("train", tmp_path / "nothing.csv", "--target", "y")
    assert code == 1
    assert err.startswith("fastmlp: there is no file")


def test_a_terminal_that_lacks_characters_of_the_table_is_no_error(tmp_path):
    file = write(tmp_path / "houses.csv", records("größe", PRICES))
    plain = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "fastmlp", "train", file, "--target", "größe", "--epochs", "2"]
    done = subprocess.run(command, capture_output=True, env=plain, timeout=60)
    assert done.returncode == 0
    assert b"gr??e" in done.stdout
    assert b"R2" in done.stdout


# predict


def test_predictions_have_the_target_s_name_its_labels_and_the_identifiers(run, classifier):
    code, out, err = run("predict", classifier, classifier.parent / "houses.csv", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, err) == (0, "")
    assert list(rows[0]) == ["id", "label"]
    assert [row["id"] for row in rows] == [f"h{k}" for k in range(ROWS)]
    assert np.mean([row["label"] == label for row, label in zip(rows, LABELS, strict=True)]) > 0.85


def test_probabilities_are_shown_on_request_and_belong_to_the_labels(run, classifier):
    code, out, _ = run("predict", classifier, classifier.parent / "houses.csv", "--json", "--proba")
    answers = json.loads(out)
    assert code == 0
    assert list(answers[0]) == ["id", "label", "probabilities"]
    for answer in answers:
        probabilities = answer["probabilities"]
        assert answer["label"] == max(probabilities, key=probabilities.get)
        assert sum(probabilities.values()) == pytest.approx(1)
    assert "probabilities" not in json.loads(run("predict", classifier, classifier.parent / "houses.csv", "--json")[1])[0]


def test_columns_are_found_by_name_and_others_are_ignored_with_a_word(run, classifier, tmp_path):
    rows = [
        {"weight": "x", "colour": row["colour"], "size": row["size"], "nr": str(k)} for k, row in enumerate(records(None, None, rows=10))
    ]
    file = write(tmp_path / "new.csv", rows)
    code, out, err = run("predict", classifier, file, "--csv", "--proba")
    assert code == 0
    assert err == f"fastmlp: {file}: the model does not use weight, nr\n"
    whole = run("predict", classifier, classifier.parent / "houses.csv", "--csv", "--proba")[1]
    assert [line.split(",")[1:] for line in out.splitlines()] == [line.split(",")[1:] for line in whole.splitlines()[:11]]
    assert [line.split(",")[0] for line in out.splitlines()[:3]] == ["row", "0", "1"]
    out = run("predict", classifier, file, "--csv", "--id", "nr")[1]
    assert out.splitlines()[:2] == [f"nr,{whole.splitlines()[0].split(',')[1]}", f"0,{whole.splitlines()[1].split(',')[1]}"]


def test_missing_columns_are_refused_by_their_names(run, classifier, tmp_path):
    file = write(tmp_path / "new.csv", [{"color": "red", "weight": "2"}, {"color": "blue", "weight": "3"}])
    code, out, err = run("predict", classifier, file)
    assert (code, out) == (1, "")
    assert "lacks the columns 'size', 'colour' (did you mean 'color'?), which the model needs" in err
    assert len(err.splitlines()) == 1


def test_values_that_do_not_fit_count_as_missing_with_a_word(run, classifier, tmp_path):
    rows = [{"size": "tall", "colour": "red"}, {"size": "", "colour": "red"}, {"size": "1,234", "colour": "purple"}]
    file = write(tmp_path / "new.csv", rows)
    code, out, err = run("predict", classifier, file, "--csv", "--proba")
    assert code == 0
    assert err == f"fastmlp: {file}: 1 value such as 'tall' in column 'size' is no number, and counts as missing\n"
    lines = [line.split(",", 1)[1] for line in out.splitlines()]
    assert lines[1] == lines[2]
    write(tmp_path / "new.csv", [{"size": "tall", "colour": "red"}, {"size": "small", "colour": "red"}])
    code, _, err = run("predict", classifier, file)
    assert code == 1
    assert "has 'tall' in column 'size', which the model knows as a number" in err


def test_a_file_is_written_whole(run, classifier, tmp_path):
    code, out, err = run("predict", classifier, classifier.parent / "houses.csv", "--out", tmp_path / "out.csv")
    assert (code, out, err) == (0, "", "")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == ROWS + 1
    assert run("predict", classifier, classifier.parent / "houses.csv", "--out", tmp_path / "no folder" / "out.csv")[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_several_files_are_predicted_at_once(run, classifier, tmp_path):
    one, two = (write(tmp_path / f"{name}.csv", records(None, None, rows=3)) for name in ("one", "two"))
    assert [line.split(",")[0] for line in run("predict", classifier, one, two, "--csv")[1].splitlines()] == ["id", *["h0", "h1", "h2"] * 2]


def test_probabilities_of_a_regression_are_refused(run, regressor):
    code, _, err = run("predict", regressor, regressor.parent / "houses.csv", "--proba")
    assert code == 1
    assert "--proba is for classifiers" in err


def test_files_without_a_header_are_read_in_the_order_of_the_training(run, tmp_path):
    rows = "".join(f"{SIZES[k]:.3f},{COLOURS[k]},{LABELS[k]}\n" for k in range(ROWS))
    (tmp_path / "houses.csv").write_text(rows)
    model = tmp_path / "model.safetensors"
    code, _, err = run("train", tmp_path / "houses.csv", "--target", "3", "--epochs", 30, "--out", model)
    assert code == 0
    assert "seems to have no header: the columns are column_1 to column_3" in err
    whole = run("predict", model, tmp_path / "houses.csv", "--csv")[1]
    assert whole.splitlines()[0] == "row,column_3"
    (tmp_path / "new.csv").write_text("".join(line.rpartition(",")[0] + "\n" for line in rows.splitlines()))
    assert run("predict", model, tmp_path / "new.csv", "--csv")[:2] == (0, whole)
    (tmp_path / "new.csv").write_text("1,red,2,3\n")
    code, _, err = run("predict", model, tmp_path / "new.csv")
    assert code == 1
    assert "has 4 columns and no header, but the model was trained on 3: column_1, column_2, column_3" in err


def test_dates_and_decimal_commas_are_read_as_in_training(run, tmp_path):
    days = np.arange("2023-01-01", "2024-01-01", dtype="datetime64[D]")[:ROWS]
    rows = [
        {"day": f"{str(day)[8:10]}/{str(day)[5:7]}/{str(day)[:4]}", "size": f"{size:.3f}".replace(".", ","), "y": f"{k}".replace(".", ",")}
        for k, (day, size) in enumerate(zip(days, SIZES, strict=True))
    ]
    model = tmp_path / "model.safetensors"
    code, out, _ = run("train", write(tmp_path / "days.csv", rows, delimiter=";"), "--target", "y", "--epochs", 40, "--out", model)
    assert code == 0
    assert re.search(r"│ day +│ date", out)
    # Alone, 03/04 could be the third of April or the fourth of March, and 5,123 could be a few thousands.
    write(tmp_path / "one.csv", [{"day": "03/04/2023", "size": "5,123"}], delimiter=";")
    write(tmp_path / "same.csv", [{"day": "2023-04-03", "size": "5.123"}, {"day": "2023-04-03", "size": "0.5"}])
    one, same = (json.loads(run("predict", model, tmp_path / f"{name}.csv", "--json")[1])[0]["y"] for name in ("one", "same"))
    assert one == same


# evaluate


def test_evaluate_scores_a_classifier_beside_the_usual_class(run, classifier):
    code, out, err = run("evaluate", classifier, classifier.parent / "houses.csv")
    assert (code, err) == (0, "")
    assert "scores on 240 rows" in out
    assert [word in out for word in ("accuracy", "log-loss", "AUC")] == [True] * 3
    usual = max(["dear", "cheap"], key=list(LABELS).count)
    assert scores(out, "model")[0] > scores(out, f"always '{usual}'")[0] == pytest.approx(np.mean(usual == LABELS), abs=1e-4)
    predicted = list(csv.DictReader(io.StringIO(run("predict", classifier, classifier.parent / "houses.csv", "--csv")[1])))
    right = np.mean([row["label"] == label for row, label in zip(predicted, LABELS, strict=True)])
    assert scores(out, "model")[0] == pytest.approx(right, abs=1e-4)


def test_evaluate_scores_a_regression_beside_the_mean(run, regressor):
    code, out, _ = run("evaluate", regressor, regressor.parent / "houses.csv", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["rows"] == ROWS
    rows = list(csv.DictReader(io.StringIO(run("predict", regressor, regressor.parent / "houses.csv", "--csv")[1])))
    errors = np.array([float(row["price"]) for row in rows]) - PRICES.round(2)
    model, mean = found["scores"]["model"], found["scores"]["always the mean"]
    assert model["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    assert model["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert model["r2"] == pytest.approx(1 - np.mean(errors**2) / PRICES.round(2).var(), rel=1e-4)
    assert mean["r2"] == pytest.approx(0, abs=0.05)


def test_the_area_under_the_curve_is_that_of_ranks():
    from fastmlp.cli.tables.scores import classification_scores

    p = np.array([0.1, 0.4, 0.4, 0.8])
    assert classification_scores(np.array([0, 0, 1, 1]), np.stack([1 - p, p], 1))["auc"] == pytest.approx(0.875)


def test_the_target_of_an_evaluation_may_have_another_name(run, classifier, tmp_path):
    rows = [{("answer" if name == "label" else name): value for name, value in row.items()} for row in records("label", LABELS)]
    file = write(tmp_path / "renamed.csv", rows)
    code, _, err = run("evaluate", classifier, file)
    assert code == 1
    assert "unknown column 'label'" in err
    wanted = run("evaluate", classifier, classifier.parent / "houses.csv")[1]
    assert run("evaluate", classifier, file, "--target", "answer")[:2] == (0, wanted)


def test_classes_that_the_model_does_not_know_are_refused(run, classifier, tmp_path):
    file = write(tmp_path / "other.csv", records("label", ["free", *LABELS[1:]]))
    code, _, err = run("evaluate", classifier, file)
    assert code == 1
    assert "1 row of column 'label' has the class 'free', but the model knows 'cheap', 'dear'" in err


def test_classes_in_another_spelling_are_taken_for_the_same_with_a_word(run, classifier, tmp_path):
    file = write(tmp_path / "other.csv", records("label", [f"{label.title()}." for label in LABELS]))
    code, out, err = run("evaluate", classifier, file)
    assert (code, out) == run("evaluate", classifier, classifier.parent / "houses.csv")[:2]
    assert sorted(err.splitlines()) == [
        "fastmlp: the class 'Cheap.' is taken for 'cheap'",
        "fastmlp: the class 'Dear.' is taken for 'dear'",
    ]


def test_classes_that_are_numbers_are_compared_as_numbers(run, tmp_path):
    file = write(tmp_path / "houses.csv", records("rooms", 1 + (SIZES > 5)))
    model = tmp_path / "model.safetensors"
    assert run("train", file, "--target", "rooms", "--epochs", 5, "--out", model)[0] == 0
    whole = run("evaluate", model, file)
    write(tmp_path / "houses.csv", records("rooms", [f"{rooms}.0" for rooms in 1 + (SIZES > 5)]))
    assert run("evaluate", model, file) == whole
    assert whole[0] == 0


def test_a_foreign_description_of_a_table_is_ignored(run, tmp_path):
    encoder = fastmlp.layers.TableEncoder()
    encoder.adapt({"size": SIZES})
    model = fastmlp.Sequential([encoder, fastmlp.layers.Dense(1)])
    saving.save_model(model, tmp_path / "own.safetensors", provenance={"table": {"target": 3, "columns": [1]}, "scores": "good"})
    file = write(tmp_path / "new.csv", [{"size": "1"}])
    assert run("predict", tmp_path / "own.safetensors", file, "--csv")[1].splitlines()[0] == "row,prediction"
    assert run("info", tmp_path / "own.safetensors")[0] == 0


def test_rows_without_a_target_are_left_out_of_an_evaluation_with_a_word(run, classifier, tmp_path):
    file = write(tmp_path / "gaps.csv", records("label", ["", "", *LABELS[2:]]))
    code, out, err = run("evaluate", classifier, file)
    assert code == 0
    assert "scores on 238 rows" in out
    assert err == "fastmlp: 2 rows without a value in 'label' left out\n"


def test_models_of_something_else_are_not_evaluated(run, tmp_path):
    fastmlp.Sequential([fastmlp.layers.Dense(1, input_shape=(2,))]).save(tmp_path / "plain.safetensors")
    (tmp_path / "points.csv").write_text("1,2\n")
    code, _, err = run("evaluate", tmp_path / "plain.safetensors", tmp_path / "points.csv")
    assert code == 1
    assert "is no model of tables" in err


# info


def test_info_shows_features_classes_scores_and_provenance(run, classifier):
    code, out, err = run("info", classifier)
    assert (code, err) == (0, "")
    for line in (
        r"│ size +│ number +│ scaled, missing or not",
        r"│ colour +│ category +│ one-hot, 4 categories",
        r"│ classes +│ cheap, dear",
        r"│ target +│ label",
        r"│ id +│ id",
        r"│ file +│ houses.csv",
        r"│ left_out +│ .*country \(constant\)",
        r"scores on 48 test rows",
    ):
        assert re.search(line, out)
    assert len(scores(out, "network")) == len(scores(out, "logistic regression")) == 3


# Models made by programs


@pytest.mark.parametrize("names", [None, ["cheap", "dear"]])
def test_a_classifier_that_a_program_saved_predicts_its_class_names(run, tmp_path, names):
    table = {"size": SIZES}
    encoder = fastmlp.layers.TableEncoder()
    encoder.adapt(table)
    model = fastmlp.Sequential([encoder, fastmlp.layers.Dense(1, activation="sigmoid")])
    model.class_names = names
    model.save(tmp_path / "own.safetensors")
    file = write(tmp_path / "new.csv", [{"size": repr(float(size)), "label": "dear"} for size in SIZES])
    rows = list(csv.DictReader(io.StringIO(run("predict", tmp_path / "own.safetensors", file, "--csv", "--proba")[1])))
    wanted = model.predict(table, verbose=0)[:, 0]
    assert [float(row[f"p_{(names or '01')[1]}"]) for row in rows] == pytest.approx(wanted.tolist(), rel=1e-4)
    assert [row["class"] for row in rows] == [(names or "01")[int(p > 0.5)] for p in wanted]
    code, out, _ = run("evaluate", tmp_path / "own.safetensors", file, "--target", "label")
    assert (code, "always 'dear'" in out) == ((0, True) if names else (1, False))
    assert "does not have the name of its target; give it with --target" in run("evaluate", tmp_path / "own.safetensors", file)[2]


def test_a_model_that_a_program_saved_predicts_files(run, tmp_path):
    table = {"size": SIZES, "colour": COLOURS.tolist()}
    encoder = fastmlp.layers.TableEncoder()
    encoder.adapt(table)
    model = fastmlp.Sequential([encoder, fastmlp.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(table, PRICES, epochs=1, verbose=0)
    model.save(tmp_path / "own.safetensors")
    file = write(tmp_path / "new.csv", [{"colour": COLOURS[k], "size": repr(float(SIZES[k]))} for k in range(10)])
    code, out, _ = run("predict", tmp_path / "own.safetensors", file, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert list(rows[0]) == ["row", "prediction"]
    wanted = model.predict({name: values[:10] for name, values in table.items()}, verbose=0)[:, 0]
    assert [float(row["prediction"]) for row in rows] == pytest.approx(wanted.tolist(), rel=1e-6)
