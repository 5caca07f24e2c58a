"""The file of a sweep: what is in it, what it refuses, and sweeps that are stopped, killed and go on."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from folders import SUPPORT
from sweep_cases import TRAIN, build, lines, numbers, run

import fastmlp
from fastmlp import sweep

# The file


def test_the_file_has_a_row_for_every_run_that_csv_readers_read(file, expected):
    run(out=file)
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == [
        *("units", "learning_rate", "epochs", "seed"),
        *("validation_loss", "validation_accuracy", "train_loss", "train_accuracy", "parameters", "seconds"),
        *("data", "run", "fastmlp"),
    ]
    found = {(row["units"], row["learning_rate"], row["epochs"], row["seed"]): row for row in rows}
    assert len(found) == len(rows) == 16
    for about, seed, measured in expected:
        row = found[(str(about["units"]), str(about["learning_rate"]), str(about["epochs"]), str(seed))]
        assert {name: float(row[name]) for name in measured} == measured
        assert row["fastmlp"] == fastmlp.__version__


def test_the_same_call_again_reads_what_is_done(file, expected):
    run(out=file)
    before = file.read_bytes()
    told = []
    again = run(out=file, on_progress=lambda *news: told.append(news))
    assert numbers(again) == expected
    assert file.read_bytes() == before
    assert told == [(16, 16, None)]


def test_more_values_and_more_seeds_train_only_what_is_missing(file):
    run({"units": [2], "learning_rate": [0.01], "epochs": [3]}, out=file)
    told = []
    results = run(
        {"epochs": [1, 3], "learning_rate": [0.01], "units": [2, 4]}, out=file, seeds=3, on_progress=lambda *news: told.append(news)
    )
    assert [done for done, _, _ in told] == list(range(2, 13))
    assert {total for _, total, _ in told} == {12}
    assert numbers(results) == numbers(run({"epochs": [1, 3], "learning_rate": [0.01], "units": [2, 4]}, seeds=3))
    assert len(lines(file)) == 13


def test_combinations_that_mean_the_same_model_are_trained_once(file):
    def careless(units, activation):
        return build(units)

    results = run({"units": [2], "activation": ["relu", "tanh"], "epochs": 1}, careless, out=file)
    assert len(lines(file)) == 3
    assert len(results.runs) == 4
    assert results[0].mean("validation_loss") == results[1].mean("validation_loss")


def test_results_on_other_data_are_refused(file):
    run({"units": 2, "epochs": 1}, out=file)
    x, y = TRAIN
    for train in ((x + 1e-6, y), (x, 1 - y), (x[1:], y[1:])):
        with pytest.raises(ValueError, match=r"sweep.csv holds results for other data; choose another file, or delete it to start over"):
            run({"units": 4, "epochs": 1}, train=train, out=file)


def test_results_of_another_program_are_refused(file):
    run({"units": [2], "epochs": 1}, out=file)

    def changed(units):
        model = build(units)
        model.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    message = "sweep.csv has units 2, epochs 1, seed [01], trained with another model or other settings; choose another file"
    with pytest.raises(ValueError, match=message):
        run({"units": [2, 4], "epochs": 1}, changed, out=file)


def test_a_sweep_over_other_names_is_refused(file):
    run({"units": 2, "epochs": 1}, out=file)
    with pytest.raises(
        ValueError, match=r"sweep\.csv holds a sweep over units, epochs, but this sweep is over units, learning_rate, epochs"
    ):
        run(out=file)


@pytest.mark.parametrize("content", ["name,age\nAda,36\n", "hello", "\x89PNG\r\n\x1a\n\x00\x00", "units,epochs\n1,2\n"])
def test_a_file_that_is_no_sweep_is_refused_and_left_as_it_is(file, content):
    file.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(ValueError, match=r"sweep\.csv is not the file of a sweep; choose another name"):
        run({"units": 2, "epochs": 1}, out=file)
    assert file.read_bytes() == content.encode()


@pytest.mark.parametrize("left", [-1, -3, -30, "half a header", "a letter", "zeros", "nothing"])
def test_an_incomplete_last_line_is_dropped_and_its_run_done_again(file, left, expected):
    run(out=file)
    whole = file.read_bytes()
    damaged = {
        "half a header": whole[: whole.index(b"\n") - 5],
        "a letter": whole[:1],
        "zeros": whole[: whole[:-1].rindex(b"\n") + 1] + b"\0" * 40 + b"\n",
        "nothing": b"",
    }
    file.write_bytes(damaged[left] if isinstance(left, str) else whole[:left])
    if left == "nothing":
        results = run(out=file)
    else:
        with pytest.warns(UserWarning, match=r"the last line of .*sweep.csv is incomplete, perhaps after a crash; its run is repeated"):
            results = run(out=file)
    assert numbers(results) == expected
    assert len(lines(file)) == 17
    assert numbers(run(out=file)) == expected


def test_damage_elsewhere_is_an_error_that_names_the_line(file):
    run(out=file)
    content = lines(file)
    content[5] = content[5].replace("0.", "0,", 1)
    file.write_text("\n".join(content) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"sweep.csv, line 6, is damaged; delete that line to repeat its run"):
        run(out=file)


def test_a_file_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run({"units": 2, "epochs": 10**7}, out=tmp_path / "nowhere" / "sweep.csv")
    with pytest.raises(IsADirectoryError):
        run({"units": 2, "epochs": 10**7}, out=tmp_path)


# Stopping and going on

PROGRAM = """
import sys
from fastmlp import layers, models, sweep
from fastmlp.datasets import moons

def build(units):
    model = models.Sequential([layers.Dense(units, activation="tanh", input_shape=(2,)), layers.Dense(2, activation="softmax")])
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def tell(done, total, latest):
    print(done, flush=True)

try:
    results = sweep.run(build, {{"units": list(range(1, 41)), "epochs": {epochs}}}, *moons.load_data(), seeds=1, out="sweep.csv",
                        workers=2, verbose=0, on_progress=tell)
    print("losses", [run.numbers["validation_loss"] for run in results.runs])
except KeyboardInterrupt as stop:
    print("stopped", len(stop.results.runs), stop)
"""
SECONDS = 60


@pytest.fixture
def start(tmp_path):
    """Starts a sweep of forty runs, in a group of processes of its own, and waits until three runs are done."""

    def call(epochs):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(epochs=epochs)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        while int(process.stdout.readline()) < 3:
            pass
        return process

    return call


def members(group):
    """The processes of a group that have not ended."""
    found = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,pid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [pid for pgid, state, pid in rows if int(pgid) == group and not state.startswith("Z")]


def wait_until_gone(group):
    deadline = time.monotonic() + SECONDS
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert members(group) == []


def finish(tmp_path, epochs):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(epochs=epochs)], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    *counts, losses = done.stdout.splitlines()
    return int(counts[0]), losses


@pytest.mark.parametrize("whom", ["the program", "the whole terminal"])
def test_ctrl_c_keeps_what_is_done_and_the_same_program_goes_on(start, tmp_path, file, whom):
    process = start(epochs=300)
    if whom == "the program":
        process.send_signal(signal.SIGINT)
    else:
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert err == ""
    assert process.returncode == 0
    kept = len(lines(file)) - 1
    assert (
        out.splitlines()[-1] == f"stopped {kept} {kept} of 40 runs are done and saved in sweep.csv; run the same sweep again to resume it"
    )
    assert 3 <= kept < 40
    wait_until_gone(process.pid)
    found, losses = finish(tmp_path, epochs=300)
    assert found == kept
    Path(file).unlink()
    assert finish(tmp_path, epochs=300) == (0, losses)


def test_ctrl_c_does_not_wait_for_the_runs_in_progress():
    told = []

    def press_soon(done, total, latest):
        told.append(done)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    start = time.monotonic()
    with pytest.raises(sweep.SweepInterrupted, match=r"0 of 2 runs are done; to make a sweep resumable, pass a file for its results"):
        run({"units": [2], "epochs": 10**8}, on_progress=press_soon)
    assert time.monotonic() - start < SECONDS  # the runs would take hours
    assert told == [0]


PRESSED_IN_A_FORK = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
from sweep_cases import run
from fastmlp import sweep

def press():
    if not pressed:
        pressed.append(True)
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            time.sleep(0.001)  # where the handler runs, and what it raises is lost

signal.signal(signal.SIGINT, signal.default_int_handler)
pressed = []
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()  # which takes the signal that the main thread blocks
os.register_at_fork(before=press)
try:
    run({"units": [2], "epochs": 10**8}, start_method="fork")
except sweep.SweepInterrupted:
    print("interrupted", flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="this system has no fork")
def test_ctrl_c_while_a_worker_is_forked_is_not_lost():
    command = [sys.executable, "-c", PRESSED_IN_A_FORK, str(SUPPORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            output, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert "Exception ignored in" in errors
    assert output == "interrupted\n", errors


def test_the_handler_of_ctrl_c_is_as_before_after_a_sweep():
    before = signal.getsignal(signal.SIGINT)
    run()
    assert signal.getsignal(signal.SIGINT) is before


def test_kill_9_loses_only_the_runs_in_progress_and_leaves_no_process(start, tmp_path, file):
    process = start(epochs=300)
    process.kill()
    process.communicate(timeout=SECONDS)
    wait_until_gone(process.pid)
    kept = len(lines(file)) - 1
    assert 3 <= kept < 40
    found, losses = finish(tmp_path, epochs=300)
    assert found == kept
    Path(file).unlink()
    assert finish(tmp_path, epochs=300) == (0, losses)


def test_two_sweeps_do_not_write_one_file(start, tmp_path, file):
    process = start(epochs=300)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ValueError, match=r"another sweep is writing .*sweep.csv; wait for it to end, or choose another file"):
            run({"units": [1], "epochs": 300}, out=file)
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)
    wait_until_gone(process.pid)
