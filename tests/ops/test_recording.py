"""Functions of symbolic values: what is recorded, what can't be and where the message points, and random programs against NumPy."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp import ops
from fastmlp._program.differentiation import differentiated
from fastmlp._program.interpreter import Executable
from fastmlp._program.types import Type
from fastmlp.ops.symbolic import trace

ROWS = Type("float32", (-1, 3))
rng = np.random.default_rng(0)
Y, P = rng.normal(size=(2, 7, 3)).astype(np.float32)


def run(function, *arrays):
    return Executable(trace(function, [ROWS] * len(arrays)))(*arrays)[0]


def operations(function, count=2):
    return [instruction.op for instruction in trace(function, [ROWS] * count).instructions]


# Recording


@pytest.mark.parametrize(
    "function",
    [
        lambda y, p: np.mean((y - p) ** 2, axis=1),
        lambda y, p: np.mean((y - p) ** 2),
        lambda y, p: ((p - y) ** 4).sum(axis=1),
        lambda y, p: np.maximum(y, p).max(axis=-1) + np.exp(p).mean(axis=-1),
        lambda y, p: np.where(y > p, y, p * 2)[:, 1:],
        lambda y, p: np.concatenate([y, p], axis=1) @ np.ones((6, 2), np.float32),
        lambda y, p: np.clip(p, 0, 1) * np.float32(2) + np.array([1.0, 2.0, 3.0]),
        lambda y, p: np.linalg.norm(y - p, axis=1),
        lambda y, p: abs(y) // 0.3 + p % 0.4 - (-p) ** 3,
        lambda y, p: np.sqrt(np.var(p, axis=1)) / np.std(y, axis=1),
        lambda y, p: np.log1p(np.abs(y)) * np.sign(p) + np.arctan2(y, p),
        lambda y, p: np.stack([y, p], axis=2).reshape(-1, 6),
        lambda y, p: np.float32(3) - y / np.float32(2) + 1 / p,
        lambda y, p: np.logical_and(y > 0, p < 0).astype("float32") + (y > 0).any(axis=1, keepdims=True),
    ],
)
def test_functions_and_operators_of_numpy_are_recorded(function):
    np.testing.assert_allclose(run(function, Y, P), function(Y, P), rtol=1e-5, atol=1e-6)


def test_a_program_is_for_batches_of_any_size():
    program = Executable(trace(lambda y, p: ops.mean(ops.square(y - p), axis=1), [ROWS, ROWS]))
    for samples in (1, 7, 2, 7, 0, 3, 4, 5):
        np.testing.assert_allclose(program(Y[:samples], P[:samples])[0], ((Y - P) ** 2).mean(1)[:samples], rtol=1e-6)


def test_a_value_computed_twice_is_recorded_once_and_one_not_needed_not_at_all():
    def function(y, p):
        ops.exp(p)
        return ops.square(y - p) + ops.square(y - p)

    assert operations(function) == ["subtract", "square", "add"]


def test_arithmetic_of_constants_is_done_once():
    assert operations(lambda y, p: p * ops.sqrt(4.0) + ops.zeros_like(p)) == ["constant", "multiply"]


def test_the_gradient_of_a_mean_of_squares_takes_one_multiplication():
    program = differentiated(trace(lambda y, p: ops.mean(ops.square(p - y), axis=-1), [ROWS, ROWS]), (1,))
    assert sorted(one.op for one in program.instructions if one.op != "constant") == ["divide", "multiply", "square", "subtract", "sum"]


def test_a_long_function_has_a_gradient():
    def repeated(y, p):
        for _ in range(1000):
            p = p + 0.001 * ops.sin(p) * ops.tanh(p)
        return ops.sum(p, axis=1)

    value, gradient = Executable(differentiated(trace(repeated, [ROWS, ROWS]), (1,)))(Y, P)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


def test_a_gradient_that_is_stopped_is_zero():
    program = differentiated(trace(lambda y, p: ops.sum(p * ops.stop_gradient(p * p), axis=1), [ROWS, ROWS]), (0, 1))
    _, dy, dp = Executable(program)(Y, P)
    np.testing.assert_array_equal(dy, np.zeros_like(Y))
    np.testing.assert_allclose(dp, P * P, rtol=1e-6)


def test_whether_samples_are_independent_is_known():
    assert trace(lambda y, p: ops.softmax(p) - y, [ROWS, ROWS]).rowwise
    assert not trace(lambda y, p: p - ops.mean(p, axis=0), [ROWS, ROWS]).rowwise
    assert not trace(lambda y, p: ops.mean(p), [ROWS, ROWS]).rowwise
    assert not trace(lambda y, p: p / ops.cast(ops.shape(p)[0], "float32"), [ROWS, ROWS]).rowwise


def test_the_batch_axis_may_be_folded_with_others():
    np.testing.assert_allclose(run(lambda y, p: ops.sum(ops.reshape(y, [-1]) * ops.reshape(p, [-1])), Y, P), (Y * P).sum(), rtol=1e-5)


# What can't be recorded


def branching(y, p):
    if p > 0:
        return p
    return y


def looping(y, p):
    return sum(row for row in p)


def assigning(y, p):
    p[:, 0] = 1.0
    return p


def growing(y, p):
    for _ in range(20_000):
        p = p * 1.5
    return p


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (branching, "Python's if"),
        (looping, "size of a batch is not known"),
        (assigning, "can't be assigned; use ops.where"),
        (growing, "more than 10000 operations"),
        (lambda y, p: float(p), "no Python number"),
        (lambda y, p: math.exp(p), "no Python number"),
        (lambda y, p: range(p), "no Python number"),
        (lambda y, p: p if y is p or p else y, "Python's if"),
        (lambda y, p: np.linalg.svd(p), "np.svd of a symbolic value is not supported"),
        (lambda y, p: np.add.reduce(p), "np.add.reduce of a symbolic value is not supported"),
        (lambda y, p: np.asarray(p), "needs the numbers"),
        (lambda y, p: np.sum(p, where=y > 0), "not supported with these arguments"),
        (lambda y, p: p[p > 0], "shape of the result would depend on values"),
        (lambda y, p: p[:3], "treat all samples of a batch alike"),
        (lambda y, p: p[0], "along the batch axis is not supported"),
        (lambda y, p: len(p), "size of a batch is not known"),
        (lambda y, p: ops.transpose(p), "the batch axis must stay the first one"),
        (lambda y, p: ops.flip(p, 0), "size of a batch is not known"),
        (lambda y, p: ops.sum(p, axis=1) * p, "batch axis stands against"),
        (lambda y, p: p + np.zeros((7, 3)), "batch axis stands against"),
        (lambda y, p: p + np.zeros(2), "do not fit together"),
        (lambda y, p: p.tolist(), "no method 'tolist'"),
        (lambda y, p: ops.sum(p, axis=2), "axis 2 is out of range"),
        (lambda y, p: ops.reshape(p, (7, 3)), "size of a batch is not known yet"),
        (lambda y, p: ops.concatenate([y, p], axis=0), "concatenating along the batch axis"),
        (lambda y, p: ops.einsum("ni,nj,nk->nijk", p, p, p), "one or two arrays"),
        (lambda y, p: ops.arange(ops.shape(p)[0]), "can't be symbolic"),
    ],
)
def test_what_cannot_be_recorded_is_an_error_that_names_the_line(function, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        trace(function, [ROWS, ROWS])
    line = function.__code__.co_firstlineno
    named = re.search(r"\(test_recording.py, line (\d+)\)", str(caught.value))
    assert named, str(caught.value)
    assert line <= int(named[1]) <= line + 4


def test_a_function_must_return_one_array():
    with pytest.raises(TypeError, match="must return one array, got tuple"):
        trace(lambda y, p: (y, p), [ROWS, ROWS])
    with pytest.raises(TypeError, match="must return one array, got NoneType"):
        trace(lambda y, p: None, [ROWS, ROWS])


def test_values_of_two_recordings_do_not_mix():
    kept = []
    trace(lambda y, p: kept.append(p) or p, [ROWS, ROWS])
    with pytest.raises(ValueError, match="different recordings"):
        trace(lambda y, p: p + kept[0], [ROWS, ROWS])


def test_an_argument_out_of_range_is_an_error_on_arrays_too():
    with pytest.raises(ValueError, match="axis 3 is out of range"):
        ops.sum([1.0, 2.0], axis=3)
    with pytest.raises(ValueError, match="do not fit together"):
        ops.add([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="real numbers"):
        ops.exp(["a"])


def test_double_precision_is_computed_in_single_precision():
    assert ops.exp(np.array([1.0])).dtype == np.float32
    assert ops.cast([1, 2], "float64").dtype == np.float32
    assert ops.sum(np.arange(3)).dtype == np.int32
    assert ops.sum([True, True]) == 2


# Random programs

UNARY = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sin": np.sin,
    "square": np.square,
    "abs": np.abs,
    "negative": np.negative,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "sqrt of square": lambda x: np.sqrt(np.square(x) + 1),
}
OF_OPS = {"sqrt of square": lambda x: ops.sqrt(ops.square(x) + 1.0)}
BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


OF_ROWS = {
    "softmax": softmax,
    "sum of rows": lambda x: x.sum(-1, keepdims=True) + 0 * x,
    "mean of columns": lambda x: x.mean(0, keepdims=True) + 0 * x,
    "largest": lambda x: x.max(-1, keepdims=True) + 0 * x,
    "reversed": lambda x: x[:, ::-1],
    "rotated": lambda x: np.roll(x, 1, axis=1),
    "mixed": lambda x: x @ MIXING,
    "cumsum": lambda x: np.cumsum(x, axis=1),
}
MIXING = np.array([[0.5, -0.25, 0.0], [0.25, 0.5, 0.25], [0.0, 0.125, -0.5]])
RECORDED_ROWS = {
    "softmax": ops.softmax,
    "sum of rows": lambda x: ops.sum(x, -1, keepdims=True) + 0 * x,
    "mean of columns": lambda x: ops.mean(x, 0, keepdims=True) + 0 * x,
    "largest": lambda x: ops.max(x, -1, keepdims=True) + 0 * x,
    "reversed": lambda x: x[:, ::-1],
    "rotated": lambda x: ops.roll(x, 1, axis=1),
    "mixed": lambda x: ops.matmul(x, MIXING),
    "cumsum": lambda x: ops.cumsum(x, axis=1),
}
STEP = st.one_of(
    st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 30)),
    st.tuples(st.sampled_from(sorted(OF_ROWS)), st.integers(0, 30)),
    st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 30), st.integers(0, 30)),
)


def computed(steps, y, p, recorded):
    """The last of the values that each step adds to a list; steps refer to values before them."""
    values = [y, p]
    for name, *places in steps:
        operands = [values[place % len(values)] for place in places]
        if name in BINARY:
            value = getattr(ops, name)(*operands) if recorded else BINARY[name](*operands)
        elif name in UNARY:
            value = (OF_OPS.get(name) or getattr(ops, name))(*operands) if recorded else UNARY[name](*operands)
        else:
            value = (RECORDED_ROWS if recorded else OF_ROWS)[name](*operands)
        values.append(ops.clip(value, -3.0, 3.0) if recorded else np.clip(value, -3, 3))
    return values[-1] + 0.5 * values[len(values) // 2]


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 2**16))
def test_random_programs_compute_what_numpy_computes_and_their_derivatives_are_right(steps, samples, seed):
    random = np.random.default_rng(seed)
    y, p, weights, direction = random.normal(size=(4, samples, 3))
    program = trace(lambda y, p: computed(steps, y, p, True), [ROWS, ROWS])
    np.testing.assert_allclose(Executable(program, np.float64)(y, p)[0], computed(steps, y, p, False), rtol=1e-6, atol=1e-6)
    _, gradient = Executable(differentiated(program, (1,), seeded=True), np.float64)(y, p, weights)
    slopes = []
    for step in (-1e-6, 1e-6):  # at a kink, the two differ
        moved = computed(steps, y, p + step * direction, False)
        slopes.append(((moved - computed(steps, y, p, False)) * weights).sum() / step)
    if np.isclose(*slopes, rtol=1e-3, atol=1e-4):
        assert (gradient * direction).sum() == pytest.approx(np.mean(slopes), rel=1e-3, abs=1e-3)
