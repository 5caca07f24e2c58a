"""``import fastmlp`` costs next to nothing over ``import numpy``."""

from __future__ import annotations

import statistics
import subprocess
import sys

CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module):
    return float(subprocess.run([sys.executable, "-c", CODE.format(module)], capture_output=True, text=True, check=True).stdout)


def test_importing_fastmlp_takes_at_most_15_percent_longer_than_importing_numpy():
    for _ in range(3):  # a busy machine gets two more chances
        pairs = [(seconds("numpy"), seconds("numpy, fastmlp")) for _ in range(7)]
        ratio = statistics.median(both / alone for alone, both in pairs)
        if ratio <= 1.15:
            break
    assert ratio <= 1.15


def test_importing_fastmlp_alone_does_not_even_import_numpy():
    code = "import sys, fastmlp; print('numpy' in sys.modules, len([name for name in sys.modules if name.startswith('fastmlp')]))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False", "1"]
