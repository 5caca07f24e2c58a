"""Time of whole training rounds, a row a framework: ``pytest benchmarks/bench_training.py``."""

from __future__ import annotations

import peers
import pytest
from cases import TRAINING


@pytest.mark.parametrize("peer", peers.training_peers())
@pytest.mark.parametrize("case", TRAINING.values(), ids=lambda case: case.name)
def bench_training(benchmark, case, peer):
    run = peers.trainer(peer, case)
    benchmark.group = f"training {case.name} ({case.steps} steps)"
    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info["µs a step"] = benchmark.stats["median"] / case.steps * 1e6
