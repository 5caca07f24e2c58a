"""Shared by the benchmarks of whole networks: the environment of the peers, and the results stored with each time."""

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
    """The FMA peak in GFLOP/s of all threads that fastmlp may use."""
    return Peak().measure(threads.get_num_threads())


@pytest.fixture
def time_case(benchmark, peak):
    """A function that times calls of the function that ``prepare(case)`` returns; each call performs ``units`` steps or predictions."""

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
