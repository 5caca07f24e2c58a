"""``fastmlp bench``: what it prints, the JSON it writes, and what it says when something is missing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from fastmlp.bench import peers
from fastmlp.bench.cases import CASES

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@pytest.fixture
def run(run):
    """Runs ``fastmlp bench`` in this process."""
    return lambda *arguments: run("bench", *arguments)


@pytest.fixture
def without_mnist(monkeypatch, tmp_path):
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path))


def test_a_table_shows_the_peak_and_fastmlp_beside_its_peers(run):
    code, out, err = run("policy-1", "spiral", "--peers", "numpy", "--rounds", 1)
    assert code == 0
    assert len(re.findall(r"FMA peak, \d+ threads?\W+[\d,.]+ GFLOP/s", out)) in (1, 2)
    assert re.search(r"training, µs a step\W+fastmlp\W+GFLOP/s\W+threads\W+of peak", out)
    assert re.search(r"spiral\W+[\d,.]+\W+[\d,.]+\W+\d+\W+\d+%", out)
    assert re.search(r"policy-1\W+[\d,.]+\W+[\d,.]+\W+1\W+\d+%\W+[\d,.]+ \([\d.]+×\)", out)
    assert "can exceed 100 % of the peak" in out
    assert err.splitlines() == ["spiral: fastmlp", "policy-1: fastmlp, numpy"]


def test_quick_measures_no_peers(run):
    code, out, err = run("policy-1", "--quick")
    assert code == 0
    assert "numpy" not in out + err


def test_markdown_is_a_table_for_a_page(run):
    code, out, _ = run("policy-1", "--peers", "numpy", "--rounds", 1, "--markdown")
    assert code == 0
    lines = out.splitlines()
    assert "| inference, µs a call | fastmlp | GFLOP/s | threads | of peak | numpy |" in lines
    assert "| --- | ---: | ---: | ---: | ---: | ---: |" in lines
    assert re.match(r"\| policy-1 \|( [^|]+ \|){5}$", next(line for line in lines if line.startswith("| policy-1")))


def test_json_holds_every_round_of_every_framework(run, tmp_path):
    file = tmp_path / "times.json"
    code, out, _ = run("policy-1", "--peers", "numpy", "--rounds", 3, "--json", file)
    assert code == 0
    assert "policy-1" in out
    document = json.loads(file.read_text(encoding="utf-8"))
    assert {"fastmlp", "compiler", "isa", "processor", "system", "python", "threads", "rounds", "peak_gflops", "cases"} == set(document)
    assert set(document["peak_gflops"]) == {"1", str(document["threads"])}
    (case,) = document["cases"]
    assert (case["name"], case["kind"], case["about"], case["left_out"]) == ("policy-1", "inference", "17-64-64-6, 1 row", {})
    assert set(case["frameworks"]) == {"fastmlp", "numpy"}
    for timing in case["frameworks"].values():
        assert sorted(timing["rounds"])[1] == timing["microseconds"]
        assert timing["gflops"] == pytest.approx(case["flops"] / timing["microseconds"] / 1e3)
        assert timing["share_of_peak"] == pytest.approx(timing["gflops"] / document["peak_gflops"][str(timing["threads"])])
    assert case["frameworks"]["fastmlp"]["times_fastmlp"] == 1


def test_json_without_a_file_is_all_that_is_printed(run):
    code, out, _ = run("policy-1", "--quick", "--rounds", 1, "--json")
    assert code == 0
    assert json.loads(out)["rounds"] == 1


def test_threads_are_those_asked_for(run):
    code, out, _ = run("policy-1", "--quick", "--rounds", 1, "--threads", 1, "--json")
    assert code == 0
    assert json.loads(out)["threads"] == 1
    assert list(json.loads(out)["peak_gflops"]) == ["1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spirals"], "unknown case 'spirals'; the cases are spiral, policy, mnist"),
        (["--peers", "numpty"], "unknown peer 'numpty'; the peers are jax, torch"),
        (["--json", "spiral"], "--json takes a file: write the cases before it, as in fastmlp bench spiral --json"),
        (["--rounds", "0"], "must be an integer ≥ 1, got '0'"),
        (["--threads", "many"], "must be an integer ≥ 1, got 'many'"),
    ],
)
def test_arguments_that_make_no_sense_end_with_code_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert code == 2
    assert message in err
    assert out == ""


def test_a_peer_that_is_not_installed_is_one_line_with_what_to_install(run, monkeypatch):
    monkeypatch.setattr(peers, "missing_packages", lambda name: ["onnx"] if name == "onnxruntime" else [] if name == "numpy" else [name])
    code, out, err = run("policy-1", "--peers", "onnxruntime")
    assert (code, out) == (1, "")
    assert err == "fastmlp: to measure onnxruntime, install onnx; what is installed here is numpy\n"


@pytest.mark.usefixtures("without_mnist")
def test_mnist_that_is_not_here_is_left_out_and_not_downloaded(run, tmp_path):
    code, out, err = run("mnist-1", "policy-1", "--quick", "--rounds", 1)
    assert code == 0
    assert "policy-1" in out
    assert "mnist-1" not in out
    assert "mnist-1 skipped: MNIST is not on this machine; `fastmlp train mnist` downloads it (11 MB)" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("without_mnist")
def test_nothing_but_missing_data_is_an_error(run):
    code, out, err = run("mnist", "mnist-1", "--quick")
    assert (code, out) == (1, "")
    assert err.startswith("fastmlp: mnist, mnist-1 skipped: MNIST is not on this machine")


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(run, tmp_path):
    code, _, err = run("wide", "--json", tmp_path / "nowhere" / "times.json")
    assert code == 1
    assert err == f"fastmlp: {tmp_path / 'nowhere' / 'times.json'}: No such file or directory\n"


def test_a_framework_that_fails_is_told_and_the_others_are_shown(run, monkeypatch):
    monkeypatch.setenv("FASTMLP_ISA", "abacus")  # this process has chosen already; the workers have not
    code, out, err = run("policy-1", "--peers", "numpy", "--rounds", 1)
    assert code == 1
    assert "policy-1: fastmlp is skipped: ImportError: FASTMLP_ISA is 'abacus'" in err
    assert re.search(r"policy-1\W+–\W+–\W+–\W+–\W+[\d,.]+", out)


def test_the_help_names_every_case_and_every_peer(run):
    code, out, _ = run("--help")
    assert code == 0
    for name in (*CASES, *peers.PEERS):
        assert re.search(rf"\b{name}\b", out), name


def test_piped_output_has_no_control_characters_and_fits_ascii():
    command = [sys.executable, "-m", "fastmlp", "bench", "policy-1", "--peers", "numpy", "--rounds", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert not CONTROL.search(done.stdout + done.stderr)
    assert (done.stdout + done.stderr).isascii()
    assert "inference, us a call" in done.stdout


def test_ctrl_c_shows_the_cases_that_are_done():
    command = [sys.executable, "-m", "fastmlp", "bench", "policy-1", "wide-1024", "--quick", "--rounds", "40"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "policy-1: fastmlp\n"
        assert process.stderr.readline() == "wide-1024: fastmlp\n"
        time.sleep(0.5)
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.perf_counter() - start < 20
    assert process.returncode == 130
    assert re.search(r"policy-1\W+[\d,.]+", out)
    assert "wide-1024" not in out
    assert err == "interrupted\n"
