"""Time of one prediction from Python, a row a framework: ``pytest benchmarks/bench_inference.py``."""

from __future__ import annotations

import peers
import pytest
from cases import INFERENCE


@pytest.mark.parametrize("peer", peers.inference_peers())
@pytest.mark.parametrize("case", INFERENCE.values(), ids=lambda case: case.name)
def bench_inference(benchmark, case, peer):
    run = peers.predictor(peer, case)
    benchmark.group = f"inference {case.name}"
    benchmark.pedantic(run, rounds=5, iterations=case.calls, warmup_rounds=1)
