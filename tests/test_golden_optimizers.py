"""Trainings taken once from real Keras (tests/golden/make_optimizers_golden.py), replayed on both engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from golden import optimizer_programs as programs

import fastmlp

CASES = programs.cases()


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "optimizers.npz") as file:
        return dict(file)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", CASES)
def test_trainings_follow_keras(golden, engine, name):
    number = list(CASES).index(name)
    losses, weights = programs.trajectory(fastmlp, *CASES[name], engine=engine)
    np.testing.assert_allclose(losses, golden["losses"][number], rtol=1e-5)
    np.testing.assert_allclose(weights, golden["weights"][number], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", programs.SHAPES)
@pytest.mark.parametrize("name", programs.INITIALIZERS)
def test_initializers_have_the_moments_of_keras(golden, name, shape):
    expected = golden["moments"][list(programs.INITIALIZERS).index(name)][programs.SHAPES.index(shape)]
    fastmlp.utils.set_random_seed(0)
    np.testing.assert_allclose(programs.moments(fastmlp, name, shape), expected, rtol=0.05, atol=5e-3)
