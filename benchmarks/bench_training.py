"""Time of training runs, for each framework: ``pytest benchmarks/bench_training.py``."""

from __future__ import annotations

from functools import partial

import pytest

from fastmlp.bench import peers
from fastmlp.bench.cases import TRAINING


@pytest.mark.parametrize(
    ("case", "peer"),
    [pytest.param(case, peer, id=f"{case.name}-{peer}") for case in TRAINING.values() for peer in peers.installed(case)],
)
def bench_training(benchmark, time_case, case, peer):
    benchmark.group = f"training {case.name} ({case.repeats} steps)"
    time_case(case, partial(peers.trainer, peer), iterations=1, units=case.repeats)
