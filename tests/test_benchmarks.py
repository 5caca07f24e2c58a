"""The benchmarks run; how fast is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cases
import peers
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_compare_measures_fastmlp_beside_a_peer(tmp_path):
    command = [sys.executable, BENCHMARKS / "compare.py", "policy-1", "--peers", "fastmlp", "numpy", "--rounds", "1", "--markdown"]
    result = subprocess.run([*command, "--json", tmp_path / "times.json"], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "| policy-1 |" in result.stdout
    assert set(json.loads((tmp_path / "times.json").read_text(encoding="utf-8"))["policy-1"]) == {"fastmlp", "numpy"}


def test_compare_names_the_cases_when_it_is_given_another():
    result = subprocess.run([sys.executable, BENCHMARKS / "compare.py", "spirals"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "unknown case 'spirals'; the cases are spiral, policy" in result.stderr


@pytest.mark.parametrize("name", ["spiral", "policy"])
def test_a_training_round_of_fastmlp_learns(name):
    run = peers.trainer("fastmlp", cases.TRAINING[name])
    losses = run().history["loss"]
    assert len(losses) == cases.TRAINING[name].epochs
    assert losses[-1] < losses[0]


def test_every_framework_predicts_the_same():
    case = cases.INFERENCE["policy-1"]
    expected = peers.predictor("numpy", case)()
    for name in ("fastmlp", "numpy"):
        assert peers.predictor(name, case)() == pytest.approx(expected, abs=1e-5)
