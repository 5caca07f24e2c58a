"""Numbers taken once from real Keras (tests/golden/make_keras_golden.py), replayed through the public API on both engines."""

from __future__ import annotations

import json

import numpy as np
import pytest
from folders import GOLDEN
from golden import programs

import fastmlp

KERAS = json.loads((GOLDEN / "keras.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.parametrize("engine", ["native", "reference"])


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "curves.npz") as file:
        return dict(file)


@pytest.mark.parametrize("activation", programs.ACTIVATIONS)
@pytest.mark.parametrize("head", programs.HEADS)
@pytest.mark.parametrize("optimizer", programs.OPTIMIZERS)
def test_ten_steps_follow_keras(golden, engine, optimizer, head, activation):
    number = programs.CURVES.index((optimizer, head, activation))
    steps, weights = programs.curve(fastmlp, optimizer, head, activation, engine=engine)
    np.testing.assert_allclose(steps, golden["curves"][number], rtol=1e-5, atol=1e-7)
    if activation == "relu":
        values = np.concatenate([array.ravel() for array in weights])
        # Small weights are differences of larger numbers; float32 leaves 1e-7 of those at each of ten steps.
        np.testing.assert_allclose(values, golden[f"weights/{optimizer}/{head}"], rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("head", programs.HEADS)
def test_sample_weights_scale_the_loss_as_in_keras(golden, engine, head):
    number = list(programs.HEADS).index(head)
    steps, _ = programs.curve(fastmlp, "adam", head, "tanh", weighted=True, engine=engine)
    np.testing.assert_allclose(steps, golden["weighted_curves"][number], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", programs.fits())
def test_fit_and_evaluate_report_what_keras_reports(engine, name):
    history, plain, weighted, named = programs.fit(fastmlp, programs.fits()[name], engine=engine)
    expected_history, expected_plain, expected_weighted, expected_named = KERAS["fits"][name]
    assert list(history) == list(expected_history)
    for key, values in expected_history.items():
        np.testing.assert_allclose(history[key], values, rtol=1e-5, err_msg=key)
    np.testing.assert_allclose(plain, expected_plain, rtol=1e-5)
    np.testing.assert_allclose(weighted, expected_weighted, rtol=1e-5)
    assert sorted(named) == sorted(expected_named)
    for key, value in expected_named.items():
        np.testing.assert_allclose(named[key], value, rtol=1e-5, err_msg=key)


@pytest.mark.filterwarnings("ignore:.* reads the output as probabilities:UserWarning")
@pytest.mark.parametrize("name", programs.EXTREMES)
def test_extreme_outputs_give_the_loss_and_gradient_of_keras(engine, name):
    losses, gradients = programs.extreme(fastmlp, name, engine=engine)
    expected_losses, expected_gradients = KERAS["extremes"][name]
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    np.testing.assert_allclose(gradients, expected_gradients, rtol=1e-5, atol=1e-7)
