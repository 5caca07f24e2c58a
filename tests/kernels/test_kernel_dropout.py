"""The dropout kernel draws the masks of the reference engine, bit for bit, on every instruction set."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, kernels, round_up

from fastmlp.reference.random import dropout_mask

SEED = 0x0123456789ABCDEF
KEEP_SCALE = 1.25


def run(isa, rows, cols, side="end", rate=0.2, first_row=0, seed=SEED, step=5, node=2):
    mask = Guarded(np.full((rows, round_up(cols)), 7, np.float32), side)
    key = (seed & 0xFFFFFFFF, seed >> 32)
    kernels(isa)["dropout_mask"](
        rows=rows,
        cols=cols,
        first_row=first_row,
        mask=mask.array,
        mask_row=round_up(cols),
        rate=rate,
        keep_scale=KEEP_SCALE,
        key=key,
        step=step,
        node=node,
    )
    mask.check()
    return mask.array.copy()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("side", ["end", "start"])
def test_masks_of_any_shape_are_the_reference_engines(isa, side):
    for cols in [*range(1, 36), 63, 64, 65, 127, 128, 129, 200]:
        for rows in (1, 2, 5):
            expected = KEEP_SCALE * dropout_mask(0.2, rows, round_up(cols), seed=SEED, node=2, iteration=5)
            assert np.array_equal(run(isa, rows, cols, side), expected)


@pytest.mark.parametrize("isa", ISAS)
def test_a_block_of_rows_is_a_part_of_the_batch(isa):
    assert np.array_equal(run(isa, 3, 70, first_row=4), run(isa, 7, 70)[4:])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("changed", [{"seed": SEED ^ 1}, {"seed": SEED ^ 1 << 32}, {"step": 6}, {"node": 3}, {"first_row": 1}])
def test_seed_step_node_and_row_each_change_the_mask(isa, changed):
    assert not np.array_equal(run(isa, 8, 64), run(isa, 8, 64, **changed))


@pytest.mark.parametrize("isa", ISAS)
def test_the_largest_counters_and_keys_wrap_as_in_the_reference(isa):
    top = 2**32 - 1
    mask = run(isa, 2, 100, rate=0.5, seed=2**64 - 1, step=top, node=top)
    assert np.array_equal(mask != 0, dropout_mask(0.5, 2, 112, seed=2**64 - 1, node=top, iteration=top))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_the_fraction_dropped_is_the_rate(isa, rate):
    mask = run(isa, 400, 256, rate=rate)
    assert set(np.unique(mask)) <= {0, KEEP_SCALE}
    assert np.mean(mask == 0) == pytest.approx(rate, abs=0.006)  # four standard deviations
