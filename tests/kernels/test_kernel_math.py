"""exp, log, tanh, sigmoid and expm1 (in elu) of the kernels: within 1.5 units in the last place (ULP) everywhere, erf within 2, the same
bits on every instruction set.

``pytest -m kernels`` walks a million float32 values, ``pytest -m exhaustive`` all 2³². Denormals count as zero, going in and
coming out.
"""

import math

import numpy as np
import pytest
from kernel_harness import ISAS, kernels, same_bits

from fastmlp import _core

LEAST = 2.0**-126
"""The smallest normal float32."""

CHUNK = 1 << 22


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


EXACT = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),  # of alpha 1
    "erf": np.vectorize(math.erf, otypes=[float]),
}
BOUND = dict.fromkeys(EXACT, 1.5) | {"erf": 2.0}


def bits_around(*values, width=64):
    """Bit patterns of the floats next to each value, of both signs."""
    center = np.array(values, np.float32).view(np.uint32).astype(np.int64)
    near = (center[:, None] + np.arange(-width, width + 1)).ravel()
    near = near[(near >= 0) & (near <= 0x7F80_0000)].astype(np.uint32)
    return np.concatenate([near, near | np.uint32(0x8000_0000)])


# Where a function changes its method, overflows, underflows or meets its limit.
EDGES = bits_around(0, LEAST, 1, 0.5, 2, 0.7, 10, 87.336544, 88.722839, 103.97208, 0.70710678, 1.4142135, 0.34657359, 3.4028235e38, np.inf)
SAMPLE = np.concatenate([np.arange(0, 1 << 32, 4099, dtype=np.uint64).astype(np.uint32), EDGES])


def evaluate(isa, function, x):
    out = np.empty_like(x)
    if function in _core.ACTIVATIONS:
        kernels(isa)["activation"](n=len(x), x=x, out=out, activation=_core.ACTIVATIONS[function], alpha=1)
    else:
        kernels(isa)[function](n=len(x), x=x, out=out)
    return out


def worst_error(function, x, y):
    """The largest error in ULP of the results y, whose special values, signs, overflows and underflows are checked to be exact."""
    with np.errstate(all="ignore"):
        exact = EXACT[function](np.where(np.abs(x) < LEAST, np.copysign(0, x), x).astype(np.float64))
        rounded = exact.astype(np.float32)
    tiny = np.abs(exact) < LEAST
    assert (np.abs(y[tiny]) < LEAST).all()
    assert np.array_equal(np.signbit(y[tiny]), np.signbit(exact[tiny]))
    special = ~tiny & ~(np.isfinite(rounded) & np.isfinite(y))
    assert np.array_equal(y[special], rounded[special], equal_nan=True)
    rest = ~tiny & ~special
    ulp = np.ldexp(1.0, np.frexp(exact[rest])[1] - 24)
    return np.max(np.abs(y[rest] - exact[rest]) / ulp, initial=0)


@pytest.mark.parametrize("function", EXACT)
def test_functions_are_within_their_bounds_and_alike_on_every_isa(function):
    x = SAMPLE.view(np.float32)
    first = evaluate(ISAS[0], function, x)
    assert worst_error(function, x, first) <= BOUND[function]
    for isa in ISAS[1:]:
        assert same_bits(first, evaluate(isa, function, x)), isa


@pytest.mark.exhaustive
@pytest.mark.parametrize("function", EXACT)
def test_functions_are_within_their_bounds_for_every_float32(function, request):
    if "exhaustive" not in request.config.option.markexpr:
        pytest.skip("takes minutes; run with -m exhaustive")
    worst = 0
    for start in range(0, 1 << 32, CHUNK):
        x = np.arange(start, start + CHUNK, dtype=np.uint64).astype(np.uint32).view(np.float32)
        first = evaluate(ISAS[0], function, x)
        worst = max(worst, worst_error(function, x, first))
        for isa in ISAS[1:]:
            assert same_bits(first, evaluate(isa, function, x)), (isa, start)
    print(f"{function}: at most {worst:.4f} ULP")
    assert worst <= BOUND[function]


@pytest.mark.parametrize("isa", ISAS)
def test_functions_have_their_limits(isa):
    def at(function, *x):
        return evaluate(isa, function, np.array(x, np.float32)).tolist()

    inf = float("inf")
    assert at("exp", -inf, -88, 0, 89, inf) == [0, 0, 1, inf, inf]
    assert at("log", 0, -0.0, 1, inf) == [-inf, -inf, 0, inf]
    assert at("tanh", -inf, -20, 0, 20, inf) == [-1, -1, 0, 1, 1]
    assert at("sigmoid", -inf, -100, 0, 100, inf) == [0, 0, 0.5, 1, 1]
    assert at("elu", -inf, -100, 0, 100, inf) == [-1, -1, 0, 100, inf]
    assert at("erf", -inf, -10, 0, 10, inf) == [-1, -1, 0, 1, 1]
    assert np.signbit(at("tanh", 0.0, -0.0)).tolist() == [False, True]
    assert np.isnan(at("log", -1, -inf)).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("function", [*EXACT, *sorted(set(_core.ACTIVATIONS) - set(EXACT))])
def test_nan_stays_nan_whatever_its_payload(isa, function):
    payloads = np.array([0x7FC00000, 0xFFC00000, 0x7FC001FF, 0xFFFFFFFF, 0x7FC0007F, 0x7FFFFFFF], np.uint32)
    assert np.isnan(evaluate(isa, function, payloads.view(np.float32))).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("function", ["exp", "sigmoid"])
def test_results_below_the_normal_numbers_are_zero_and_the_first_above_is_not(isa, function):
    x = np.sort(bits_around(87.336544).view(np.float32)[129:])  # from below −87.33654 to above
    y = evaluate(isa, function, x)
    exact = EXACT[function](x.astype(np.float64))
    assert ((y == 0) == (exact < LEAST)).all()
    assert (y == 0).any()
    assert (y >= np.float32(LEAST)).any()
