"""Functions of ``ops`` have the values and gradients of Keras on JAX: on arrays, and recorded and differentiated."""

from __future__ import annotations

import numpy as np
import pytest
from folders import GOLDEN
from golden import ops_programs

from fastmlp import ops
from fastmlp._program.differentiation import differentiated
from fastmlp._program.interpreter import Executable
from fastmlp._program.types import Type
from fastmlp.ops.symbolic import trace

EXPECTED = np.load(GOLDEN / "ops.npz")
TOLERANCES = {"rtol": 2e-5, "atol": 2e-6}
DIFFERENT_DTYPES = {"shape", "ndim", "size", "arange", "integers divided"}
"""Sizes are Python's integers, and operators of integer arrays NumPy's."""


def of_batch(name, array):
    return Type("float32", array.shape if name in ops_programs.WITHOUT_BATCH else (-1, *array.shape[1:]))


@pytest.mark.parametrize("name", ops_programs.PROGRAMS)
def test_on_arrays_a_function_has_the_value_and_the_dtype_of_keras(name):
    arrays, function = ops_programs.PROGRAMS[name]
    value, expected = np.asarray(function(ops, *arrays)), EXPECTED[f"{name}/value"]
    assert value.shape == expected.shape
    assert value.dtype == expected.dtype or name in DIFFERENT_DTYPES
    np.testing.assert_allclose(value, expected, **TOLERANCES)


@pytest.mark.parametrize("name", [name for name in ops_programs.PROGRAMS if name not in ("shape", "ndim", "size")])
def test_recorded_a_function_has_the_value_and_the_gradient_of_keras(name):
    arrays, function = ops_programs.PROGRAMS[name]
    program = trace(lambda *values: function(ops, *values), [of_batch(name, array) for array in arrays])
    np.testing.assert_allclose(Executable(program)(*arrays)[0], EXPECTED[f"{name}/value"], **TOLERANCES)
    if f"{name}/gradient" in EXPECTED:
        weights = ops_programs.direction(EXPECTED[f"{name}/value"].shape)
        gradient = Executable(differentiated(program, (0,), seeded=True))(*arrays, weights)[1]
        np.testing.assert_allclose(gradient, EXPECTED[f"{name}/gradient"], **TOLERANCES)


def test_every_function_is_compared():
    called = set()

    class Listening:
        def __getattr__(self, name):
            called.add(name)
            return getattr(ops, name)

    for arrays, function in ops_programs.PROGRAMS.values():
        function(Listening(), *arrays)
    assert set(ops.__all__) - called <= {"convert_to_numpy", "convert_to_tensor", "is_tensor", "vstack"}
