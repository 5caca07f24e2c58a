"""Layers against numbers taken once from real Keras (tests/golden/make_keras_layers.py), on both engines."""

from __future__ import annotations

import numpy as np
import pytest
from folders import GOLDEN
from golden import layers as programs

import fastmlp

pytestmark = pytest.mark.parametrize("engine", ["native", "reference"])


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "layers.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", programs.NETWORKS)
def test_predictions_gradients_statistics_and_training_are_those_of_keras(golden, engine, name):
    found = programs.run(fastmlp, name, engine=engine)
    at = 0
    for what, values in found.items():
        expected = golden[name][at : at + values.size]
        at += values.size
        # Relative to the largest: a small weight is the difference of larger ones, over several layers and twelve steps.
        scale = float(np.abs(expected).max())
        # Keras' Adam takes 1 − β₂ᵗ in float32, which has lost four digits at first; behind a layer normalization 9e-6 is left of it.
        tolerance = 2e-5 if what.startswith("adam") else 1e-5
        np.testing.assert_allclose(values.ravel(), expected, rtol=tolerance, atol=tolerance * scale, err_msg=what)
    assert at == golden[name].size


def test_normalization_learns_what_keras_learns(golden, engine):
    found = np.concatenate([values.ravel() for values in programs.adapted(fastmlp).values()])
    # The data lie around 50, so a float32 has lost a digit before the mean is taken away.
    np.testing.assert_allclose(found, golden["adapted"], rtol=1e-5, atol=5e-6)
