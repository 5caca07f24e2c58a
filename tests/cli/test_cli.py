"""The command line: what it prints, where, and which exit code it gives."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from terminals import shown_on_a_terminal

import fastmlp
from fastmlp import layers, models, saving, utils
from fastmlp.cli import main
from fastmlp.datasets import spiral

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
GENERATED = ("spiral", "moons", "circles", "xor", "gaussians")

real_mnist = pytest.mark.skipif("FASTMLP_DATA" not in os.environ, reason="FASTMLP_DATA does not name a folder with the real MNIST files")


def shell(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "fastmlp", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)


@pytest.fixture(scope="module")
def points_model(tmp_path_factory):
    """A spiral classifier, trained and saved by the command."""
    path = tmp_path_factory.mktemp("models") / "spiral.safetensors"
    assert main(["train", "--save", str(path)]) == 0
    return path


@pytest.fixture
def pixel_model(tmp_path):
    """An untrained model of 28 x 28 pixels, with what `fastmlp train mnist` stores beside it."""
    utils.set_random_seed(1)
    model = fastmlp.Sequential([layers.Input((28, 28)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10, "softmax")])
    path = tmp_path / "pixels.safetensors"
    saving.save_model(model, path, provenance={"classes": [f"digit {k}" for k in range(10)]})
    return path, model


def accuracy(output, name="test accuracy"):
    return float(re.search(rf"{name}\W+([\d.]+)", output).group(1))


# train


def test_training_without_arguments_learns_the_spiral(run):
    code, out, err = run("train")
    assert code == 0
    assert accuracy(out) >= 0.97
    for fact in ("300 samples", "1,200 samples", "2-64-64-3, relu, 4,547 parameters", "samples/s", "100 epochs", "seed 0", "native"):
        assert fact in out
    assert re.findall(r"^spiral +(\d+)/100 ", err, re.MULTILINE) == [str(epoch) for epoch in range(10, 101, 10)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("dataset", GENERATED)
def test_the_defaults_suit_every_generated_data_set(run, dataset, seed):
    code, out, _ = run("train", dataset, "--seed", seed)
    assert code == 0
    assert accuracy(out) >= 0.97


def test_the_seed_decides_everything(run):
    def numbers(*arguments):
        return re.findall(r" - .*", run("train", "--epochs", 5, "--dropout", 0.1, *arguments)[2])

    assert numbers("--seed", 3) == numbers("--seed", 3) != numbers("--seed", 4)
    assert numbers("--seed", 3, "--threads", 1) == numbers("--seed", 3, "--threads", 2)


def test_the_reference_engine_can_be_chosen(run):
    code, out, _ = run("train", "gaussians", "--engine", "reference", "--epochs", 5)
    assert code == 0
    assert "reference (NumPy)" in out


def test_every_option_reaches_the_network(run, tmp_path):
    path = tmp_path / "model.safetensors"
    code, out, _ = run(
        *("train", "gaussians", "--hidden", "7,5", "--activation", "tanh", "--dropout", 0.25, "--optimizer", "sgd", "--learning-rate", 0.3),
        *("--batch-size", 50, "--epochs", 4, "--points", 30, "--classes", 5, "--noise", 0.1, "--seed", 9, "--threads", 1, "--save", path),
    )
    assert code == 0
    assert "2-7-5-5, tanh" in out
    document = saving.describe(path)
    kinds = [layer["class"] for layer in document["model"]["layers"]]
    assert kinds == ["InputLayer", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert document["model"]["layers"][2]["config"]["rate"] == 0.25
    assert document["compile"]["optimizer"]["class"] == "SGD"
    assert document["compile"]["optimizer"]["config"]["learning_rate"] == pytest.approx(0.3)
    assert document["training"]["epochs"] == 4
    assert document["training"]["iterations"] == 4 * 3  # 120 of 150 points, in batches of 50
    provenance = document["provenance"]
    assert provenance["dataset_options"] == {"points_per_class": 30, "classes": 5, "noise": 0.1}
    assert provenance["seed"] == 9
    assert provenance["test"]["accuracy"] == pytest.approx(accuracy(out), abs=1e-4)


def test_no_hidden_layer_is_a_linear_classifier(run):
    assert "2-3, relu, 9 parameters" in run("train", "gaussians", "--hidden", "none", "--epochs", 2)[1]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_plot_is_written(run, tmp_path, ending):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    picture = tmp_path / f"run.{ending}"
    code, out, _ = run("train", "moons", "--epochs", 3, "--plot", picture)
    assert code == 0
    assert picture.stat().st_size > 5000
    assert "plot" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist2"], "invalid choice: 'mnist2'"),
        (["--hidden", "a,b"], "argument --hidden: expected integers with commas between, such as 64,64, got 'a,b'"),
        (["--hidden", "5,0"], "argument --hidden: expected integers"),
        (["--epochs", "0"], "argument --epochs: must be an integer ≥ 1, got 0"),
        (["--batch-size", "-1"], "argument --batch-size: must be an integer ≥ 1, got -1"),
        (["--batch-size", "many"], "argument --batch-size: expected an integer, got 'many'"),
        (["--dropout", "1"], "argument --dropout: must be a number ≥ 0 and < 1, got 1"),
        (["--learning-rate", "fast"], "argument --learning-rate/--lr: expected a number, got 'fast'"),
        (["--learning-rate", "nan"], "argument --learning-rate/--lr: must be a number ≥ 0"),
        (["--seed", "-1"], "argument --seed: must be an integer ≥ 0"),
        (["--activation", "rleu"], "argument --activation: unknown activation 'rleu'"),
        (["--optimizer", "multioptimizer"], "argument --optimizer: the optimizer 'multioptimizer' is not in fastmlp"),
        (["moons", "--classes", "3"], "--classes does not apply to moons"),
        (["mnist", "--points", "3"], "--points does not apply to mnist"),
        (["--epoch=3"], "unrecognized arguments: --epoch=3"),
    ],
)
def test_arguments_that_make_no_sense_end_with_code_2(run, arguments, message):
    code, out, err = run("train", *arguments)
    assert code == 2
    assert out == ""
    last = err.splitlines()[-1]
    assert re.match("fastmlp( train)?: error: ", last)
    assert message in last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "model.onnx"], "fastmlp: models are saved as .safetensors files: use 'model.onnx.safetensors' instead of 'model.onnx'"),
        (["--save", "missing/model.safetensors"], "missing does not exist; make it first"),
        (["--plot", "picture.doc"], "fastmlp: --plot picture.doc: the name of a figure must end in .png, .svg or .pdf"),
        (["--plot", "missing/picture.png"], "fastmlp: --plot missing/picture.png: the folder missing does not exist"),
        (["--points", "2"], "puts 0 into the test set"),
    ],
)
def test_what_cannot_work_ends_before_training_with_one_line_and_code_1(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", *arguments)
    assert code == 1
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_loss_that_explodes_is_one_line_of_advice(run):
    code, _, err = run("train", "--optimizer", "sgd", "--learning-rate", "1e20")
    assert code == 1
    assert "fastmlp: the loss became NaN or infinite in epoch 1" in err.splitlines()[-1]
    assert "Traceback" not in err


@real_mnist
def test_mnist_is_learned_and_a_drawing_is_read(run, tmp_path):
    path = tmp_path / "digits.safetensors"
    code, out, _ = run("train", "mnist", "--hidden", 64, "--epochs", 1, "--save", path)
    assert code == 0
    assert "784-64-10" in out
    assert accuracy(out) > 0.92
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    drawing = image.new("RGB", (400, 300), "#fffff0")
    drawing.paste("#203060", (210, 60, 232, 250))  # a one
    drawing.save(tmp_path / "one.png")
    code, out, _ = run("predict", path, tmp_path / "one.png", "--json")
    assert code == 0
    assert json.loads(out)[0]["class"] == "1"


@real_mnist
def test_raw_mnist_rows_are_prepared_as_in_training(run, tmp_path):
    from fastmlp.datasets import mnist

    path = tmp_path / "digits.safetensors"
    run("train", "mnist", "--hidden", 32, "--epochs", 1, "--save", path)
    _, (x_test, y_test) = mnist.load_data()
    np.save(tmp_path / "images.npy", x_test[:300])
    answers = json.loads(run("predict", path, tmp_path / "images.npy", "--json")[1])
    assert np.mean([int(answer["class"]) == label for answer, label in zip(answers, y_test[:300], strict=True)]) > 0.85
    model = fastmlp.load_model(path)
    assert [type(layer).__name__ for layer in model.layers] == ["Rescaling", "Flatten", "Dense", "Dense"]
    assert [list(answer["probabilities"].values()) for answer in answers] == model.predict(x_test[:300], verbose=0).tolist()
    assert model.evaluate(x_test, y_test, verbose=0)[1] == pytest.approx(saving.describe(path)["provenance"]["test"]["accuracy"], abs=2e-4)
    model.fit(x_test, y_test, epochs=1, verbose=0)  # which goes on with the optimizer's state
    assert model.optimizer.iterations == 469 + 313


# predict


def expected(path, x):
    return fastmlp.load_model(path).predict(np.asarray(x, np.float32), verbose=0)


@pytest.mark.parametrize(
    "text",
    [
        "0.5,0.1\n-0.3,0.2\n",
        "x,y\n0.5,0.1\n-0.3,0.2\n",
        "\ufeffx;y\r\n0.5;0.1\r\n\r\n-0.3;0.2",
        "0.5\t0.1\n-0.3\t0.2\n",
        "0.5 0.1\n-0.3   0.2\n",
        '"x","y"\n"0.5","0.1"\n"-0.3","0.2"\n',
        '"0.5","0.1"\n"-0.3","0.2"\n',
        '"x\nof\nall",y\n0.5,0.1\n-0.3,0.2\n',
        "0,1\n0.5,0.1\n-0.3,0.2\n",
        "0,5;0,1\n-0,3;0,2\n",
    ],
    ids=["plain", "header", "semicolons", "tabs", "blanks", "quoted", "quoted numbers", "lines in a header", "numbered", "decimal commas"],
)
def test_rows_of_text_are_read_however_they_are_separated(run, points_model, tmp_path, text):
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    code, out, _ = run("predict", points_model, tmp_path / "points.csv", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    probabilities = expected(points_model, [[0.5, 0.1], [-0.3, 0.2]])
    assert [row["class"] for row in rows] == [str(k) for k in probabilities.argmax(1)]
    assert np.allclose([[float(row[f"p_{k}"]) for k in range(3)] for row in rows], probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "pack",
    [lambda text: gzip.compress(text.encode()), lambda text: text.encode("utf-16"), lambda text: text.encode("utf-16-le")],
    ids=["gzip", "UTF-16", "UTF-16 without a mark"],
)
@pytest.mark.parametrize("from_stdin", [True, False])
def test_text_may_be_packed_in_utf_16_and_come_from_the_standard_input(run, points_model, tmp_path, monkeypatch, pack, from_stdin):
    content, file = pack("größe,y\n0.5,0.1\n-0.3,0.2\n"), tmp_path / "points.csv.gz"
    file.write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, out, _ = run("predict", points_model, "-" if from_stdin else file, "--json")
    assert code == 0
    answers = json.loads(out)
    assert [list(a["probabilities"].values()) for a in answers] == expected(points_model, [[0.5, 0.1], [-0.3, 0.2]]).tolist()


@pytest.mark.parametrize(
    ("text", "options", "samples", "note"),
    [
        ("0,1\n0.5,0.25\n", [], 1, "the first line, 0,1, is taken for a header; --no-header takes it for data"),
        ("0,1\n0.5,0.25\n", ["--no-header"], 2, ""),
        ("0,1\n1,0\n", [], 2, "the first line, 0,1, is taken for data; --header takes it for a header"),
        ("0,1\n1,0\n", ["--header"], 1, ""),
        ("0,1\n", [], 1, "is taken for data"),
        ("a,2\n1,2\n", ["--header"], 1, ""),
    ],
)
def test_a_header_is_told_from_data_by_rule_and_by_option(run, points_model, tmp_path, text, options, samples, note):
    (tmp_path / "points.csv").write_text(text)
    code, out, err = run("predict", points_model, tmp_path / "points.csv", "--json", *options)
    assert code == 0
    assert len(json.loads(out)) == samples
    assert note in err
    assert bool(note) == bool(err)


def test_columns_are_found_by_the_names_of_the_model_s_features(run, tmp_path):
    model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.feature_names = ["age", "1990"]
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "people.csv").write_text("1990,name,age\n1,7,2\n")
    code, out, err = run("predict", tmp_path / "model.safetensors", tmp_path / "people.csv", "--json")
    assert (code, err) == (0, f"fastmlp: {tmp_path / 'people.csv'}: the model does not use name\n")
    assert json.loads(out)[0]["outputs"] == model.predict([[2, 1]], verbose=0)[0].tolist()
    (tmp_path / "people.csv").write_text("age,height\n1,2\n")
    code, _, err = run("predict", tmp_path / "model.safetensors", tmp_path / "people.csv")
    assert code == 1
    assert "has the columns age, height, but the model was trained on age, 1990: 1990 is missing" in err


@pytest.mark.parametrize("name", ["answers.csv", "answers.json"])
def test_answers_are_written_to_a_file(run, points_model, tmp_path, name):
    (tmp_path / "points.csv").write_text("0.5,0.1\n-0.3,0.2\n")
    code, out, err = run("predict", points_model, tmp_path / "points.csv", "--out", tmp_path / name)
    assert (code, out, err) == (0, "", "")
    text = (tmp_path / name).read_text()
    assert len(json.loads(text) if name.endswith("json") else list(csv.DictReader(io.StringIO(text)))) == 2
    assert run("predict", points_model, tmp_path / "points.csv", "--out", tmp_path / "no folder" / name)[0] == 1


def test_json_holds_every_digit_of_every_probability(run, points_model, tmp_path):
    (_, _), (x, y) = spiral.load_data()
    np.save(tmp_path / "points.npy", x)
    code, out, _ = run("predict", points_model, tmp_path / "points.npy", "--json")
    answers = json.loads(out)
    assert code == 0
    assert [list(answer["probabilities"].values()) for answer in answers] == expected(points_model, x).tolist()
    assert np.mean([int(answer["class"]) == label for answer, label in zip(answers, y, strict=True)]) >= 0.97


def test_the_table_shows_the_first_rows_and_says_how_many_more_there_are(run, points_model, tmp_path):
    np.save(tmp_path / "points.npy", spiral.generate(seed=0)[0][:50])
    code, out, _ = run("predict", points_model, tmp_path / "points.npy")
    assert code == 0
    assert "and 30 more rows: --csv or --json print all" in out
    assert re.search(r"row\W+class\W+p\(0\)\W+p\(1\)\W+p\(2\)", out)


def test_several_files_are_told_apart(run, points_model, tmp_path):
    (tmp_path / "one.csv").write_text("0,1\n")
    (tmp_path / "two.csv").write_text("0,1\n1,0\n")
    code, out, _ = run("predict", points_model, tmp_path / "one.csv", tmp_path / "two.csv", "--json")
    assert code == 0
    assert [answer["row"] for answer in json.loads(out)] == ["one.csv", "two.csv:0", "two.csv:1"]


def test_names_of_classes_and_the_scale_of_pixels_come_from_the_file(run, pixel_model, tmp_path):
    path, model = pixel_model
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    answers = json.loads(run("predict", path, tmp_path / "pixels.npy", "--json")[1])
    wanted = model.predict(pixels, verbose=0)
    assert [list(answer["probabilities"].values()) for answer in answers] == wanted.tolist()
    assert answers[0]["class"] == f"digit {wanted[0].argmax()}"
    np.save(tmp_path / "one.npy", pixels[0])
    assert json.loads(run("predict", path, tmp_path / "one.npy", "--json")[1])[0]["probabilities"] == answers[0]["probabilities"]


def test_files_of_older_versions_whose_models_did_not_scale_their_input_are_refused(run, tmp_path):
    model = fastmlp.Sequential([layers.Dense(10, "softmax", input_shape=(784,))])
    path = tmp_path / "old.safetensors"
    saving.save_model(model, path, provenance={"preparation": {"flatten": True, "divide_by": 255.0}})
    np.save(tmp_path / "pixels.npy", np.zeros((1, 784)))
    code, _, err = run("predict", path, tmp_path / "pixels.npy")
    assert code == 1
    assert "was written by an older fastmlp, whose models did not scale their input; train it again" in err


def test_a_model_saved_by_a_program_reads_pictures_with_pixels_over_255(run, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    from fastmlp._data.images import load_digit

    model = fastmlp.Sequential([layers.Input((28, 28)), layers.Flatten(), layers.Dense(10, "softmax")])
    model.save(tmp_path / "own.safetensors")
    drawing = image.new("L", (100, 100), 255)
    drawing.paste(0, (40, 20, 60, 80))
    drawing.save(tmp_path / "drawing.png")
    code, out, err = run("predict", tmp_path / "own.safetensors", tmp_path / "drawing.png", "--json")
    assert code == 0
    assert "the model does not begin with a layer that scales its input; dividing pixels by 255" in err
    wanted = model.predict(load_digit(tmp_path / "drawing.png")[None] / np.float32(255), verbose=0)
    assert list(json.loads(out)[0]["probabilities"].values()) == wanted[0].tolist()


@pytest.mark.parametrize(("last", "kind"), [("sigmoid", "p_1"), ("linear", "output_0")])
def test_one_output_is_a_probability_or_a_number(run, tmp_path, last, kind):
    model = fastmlp.Sequential([layers.Dense(1, last, input_shape=(2,))])
    model.save(tmp_path / "one.safetensors")
    (tmp_path / "rows.csv").write_text("1,2\n")
    row = next(csv.DictReader(io.StringIO(run("predict", tmp_path / "one.safetensors", tmp_path / "rows.csv", "--csv")[1])))
    assert float(row[kind]) == pytest.approx(float(model.predict(np.array([[1, 2]]), verbose=0)[0, 0]), rel=1e-5)
    assert ("class" in row) == (last == "sigmoid")


def write_objects(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def write_promise(path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 2), }"
    header += " " * (117 - len(header)) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(16))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("three.csv", lambda path: path.write_text("1,2,3\n"), "has 3 columns, but the model takes 2"),
        ("empty.csv", lambda path: path.write_text(""), "is empty"),
        ("header.csv", lambda path: path.write_text("x,y\n"), "has no samples"),
        ("words.csv", lambda path: path.write_text("1,2\n3,four\n"), "line 2, column 2 is 'four', which is not a number"),
        ("ragged.csv", lambda path: path.write_text("1,2\n3\n"), "line 2 has 1 columns, but line 1 has 2"),
        ("nan.csv", lambda path: path.write_text("1,nan\n"), "line 1, column 2 is missing ('nan')"),
        ("inf.csv", lambda path: path.write_text("1,2\n\n1,inf\n"), "line 3, column 2 is inf; a network needs a finite number"),
        ("gap.csv", lambda path: path.write_text(",2\n1,2\n"), "line 1, column 1 is missing"),
        (
            "mixed.csv",
            lambda path: path.write_text("a,2\n1,2\n"),
            "line 1 has numbers and 'a': use --header if these are names of columns",
        ),
        ("damaged.csv.gz", lambda path: path.write_bytes(b"\x1f\x8b\x08nothing"), "is a damaged gzip file"),
        ("binary.csv", lambda path: path.write_bytes(np.random.default_rng(0).bytes(2000)), "binary.csv"),
        ("data.txt2", lambda path: path.write_text("1,2"), "expected the name of a .npy, .csv or .csv.gz file, or of an image"),
        ("picture.png", lambda path: path.write_text("1,2"), "is an image, but the model takes samples of shape (2,), not 28 x 28 pixels"),
        ("objects.npy", write_objects, "is not an array of numbers that NumPy can read"),
        ("promise.npy", write_promise, "is not an array of numbers that NumPy can read"),
        ("short.npy", lambda path: path.write_bytes(b"\x93NUM"), "is not an array of numbers that NumPy can read"),
        ("text.npy", lambda path: np.save(path, np.array(["a"])), "not numbers"),
        ("shape.npy", lambda path: np.save(path, np.zeros((2, 3, 4))), "has the shape (2, 3, 4), but the model takes 2"),
        ("scalar.npy", lambda path: np.save(path, 3.0), "has the shape (), but the model takes 2"),
        ("missing.csv", lambda path: None, "there is no file"),
    ],
)
def test_data_that_do_not_fit_are_one_line_and_code_1(run, points_model, tmp_path, name, write, message):
    write(tmp_path / name)
    code, out, err = run("predict", points_model, tmp_path / name)
    assert code == 1
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1
    assert err.startswith("fastmlp: ")


# info


def test_info_shows_layers_training_and_provenance(run, points_model):
    code, out, err = run("info", points_model)
    assert code == 0
    assert err == ""
    for fact in (
        'Model: "spiral"',
        "4,547",
        "checksums are right",
        "Adam(learning_rate=0.001",
        "100 epochs, 3800 updates",
        "fastmlp train",
    ):
        assert fact in out
    assert fastmlp.__version__ in out


def test_info_on_a_model_that_was_not_compiled(run, pixel_model):
    code, out, _ = run("info", pixel_model[0])
    assert code == 0
    assert re.search(r"compiled\W+no", out)
    assert "digit 9" in out


def test_info_on_what_is_no_model_is_one_line_and_code_1(run, tmp_path):
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    code, out, err = run("info", tmp_path / "model.h5")
    assert (code, out) == (1, "")
    assert "it is damaged or truncated" in err
    assert len(err.splitlines()) == 1


# The terminal, pipes and signals


def test_help_shows_the_way(run):
    code, out, _ = run("--help")
    assert code == 0
    for line in ("fastmlp train  ", "--plot spiral.png", "fastmlp predict digits.safetensors four.png", "fastmlp info"):
        assert line in out
    for command in ("train", "predict", "info", "bench"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert "usage: fastmlp " + command in out


def test_the_version_is_the_packages(run):
    assert run("--version")[:2] == (0, f"fastmlp {fastmlp.__version__}\n")


def test_no_command_is_code_2(run):
    code, _, err = run()
    assert code == 2
    assert "required: COMMAND" in err


def test_piped_output_has_no_control_characters_and_fits_ascii(points_model):
    done = shell("train", "xor", "--epochs", 3)
    assert done.returncode == 0
    assert not CONTROL.search(done.stdout + done.stderr)
    plain = shell("train", "xor", "--epochs", 3, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert plain.returncode == 0
    assert (plain.stdout + plain.stderr).isascii()


def test_on_a_terminal_one_bar_is_drawn_over_and_over():
    text = shown_on_a_terminal("train")
    assert "100/100" in text
    assert text.count("\r") > 2
    assert text.count("\n") <= 2


def test_a_reader_that_stops_reading_is_no_error_message(points_model):
    with subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "info", points_model], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_ctrl_c_ends_quickly_with_code_130_and_one_line():
    command = [sys.executable, "-m", "fastmlp", "train", "--epochs", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.5)  # into the training
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.perf_counter() - start < 20  # a million epochs would take minutes
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
