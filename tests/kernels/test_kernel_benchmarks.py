"""Every kernel has a benchmark, which calls it with arguments that it accepts."""

import importlib.util
from pathlib import Path

import pytest
from kernel_harness import kernels

from fastmlp import _core

PATH = Path(__file__).parents[2] / "benchmarks" / "bench_kernels.py"


def fields():
    """The arguments by kernel; there are no benchmarks beside the tests of an installed package."""
    if not PATH.exists():
        return {}
    spec = importlib.util.spec_from_file_location("bench_kernels", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FIELDS


FIELDS = fields()


@pytest.mark.skipif(not FIELDS, reason="the benchmarks are not here")
def test_every_kernel_of_the_manifest_has_a_benchmark():
    assert {name.split()[0] for name in FIELDS} == set(_core.kernel_addresses("portable"))


@pytest.mark.parametrize("name", FIELDS)
def test_the_benchmark_of_a_kernel_calls_it(name):
    kernels("portable")[name.split()[0]](**FIELDS[name]())
