"""What Keras prints and draws, compared with numbers taken from it once (tests/golden/make_keras_golden.py); no engine takes part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from golden import programs

import fastmlp

KERAS = json.loads((Path(__file__).parent / "golden" / "keras.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "number", range(len(programs.INITIALIZER_SHAPES)), ids=lambda i: "x".join(map(str, programs.INITIALIZER_SHAPES[i]))
)
@pytest.mark.parametrize("initializer", programs.INITIALIZERS)
def test_initializers_draw_from_the_distributions_of_keras(initializer, number):
    fastmlp.utils.set_random_seed(1)
    shape = programs.INITIALIZER_SHAPES[number]
    drawn = programs.moments(fastmlp, initializer, shape)
    expected = KERAS["moments"][initializer][number]
    standard_error = expected["std"] / np.sqrt(np.prod(shape))
    assert abs(drawn["mean"] - expected["mean"]) <= 6 * standard_error
    assert abs(drawn["std"] - expected["std"]) <= 6 * standard_error
    bounded = initializer != "random_normal"
    for end in ("min", "max"):
        assert drawn[end] == pytest.approx(expected[end], rel=0.01 if bounded else 0.25)


def test_summary_prints_what_keras_prints(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    texts = programs.summaries(fastmlp)
    for name, expected in KERAS["summaries"].items():
        assert [line.rstrip() for line in texts[name].rstrip().splitlines()] == [line.rstrip() for line in expected.rstrip().splitlines()]
