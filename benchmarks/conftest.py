"""What the benchmarks of whole networks share: the peers' environment, and the figures stored beside each time."""

from __future__ import annotations

import os

import pytest

from fastmlp._engine import threads
from fastmlp.bench.peak import Peak
from fastmlp.bench.peers import ENVIRONMENT
from fastmlp.datasets import mnist

os.environ.update(ENVIRONMENT)


@pytest.fixture(scope="session")
def peak():
    """GFLOP/s of all threads fastmlp may use, doing nothing but multiply-adds."""
    return Peak().measure(threads.get_num_threads())


@pytest.fixture
def time_case(benchmark, peak):
    """A function that times what ``prepare(case)`` returns, a call of which does ``units`` steps or predictions."""

    def call(case, prepare, iterations, units):
        if case.data == "mnist" and mnist.local_folder() is None:
            pytest.skip("MNIST is not on this machine; `fastmlp train mnist` downloads it")
        if case.data == "words":
            pytest.importorskip("scipy", reason="sparse matrices need SciPy")
        benchmark.pedantic(prepare(case), rounds=5, iterations=iterations, warmup_rounds=1)
        if benchmark.stats is None:  # --benchmark-disable
            return
        seconds = benchmark.stats["median"] / units
        gflops = case.flops / seconds / 1e9
        benchmark.extra_info.update({"µs": seconds * 1e6, "GFLOP/s": gflops, "share of the peak of all threads": gflops / peak})

    return call
