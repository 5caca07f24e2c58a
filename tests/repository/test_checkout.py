"""In the folder of the sources, the installed fastmlp is found; where none is installed, a message says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import fastmlp
from fastmlp import _core

SOURCES = Path(fastmlp.__file__).parent


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Python files of fastmlp, and nothing compiled."""
    shutil.copytree(SOURCES, tmp_path / "checkout" / "fastmlp", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    return tmp_path / "checkout"


@pytest.fixture
def site(tmp_path):
    """A folder as `pip install .` fills it."""
    shutil.copytree(SOURCES, tmp_path / "site" / "fastmlp", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    shutil.copy(_core.__file__, tmp_path / "site" / "fastmlp")
    return tmp_path / "site"


def run(folder, *arguments, path=()):
    packages = [str(entry) for entry in path] + [str(Path(numpy.__file__).parents[1])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(packages)}
    return subprocess.run([sys.executable, "-S", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "statement", ["from fastmlp import layers", "import fastmlp.layers as layers", "import fastmlp; layers = fastmlp.layers"]
)
def test_the_installed_package_is_found_from_the_folder_of_the_sources(checkout, site, statement):
    done = run(checkout, "-c", f"{statement}; layers.Dense(1); print(layers.__file__)", path=[site])
    assert done.stdout.strip() == str(site / "fastmlp" / "layers" / "__init__.py"), done.stderr


def test_the_command_line_runs_in_the_folder_of_the_sources(checkout, site):
    done = run(checkout, "-m", "fastmlp", "--version", path=[site])
    assert done.returncode == 0, done.stderr


def test_sources_without_an_engine_say_what_to_do(checkout):
    done = run(checkout, "-c", "import fastmlp")
    assert done.returncode == 1
    assert f"ImportError: {checkout / 'fastmlp'} is the source of fastmlp, whose engine is not compiled for this Python" in done.stderr
    assert f"run `pip install .`, or `pip install -e .` to develop it, in {checkout}" in done.stderr
