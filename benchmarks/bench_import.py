"""Time of ``import fastmlp`` in a new process, compared with ``import numpy``: ``pytest benchmarks/bench_import.py``."""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest

CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds_to_import(modules):
    return float(subprocess.run([sys.executable, "-c", CODE.format(modules)], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("modules", ["numpy", "numpy, fastmlp"])
def bench_import(benchmark, modules):
    benchmark.group = "import in a fresh process"
    inside = []
    benchmark.pedantic(lambda: inside.append(seconds_to_import(modules)), rounds=15, warmup_rounds=1)
    benchmark.extra_info["ms inside the process"] = round(statistics.median(inside) * 1e3, 1)
