"""``fastmlp sweep``: the table it prints, the file it keeps, and what it says when something makes no sense."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from terminals import shown_on_a_terminal

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SMALL = ("gaussians", "--points", 40, "--hidden", "4", "8,8", "--epochs", 1, 3, "--seeds", 2)


@pytest.fixture
def run(run):
    """Runs ``fastmlp sweep``, or another command, in this process."""
    return lambda *arguments, command="sweep": run(command, *arguments)


def rows(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_a_table_compares_every_combination_best_first(run):
    code, out, err = run(*SMALL, "--workers", 1)
    assert code == 0
    assert "gaussians: round clouds, 96 training, 12 validation and 12 test samples" in out
    assert re.search(r"hidden\W+epochs\W+validation accuracy\W+validation loss\W+train accuracy\W+parameters\W+seconds", out)
    found = re.findall(r"│ (4|8,8) +│ (1|3) +│ +([\d.]+) ± ([\d.]+) │ +([\d.]+) ± ", out)
    assert {(hidden, epochs) for hidden, epochs, *_ in found} == {("4", "1"), ("4", "3"), ("8,8", "1"), ("8,8", "3")}
    accuracies = [float(accuracy) for _, _, accuracy, *_ in found]
    assert accuracies == sorted(accuracies, reverse=True)
    assert "Mean ± standard deviation over 2 seeds. The same for all: activation relu, dropout 0, optimizer adam" in out
    assert err.splitlines()[-1].startswith("gaussians 8/8 ━")


def test_the_first_run_is_the_one_of_fastmlp_train(run, tmp_path):
    file = tmp_path / "sweep.csv"
    settings = ("spiral", "--hidden", "16,8", "--activation", "tanh", "--dropout", 0.1, "--optimizer", "rmsprop")
    settings += ("--learning-rate", 0.01, "--batch-size", 16, "--epochs", 3, "--points", 60, "--classes", 4, "--noise", 0.1)
    code, out, _ = run(*settings, "--seeds", 1, "--out", file)
    assert code == 0
    assert "One seed. The same for all: hidden 16,8, activation tanh, dropout 0.1, optimizer rmsprop, learning rate 0.01" in out
    (row,) = rows(file)
    assert [row[name] for name in ("hidden", "activation", "dropout", "optimizer", "learning_rate", "batch_size", "epochs", "seed")] == [
        *("16,8", "tanh", "0.1", "rmsprop", "0.01", "16", "3", "0")
    ]
    _, trained, _ = run(*settings, command="train")
    accuracy, loss = re.search(r"train accuracy\W+([\d.]+)  \(loss ([\d.]+)", trained).groups()
    assert float(row["train_accuracy"]) == pytest.approx(float(accuracy), abs=6e-5)
    assert float(row["train_loss"]) == pytest.approx(float(loss), abs=6e-5)
    assert re.search(r"Test of the best by validation accuracy: accuracy [\d.]+, loss [\d.]+\.", out)


def test_the_same_command_again_goes_on_and_more_values_are_added(run, tmp_path):
    file = tmp_path / "sweep.csv"
    first = run(*SMALL, "--out", file)
    assert first[0] == 0
    assert len(rows(file)) == 8
    code, out, err = run(*SMALL, "--out", file, "--workers", 1)
    assert (code, out) == (0, first[1])
    assert err == f"8 of 8 runs found in {file}\n"
    code, out, err = run(*SMALL, "--out", file, "--activation", "relu", "tanh", "--dropout", 0, 0.5)
    assert code == 0
    assert f"8 of 32 runs found in {file}\n" in err
    assert len(rows(file)) == 32
    assert re.search(r"hidden\W+activation\W+dropout\W+epochs", out)


def test_the_order_of_the_table_can_be_chosen(run):
    out = run("gaussians", "--epochs", 1, "--hidden", "none", "64", "8", "--seeds", 1, "--sort", "parameters")[1]
    assert re.findall(r"│ (none|64|8) +│", out) == ["none", "8", "64"]


def test_markdown_is_a_table_for_a_page(run):
    code, out, _ = run(*SMALL, "--markdown")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "gaussians: round clouds, 96 training, 12 validation and 12 test samples"
    assert lines[2] == "| hidden | epochs | validation accuracy | validation loss | train accuracy | parameters | seconds |"
    assert lines[3] == "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    assert all(line.startswith("| ") for line in lines[4:8])
    assert lines[9].startswith("Mean ± standard deviation over 2 seeds.")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_plot_is_written(run, tmp_path, ending):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    picture = tmp_path / f"sweep.{ending}"
    assert run(*SMALL, "--plot", picture)[0] == 0
    assert picture.stat().st_size > 5000


def test_a_learning_rate_that_is_too_high_is_a_row(run):
    code, out, err = run("gaussians", "--optimizer", "sgd", "--learning-rate", 0.1, 1e20, "--epochs", 2, "--seeds", 1)
    assert code == 0
    assert re.search(r"│ 1e\+20 +│ +diverged │ +diverged │ +diverged │", out)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist2"], "invalid choice: 'mnist2'"),
        (["--hidden", "16", "a,b"], "argument --hidden: expected integers with commas between, such as 64,64, got 'a,b'"),
        (["--hidden", "16", "64", "16"], "--hidden has the same value twice"),
        (["--epochs", "5", "0"], "argument --epochs: must be an integer ≥ 1, got 0"),
        (["--learning-rate"], "argument --learning-rate/--lr: expected at least one argument"),
        (["--activation", "relu", "rleu"], "argument --activation: unknown activation 'rleu'"),
        (["--seeds", "0"], "argument --seeds: must be an integer ≥ 1"),
        (["--workers", "0"], "argument --workers: must be an integer ≥ 1, got 0"),
        (["--sort", "name"], "argument --sort: invalid choice: 'name'"),
        (["moons", "--classes", "3"], "--classes does not apply to moons"),
    ],
)
def test_arguments_that_make_no_sense_end_with_code_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "missing/sweep.csv"], "fastmlp: missing/sweep.csv: No such file or directory"),
        (["--out", "letter.csv"], "fastmlp: letter.csv is not the file of a sweep; choose another name"),
        (["--plot", "picture.doc"], "fastmlp: --plot picture.doc: the name of a figure must end in .png, .svg or .pdf"),
        (["--points", "2"], "puts 0 into the test set"),
    ],
)
def test_what_cannot_work_ends_before_training_with_one_line_and_code_1(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letter.csv").write_text("Dear Ada,\n")
    code, out, err = run("--epochs", 10**8, *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_results_on_other_data_are_one_line(run, tmp_path):
    file = tmp_path / "sweep.csv"
    run("gaussians", "--epochs", 1, "--seeds", 1, "--out", file)
    for other in (["moons"], ["gaussians", "--points", 30]):
        code, out, err = run(*other, "--epochs", 1, "--seeds", 1, "--out", file)
        assert (code, out) == (1, "")
        assert err == f"fastmlp: {file} holds results for other data; choose another file, or delete it to start over\n"


def test_piped_output_has_no_control_characters_and_fits_ascii():
    command = [sys.executable, "-m", "fastmlp", "sweep", *map(str, SMALL)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert not CONTROL.search(done.stdout + done.stderr)
    assert (done.stdout + done.stderr).isascii()
    assert " +/- " in done.stdout


def test_on_a_terminal_one_bar_is_drawn_over_and_over():
    text = shown_on_a_terminal("sweep", *SMALL)
    assert "8/8" in text
    assert "validation" in text
    assert text.count("\n") <= 2


def test_ctrl_c_shows_the_runs_that_are_done_and_how_to_go_on(tmp_path):
    # The epochs that take hours come after the others have been trained with every seed.
    command = [sys.executable, "-m", "fastmlp", "sweep", "gaussians", "--hidden", "2", "4", "--seeds", "2", "--out", "sweep.csv"]
    short, long = [*command, "--epochs", "1"], [*command, "--epochs", "1", "100000000"]
    assert subprocess.run(short, cwd=tmp_path, capture_output=True, timeout=60).returncode == 0
    with subprocess.Popen(long, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "4 of 8 runs found in sweep.csv\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(re.findall(r"│ [24] +│ +[\d.]+ ± ", out)) == 2
    assert err.splitlines() == ["4 of 8 runs are done and saved in sweep.csv; run the same sweep again to resume it", "interrupted"]
    assert len(rows(tmp_path / "sweep.csv")) == 4


def test_the_help_explains_how_to_go_on(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "run the same command again: it goes on with what is missing" in out
