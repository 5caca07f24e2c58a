"""Initializers, regularizers, constraints and random layers against what real Keras gave (tests/golden/make_value_golden.py)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from folders import GOLDEN
from golden import value_programs as programs

import fastmlp
from fastmlp import layers, losses, optimizers

KERAS = json.loads((GOLDEN / "values.json").read_text(encoding="utf-8"))
SIGMAS = 6 * 2**0.5  # both sides are drawn


@pytest.mark.parametrize(("name", "shape"), programs.draws(), ids=lambda part: part.replace(" ", "_"))
def test_initializers_draw_from_the_distributions_of_keras(seeded, name, shape):
    found = np.array(programs.moments(fastmlp, name, shape))
    expected = np.array(KERAS["initializers"][f"{name}, {shape}"])
    if name in programs.EXACT:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
        return
    deviation, count = expected[1], np.prod(programs.SHAPES[shape])
    np.testing.assert_allclose(found[:2], expected[:2], rtol=0, atol=SIGMAS * deviation / np.sqrt(count))
    # A truncated normal has few draws near its bounds; where there is no bound, the extremes vary by about a deviation.
    np.testing.assert_allclose(found[2:4], expected[2:4], rtol=0, atol=deviation * (2 if name in programs.UNBOUNDED else 200 / count))
    if name == "orthogonal":
        assert found[4] == pytest.approx(expected[4], rel=1e-6)
        assert max(found[5], expected[5]) < 1e-6


@pytest.mark.parametrize("name", programs.REGULARIZERS)
def test_regularizers_give_the_penalties_of_keras(name):
    np.testing.assert_allclose(programs.penalties(fastmlp, name), KERAS["regularizers"][name], rtol=1e-5)


@pytest.mark.parametrize("name", programs.CONSTRAINTS)
def test_constraints_keep_what_keras_keeps(name):
    np.testing.assert_allclose(programs.constrained(fastmlp, name), KERAS["constraints"][name], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", programs.NOISES)
def test_random_layers_have_the_moments_of_keras(engine, seeded, name):
    """Within six standard errors, of the deviation and the slope estimated from above."""
    mean, deviation, slope, share = programs.noise(fastmlp, name)
    expected = KERAS["noises"][name]
    count = np.prod(programs.NOISE_SHAPE)
    error = SIGMAS * expected[1] / np.sqrt(count)
    assert mean == pytest.approx(expected[0], abs=error)
    assert deviation == pytest.approx(expected[1], abs=2 * error)
    assert slope == pytest.approx(expected[2], abs=2 * error)
    assert share == pytest.approx(expected[3], abs=SIGMAS * np.sqrt(max(share * (1 - share), 1e-4) / count))


@pytest.mark.parametrize("name", programs.MADE)
def test_layers_begin_with_the_weights_that_their_arguments_give_them(engine, name):
    np.testing.assert_allclose(programs.made(fastmlp, name, engine=engine), KERAS["layers"][name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("number", range(len(programs.AXES)))
def test_softmax_of_arrays_goes_along_any_axis(number):
    np.testing.assert_allclose(programs.along(fastmlp, number), KERAS["axes"][number], rtol=1e-5)


@pytest.mark.parametrize("name", programs.LOSSES)
def test_losses_that_keras_has_not_are_those_of_pytorch(engine, name):
    kind, arguments = programs.LOSSES[name]
    loss, (y, p) = getattr(losses, kind)(**arguments), programs.targets(name)
    model = fastmlp.Sequential([layers.Dense(4, input_shape=(4,))])
    model.compile(optimizers.SGD(1.0), loss)
    values, gradients = [], []
    for row in range(len(p)):
        model.set_weights([np.eye(4), np.zeros(4)])
        values.append(model.train_on_batch(p[row : row + 1], y[row : row + 1]))
        gradients.extend(-model.get_weights()[1])
    np.testing.assert_allclose(values, KERAS["pytorch"][name]["value"], rtol=1e-5)
    np.testing.assert_allclose(gradients, KERAS["pytorch"][name]["gradient"], rtol=1e-5, atol=1e-7)
