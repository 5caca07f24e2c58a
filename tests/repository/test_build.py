"""The build says in one message what is missing or not supported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from folders import ROOT

CASES = {
    "two architectures": (
        ["-DCMAKE_OSX_ARCHITECTURES=x86_64;arm64"],
        "fastmlp builds one architecture at a time, but CMAKE_OSX_ARCHITECTURES is 'x86_64;arm64'; build a wheel for each",
    ),
    "Windows": (["-DCMAKE_SYSTEM_NAME=Windows"], "fastmlp is for Linux and macOS; on Windows, build it in WSL."),
    "no compiler": ([], "no C compiler that works: there is none, or the C library's files for it are missing."),
}


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
@pytest.mark.parametrize(("options", "message"), CASES.values(), ids=CASES)
def test_what_can_not_be_built_is_told_in_one_message(options, message, tmp_path):
    command = ["cmake", "-S", str(ROOT), "-B", str(tmp_path), "-DSKBUILD_PROJECT_VERSION=0", "-DSKBUILD_PROJECT_VERSION_FULL=0", *options]
    env = {**os.environ, "CC": "/nowhere/cc"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode != 0
    errors = re.findall(r"CMake Error at.*?\n\n", done.stderr, flags=re.DOTALL)
    assert len(errors) == 1, done.stderr
    assert message in " ".join(errors[0].split())
