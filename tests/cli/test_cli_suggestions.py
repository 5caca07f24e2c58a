"""Misspelt names on the command line: the error suggests the name that was meant."""

from __future__ import annotations

import pytest

from fastmlp import saving
from fastmlp.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "invalid choice: 'trian' (choose from train, sweep, predict, evaluate, info, bench); did you mean 'train'?"),
        (["--versio"], "unrecognized arguments: --versio; did you mean '--version'?"),
        (["train", "--epoch=3"], "unrecognized arguments: --epoch=3; did you mean '--epochs'?"),
        (["train", "--leraning-rate", "0.1"], "unrecognized arguments: --leraning-rate; did you mean '--learning-rate'?"),
        (["train", "-epochs", "3"], "unrecognized arguments: -epochs; did you mean '--epochs'?"),
        (["train", "mnits"], "did you mean 'mnist'?"),
        (["train", "--engine", "natve"], "did you mean 'native'?"),
        (["sweep", "moon"], "did you mean 'moons'?"),
        (["predict", "model", "data", "--jsn"], "did you mean '--json'?"),
    ],
)
def test_a_misspelt_name_is_an_error_that_suggests_the_right_one(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_nothing_is_suggested_where_nothing_is_similar(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--zzz"])
    assert capsys.readouterr().err.splitlines()[-1].endswith("unrecognized arguments: --zzz")


def test_values_that_look_like_options_are_still_values(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--seed", "-1"])
    assert "argument --seed: must be an integer ≥ 0" in capsys.readouterr().err


def test_learning_rate_and_save_have_short_names(tmp_path):
    path = tmp_path / "model.safetensors"
    assert main(["train", "gaussians", "--lr", "0.25", "--epochs", "1", "--out", str(path)]) == 0
    assert saving.describe(path)["compile"]["optimizer"]["config"]["learning_rate"] == 0.25
