"""Kernels around an optimizer's step: penalties, clipping, decay, averages, norms and scaling; the same bits on every instruction set."""

import numpy as np
import pytest
from kernel_harness import ISAS, PANEL, Guarded, fixed_sum, kernels, round_up, same_bits

SIZES = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 100]
rng = np.random.default_rng(8)


def panels(matrix, pad=0.0):
    """A matrix as it stands in panels of 16 columns."""
    rows, cols = matrix.shape
    wide = np.full((rows, round_up(cols)), pad, np.float32)
    wide[:, :cols] = matrix
    return np.ascontiguousarray(wide.reshape(rows, round_up(cols) // PANEL, PANEL).transpose(1, 0, 2))


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("isa", ISAS)
def test_gradients_get_penalties_and_limits_and_weights_decay(isa, side):
    for n in SIZES:
        w, g = rng.normal(size=(2, n)).astype(np.float32)
        w[::5] = 0
        in_w, in_g = Guarded(w, side), Guarded(g, side)
        kernels(isa)["adjust"](n=n, w=in_w.array, g=in_g.array, l1=0.1, l2=0.5, scale=2.0, clip=1.5, decay=0.25)
        expected = np.clip((g + np.float32(0.1) * np.sign(w) + 0.5 * w) * 2, -1.5, 1.5)
        np.testing.assert_allclose(in_g.array, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(in_w.array, 0.75 * w, rtol=1e-6)
        in_w.check()
        in_g.check()


@pytest.mark.parametrize("isa", ISAS)
def test_nothing_asked_for_changes_nothing_and_nan_stays(isa):
    w, g = rng.normal(size=(2, 37)).astype(np.float32)
    g[5], g[20] = np.nan, np.inf
    w_after, g_after = w.copy(), g.copy()
    kernels(isa)["adjust"](n=37, w=w_after, g=g_after, scale=1.0, clip=np.inf)
    assert same_bits(w, w_after)
    assert same_bits(g, g_after)
    kernels(isa)["adjust"](n=37, w=w_after, g=g_after, scale=1.0, clip=0.5)
    assert np.isnan(g_after[5])
    assert g_after[20] == 0.5


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("isa", ISAS)
def test_two_arrays_are_combined(isa, side):
    for n in SIZES:
        x, y = rng.normal(size=(2, n)).astype(np.float32)
        out = Guarded(x, side)
        kernels(isa)["combine"](n=n, x=out.array, y=y, a=0.75, b=0.25, out=out.array)
        np.testing.assert_allclose(out.array, 0.75 * x + 0.25 * y, rtol=1e-5, atol=1e-6)
        out.check()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cols", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("rows", [0, 1, 5, 16, 33])
def test_columns_and_rows_are_summed(isa, rows, cols):
    x = rng.integers(-9, 10, (rows, cols)).astype(np.float32)
    given = Guarded(panels(x, np.nan))
    absolute, square, of_rows = (Guarded(np.zeros(n, np.float32)) for n in (round_up(cols), round_up(cols), rows))
    shape = {"rows": rows, "cols": cols, "x": given.array, "x_panel": rows * PANEL}
    kernels(isa)["column_norms"](**shape, absolute=absolute.array, square=square.array)
    kernels(isa)["column_norms"](**shape)  # nothing wanted
    kernels(isa)["row_norms"](**shape, square=of_rows.array)
    assert np.array_equal(absolute.array[:cols], np.abs(x).sum(axis=0))
    assert np.array_equal(square.array[:cols], (x * x).sum(axis=0))
    assert np.array_equal(of_rows.array, (x * x).sum(axis=1))
    for guarded in (given, absolute, square, of_rows):
        guarded.check()


@pytest.mark.parametrize("isa", ISAS)
def test_rows_are_summed_in_the_fixed_order(isa):
    x = rng.normal(size=(9, 10)).astype(np.float32)
    square = np.zeros(9, np.float32)
    kernels(isa)["row_norms"](rows=9, cols=10, x=panels(x), x_panel=9 * PANEL, square=square)
    assert same_bits(square, fixed_sum(x * x))  # one term a lane, so each square is rounded once


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cols", [1, 16, 21])
def test_columns_or_rows_are_scaled(isa, cols):
    x = rng.normal(size=(7, cols)).astype(np.float32)
    column, row = rng.normal(size=round_up(cols)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    for factors, expected in (({"column": column}, x * column[:cols]), ({"row": row}, x * row[:, None])):
        scaled = Guarded(panels(x))
        kernels(isa)["rescale"](rows=7, cols=cols, x=scaled.array, x_panel=7 * PANEL, **factors)
        assert np.array_equal(scaled.array, panels(expected))
        scaled.check()
