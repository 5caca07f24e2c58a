"""Trainings taken once from real Keras (tests/golden/make_optimizers_golden.py), replayed on both engines."""

from __future__ import annotations

import numpy as np
import pytest
from folders import GOLDEN
from golden import optimizer_programs as programs

import fastmlp

CASES = programs.cases()


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "optimizers.npz") as file:
        return dict(file)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", CASES)
def test_trainings_follow_keras(golden, engine, name):
    number = list(CASES).index(name)
    losses, weights = programs.trajectory(fastmlp, *CASES[name], engine=engine)
    np.testing.assert_allclose(losses, golden["losses"][number], rtol=1e-5)
    # Small weights are differences of larger numbers; float32 leaves 1e-7 of those at each of sixteen steps.
    # With Muon, Keras' own are up to 7e-6 from the same trainings in float64, fastmlp's 5e-7.
    np.testing.assert_allclose(weights, golden["weights"][number], rtol=1e-5, atol=1e-5 if name.startswith("muon") else 3e-6)
