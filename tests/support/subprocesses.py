"""Programs that run in a process of their own, and may import what test files share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from folders import SUPPORT


def run(program, *arguments, timeout=120, **environment):
    """What a program prints; a failure or a hang is an error. ``environment`` is added to that of the tests."""
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": path, **environment}
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def resident_kib():
    """Memory of this process that is in use, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
