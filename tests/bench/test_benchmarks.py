"""What the benchmarks measure and how they take turns; how fast is not a test's business."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.bench import peak, peers, runner
from fastmlp.bench.cases import CASES, INFERENCE, TRAINING, initial_weights
from fastmlp.bench.runner import Timing
from fastmlp.datasets import mnist

PACKAGE = Path(fastmlp.__file__).parent


@pytest.mark.parametrize("name", ["spiral", "policy", "tabular"])
def test_a_training_round_of_fastmlp_learns(name):
    losses = peers.trainer("fastmlp", TRAINING[name])().history["loss"]
    assert len(losses) == TRAINING[name].epochs
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("peer", [name for name in peers.PEERS if name in peers.installed(INFERENCE["policy-1"])])
def test_every_framework_predicts_the_same(peer):
    case = INFERENCE["policy-1"]
    ours = peers.predictor("fastmlp", case)()
    assert ours.shape == (1, 6)
    assert peers.predictor(peer, case)() == pytest.approx(ours, abs=1e-5)


def test_operations_are_counted_as_the_documentation_says():
    policy = TRAINING["policy"]  # its rows fill every batch
    first, weights = 17 * 64, 17 * 64 + 64 * 64 + 64 * 6
    assert policy.flops == 6 * 64 * weights - 2 * 64 * first
    assert INFERENCE["mnist-10000"].flops == 2 * 10000 * (784 * 512 + 512 * 10)


def test_the_last_batch_counts_with_the_rows_it_has():
    case = TRAINING["mnist"]
    assert case.repeats == 469
    assert case.flops * 469 == pytest.approx(60000 * (4 * 784 * 512 + 6 * 512 * 10))


def test_data_and_weights_have_the_shapes_of_the_network():
    for case in TRAINING.values():
        if case.data != "mnist":
            x, y = case.load()
            assert x.shape == (case.rows, case.widths[0])
            assert len(y) == case.rows
    kernels = initial_weights((3, 5, 2))
    assert [array.shape for array in kernels] == [(3, 5), (5,), (5, 2), (2,)]


def test_benchmarks_never_download_mnist(monkeypatch, tmp_path):
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MNIST is not on this machine; `fastmlp train mnist` downloads it"):
        CASES["mnist"].load()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_local_folder_is_the_one_that_has_all_four_files(monkeypatch, tmp_path, ending):
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        assert mnist.local_folder() is None
        (folder / f"{name}-ubyte{ending}").touch()
    assert mnist.local_folder() == folder


@pytest.mark.skipif("FASTMLP_DATA" not in os.environ, reason="FASTMLP_DATA does not name a folder with the real MNIST files")
def test_the_dense_mnist_case_differs_only_in_skipping_no_zeros():
    skipping, dense = (peers.trainer("fastmlp", TRAINING[name])().history["loss"] for name in ("mnist", "mnist-dense"))
    assert 0 < skipping[0] < 1
    assert np.isclose(skipping[0], dense[0], rtol=0.1)  # another seed shuffles the rows


# Turns


def test_processes_take_turns_and_the_first_round_is_not_counted():
    turns = []
    result = runner.measure(INFERENCE["policy-1"], ["fastmlp", "numpy"], rounds=2, tick=turns.append)
    assert turns == ["fastmlp", "numpy"] * 3
    assert list(result.timings) == ["fastmlp", "numpy"]
    assert result.left_out == {}
    for timing in result.timings.values():
        assert len(timing.microseconds) == len(timing.processors) == 2
        assert min(timing.microseconds) < timing.median < max(timing.microseconds)


def test_a_framework_that_fails_is_left_out_with_its_last_words(monkeypatch):
    monkeypatch.setenv("FASTMLP_ISA", "abacus")
    result = runner.measure(INFERENCE["policy-1"], ["fastmlp", "numpy"], rounds=1)
    assert list(result.timings) == ["numpy"]
    assert "FASTMLP_ISA is 'abacus'" in result.left_out["fastmlp"]


def test_an_interrupted_measurement_leaves_no_process_behind(monkeypatch):
    started, turns = [], iter(range(3))

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    def interrupt_the_third_turn(_):
        if next(turns) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    with pytest.raises(KeyboardInterrupt):
        runner.measure(INFERENCE["policy-1"], ["fastmlp", "numpy"], rounds=5, tick=interrupt_the_third_turn)
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def test_threads_are_limited_in_every_framework():
    assert peers.environment(3)["FASTMLP_NUM_THREADS"] == peers.environment(3)["OMP_NUM_THREADS"] == "3"
    assert not any(name.endswith("_NUM_THREADS") for name in peers.environment())


@pytest.mark.parametrize(("busy", "threads"), [((0.4, 0.5, 0.6), 1), ((1.0, 1.05, 1.1), 1), ((1.4, 1.3, 1.9), 2), ((3.9, 4.0, 4.1), 4)])
def test_the_threads_that_worked_are_told_by_the_processor_time(busy, threads):
    assert Timing((1.0, 1.0, 1.0), busy).threads == threads


# The peak


def test_the_peak_is_the_best_of_what_was_measured(monkeypatch):
    rates = iter([30.0, 50.0, 40.0, *[10.0] * 100])
    monkeypatch.setattr(peak, "_TRIES", 3)
    monkeypatch.setattr(peak, "_rate", lambda iterations, threads: next(rates))
    measured = peak.Peak()
    assert measured.measure(2) == 50
    assert measured.measure(2) == 50
    assert measured[2] == 50
    assert measured[1] == 10
    assert measured.as_dict() == {1: 10, 2: 50}


def test_two_threads_do_not_wait_for_each_other():
    """The rate of two threads on one processor is that of one; on two it is about twice. It is never far less."""
    measured = peak.Peak()
    assert measured.measure(2) > 0.6 * measured.measure(1) > 0


# The code


def test_only_the_command_line_uses_the_benchmarks():
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "bench" and path != PACKAGE / "cli" / "bench.py":
            assert "fastmlp.bench" not in path.read_text(encoding="utf-8"), path
