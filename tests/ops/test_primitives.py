"""Every primitive operation: its derivatives are those of finite differences in float64, and its value keeps its type."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp._program.differentiation import differentiated
from fastmlp._program.interpreter import Executable
from fastmlp._program.program import finished
from fastmlp._program.recording import Recorder, apply
from fastmlp._program.table import OPS
from fastmlp._program.types import Type, type_of

SAMPLES = 5
ROW, COLUMN, VECTOR, CUBE = (-1, 4), (-1, 1), (4,), (-1, 3, 2)

# name: (shapes of inputs, attributes, range of the inputs); several cases as a list
SMOOTH = (-2.0, 2.0)
POSITIVE = (0.3, 2.0)


def _each(names, *cases):
    """The cases of each of these operations."""
    return {name: list(cases) for name in names.split()}


SHAPES = ((ROW, ROW), (ROW, COLUMN), (ROW, VECTOR), (ROW, ()), (COLUMN, VECTOR), (VECTOR, ROW), ((), VECTOR))
CASES = {
    **_each("negative abs square exp expm1 sin cos tan arctan sinh cosh tanh arcsinh erf sigmoid", ((ROW,), {}, SMOOTH)),
    **_each("sqrt log log1p", ((ROW,), {}, POSITIVE)),
    **_each("arcsin arccos arctanh", ((ROW,), {}, (-0.8, 0.8))),
    **_each("arccosh", ((ROW,), {}, (1.2, 3.0))),
    **_each("add subtract multiply maximum minimum", *((shapes, {}, SMOOTH) for shapes in SHAPES)),
    **_each("divide power arctan2 mod", *((shapes, {}, POSITIVE) for shapes in SHAPES)),
    **_each("sum prod max min", *(((CUBE,), {"axes": axes}, SMOOTH) for axes in ((), (0,), (1,), (0, 2), (0, 1, 2)))),
    "where": [(("bool", a, b), {}, SMOOTH) for a in (ROW, COLUMN) for b in (VECTOR, ())],
    "cast": [((ROW,), {"dtype": "float32"}, SMOOTH)],
    "broadcast_to": [((COLUMN,), {"shape": ROW}, SMOOTH), ((VECTOR,), {"shape": ROW}, SMOOTH), (((),), {"shape": CUBE}, SMOOTH)],
    "cumsum": [((CUBE,), {"axis": 1}, SMOOTH), ((VECTOR,), {"axis": 0}, SMOOTH)],
    "matmul": [((ROW, (4, 3)), {}, SMOOTH), ((CUBE, (2, 3)), {}, SMOOTH), ((CUBE, (-1, 2, 4)), {}, SMOOTH), (((2, 3), CUBE), {}, SMOOTH)],
    "reshape": [((CUBE,), {"shape": (-1, 6)}, SMOOTH), ((CUBE,), {"shape": (-6,)}, SMOOTH)],
    "transpose": [((CUBE,), {"axes": (0, 2, 1)}, SMOOTH), (((2, 3, 4),), {"axes": (2, 0, 1)}, SMOOTH)],
    "take": [((CUBE,), {"axis": 1, "indices": (2, 0, 2)}, SMOOTH), ((ROW,), {"axis": 1, "indices": (0, 2)}, SMOOTH)],
    "put": [((CUBE,), {"axis": 1, "indices": (3, 0, 3), "count": 5}, SMOOTH)],
    "concatenate": [((ROW, COLUMN, ROW), {"axis": 1}, SMOOTH)],
    "gather": [((CUBE, "indices"), {}, SMOOTH)],
}
STEPS = set(
    _each(
        "sign floor ceil round floor_divide equal not_equal less less_equal logical_and logical_or logical_not argmax argmin top_k "
        "stop_gradient samples"
    )
)
"""Operations whose derivative is 0."""
rng = np.random.default_rng(3)


def drawn(shape, bounds):
    if shape == "bool":
        return rng.random((SAMPLES, 4)) < 0.5
    if shape == "indices":
        return rng.integers(-1, 3, (SAMPLES, 3, 4)).astype(np.int32)
    return rng.uniform(*bounds, tuple(-size * SAMPLES if size < 0 else size for size in shape))


def type_of_case(shape):
    return (
        {"bool": Type("bool", ROW), "indices": Type("int32", (-1, 3, 4))}.get(shape) if isinstance(shape, str) else Type("float32", shape)
    )


def test_every_operation_has_a_case():
    assert set(OPS) == set(CASES) | STEPS
    assert all(rule is None for name in STEPS for rule in OPS[name].gradients)


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in CASES.items() for case in cases], ids=str)
def test_derivatives_are_those_of_finite_differences(name, case):
    shapes, attributes, bounds = case
    recorder = Recorder([*map(type_of_case, shapes), Type("float32", (-1,))])  # the last one only has the number of samples
    program = finished(recorder, [apply(name, *(recorder.value(number) for number in range(len(shapes))), **attributes)])
    by = [number for number, rule in enumerate((OPS[name].gradients * len(shapes))[: len(shapes)]) if rule is not None]
    gradients = Executable(differentiated(program, by, seeded=True), np.float64)
    values = Executable(program, np.float64)
    arrays = [*(drawn(shape, bounds) for shape in shapes), np.zeros(SAMPLES)]
    (value,) = values(*arrays)
    assert type_of(np.asarray(value)).shape == tuple(
        -size * SAMPLES if size < 0 else size for size in program.types[program.outputs[0]].shape
    )
    seed = rng.normal(size=value.shape)
    found = gradients(*arrays, seed)
    np.testing.assert_array_equal(found[0], value)
    step = 1e-6
    for number, gradient in zip(by, found[1:], strict=True):
        assert gradient.shape == arrays[number].shape
        direction = rng.normal(size=arrays[number].shape)
        ends = []
        for sign in (-1, 1):
            moved = list(arrays)
            moved[number] = arrays[number] + sign * step * direction
            ends.append((values(*moved)[0] * seed).sum())
        assert (ends[1] - ends[0]) / (2 * step) == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-6)


def test_a_product_with_zeros_has_the_derivative_of_the_product_of_the_others():
    recorder = Recorder([Type("float32", ROW)])
    program = finished(recorder, [apply("prod", recorder.value(0), axes=(1,))])
    x = np.array([[2, 0, 3, 4], [0, 0, 3, 4], [1, 2, 3, 4]], np.float32)
    _, gradient = Executable(differentiated(program, (0,)))(x)
    np.testing.assert_array_equal(gradient, [[0, 24, 0, 0], [0, 0, 0, 0], [24, 12, 8, 6]])


def test_equal_maxima_share_the_gradient():
    recorder = Recorder([Type("float32", ROW)])
    program = finished(recorder, [apply("max", recorder.value(0), axes=(1,))])
    _, gradient = Executable(differentiated(program, (0,)))(np.array([[1, 3, 3, 0]], np.float32))
    np.testing.assert_array_equal(gradient, [[0, 0.5, 0.5, 0]])
