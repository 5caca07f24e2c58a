"""The progress line on terminals: as wide as they are, and as colourful as the user wants."""

from __future__ import annotations

import io
import re
import types

import numpy as np
import pytest

import fastmlp
from fastmlp import layers
from fastmlp._base import progress

ESCAPE = re.compile(r"\x1b\[[0-9]+m")
LOGS = {"accuracy": 0.9256, "loss": 0.2586}
MORE = {**LOGS, "val_accuracy": 0.9313, "val_loss": 0.2234, "val_root_mean_squared_error": 0.1234}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard output is a terminal of 60 columns."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stdout=stream, modules={}))
    return stream


def drawn(terminal, logs, steps=(1, 200, 468)):
    line = progress.ProgressLine(469, 1)
    for step in steps:
        line._drawn = 0.0
        line.update(step, logs)
    line.finish(logs)
    return terminal.getvalue()


def lines(text):
    return [ESCAPE.sub("", line).rstrip("\n") for line in text.split("\r")[1:]]


@pytest.mark.parametrize("logs", [{}, {"loss": 0.2586}, LOGS, MORE], ids=len)
def test_a_line_that_is_drawn_again_fits_into_60_columns(terminal, logs):
    *running, _ = lines(drawn(terminal, logs))
    assert len(running) == 3
    assert all(len(line) < 60 for line in running), running
    assert all(re.match(r" *\d+/469 ", line) for line in running)


def test_the_final_line_keeps_all_values_and_gives_up_the_bar(terminal):
    final = lines(drawn(terminal, MORE))[-1].rstrip()
    assert re.fullmatch(
        r"469/469 0s \d+us/step - accuracy: 0\.9256 - loss: 0\.2586 - val_accuracy: 0\.9313 - val_loss: 0\.2234 - "
        r"val_root_mean_squared_error: 0\.1234",
        final,
    )
    assert len(lines(drawn(terminal, LOGS))[-1].rstrip()) < 60


def test_a_wide_terminal_shows_the_line_of_keras(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert re.fullmatch(r"469/469 ━{20} 0s \d+us/step - accuracy: 0\.9256 - loss: 0\.2586", lines(drawn(terminal, LOGS))[-1].rstrip())


def test_a_shorter_line_leaves_nothing_of_a_longer_one(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    line = progress.ProgressLine(10, 1)
    line.update(1, MORE)
    line.finish(LOGS)
    first, last = lines(terminal.getvalue())
    assert len(last) >= len(first)


def test_no_color_means_none(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = drawn(terminal, {"loss": 0.5})
    assert "\x1b" not in text
    assert "━─" in text  # how far it is can still be seen


def test_a_dumb_terminal_gets_final_lines_only(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    model = fastmlp.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    model.fit(np.eye(2), np.ones(2), epochs=2, verbose=1)
    text = terminal.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.count("1/1 ━━━━") == 2


def test_terminals_without_unicode_get_plain_characters(terminal, monkeypatch):
    monkeypatch.setattr(Terminal, "encoding", "ascii")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "=-" in drawn(terminal, {"loss": 0.5}).replace(" ", "")
