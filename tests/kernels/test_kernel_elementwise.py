"""Kernels over flat arrays, and softmax: against NumPy in float64, the same bits on every instruction set, nothing touched outside."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, fixed_sum, kernels, padded, round_up, same_bits

from fastmlp import _core
from fastmlp.reference.activations import ACTIVATIONS, READ_INPUT

ALPHA = 0.25
LIMITS = {"threshold": 0.5, "max_value": 4.0}  # of the limited activations
SIZES = [*range(36), 63, 64, 65, 127, 1000]
SHAPES = [(rows, cols) for rows in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33) for cols in range(1, 36)] + [(3, 1000), (32, 10)]

rng = np.random.default_rng(1)
X = rng.normal(0, 3, 1000).astype(np.float32)
Y = rng.normal(0, 1, 1000).astype(np.float32)


def test_every_activation_of_the_manifest_is_tested():
    assert set(_core.ACTIVATIONS) == set(ACTIVATIONS).difference(_core.ROWWISE_ACTIVATIONS)
    assert set(_core.ROWWISE_ACTIVATIONS) == {name for name, activation in ACTIVATIONS.items() if activation.rowwise}


def on_every_isa(name, n, side="end", in_place=False, x=X, **fields):
    """The kernel's output for the first n numbers of x, the same on every ISA, all arrays between guards."""
    given = x
    results = []
    for isa in ISAS:
        x, y, out = Guarded(given[:n], side), Guarded(Y[:n], side), Guarded(np.full(n, 7, np.float32), side)
        target = x if in_place else out
        kernels(isa)[name](n=n, x=x.array, y=y.array, out=target.array, **fields)
        for guarded in (x, y, out):
            guarded.check()
        results.append(target.array.copy())
    for result in results[1:]:
        assert same_bits(results[0], result)
    return results[0]


@pytest.mark.parametrize("in_place", [False, True], ids=["apart", "in place"])
@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("name", _core.ACTIVATIONS)
def test_activations_and_derivatives_of_any_length(name, side, in_place):
    fields = {"activation": _core.ACTIVATIONS[name], "alpha": ALPHA, **LIMITS}
    constants = (ALPHA, *LIMITS.values()) if ACTIVATIONS[name].limited else (ALPHA,)
    z = X.astype(np.float64)
    a = ACTIVATIONS[name].forward(z, *constants)
    read = (X if name in READ_INPUT else a).astype(np.float32)
    slopes = ACTIVATIONS[name].backward(read.astype(np.float64), Y.astype(np.float64), *constants)
    for n in SIZES:
        activated = on_every_isa("activation", n, side, in_place, **fields)
        np.testing.assert_allclose(activated, a[:n], rtol=3e-7, atol=5e-7 if name in READ_INPUT else 0)
        derived = on_every_isa("activation_backward", n, side, in_place, x=read, **fields)
        np.testing.assert_allclose(derived, slopes[:n], rtol=2e-6, atol=5e-7 if name in READ_INPUT else 1e-7)


@pytest.mark.parametrize("side", ["end", "start"])
def test_products_are_rounded_once(side):
    for n in SIZES:
        assert np.array_equal(on_every_isa("multiply", n, side), X[:n] * Y[:n])


@pytest.mark.parametrize("in_place", [False, True], ids=["apart", "in place"])
@pytest.mark.parametrize("side", ["end", "start"])
def test_sums_differences_maxima_and_multiples_are_rounded_once(side, in_place):
    for n in SIZES:
        assert np.array_equal(on_every_isa("add", n, side, in_place), X[:n] + Y[:n])
        assert np.array_equal(on_every_isa("subtract", n, side, in_place), X[:n] - Y[:n])
        assert np.array_equal(on_every_isa("maximum", n, side, in_place), np.maximum(X[:n], Y[:n]))
        assert np.array_equal(on_every_isa("minimum", n, side, in_place), np.minimum(X[:n], Y[:n]))
        assert np.array_equal(on_every_isa("scale", n, side, in_place, alpha=ALPHA), X[:n] * np.float32(ALPHA))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("larger", ["maximum", "minimum"])
def test_the_maximum_and_the_minimum_of_a_nan_are_nan(isa, larger):
    x = np.array([np.nan, 1, np.nan, -np.inf, 0], np.float32)
    y = np.array([1, np.nan, np.nan, np.inf, 0], np.float32)
    out = np.zeros(5, np.float32)
    kernels(isa)[larger](n=5, x=x, y=y, out=out)
    assert np.array_equal(out, getattr(np, larger)(x, y), equal_nan=True)


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize("isa", ISAS)
def test_the_larger_one_gets_the_gradient_of_a_maximum_and_equals_share_it(isa, side):
    rounded = [np.rint(values) for values in (X, Y)]  # so that many are equal
    share = (np.sign(rounded[0] - rounded[1]) + 1) / 2
    assert set(share) == {0, 0.5, 1}
    for n in SIZES:
        x, y, grad = (Guarded(values[:n], side) for values in (*rounded, Y))
        out = Guarded(np.full(n, 7, np.float32), side)
        kernels(isa)["maximum_backward"](n=n, x=x.array, y=y.array, grad=grad.array, out=out.array)
        for guarded in (x, y, grad, out):
            guarded.check()
        assert np.array_equal(out.array, (share * Y)[:n])


@pytest.mark.parametrize("name", ["exp", "log"])
@pytest.mark.parametrize("side", ["end", "start"])
def test_exp_and_log_of_any_length(name, side):
    with np.errstate(invalid="ignore"):
        expected = getattr(np, name)(X.astype(np.float64))
    for n in SIZES:
        np.testing.assert_allclose(on_every_isa(name, n, side), expected[:n], rtol=2e-7)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("side", ["end", "start"])
def test_bytes_become_the_same_numbers(isa, side):
    for n in [*range(36), 256]:
        x, out = Guarded(np.arange(255, 255 - n, -1).astype(np.uint8), side), Guarded(np.zeros(n, np.float32), side)
        kernels(isa)["from_uint8"](n=n, x=x.array, out=out.array)
        x.check()
        out.check()
        assert out.array.tolist() == list(range(255, 255 - n, -1))


@pytest.mark.parametrize("isa", ISAS)
def test_slopes_at_zero(isa):
    def slope(name):
        out = np.empty(1, np.float32)
        zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
        kernels(isa)["activation_backward"](n=1, x=zero, y=one, out=out, activation=_core.ACTIVATIONS[name], alpha=ALPHA)
        return out[0]

    assert slope("relu") == 0
    assert slope("leaky_relu") == ALPHA
    assert slope("tanh") == 1


softmax, softmax_backward = ACTIVATIONS["softmax"][:2]
log_softmax, log_softmax_backward = ACTIVATIONS["log_softmax"][:2]
sparsemax, sparsemax_backward = ACTIVATIONS["sparsemax"][:2]
glu, glu_backward = ACTIVATIONS["glu"][:2]


def run_softmax(isa, name, x, side="end", in_place=False, **extra):
    cols = x.shape[1]
    x, out = Guarded(padded(x), side), Guarded(np.full((len(x), round_up(cols)), 7, np.float32), side)
    target = x if in_place else out
    kernels(isa)[name](rows=len(x.array), cols=cols, stride=round_up(cols), x=x.array, out=target.array, **extra)
    x.check()
    out.check()
    assert (target.array[:, cols:] == 0).all()
    return target.array[:, :cols].copy()


@pytest.mark.parametrize("in_place", [False, True], ids=["apart", "in place"])
def test_softmax_of_any_shape(in_place):
    for rows, cols in SHAPES:
        x = rng.normal(0, 3, (rows, cols)).astype(np.float32)
        results = [run_softmax(isa, "softmax", x, side, in_place) for isa in ISAS for side in ("end", "start")]
        np.testing.assert_allclose(results[0], softmax(x.astype(np.float64)), rtol=2e-6)  # x − max is rounded too
        assert all(same_bits(results[0], result) for result in results[1:])


@pytest.mark.parametrize("in_place", [False, True], ids=["apart", "in place"])
def test_log_softmax_of_any_shape(in_place):
    for rows, cols in SHAPES:
        x = rng.normal(0, 3, (rows, cols)).astype(np.float32)
        results = [run_softmax(isa, "log_softmax", x, side, in_place) for isa in ISAS for side in ("end", "start")]
        np.testing.assert_allclose(results[0], log_softmax(x.astype(np.float64)), rtol=1e-6, atol=2e-6)
        assert all(same_bits(results[0], result) for result in results[1:])


@pytest.mark.parametrize("in_place", [False, True], ids=["apart", "in place"])
@pytest.mark.parametrize("spread", [0.01, 1, 30])
def test_sparsemax_of_any_shape(in_place, spread):
    for rows, cols in SHAPES:
        x = rng.normal(0, spread, (rows, cols)).astype(np.float32)
        results = [run_softmax(isa, "sparsemax", x, side, in_place) for isa in ISAS for side in ("end", "start")]
        np.testing.assert_allclose(results[0], sparsemax(x.astype(np.float64)), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(results[0].sum(axis=1), 1, rtol=1e-5)
        assert all(same_bits(results[0], result) for result in results[1:])


@pytest.mark.parametrize("isa", ISAS)
def test_sparsemax_of_huge_equal_and_missing_scores(isa):
    x = np.array([[3e38, 0, -3e38], [1000, 999.75, -np.inf], [7, 7, 7], [0, np.nan, 0]], np.float32)
    a = run_softmax(isa, "sparsemax", x)
    np.testing.assert_allclose(a, [[1, 0, 0], [0.625, 0.375, 0], [1 / 3, 1 / 3, 1 / 3], [np.nan] * 3], rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_log_softmax_survives_huge_scores_and_minus_infinity(isa):
    x = np.array([[3e38, 0, -3e38], [1000, 999, -np.inf]], np.float32)
    a = run_softmax(isa, "log_softmax", x)
    np.testing.assert_allclose(a, [[0, -3e38, -np.inf], [-0.31326169, -1.31326169, -np.inf]], rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_softmax_adds_in_the_fixed_order(isa):
    x = rng.normal(0, 3, (9, 45)).astype(np.float32)
    exponentials = np.empty_like(x)
    kernels(isa)["exp"](n=x.size, x=x - x.max(axis=1, keepdims=True), out=exponentials)
    expected = exponentials * (np.float32(1) / fixed_sum(exponentials))[:, None]
    assert same_bits(run_softmax(isa, "softmax", x), expected)


@pytest.mark.parametrize("isa", ISAS)
def test_softmax_survives_huge_scores_and_hides_minus_infinity(isa):
    x = np.array([[3e38, -3e38, 3e38], [1000, 999, -np.inf], [-1000, -1000, -1000]], np.float32)
    p = run_softmax(isa, "softmax", x)
    np.testing.assert_allclose(p, [[0.5, 0, 0.5], [0.7310586, 0.26894143, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_a_row_with_nan_spoils_only_itself_and_not_its_padding(isa):
    x = np.zeros((9, 5), np.float32)
    x[4, 2] = np.nan
    p = run_softmax(isa, "softmax", x)
    assert np.isnan(p[4]).all()
    np.testing.assert_allclose(np.delete(p, 4, axis=0), 0.2, rtol=1e-6)


@pytest.mark.parametrize("onto", ["out", "x", "grad"])
@pytest.mark.parametrize(
    ("name", "backward"), [("softmax", softmax_backward), ("log_softmax", log_softmax_backward), ("sparsemax", sparsemax_backward)]
)
def test_softmax_backward_of_any_shape(name, backward, onto):
    for rows, cols in SHAPES:
        s = ACTIVATIONS[name].forward(rng.normal(0, 2, (rows, cols))).astype(np.float32)
        g = rng.normal(0, 1, (rows, cols)).astype(np.float32)
        results = []
        for isa in ISAS:
            x, grad, out = Guarded(padded(s)), Guarded(padded(g)), Guarded(np.full((rows, round_up(cols)), 7, np.float32))
            target = {"out": out, "x": x, "grad": grad}[onto].array
            stride = round_up(cols)
            kernels(isa)[f"{name}_backward"](rows=rows, cols=cols, stride=stride, x=x.array, grad=grad.array, out=target)
            for guarded in (x, grad, out):
                guarded.check()
            assert (target[:, cols:] == 0).all()
            results.append(target[:, :cols].copy())
        expected = backward(s.astype(np.float64), g.astype(np.float64))
        np.testing.assert_allclose(results[0], expected, rtol=1e-5, atol=2e-6)
        assert all(same_bits(results[0], result) for result in results[1:])


@pytest.mark.parametrize("side", ["end", "start"])
def test_gates_of_any_width(side):
    for rows, cols in SHAPES:
        x, g = rng.normal(0, 2, (rows, 2 * cols)).astype(np.float32), rng.normal(0, 1, (rows, cols)).astype(np.float32)
        values, slopes = [], []
        for isa in ISAS:
            given, grad = Guarded(padded(x), side), Guarded(padded(g), side)
            out, below = (Guarded(np.full((rows, round_up(width)), 7, np.float32), side) for width in (cols, 2 * cols))
            strides = {"x_row": round_up(2 * cols), "grad_row": round_up(cols)}
            kernels(isa)["glu"](rows=rows, cols=cols, x=given.array, out=out.array, out_row=round_up(cols), **strides)
            kernels(isa)["glu_backward"](
                rows=rows, cols=cols, x=given.array, grad=grad.array, out=below.array, out_row=round_up(2 * cols), **strides
            )
            for guarded in (given, grad, out, below):
                guarded.check()
            assert (out.array[:, cols:] == 0).all()
            assert (below.array[:, 2 * cols :] == 7).all()
            values.append(out.array[:, :cols].copy())
            slopes.append(below.array[:, : 2 * cols].copy())
        np.testing.assert_allclose(values[0], glu(x.astype(np.float64)), rtol=1e-6)
        np.testing.assert_allclose(slopes[0], glu_backward(x.astype(np.float64), g.astype(np.float64)), rtol=1e-5, atol=2e-6)
        assert all(same_bits(values[0], one) for one in values[1:])
        assert all(same_bits(slopes[0], one) for one in slopes[1:])
