"""Time per prediction from Python, for each framework: ``pytest benchmarks/bench_inference.py``."""

from __future__ import annotations

from functools import partial

import pytest

from fastmlp.bench import peers
from fastmlp.bench.cases import INFERENCE


@pytest.mark.parametrize(
    ("case", "peer"),
    [pytest.param(case, peer, id=f"{case.name}-{peer}") for case in INFERENCE.values() for peer in peers.installed(case)],
)
def bench_inference(benchmark, time_case, case, peer):
    benchmark.group = f"inference {case.name}"
    time_case(case, partial(peers.predictor, peer), iterations=case.repeats, units=1)
