"""How exact the activations made of several functions are, and their derivatives: against float64, out to the largest numbers.

Errors count in units of 2⁻²⁴ of the result, half a unit in the last place or a whole one. Results below 2⁻¹¹⁰ are left out: where a factor
is below the smallest normal number, so is its product. The same bits on every instruction set: tests/kernels/test_kernel_elementwise.py.
"""

import math

import numpy as np
import pytest
from kernel_harness import ISAS, kernels

from fastmlp import _core
from fastmlp.reference.activations import ACTIVATIONS, READ_INPUT

UNIT = 2.0**-24
LEAST = 2.0**-110
INF = float("inf")
FAR = np.array([3e38, 1e30, 1e10, 1000, 1e-10, 1e-30, 0], np.float32)
Z = np.concatenate([np.linspace(-20, 20, 200_001), np.linspace(-100, 100, 20_001), FAR, -FAR]).astype(np.float32)


def mish(z):
    w = np.exp(-np.abs(z))
    n, d = np.where(z < 0, w * (w + 2), 1 + 2 * w), np.where(z < 0, 2, 2 * w * w)
    return z * n / (n + d)


def tanh_slope(z):
    return math.sqrt(8 / math.pi) * (1 + 0.044715 * z * z)


# Exact value, and the most units its relative error may have.
VALUES = {
    "softplus": (lambda z: np.logaddexp(z, 0), 2.5),
    "log_sigmoid": (lambda z: -np.logaddexp(-z, 0), 2.5),
    "softsign": (lambda z: z / (1 + np.abs(z)), 2),
    "exponential": (np.exp, 2),
    "selu": (lambda z: ACTIVATIONS["selu"].forward(z), 2.5),
    "celu": (lambda z: ACTIVATIONS["celu"].forward(z, 0.75), 4),
    "hard_sigmoid": (lambda z: np.clip(z + 3, 0, 6) / 6, 2),
    "hard_silu": (lambda z: z * (np.clip(z + 3, 0, 6) / 6), 2.5),
    "gelu": (lambda z: ACTIVATIONS["gelu"].forward(z), 12),
    "silu": (lambda z: z / (1 + np.exp(-z)), 4),
    "mish": (mish, 5),
    "squareplus": (lambda z: ACTIVATIONS["squareplus"].forward(z, 0.75), 4),
    "sparse_plus": (lambda z: ACTIVATIONS["sparse_plus"].forward(z), 4),
    "sparse_sigmoid": (lambda z: ACTIVATIONS["sparse_sigmoid"].forward(z), 2),
    "soft_shrink": (lambda z: ACTIVATIONS["soft_shrink"].forward(z), 2),
    "gelu_tanh": (lambda z: z / (1 + np.exp(-z * tanh_slope(z))), lambda z: 3 + 3 * np.abs(z * tanh_slope(z))),
}


def run(isa, kernel, name, alpha=0.75, **fields):
    out = np.empty_like(fields["x"])
    kernels(isa)[kernel](n=len(out), out=out, activation=_core.ACTIVATIONS[name], alpha=alpha, threshold=0.5, max_value=4, **fields)
    return out


def constants(name, alpha=0.75):
    return (alpha, 0.5, 4.0) if ACTIVATIONS[name].limited else (alpha,)


@pytest.mark.parametrize("name", VALUES)
def test_values_keep_their_digits(name):
    function, bound = VALUES[name]
    z = Z.astype(np.float64)
    with np.errstate(all="ignore"):
        exact = function(z)
        kept = (np.abs(exact) > LEAST) & np.isfinite(exact.astype(np.float32))
    error = np.abs(run(ISAS[-1], "activation", name, x=Z)[kept] - exact[kept]) / np.abs(exact[kept])
    assert (error <= UNIT * (bound(z[kept]) if callable(bound) else bound)).all(), error.max() / UNIT


@pytest.mark.parametrize("name", _core.ACTIVATIONS)
def test_slopes_are_those_of_float64(name):
    """From the rounded output where that is what the kernel reads, so the error counts in units of 1 rather than of the slope."""
    z = np.minimum(Z, 80) if name == "exponential" else Z
    read = z if name in READ_INPUT else run(ISAS[-1], "activation", name, x=z)
    slope = run(ISAS[-1], "activation_backward", name, x=read, y=np.ones_like(z))
    function = ACTIVATIONS[name]
    z = z.astype(np.float64)
    exact_read = z if name in READ_INPUT else function.forward(z, *constants(name))
    exact = function.backward(exact_read, np.ones_like(z), *constants(name))
    error = np.abs(slope - exact) / np.maximum(1, np.abs(exact))
    assert np.max(error) <= 20 * UNIT


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("name", "values", "slopes"),
    [
        ("gelu", [0, 0, INF], [0, 0.5, 1]),
        ("gelu_tanh", [0, 0, INF], [0, 0.5, 1]),
        ("silu", [0, 0, INF], [0, 0.5, 1]),
        ("mish", [0, 0, INF], [0, 0.6, 1]),
        ("hard_silu", [0, 0, INF], [0, 0.5, 1]),
        ("general_relu", [-INF, -0.375, 4], [0.75, 0.75, 0]),
        ("hard_shrink", [-INF, 0, INF], [1, 0, 1]),
        ("soft_shrink", [-INF, 0, INF], [1, 0, 1]),
        ("tanh_shrink", [-INF, 0, INF], [1, 0, 1]),
        ("threshold", [0.75, 0.75, INF], [0, 0, 1]),
        ("squareplus", [0, math.sqrt(0.75) / 2, INF], [0, 0.5, 1]),
        ("sparse_plus", [0, 0.25, INF], [0, 0.5, 1]),
        ("sparse_sigmoid", [0, 0.5, 1], [0, 0.5, 0]),
        ("softplus", [0, math.log(2), INF], [0, 0.5, 1]),
        ("log_sigmoid", [-INF, -math.log(2), 0], [1, 0.5, 0]),
        ("softsign", [-1, 0, 1], [0, 1, 0]),
        ("celu", [-0.75, 0, INF], [0, 1, 1]),
        ("hard_tanh", [-1, 0, 1], [0, 1, 0]),
        ("relu6", [0, 0, 6], [0, 0, 0]),
        ("exponential", [0, 1, INF], [0, 1, INF]),
    ],
)
def test_infinity_and_zero_have_their_limits(isa, name, values, slopes):
    z = np.array([-INF, 0, INF], np.float32)
    activated = run(isa, "activation", name, x=z)
    np.testing.assert_allclose(activated, values, rtol=1e-7, atol=1e-18)
    np.testing.assert_allclose(
        run(isa, "activation_backward", name, x=z if name in READ_INPUT else activated, y=np.ones(3, np.float32)),
        slopes,
        rtol=1e-6,
        atol=1e-36,
    )


@pytest.mark.parametrize("isa", ISAS)
def test_a_rectifier_without_a_slope_is_0_at_minus_infinity(isa):
    assert run(isa, "activation", "general_relu", alpha=0, x=np.array([-INF], np.float32)) == [0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", sorted(READ_INPUT))
def test_slopes_of_nan_are_nan(isa, name):
    nan, one = np.array([np.nan], np.float32), np.ones(1, np.float32)
    if name != "general_relu":
        assert np.isnan(run(isa, "activation_backward", name, x=nan, y=one)).all()
    assert np.isnan(run(isa, "activation_backward", name, x=one, y=nan)).all()
