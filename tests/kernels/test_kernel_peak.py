"""The kernel that measures a core: it does every multiply-add it counts, on every instruction set."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, kernels

from fastmlp import _core

PEAK_MAX = 512
"""FM_PEAK_MAX of src/kernels/kernels.h."""


def run(isa, iterations, factor=1.0, term=1.0):
    """The chains' last values and the number of multiply-adds."""
    out, count = Guarded(np.full(PEAK_MAX, np.nan, np.float32)), Guarded(np.full(1, -1, np.intp))
    kernels(isa)["peak"](iterations=iterations, factor=factor, term=term, out=out.array, count=count.array)
    out.check()
    count.check()
    return out.array[~np.isnan(out.array)], int(count.array[0])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("iterations", [0, 1, 2, 1000])
def test_every_chain_counts_its_multiply_adds(isa, iterations):
    starts, _ = run(isa, 0)
    values, count = run(isa, iterations)
    assert count == iterations * len(values)
    assert np.array_equal(values, starts + iterations)


@pytest.mark.parametrize("isa", ISAS)
def test_chains_are_independent_and_whole_vectors(isa):
    starts, _ = run(isa, 0)
    numbers, lanes = np.unique(starts, return_counts=True)
    assert np.array_equal(numbers, np.arange(len(numbers)))
    assert len(numbers) >= 8  # four cycles of latency on two units, the least of today's processors
    assert len(set(lanes)) == 1


@pytest.mark.parametrize("isa", ISAS)
def test_a_multiply_add_rounds_once(isa):
    factor = np.float32(1 + 2**-23)
    values, _ = run(isa, 1, factor, -2.0)
    starts, _ = run(isa, 0)
    assert np.array_equal(values, (starts.astype(np.float64) * float(factor) - 2).astype(np.float32))


def test_the_binding_counts_as_the_kernel_does():
    once = _core.multiply_adds(1)
    assert once > 0
    assert _core.multiply_adds(1000) == 1000 * once
    assert _core.multiply_adds(0) == 0
