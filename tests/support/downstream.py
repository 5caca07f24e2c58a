"""The two extension modules of docs/c-api.md, built with its setup.py against the fastmlp that is installed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from folders import ROOT

import fastmlp

DOCUMENT = ROOT / "docs" / "c-api.md"


def compiler() -> str | None:
    """The C compiler that setuptools would use, None if there is none."""
    return shutil.which((os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0])


def block(language: str, number: int = 0) -> str:
    """A program of the document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[number]


def build(folder: Path, flags: str = "") -> tuple[ModuleType, ModuleType]:
    """``rollout_c`` and ``rollout_cython``, built in ``folder``."""
    for name, text in {"rollout_c.c": block("c"), "rollout_cython.pyx": block("cython"), "setup.py": block("py")}.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "CFLAGS": flags}  # the path: Cython knows no editable installs
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--parallel", "2"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return load("rollout_c", folder), load("rollout_cython", folder)


def load(name: str, folder: Path) -> ModuleType:
    """A built extension module."""
    spec = importlib.util.spec_from_file_location(name, folder / (name + sysconfig.get_config_var("EXT_SUFFIX")))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
