"""Programs as JSON: what is written is read again, and what is malformed or hostile is an error, quickly."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp import ops
from fastmlp._program import document
from fastmlp._program.differentiation import differentiated
from fastmlp._program.interpreter import Executable
from fastmlp._program.table import OPS
from fastmlp._program.types import Type
from fastmlp.ops.symbolic import trace

ROWS = Type("float32", (-1, 3))


def example(y, p):
    scores = ops.log_softmax(ops.matmul(p, np.eye(3)[:, [2, 0, 1]]) + np.array([np.inf, 0, 0], np.float32) * 0.5)
    hot = ops.one_hot(ops.argmax(y, axis=1), 3)
    return ops.where(ops.any(y > 0, axis=1), -ops.sum(hot * scores, axis=1), ops.mean(ops.take(p, [0, 2, 2], axis=1), axis=1) * 2)


def stored(function=example):
    return json.loads(json.dumps(document.written(trace(function, [ROWS, ROWS])), allow_nan=False))


def test_a_program_survives_json():
    y, p = np.random.default_rng(1).normal(size=(2, 9, 3)).astype(np.float32)
    again = document.read(stored(), 2)
    assert document.written(again) == document.written(trace(example, [ROWS, ROWS]))
    for one, other in zip(
        Executable(differentiated(again, (1,)))(y, p), Executable(differentiated(trace(example, [ROWS, ROWS]), (1,)))(y, p), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def program(*instructions, outputs=None, inputs=(("float32", (-1, 3)),)):
    return {
        "version": 1,
        "inputs": [[dtype, list(shape)] for dtype, shape in inputs],
        "instructions": [list(one) for one in instructions],
        "outputs": [len(inputs) + len(instructions) - 1] if outputs is None else outputs,
    }


def constant(values, dtype="float32", shape=None):
    return ["constant", [], {"dtype": dtype, "shape": [len(values)] if shape is None else shape, "values": values}]


HOSTILE = {
    "no dict": [],
    "no fields": {},
    "more fields": {**program(("exp", [0])), "code": "import os"},
    "newer": {**program(("exp", [0])), "version": 2},
    "version of another type": {**program(("exp", [0])), "version": [1]},
    "no inputs": program(("exp", [0]), inputs=()),
    "too many inputs": program(("exp", [0]), inputs=[("float32", (-1, 3))] * 2),
    "unknown operation": program(("system", [0])),
    "operation of another type": program((["exp"], [0])),
    "reads itself": program(("exp", [1])),
    "reads a later value": program(("exp", [2]), ("exp", [0])),
    "reads a negative value": program(("exp", [-1])),
    "reads a boolean": program(("exp", [True])),
    "reads a float": program(("exp", [0.0])),
    "reads nothing": program(("exp", [])),
    "concatenates nothing": program(("concatenate", [], {"axis": 1})),
    "reads too much": program(("exp", [0, 0])),
    "no output": program(("exp", [0]), outputs=[]),
    "output out of range": program(("exp", [0]), outputs=[2]),
    "many outputs": program(("exp", [0]), outputs=[1] * 10_000),
    "attribute missing": program(("sum", [0])),
    "attribute of another operation": program(("exp", [0], {"axes": [1]})),
    "attributes of another type": program(("sum", [0], [1])),
    "axis out of range": program(("sum", [0], {"axes": [2]})),
    "axis twice": program(("sum", [0], {"axes": [1, 1]})),
    "axis negative": program(("sum", [0], {"axes": [-1]})),
    "axis of another type": program(("sum", [0], {"axes": ["1"]})),
    "axis huge": program(("sum", [0], {"axes": [10**30]})),
    "unknown dtype": program(("cast", [0], {"dtype": "object"})),
    "dtype of another type": program(("cast", [0], {"dtype": ["float32"]})),
    "wrong dtypes": program(("logical_not", [0])),
    "shape that does not fit": program(("reshape", [0], {"shape": [-1, 4]})),
    "shape without batch": program(("reshape", [0], {"shape": [3]})),
    "huge shape": program(("broadcast_to", [0], {"shape": [-1, 10**9, 3]})),
    "huge empty shape": program(("broadcast_to", [0], {"shape": [0, 10**9, 10**9, 3]})),
    "huge batch": program(("exp", [0]), inputs=[("float32", (-(10**12), 3))]),
    "batch in the middle": program(("exp", [0]), inputs=[("float32", (2, -1))]),
    "many axes": program(("reshape", [0], {"shape": [-1, 3, *[1] * 20]})),
    "index out of range": program(("take", [0], {"axis": 1, "indices": [3]})),
    "negative index": program(("take", [0], {"axis": 1, "indices": [-1]})),
    "too few indices": program(("put", [0], {"axis": 1, "indices": [1], "count": 4})),
    "huge count": program(("put", [0], {"axis": 1, "indices": [0, 1, 2], "count": 10**15})),
    "too many of the largest": program(("top_k", [0], {"count": 4})),
    "samples of another shape": program(("samples", [], {"shape": [10**9]})),
    "transposed batch": program(("transpose", [0], {"axes": [1, 0]})),
    "constant without values": program(constant([], shape=[3])),
    "constant of strings": program(constant(["a"])),
    "constant of lists": program(constant([[1.0]])),
    "constant of booleans as floats": program(constant([True])),
    "constant of floats as integers": program(constant([1.5], "int32")),
    "constant of large integers": program(constant([2**31], "int32")),
    "constant of huge floats": program(constant([10**400])),
    "constant of a batch": program(constant([1.0], shape=[-1])),
    "matrices that do not fit": program(constant([1.0] * 4, shape=[2, 2]), ("matmul", [0, 1])),
    "instruction without inputs": program(["exp"]),
    "doubling": program(*[("concatenate", [number, number], {"axis": 1}) for number in range(64)]),
    "much work": program(
        *[("broadcast_to", [0], {"shape": [-1, 1 << 20, 3]}) if not number else ("exp", [number]) for number in range(500)]
    ),
    "many instructions": program(*[("exp", [0])] * 10_001),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_or_hostile_program_is_an_error(name):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"."):
        document.read(HOSTILE[name], 1)
    assert time.perf_counter() - start < 2


NUMBERS = st.one_of(st.integers(-5, 5), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=3))
JSON = st.recursive(
    NUMBERS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["axes", "axis", "shape", "indices", "count", "dtype", "values"]), JSON, max_size=3)
INSTRUCTION = st.one_of(
    JSON,
    st.tuples(st.sampled_from([*OPS, "constant"]), st.lists(st.integers(-1, 5), max_size=3)).map(list),
    st.tuples(st.sampled_from([*OPS, "constant"]), st.lists(st.integers(-1, 5), max_size=3), ATTRIBUTES).map(list),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(INSTRUCTION, max_size=5), st.lists(st.integers(-1, 6), max_size=2))
def test_random_documents_are_programs_or_errors(instructions, outputs):
    try:
        found = document.read({**program(outputs=outputs), "instructions": instructions}, 1)
    except ValueError:
        return
    assert len(Executable(found)(np.ones((2, 3), np.float32))) == len(outputs)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_program_with_one_value_replaced_is_a_program_or_an_error(data):
    changed = stored()
    place = data.draw(st.integers(0, len(changed["instructions"]) - 1))
    part = data.draw(st.integers(0, len(changed["instructions"][place]) - 1))
    changed["instructions"][place][part] = data.draw(
        st.one_of(JSON, st.sampled_from(sorted(OPS)), st.lists(st.integers(-1, 30), max_size=3))
    )
    try:
        found = document.read(changed, 2)
        found = differentiated(found, (1,)) if found.types[found.outputs[0]].dtype == "float32" else found
    except ValueError:
        return
    Executable(found)(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))
