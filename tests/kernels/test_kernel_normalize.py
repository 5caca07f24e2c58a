"""Kernels of the normalisations, PReLU and noise: against float64, the same bits on every instruction set, nothing touched outside."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, fixed_sum, kernels, padded, round_up, same_bits

from fastmlp.reference.random import deviates

rng = np.random.default_rng(5)
EPSILON = 1e-3
PANELS = [(rows, 16 * panels) for rows in (1, 2, 3, 5, 8, 16, 17, 33, 100) for panels in (1, 2, 3)]
SHAPES = [(rows, cols) for rows in (1, 2, 3, 5, 8, 16, 17, 33) for cols in (1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 100)]
BATCH, STANDARD, INVERSE, SCALE = range(4)


def draw(*shape):
    return rng.normal(1, 2, shape).astype(np.float32)


def on_every_isa(name, outputs, **fields):
    """What a kernel writes into arrays of these shapes, the same on every ISA; all arrays of floats end at a guard page."""
    results = []
    for isa in ISAS:
        guarded = {field: Guarded(value) for field, value in fields.items() if isinstance(value, np.ndarray)}
        written = {field: Guarded(np.full(shape, 7, np.float32)) for field, shape in outputs.items()}
        plain = {field: value for field, value in fields.items() if field not in guarded}
        kernels(isa)[name](**plain, **{field: array.array for field, array in (guarded | written).items()})
        for array in (guarded | written).values():
            array.check()
        results.append({field: array.array.copy() for field, array in written.items()})
    for result in results[1:]:
        for field in outputs:
            assert same_bits(results[0][field], result[field]), field
    return results[0]


def close(actual, expected, tolerance=2e-5):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(("rows", "cols"), PANELS)
def test_moments_of_columns(rows, cols):
    x = draw(rows, cols) + 1000
    out = on_every_isa("column_moments", {"mean": cols, "variance": cols}, rows=rows, cols=cols, x=x, x_row=cols)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(out["mean"], wide.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(out["variance"], wide.var(axis=0), rtol=1e-3, atol=1e-6)


def test_rows_are_summed_in_order():
    x = draw(37, 16)
    total = np.zeros(16, np.float32)
    for row in x:
        total = total + row
    out = on_every_isa("column_moments", {"mean": 16, "variance": 16}, rows=37, cols=16, x=x, x_row=16)
    assert same_bits(out["mean"], total / np.float32(37))


@pytest.mark.parametrize(("rows", "cols"), PANELS)
def test_columns_are_normalized_in_four_ways(rows, cols):
    x, mean, gamma, beta = draw(rows, cols), draw(cols), draw(cols), draw(cols)
    variance = draw(cols) ** 2
    variance[0] = 0
    deviation = np.maximum(np.sqrt(variance.astype(np.float64)), EPSILON)
    inverse = 1 / np.sqrt(variance.astype(np.float64) + EPSILON)
    expected = {
        BATCH: (x - mean) * inverse * gamma + beta,
        STANDARD: (x - mean) / deviation,
        INVERSE: x * deviation + mean,
        SCALE: x.astype(np.float64) * gamma + beta,
    }
    given = {"rows": rows, "cols": cols, "x": x, "x_row": cols, "mean": mean, "variance": variance, "gamma": gamma, "beta": beta}
    for kind, wanted in expected.items():
        out = on_every_isa("batch_norm", {"out": (rows, cols)}, **given, epsilon=EPSILON, kind=kind, out_row=cols)
        close(out["out"], wanted)


def test_a_column_that_never_changes_needs_no_epsilon():
    x, zero = np.full((3, 16), 5, np.float32), np.zeros(16, np.float32)
    given = {"rows": 3, "cols": 16, "x": x, "x_row": 16, "variance": zero, "beta": zero + 2, "kind": BATCH, "out_row": 16}
    assert (on_every_isa("batch_norm", {"out": (3, 16)}, **given)["out"] == 2).all()


@pytest.mark.parametrize(("rows", "cols"), PANELS)
@pytest.mark.parametrize("scaled", [True, False])
def test_the_way_back_through_a_batch_s_own_moments(rows, cols, scaled):
    x, grad = draw(rows, cols), draw(rows, cols)
    mean, variance = x.mean(axis=0), x.var(axis=0)
    gamma = draw(cols) if scaled else np.ones(cols, np.float32)
    given = {"gamma": gamma} if scaled else {}
    given |= {"rows": rows, "cols": cols, "x": x, "x_row": cols, "grad": grad, "grad_row": cols, "mean": mean, "variance": variance}
    out = on_every_isa("batch_norm_backward", {"out": (rows, cols), "dgamma": cols, "dbeta": cols}, **given, epsilon=EPSILON, out_row=cols)
    inverse = 1 / np.sqrt(variance.astype(np.float64) + EPSILON)
    normal = (x - mean.astype(np.float64)) * inverse
    close(out["dbeta"], grad.sum(axis=0, dtype=np.float64))
    close(out["dgamma"], (grad * normal).sum(axis=0))
    close(out["out"], gamma * inverse * (grad - grad.mean(axis=0, dtype=np.float64) - normal * (grad * normal).mean(axis=0)))


@pytest.mark.parametrize(("rows", "cols"), SHAPES)
@pytest.mark.parametrize("centered", [1, 0])
def test_rows_are_normalized_and_back(rows, cols, centered):
    x, grad = draw(rows, cols), draw(rows, cols)
    gamma, beta = draw(1, cols), draw(1, cols)
    stride = round_up(cols)
    shared = {"rows": rows, "cols": cols, "x": padded(x), "x_row": stride, "gamma": padded(gamma), "centered": centered, "out_row": stride}
    forward = on_every_isa("layer_norm", {"out": (rows, stride), "mean": rows, "scale": rows}, **shared, beta=padded(beta), epsilon=EPSILON)
    wide = x.astype(np.float64)
    mean = wide.mean(axis=1, keepdims=True) * centered
    inverse = 1 / np.sqrt(((wide - mean) ** 2).mean(axis=1, keepdims=True) + EPSILON)
    normal = (wide - mean) * inverse
    close(forward["out"][:, :cols], normal * gamma + beta)
    assert not forward["out"][:, cols:].any()
    close(forward["mean"], mean[:, 0])
    close(forward["scale"], inverse[:, 0])
    kept = {"mean": forward["mean"], "scale": forward["scale"], "grad": padded(grad), "grad_row": stride}
    backward = on_every_isa("layer_norm_backward", {"out": (rows, stride)}, **shared, **kept)["out"]
    h = grad * gamma.astype(np.float64)
    rest = h - h.mean(axis=1, keepdims=True) * centered - normal * (h * normal).mean(axis=1, keepdims=True)
    close(backward[:, :cols], rest * inverse, 1e-4)
    assert not backward[:, cols:].any()


def test_a_row_s_mean_has_the_fixed_order():
    x = draw(9, 45)
    out = on_every_isa(
        "layer_norm", {"out": (9, 48), "mean": 9, "scale": 9}, rows=9, cols=45, x=padded(x), x_row=48, centered=1, out_row=48
    )
    assert same_bits(out["mean"], fixed_sum(x) / np.float32(45))


@pytest.mark.parametrize(("rows", "cols"), PANELS)
def test_gradients_of_what_scales_rows(rows, cols):
    x, grad, mean, scale = draw(rows, cols), draw(rows, cols), draw(rows), draw(rows)
    given = {"rows": rows, "cols": cols, "x": x, "x_row": cols, "grad": grad, "grad_row": cols, "mean": mean, "scale": scale}
    out = on_every_isa("layer_norm_parameter_gradients", {"dgamma": cols, "dbeta": cols}, **given)
    normal = (x.astype(np.float64) - mean[:, None]) * scale[:, None]
    close(out["dgamma"], (grad * normal).sum(axis=0))
    close(out["dbeta"], grad.sum(axis=0, dtype=np.float64))


@pytest.mark.parametrize(("rows", "cols"), PANELS)
def test_prelu_and_back(rows, cols):
    x, grad, alpha = draw(rows, cols), draw(rows, cols), draw(cols)
    x[0, 0] = 0
    given = {"rows": rows, "cols": cols, "x": x, "x_row": cols, "alpha": alpha, "out_row": cols}
    assert np.array_equal(on_every_isa("prelu", {"out": (rows, cols)}, **given)["out"], np.where(x > 0, x, alpha * x))
    out = on_every_isa("prelu_backward", {"out": (rows, cols), "dalpha": cols}, **given, grad=grad, grad_row=cols)
    assert np.array_equal(out["out"], grad * np.select([x > 0, x < 0], [1, alpha], 0).astype(np.float32))
    close(out["dalpha"], (grad.astype(np.float64) * np.minimum(x, 0)).sum(axis=0))


@pytest.mark.parametrize("cols", [1, 15, 16, 17, 63, 64, 65, 130])
def test_normal_deviates_are_the_reference_engine_s(cols):
    rows, stride = 5, round_up(cols)
    key = {"key": (77, 3), "step": 9, "node": 4, "first_row": 0}
    z = deviates(rows, stride, seed=77 | 3 << 32, node=4, iteration=9)
    given = {"rows": rows, "cols": cols, "mean": 1.0, "stddev": 0.5, "out_row": stride}
    close(on_every_isa("gaussian_noise", {"out": (rows, stride)}, **given, **key)["out"], 1 + 0.5 * z, 1e-6)
    x = draw(rows, stride)
    close(on_every_isa("gaussian_noise", {"out": (rows, stride)}, **given, **key, x=x, x_row=stride)["out"], x + 0.5 * z, 1e-6)


def test_deviates_are_normal():
    z = deviates(1000, 1000, seed=1, node=2, iteration=3)
    assert abs(z.mean()) < 0.004
    assert z.std() == pytest.approx(1, abs=0.003)
    assert (z**3).mean() == pytest.approx(0, abs=0.02)
    assert (z**4).mean() == pytest.approx(3, abs=0.04)
    from statistics import NormalDist

    for quantile in (0.0001, 0.01, 0.3, 0.5, 0.9, 0.9999):
        assert np.quantile(z, quantile) == pytest.approx(NormalDist().inv_cdf(quantile), abs=0.05)
    assert np.abs(z).max() < 5.5


def test_alpha_dropout_scales_what_is_kept_and_replaces_what_is_not():
    x = draw(64)
    mask = np.where(rng.random(64) < 0.5, np.float32(1.25), np.float32(0))
    out = on_every_isa("alpha_dropout", {"out": 64}, n=64, x=x, mask=mask, kept=0.5, dropped=-1.5)["out"]
    close(out, np.where(mask > 0, 1.25 * x + 0.5, -1.5), 1e-6)
