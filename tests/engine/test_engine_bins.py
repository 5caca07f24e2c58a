"""Vectors of numbers in bins, in the engines: what they are, gradients, threads, and plans that are refused."""

import numpy as np
import pytest
from networks import configured, fill, objective_for, same_bits, state_of, train

from fastmlp import _core, reference
from fastmlp._engine.spec import Batches, Node, Parameter, Plan

ENGINES = (_core, reference)
both = pytest.mark.parametrize("engine", ENGINES, ids=["native", "reference"])
EDGES = ((0.0, 1.0, 3.0), (), (-1e30, 0.5, 1e30), (2.0, 4.0), tuple(np.linspace(-3, 3, 34).tolist()))
ROWS = sum(map(len, EDGES))
USED = sum(map(bool, EDGES))


def embedding(edges=EDGES, dim=3, rows=None, outputs=None):
    """The embedding alone."""
    rows = sum(map(len, edges)) if rows is None else rows
    outputs = sum(map(bool, edges)) * dim if outputs is None else outputs
    node = Node("piecewise_linear_embedding", (0,), 1, (0,), roles=("embeddings",), edges=edges)
    return Plan((len(edges), outputs), (node,), (Parameter("embeddings", (rows, dim)),), 1)


def before_dense(dim):
    nodes = (*embedding(dim=dim).nodes, Node("activation", (1,), 2, activation="relu"), Node("dense", (2,), 3, (1, 2)))
    parameters = Parameter("embeddings", (ROWS, dim)), Parameter("kernel", (USED * dim, 2)), Parameter("bias", (2,))
    return Plan((len(EDGES), USED * dim, USED * dim, 2), nodes, parameters, 3)


def numbers(rows, seed=0):
    """Numbers in and beyond the bins, on edges, and missing ones."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 2, (rows, len(EDGES))).astype(np.float32)
    odd = rng.random(x.shape)
    x[odd < 0.3] = rng.choice(np.array([0.0, -0.0, 1.0, 3.0, 0.5, 4.0, np.nan, np.inf, -np.inf, 3e38], np.float32), int((odd < 0.3).sum()))
    return x


def samples(rows, batch_size):
    rng = np.random.default_rng(2)
    return Batches(numbers(rows), rng.normal(size=(rows, 2)).astype(np.float32), None, rng.permutation(rows).astype(np.uint32), batch_size)


@both
def test_a_number_becomes_its_bias_plus_its_encoding_times_its_rows(engine):
    network = engine.Network(embedding(((0.0, 1.0, 3.0),), 2))
    network.set_parameter(0, np.array([[0.5, 0], [1, 10], [2, 100]], np.float32))
    x = np.array([[-5.0], [-0.5], [0.5], [1.0], [2.0], [3.0], [4.0], [99.0], [np.nan]], np.float32)
    encodings = np.array([[-1, 0], [-0.5, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [1, 1.5], [1, 2], [0, 0]])
    np.testing.assert_allclose(network.predict(x), [0.5, 0] + encodings @ [[1, 10], [2, 100]], rtol=1e-6)


@both
@pytest.mark.parametrize("dim", [1, 5, 16, 37])
def test_the_embedding_is_a_dense_layer_on_the_encoding_of_each_column(engine, dim):
    network = fill(engine.Network(embedding(dim=dim)))
    table = network.get_parameter(0)
    x = numbers(200)
    encoding = reference.Network(Plan((len(EDGES), ROWS - USED), (Node("piecewise_linear", (0,), 1, edges=EDGES),), (), 1)).predict(x)
    expected, row, column = [], 0, 0
    for bins in (len(edges) - 1 for edges in EDGES if edges):
        expected.append(table[row] + encoding[:, column : column + bins].astype(np.float64) @ table[row + 1 : row + 1 + bins])
        row, column = row + 1 + bins, column + bins
    np.testing.assert_allclose(network.predict(x), np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dim", [1, 8, 37])
def test_engines_train_alike(dim):
    plan = before_dense(dim)
    networks = [configured(engine, plan, objective_for(plan, "mse")) for engine in ENGINES]
    gradients = [network.gradients(samples(70, 70))[1] for network in networks]
    for left, right in zip(*gradients, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    totals = [train(network, samples(90, 16), epochs=3) for network in networks]
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-4)


def test_the_number_of_threads_changes_no_bit(threads):
    plan = before_dense(8)
    batches = samples(900, 300)
    states = []
    for count in (1, 2, 7):
        threads(count)
        network = configured(_core, plan, objective_for(plan, "mse"))
        train(network, batches, epochs=2)
        states.append([*state_of(network), network.predict(batches.x)])
    assert all(same_bits(states[0], state) for state in states[1:])


def test_rows_are_embedded_alike_together_or_one_by_one():
    network = fill(_core.Network(before_dense(8)))
    x = numbers(50)
    np.testing.assert_array_equal(network.predict(x), np.concatenate([network(row) for row in x]))


@pytest.mark.parametrize(
    "plan",
    [
        embedding(rows=ROWS + 1),
        embedding(rows=ROWS - 1),
        embedding(outputs=USED * 3 + 1),
        embedding(outputs=USED * 4),
        embedding(((),), rows=1, outputs=3),
        embedding(((1.0, 0.0),)),
        embedding((tuple(map(float, range(257))),)),
    ],
    ids=["a row too many", "a row too few", "no multiple", "another width", "no edges", "descending edges", "too many bins"],
)
def test_the_native_engine_refuses_tables_that_do_not_fit_the_edges(plan):
    with pytest.raises(ValueError, match="does not fit"):
        _core.Network(plan)


def test_a_column_may_have_255_bins():
    network = fill(_core.Network(embedding((tuple(map(float, range(256))),))))
    x = np.linspace(-3, 270, 100, dtype=np.float32)[:, None]
    expected = fill(reference.Network(embedding((tuple(map(float, range(256))),)))).predict(x)
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-4, atol=1e-4)
