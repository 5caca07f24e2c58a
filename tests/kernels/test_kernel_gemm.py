"""The matrix products, transposes and column sums of every instruction set, at every size around a tile, beside forbidden pages.

The data are small integers, so every order of summing them is exact and the expected result is an integer product, bit for bit.
"""

import numpy as np
import pytest
from kernel_harness import ISAS, PANEL, Guarded, kernels, round_up, same_bits

from fastmlp import _core
from fastmlp.reference.activations import READ_INPUT

RELU = _core.ACTIVATIONS["relu"]
TANH = _core.ACTIVATIONS["tanh"]
ROWS = [*range(1, 27), 48]
DEPTHS = [*range(1, 36), 64]

pytestmark = pytest.mark.parametrize("isa", ISAS)


def integers(rng, *shape, low=-4, high=5):
    return rng.integers(low, high, shape).astype(np.float32)


def panels_of(matrix):
    """[rows][columns] as weight panels [columns / 16][rows][16]; missing columns are zero."""
    rows, columns = matrix.shape
    padded = np.zeros((rows, round_up(columns)), np.float32)
    padded[:, :columns] = matrix
    return np.ascontiguousarray(padded.reshape(rows, -1, PANEL).transpose(1, 0, 2))


def guarded(*arrays, side="end"):
    return [Guarded(np.ascontiguousarray(array), side) for array in arrays]


@pytest.mark.parametrize("side", ["start", "end"])
def test_forward_is_the_integer_product_at_every_size(isa, side):
    call = kernels(isa)["gemm_forward"]
    rng = np.random.default_rng(0)
    for rows in ROWS:
        for depth in DEPTHS if rows < 14 else (1, 17):
            panels = 1 + (rows + depth) % 5
            x, w = integers(rng, rows, depth), integers(rng, depth, panels * PANEL)
            bias = integers(rng, panels * PANEL)
            a, b, c, d = guarded(x, panels_of(w), np.zeros((rows, panels * PANEL), np.float32), bias, side=side)
            call(
                rows=rows, depth=depth, panels=panels, a=a.array, a_row=depth, b=b.array, b_step=PANEL, b_panel=depth * PANEL,
                c=c.array, c_row=panels * PANEL, c_panel=PANEL, epilogue=1, bias=d.array, activation=RELU, streams=depth % 2,
            )  # fmt: skip
            expected = np.maximum(x.astype(np.int64) @ w.astype(np.int64) + bias.astype(np.int64), 0)
            assert np.array_equal(c.array, expected), (rows, depth, panels)
            for memory in (a, b, c, d):
                memory.check()


@pytest.mark.parametrize("side", ["start", "end"])
def test_weight_gradient_is_the_integer_product_at_every_size(isa, side):
    call = kernels(isa)["gemm_dw"]
    rng = np.random.default_rng(0)
    for rows in ROWS:
        for depth in DEPTHS if rows < 14 else (1, 17):
            panels = 1 + (rows + depth) % 3
            x, grad = integers(rng, depth, rows), integers(rng, depth, panels * PANEL)
            a, b, c = guarded(x, grad, np.zeros((panels, rows, PANEL), np.float32), side=side)
            call(
                rows=rows, depth=depth, panels=panels, a=a.array, a_step=rows, b=b.array, b_step=panels * PANEL, b_panel=PANEL,
                c=c.array, c_row=PANEL, c_panel=rows * PANEL,
            )  # fmt: skip
            expected = x.T.astype(np.int64) @ grad.astype(np.int64)
            assert np.array_equal(c.array, panels_of(expected.astype(np.float32))), (rows, depth, panels)
            c.check()


@pytest.mark.parametrize("side", ["start", "end"])
def test_a_packed_operand_changes_no_bit_of_the_weight_gradient(isa, side):
    table = kernels(isa)
    rng = np.random.default_rng(0)
    for rows in ROWS:
        for depth in (1, 2, 17):
            x, grad = rng.normal(size=(depth, rows + 3)).astype(np.float32), rng.normal(size=(2, depth, PANEL)).astype(np.float32)
            a, packed, b = guarded(x[:, :rows], np.full(rows * depth, 9, np.float32), grad, side=side)
            plain, c = np.zeros((2, rows, PANEL), np.float32), np.zeros((2, rows, PANEL), np.float32)
            product = {"rows": rows, "depth": depth, "panels": 2, "b": b.array, "b_step": PANEL, "b_panel": depth * PANEL}
            product |= {"c_row": PANEL, "c_panel": rows * PANEL}
            table["gemm_dw"](**product, a=a.array, a_step=rows, c=plain)
            table["pack"](rows=rows, depth=depth, in_=a.array, in_step=rows, out=packed.array)
            table["gemm_dw"](**product, a=packed.array, a_step=0, c=c)
            assert same_bits(c, plain), (rows, depth)
            assert np.array_equal(np.sort(packed.array), np.sort(x[:, :rows], axis=None))
            for memory in (a, packed, b):
                memory.check()


@pytest.mark.parametrize("side", ["start", "end"])
def test_input_gradient_is_the_integer_product_at_every_size(isa, side):
    """The weights are read in panels: row i is input feature i, the sum runs over units, and 16 rows of the batch stand side by side."""
    call = kernels(isa)["gemm_dx"]
    rng = np.random.default_rng(0)
    for rows in ROWS:
        for units in DEPTHS if rows < 14 else (1, 17):
            strips = 1 + (rows + units) % 3
            w, grad_t = integers(rng, rows, units), integers(rng, units, strips * PANEL)
            a, b, c = guarded(panels_of(w), grad_t, np.zeros((rows, strips * PANEL), np.float32), side=side)
            call(
                rows=rows, depth=units, panels=strips, a=a.array, a_step=rows * PANEL, b=b.array, b_step=strips * PANEL, b_panel=PANEL,
                c=c.array, c_row=strips * PANEL, c_panel=PANEL,
            )  # fmt: skip
            assert np.array_equal(c.array, w.astype(np.int64) @ grad_t.astype(np.int64)), (rows, units, strips)
            c.check()


@pytest.mark.parametrize("name", ["gemm_forward", "gemm_dw", "gemm_dx"])
def test_a_sum_cut_into_blocks_has_the_bits_of_the_whole(isa, name):
    call = kernels(isa)[name]
    rng = np.random.default_rng(0)
    rows, depth, cut, panels = 13, 96, 32, 3
    a = rng.normal(size=(depth, round_up(rows))).astype(np.float32) if name != "gemm_forward" else rng.normal(size=(rows, depth))
    a = np.ascontiguousarray(a, dtype=np.float32)
    if name == "gemm_dx":
        a = panels_of(rng.normal(size=(rows, depth)).astype(np.float32))
    b = rng.normal(size=(depth, panels * PANEL)).astype(np.float32)
    if name == "gemm_forward":
        b = panels_of(b)
    results = []
    for blocks in ([(0, depth)], [(0, cut), (cut, depth)]):
        c = np.full((rows, panels * PANEL), 7, np.float32)
        for begin, end in blocks:
            block = {"rows": rows, "depth": end - begin, "panels": panels, "c": c, "c_row": panels * PANEL, "c_panel": PANEL}
            block |= {"accumulate": begin > 0, "epilogue": end == depth, "activation": TANH}
            if name == "gemm_forward":
                block |= {"a": a[:, begin:], "a_row": depth, "b": b[:, begin:], "b_step": PANEL, "b_panel": depth * PANEL}
            elif name == "gemm_dw":
                block |= {"a": a[begin:], "a_step": a.shape[1], "b": b[begin:], "b_step": panels * PANEL, "b_panel": PANEL}
            else:
                block |= {"a": a[begin // PANEL :], "a_step": rows * PANEL, "b": b[begin:], "b_step": panels * PANEL, "b_panel": PANEL}
            call(**block)
        results.append(c)
    assert same_bits(*results)


def test_products_have_the_bits_of_a_sum_in_order_with_one_rounding_a_term(isa):
    """float64 holds a product of two float32 exactly, and here its sum with a float32 too: the values have few enough digits."""
    call = kernels(isa)["gemm_forward"]
    rng = np.random.default_rng(0)
    rows, depth = 7, 40
    x = (rng.integers(-2048, 2048, (rows, depth)) / 1024).astype(np.float32)
    w = (rng.integers(-2048, 2048, (depth, PANEL)) / 512).astype(np.float32)
    c = np.zeros((rows, PANEL), np.float32)
    call(rows=rows, depth=depth, panels=1, a=x, a_row=depth, b=panels_of(w), b_step=PANEL, b_panel=depth * PANEL, c=c, c_row=PANEL)
    expected = np.zeros((rows, PANEL), np.float32)
    for p in range(depth):
        expected = (x[:, p : p + 1].astype(np.float64) * w[p].astype(np.float64) + expected).astype(np.float32)
    assert same_bits(c, expected)


def test_every_activation_can_end_a_product(isa):
    table = kernels(isa)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(9, 20)).astype(np.float32), rng.normal(size=(20, 48)).astype(np.float32)
    product = {"rows": 9, "depth": 20, "panels": 3, "a": x, "a_row": 20, "b": panels_of(w), "b_step": PANEL, "b_panel": 20 * PANEL}
    plain = np.zeros((9, 48), np.float32)
    table["gemm_forward"](**product, c=plain, c_row=48, c_panel=PANEL)
    for activation in (code for name, code in _core.ACTIVATIONS.items() if name not in READ_INPUT):
        fused, apart = np.zeros_like(plain), np.zeros_like(plain)
        table["gemm_forward"](**product, c=fused, c_row=48, c_panel=PANEL, epilogue=1, activation=activation, alpha=0.3)
        table["activation"](n=plain.size, x=plain, out=apart, activation=activation, alpha=0.3)
        assert same_bits(fused, apart)


def test_the_input_gradient_of_a_few_samples_is_the_integer_product(isa):
    call = kernels(isa)["gemm_dx_few"]
    rng = np.random.default_rng(0)
    for rows in (1, 2, 3, 8):
        for depth in (1, 7, 15, 16, 17, 40):
            for cols in (1, 5, 15, 16, 17, 31, 33, 48):
                grad, w = integers(rng, rows, depth), integers(rng, cols, depth)
                g, weights, c = guarded(panels_of(grad), panels_of(w), np.full((rows, round_up(cols)), 9, np.float32))
                call(
                    rows=rows, depth=depth, cols=cols, grad=g.array, grad_panel=rows * PANEL, w=weights.array, w_panel=cols * PANEL,
                    c=c.array, c_row=round_up(cols),
                )  # fmt: skip
                assert np.array_equal(c.array[:, :cols], grad @ w.T), (rows, depth, cols)
                assert not c.array[:, cols:].any()
                for memory in (g, weights, c):
                    memory.check()


def test_transposes_move_every_element_and_apply_the_derivative(isa):
    call = kernels(isa)["transpose"]
    rng = np.random.default_rng(0)
    for rows in (1, 5, 15, 16, 17, 31, 32, 33):
        for cols in (1, 3, 15, 16, 17, 32, 33, 48):
            high, wide = round_up(rows), round_up(cols)
            source, values = integers(rng, cols, high), integers(rng, high, wide)
            in_, kept, out, out_t = guarded(source, values, np.full((high, wide), 9, np.float32), np.full((cols, high), 9, np.float32))
            common = {"rows": rows, "cols": cols, "in_": in_.array, "in_row": high, "out": out.array, "out_row": wide, "out_panel": PANEL}
            call(**common)
            assert np.array_equal(out.array[:rows, :cols], source.T[:rows])
            assert not out.array[:rows, cols:].any()
            call(**common, values=kept.array, values_row=wide, out_t=out_t.array, out_t_row=high, activation=RELU)
            expected = source.T[:rows] * (values[:rows, :cols] > 0)
            assert np.array_equal(out.array[:rows, :cols], expected)
            assert np.array_equal(out_t.array[:, :rows], expected.T)
            for memory in (in_, kept, out, out_t):
                memory.check()


def test_a_transpose_can_go_into_panels(isa):
    rng = np.random.default_rng(0)
    for rows, cols in ((16, 16), (5, 33), (32, 48)):
        high, wide = round_up(rows), round_up(cols)
        source, in_rows = integers(rng, cols, high), np.full((high, wide), 9, np.float32)
        out = guarded(np.full((wide // PANEL, high, PANEL), 9, np.float32))[0]
        common = {"rows": rows, "cols": cols, "in_": source, "in_row": high}
        kernels(isa)["transpose"](**common, out=in_rows, out_row=wide, out_panel=PANEL)
        kernels(isa)["transpose"](**common, out=out.array, out_row=PANEL, out_panel=high * PANEL)
        assert np.array_equal(out.array[:, :rows], panels_of(in_rows)[:, :rows])
        out.check()


def test_column_sums_add_rows_in_order(isa):
    call = kernels(isa)["column_sums"]
    rng = np.random.default_rng(0)
    for rows in (1, 2, 17, 100):
        for panels in range(1, 11):
            cols = panels * PANEL
            in_, out = guarded(rng.normal(size=(rows, cols)).astype(np.float32), np.zeros(cols, np.float32))
            expected = np.zeros(cols, np.float32)
            for row in in_.array:
                expected += row
            call(rows=rows, cols=cols, in_=in_.array, in_row=cols, in_panel=PANEL, out=out.array)
            assert same_bits(out.array, expected)
            out.array[:] = 0
            call(rows=rows, cols=cols, in_=panels_of(in_.array), in_row=PANEL, in_panel=rows * PANEL, out=out.array)
            assert same_bits(out.array, expected)


def lists_of(matrix):
    """begin, end, index and value of the non-zeros of each row, packed one row after another."""
    rows, columns = np.nonzero(matrix)
    counts = np.bincount(rows, minlength=len(matrix))
    end = np.cumsum(counts)
    return end - counts, end, columns.astype(np.int32), matrix[rows, columns].astype(np.float32)


def test_compress_lists_what_is_not_zero(isa):
    call = kernels(isa)["compress"]
    rng = np.random.default_rng(0)
    for n in range(1, 70):
        for share in (0.0, 0.2, 1.0):
            x = np.where(rng.random(n) < share, rng.normal(size=n), [0.0, -0.0][n % 2]).astype(np.float32)
            kept = np.flatnonzero(x)
            source, index, value = guarded(x, np.full(n, -1, np.int32), np.zeros(n, np.float32))
            count = np.zeros(1, np.intp)
            call(n=n, x=source.array, index=index.array, value=value.array, count=count)
            assert count[0] == len(kept)
            assert np.array_equal(index.array[: len(kept)], kept)
            assert np.array_equal(value.array[: len(kept)], x[kept])
            for memory in (source, index, value):
                memory.check()


def test_a_product_without_its_zeros_has_the_bits_of_the_whole_product(isa):
    table = kernels(isa)
    rng = np.random.default_rng(0)
    for rows, depth, panels in [(1, 1, 1), (3, 40, 2), (7, 100, 4), (20, 33, 5), (5, 64, 11)]:
        x = np.where(rng.random((rows, depth)) < 0.3, rng.normal(size=(rows, depth)), 0).astype(np.float32)
        w, bias = rng.normal(size=(depth, panels * PANEL)).astype(np.float32), rng.normal(size=panels * PANEL).astype(np.float32)
        common = {"rows": rows, "panels": panels, "b": panels_of(w), "b_step": PANEL, "b_panel": depth * PANEL}
        common |= {"c_row": panels * PANEL, "c_panel": PANEL, "epilogue": 1, "bias": bias, "activation": TANH}
        begin, end, index, value = lists_of(x)
        whole, sparse = (np.full((rows, panels * PANEL), 7, np.float32) for _ in range(2))
        table["gemm_forward"](depth=depth, a=x, a_row=depth, c=whole, **common)
        table["spmm"](begin=begin, end=end, index=index, value=value, c=sparse, **common)
        assert same_bits(whole, sparse)
