"""Kernels of periodic embeddings: against float64, the same bits on every instruction set, nothing touched outside."""

import numpy as np
import pytest
from kernel_harness import ISAS, Guarded, fixed_sum, kernels, same_bits

rng = np.random.default_rng(7)
SIZES = [(rows, inputs, count) for rows in (1, 2, 17) for inputs in (1, 3) for count in (1, 3, 7, 8, 9, 15, 16, 17, 31, 33)]


def in_panels(matrix):
    """``(inputs, frequencies)`` as the kernels read it, with zeros beyond the frequencies."""
    inputs, count = matrix.shape
    panels = np.zeros((-(-count // 16), inputs, 16), np.float32)
    for first in range(0, count, 16):
        part = matrix[:, first : first + 16]
        panels[first // 16, :, : part.shape[1]] = part
    return panels


def on_every_isa(name, outputs, **fields):
    """What a kernel writes into copies of these arrays, the same on every ISA; all arrays end at a guard page."""
    results = []
    for isa in ISAS:
        guarded = {field: Guarded(value) for field, value in (fields | outputs).items() if isinstance(value, np.ndarray)}
        plain = {field: value for field, value in fields.items() if field not in guarded}
        kernels(isa)[name](**plain, **{field: array.array for field, array in guarded.items()})
        for array in guarded.values():
            array.check()
        results.append({field: guarded[field].array.copy() for field in outputs})
    for result in results[1:]:
        for field in outputs:
            assert same_bits(results[0][field], result[field]), field
    return results[0]


def forward(x, c):
    rows, (inputs, count) = len(x), c.shape
    out = np.full((rows, inputs * 2 * count), 7, np.float32)
    sizes = {"rows": rows, "inputs": inputs, "frequencies": count, "x_row": inputs, "panel": inputs * 16, "out_row": out.shape[1]}
    return on_every_isa("periodic", {"out": out}, **sizes, x=x, c=in_panels(c))["out"].reshape(rows, inputs, 2, count)


@pytest.mark.parametrize(("rows", "inputs", "count"), SIZES)
def test_sines_and_cosines(rows, inputs, count):
    x, c = rng.normal(0, 1, (rows, inputs)).astype(np.float32), rng.normal(0, 3, (inputs, count)).astype(np.float32)
    angles = 2 * np.pi * x[:, :, None].astype(np.float64) * c
    out = forward(x, c)
    np.testing.assert_allclose(out[:, :, 0], np.sin(angles), rtol=0, atol=2**-23)
    np.testing.assert_allclose(out[:, :, 1], np.cos(angles), rtol=0, atol=2**-23)


@pytest.mark.parametrize(("size", "error"), [(1e-6, 2**-23), (1e-3, 2**-23), (1.0, 2**-23), (1e3, 2**-23), (6e4, 2**-23), (1e6, 2**-21)])
def test_they_are_accurate_at_all_angles(size, error):
    """In float64 a product of float32 is exact, and so is the number of whole turns."""
    x, c = rng.uniform(-size, size, (400, 1)).astype(np.float32), rng.uniform(-1, 1, (1, 64)).astype(np.float32)
    turns = x[:, :, None].astype(np.float64) * c
    angles = 2 * np.pi * (turns - np.round(turns))
    out = forward(x, c)
    np.testing.assert_allclose(out[:, :, 0], np.sin(angles), rtol=0, atol=error)
    np.testing.assert_allclose(out[:, :, 1], np.cos(angles), rtol=0, atol=error)
    small = (np.abs(angles) < 0.1) & (size <= 1)
    np.testing.assert_allclose(out[:, :, 0][small], np.sin(angles)[small], rtol=2**-22, atol=1e-37)


def test_quarter_turns_are_exact():
    x = np.arange(-8, 9, dtype=np.float32)[:, None]
    out = forward(x, np.array([[0.25]], np.float32))[:, 0, :, 0]
    np.testing.assert_array_equal(out[:, 0], np.array([0, 1, 0, -1], np.float32)[np.arange(-8, 9) % 4])
    np.testing.assert_array_equal(out[:, 1], np.array([1, 0, -1, 0], np.float32)[np.arange(-8, 9) % 4])


def test_very_many_turns_count_for_none_and_nan_stays():
    x = np.array([[2e6], [-1e30], [3e38], [np.inf], [np.nan]], np.float32)
    out = forward(x, np.array([[1.5]], np.float32))[:, 0, :, 0]
    np.testing.assert_array_equal(out, [[0, 1]] * 4 + [[np.nan, np.nan]])


@pytest.mark.parametrize(("rows", "inputs", "count"), SIZES)
@pytest.mark.parametrize("with_dx", [False, True])
def test_gradients(rows, inputs, count, with_dx):
    x, c = rng.normal(0, 1, (rows, inputs)).astype(np.float32), rng.normal(0, 1, (inputs, count)).astype(np.float32)
    angles = 2 * np.pi * x[:, :, None].astype(np.float64) * c
    out = np.stack([np.sin(angles), np.cos(angles)], axis=2).astype(np.float32)
    grad = rng.normal(0, 1, out.shape).astype(np.float32)
    slopes = 2 * np.pi * (grad[:, :, 0] * np.cos(angles) - grad[:, :, 1] * np.sin(angles))
    row = inputs * 2 * count
    sizes = {"rows": rows, "inputs": inputs, "frequencies": count, "x_row": inputs, "panel": inputs * 16, "out_row": row, "grad_row": row}
    written = {"dc": np.full(in_panels(c).shape, 7, np.float32)}
    if with_dx:
        written["dx"], sizes["dx_row"] = np.full((rows, inputs), 7, np.float32), inputs
    found = on_every_isa(
        "periodic_backward", written, **sizes, x=x, c=in_panels(c), out=out.reshape(rows, row), grad=grad.reshape(rows, row)
    )
    expected = in_panels((x[:, :, None] * slopes).sum(axis=0))
    np.testing.assert_allclose(found["dc"], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert (found["dc"][expected == 0] == 0).all(), "beyond the frequencies"
    if with_dx:
        wanted = (c * slopes).sum(axis=2)
        np.testing.assert_allclose(found["dx"], wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_the_gradient_of_a_number_is_summed_in_sixteen_lanes():
    """Integers times powers of two, so that only the order of the sum rounds."""
    count = 40
    c = (rng.integers(-9, 10, (1, count)) * 2.0 ** rng.integers(-12, 13, (1, count))).astype(np.float32)
    out = np.concatenate([np.zeros((5, count)), np.ones((5, count))], axis=1).astype(np.float32)
    grad = np.concatenate([np.ones((5, count)), np.zeros((5, count))], axis=1).astype(np.float32)
    turn = np.float32(2 * np.pi)
    sizes = {
        "rows": 5,
        "inputs": 1,
        "frequencies": count,
        "x_row": 1,
        "panel": 16,
        "out_row": 2 * count,
        "grad_row": 2 * count,
        "dx_row": 1,
    }
    written = {"dc": np.zeros((3, 1, 16), np.float32), "dx": np.zeros((5, 1), np.float32)}
    found = on_every_isa("periodic_backward", written, **sizes, x=np.ones((5, 1), np.float32), c=in_panels(c), out=out, grad=grad)
    np.testing.assert_allclose(found["dx"][:, 0], fixed_sum(np.repeat(c * turn, 5, axis=0)), rtol=1e-6)
