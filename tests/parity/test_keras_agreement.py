"""What Keras prints, compared with numbers taken from it once (tests/golden/make_keras_golden.py); no engine takes part."""

from __future__ import annotations

import json

from folders import GOLDEN
from golden import programs

import fastmlp

KERAS = json.loads((GOLDEN / "keras.json").read_text(encoding="utf-8"))


def test_summary_prints_what_keras_prints(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    texts = programs.summaries(fastmlp)
    for name, expected in KERAS["summaries"].items():
        assert [line.rstrip() for line in texts[name].rstrip().splitlines()] == [line.rstrip() for line in expected.rstrip().splitlines()]
