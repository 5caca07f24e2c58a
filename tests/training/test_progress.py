"""The progress line on terminals: as wide as they are, and as colourful as the user wants."""

from __future__ import annotations

import io
import re
import sys
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

    def __init__(self):
        super().__init__()
        self.notes = io.StringIO()

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard output is a terminal of 60 columns."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stdout=stream, stderr=stream.notes, modules={}))
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
    assert re.search(r"200/469 ━{8}╸ +0s", text)  # how far it is can still be seen


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
    assert re.search(r"200/469 -{8} +0s", drawn(terminal, {"loss": 0.5}))


def test_a_loop_of_unknown_length_shows_a_count_and_ends_with_a_whole_bar(terminal):
    with progress.ProgressLine(0) as line:
        line.update(7, {"loss": 0.5})
        line.finish({"loss": 0.25})
    first, last = lines(terminal.getvalue())
    assert re.match(r"7 \d+us/step - loss: 0\.5000", first)
    assert re.match(r"7/7 ━+ 0s", last)


def test_a_download_counts_bytes_and_knows_what_was_there_before(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    line = progress.ProgressLine(11_000_000, name="Downloading mnist", unit=progress.BYTES, done=5_500_000)
    line._start -= 0.5
    line.update(6_500_000)
    assert re.fullmatch(r"Downloading mnist 6\.5 MB/11\.0 MB ━{11}╸━{8} 2s 2\.0 MB/s", lines(terminal.getvalue())[0])


def test_a_note_stands_above_the_line(terminal):
    line = progress.ProgressLine(10)
    line.update(1)
    progress.note("something happened")
    line.update(2)
    line.abandon()
    first, blank, _, again = lines(terminal.getvalue())
    assert (blank.strip(), terminal.notes.getvalue()) == ("", "something happened\n")
    assert len(blank) >= len(first)
    assert again.startswith(" 2/10")


def test_an_exception_is_shown_below_the_line(terminal):
    def interrupted():
        with progress.ProgressLine(10) as line:
            line.update(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().endswith("\n")
    progress.note("after it")  # the line is forgotten
    assert terminal.getvalue().count("\r") == 1


def test_where_lines_are_only_added_there_are_as_many_as_wanted(capsys):
    line = progress.ProgressLine(100, name="moons", unit="epoch", lines=4)
    for epoch in range(1, 101):
        line.show(epoch, {"loss": 1 / epoch})
    written = capsys.readouterr().out.splitlines()
    assert [re.match(r"moons +(\d+)/100 ", text)[1] for text in written] == ["25", "50", "75", "100"]
    assert re.fullmatch(r"moons 100/100 ━{20} 0s \d+us/epoch - loss: 0\.0100", written[-1])
    assert "━━━━━               " in written[0]


def test_verbose_2_has_no_bar_and_0_has_nothing(terminal):
    for verbose in (0, 2):
        line = progress.ProgressLine(10, verbose)
        line.update(5)
        line.finish({"loss": 0.5})
    assert re.fullmatch(r"10/10 - 0s - \d+us/step - loss: 0\.5000\n", terminal.getvalue())


def test_a_notebook_redraws_the_line_in_place(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    line = progress.ProgressLine(10)
    line.update(5, LOGS)
    line.finish(LOGS)
    first, last = lines(capsys.readouterr().out)
    assert re.fullmatch(r" 5/10 ━{10}╺━{9} 0s \d+us/step - accuracy: 0\.9256 - loss: 0\.2586", first)
    assert last.startswith("10/10 ━")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (12.34567, "12.3457"), (0.001, "1.0000e-03"), (-0.25, "-0.2500"), (0.0, "0.0000e+00"), (float("nan"), "nan")],
)
def test_values_have_four_decimals_or_an_exponent(value, text):
    assert progress.format_value(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(2.4, "2s/step"), (0.0063, "6ms/step"), (0.00001, "10us/step"), (0, "0s/step")])
def test_times_have_a_unit(seconds, text):
    assert progress.format_step(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(7.9, "7s"), (61, "1:01"), (7325, "2:02:05")])
def test_remaining_times(seconds, text):
    assert progress.format_remaining(seconds) == text
