"""Encodings of numbers in the engines: robust scaling, missing values, bins in which numbers are interpolated, sines and cosines."""

import numpy as np
import pytest
from networks import configured, fill, objective_for, same_bits, state_of, train

from fastmlp import _core, reference
from fastmlp._engine.spec import Batches, Constant, Node, Parameter, Plan

ENGINES = (_core, reference)
both = pytest.mark.parametrize("engine", ENGINES, ids=["native", "reference"])

EDGES = ((0.0, 1.0, 3.0), (), (-1e30, 0.5, 1e30), (2.0, 4.0), tuple(np.linspace(-3, 3, 34).tolist()))
WIDTH = sum(len(edges) - 1 for edges in EDGES if edges)


def bins(edges=EDGES, width=WIDTH):
    return Plan((len(edges), width), (Node("piecewise_linear", (0,), 1, edges=edges),), (), 1)


def scaling(center, scale, limit=3.0, **fields):
    constants = tuple((role, Constant(values, (len(values),), (len(values),))) for role, values in (("center", center), ("scale", scale)))
    node = Node("robust_scaling", (0,), 1, constants=constants, max_value=limit, **fields)
    return Plan((len(center), len(center)), (node,), (), 1)


def missing(columns, inputs=4):
    return Plan((inputs, len(columns)), (Node("missing", (0,), 1, gathered=columns),), (), 1)


def table(rows, columns=5, seed=0):
    """Numbers in and beyond the bins, on edges, missing ones and infinities."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 2, (rows, columns)).astype(np.float32)
    odd = rng.random(x.shape)
    x[odd < 0.3] = rng.choice(np.array([0.0, -0.0, 1.0, 3.0, 0.5, 4.0, np.nan, np.inf, -np.inf, 3e38], np.float32), int((odd < 0.3).sum()))
    return x


@both
def test_a_number_is_one_in_bins_below_it_zero_in_bins_above_and_its_place_in_its_own(engine):
    network = engine.Network(bins(((0.0, 1.0, 3.0, 4.0),), 3))
    x = np.array([[-5.0], [-0.25], [0.5], [1.0], [2.0], [3.5], [4.5], [9.0], [np.nan]], np.float32)
    expected = [[-1, 0, 0], [-0.25, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 0.5, 0], [1, 1, 0.5], [1, 1, 1.5], [1, 1, 2], [0, 0, 0]]
    np.testing.assert_array_equal(network.predict(x), np.array(expected, np.float32))


@both
def test_a_single_bin_continues_on_both_sides(engine):
    network = engine.Network(bins(((2.0, 4.0),), 1))
    x = np.array([[-9.0], [1.0], [3.0], [7.0], [99.0], [np.nan]], np.float32)
    np.testing.assert_array_equal(network.predict(x)[:, 0], [-1, -0.5, 0.5, 2, 2, 0])


@both
def test_a_column_without_edges_is_left_out(engine):
    x = np.array([[7.0, 0.5, np.nan]], np.float32)
    np.testing.assert_array_equal(engine.Network(bins(((), (0.0, 1.0), ()), 1)).predict(x), [[0.5]])


def test_both_engines_interpolate_with_the_same_bits():
    x = table(700)
    native, expected = (engine.Network(bins()).predict(x) for engine in ENGINES)
    np.testing.assert_array_equal(native, expected)
    assert np.isfinite(native).all()


@both
def test_robust_scaling_is_linear_near_the_center_and_stays_below_its_limit(engine):
    network = engine.Network(scaling((10.0, -1.0), (0.5, 1e30)))
    x = np.array([[10.0, -1.0], [10.002, np.nan], [12.0, -1.0], [-1e38, 3e38], [np.inf, -np.inf]], np.float32)
    near = 0.001
    one = 1 / np.sqrt(1 + 1 / 9)
    np.testing.assert_allclose(network.predict(x), [[0, 0], [near, 0], [one, 0], [-3, 3], [3, -3]], rtol=1e-3)


def test_engines_scale_alike():
    center, scale = np.random.default_rng(1).normal(size=(2, 37))
    plan = scaling(tuple(center.tolist()), tuple(scale.tolist()), 2.5)
    x = table(300, 37)
    native, expected = (engine.Network(plan).predict(x) for engine in ENGINES)
    np.testing.assert_allclose(native, expected, rtol=1e-6, atol=1e-7)
    assert np.abs(native).max() == 2.5


@both
def test_missing_values_become_ones(engine):
    x = np.array([[np.nan, 1.0, np.nan, np.inf], [0.0, np.nan, 2.0, -0.0]], np.float32)
    np.testing.assert_array_equal(engine.Network(missing((2, 0, 3))).predict(x), [[1, 1, 0], [0, 0, 0]])


def encoded_table():
    """Three encodings of the same columns, side by side, before two dense nodes."""
    edges = tuple(tuple(np.linspace(-2, 2, n).tolist()) if n else () for n in (2, 33, 0, 5, 70))
    constants = tuple((role, Constant((0.5,), (1,), (5,))) for role in ("center", "scale"))
    nodes = (
        *(Node("branch", (0,), i) for i in (1, 2, 3)),
        Node("robust_scaling", (1,), 4, constants=constants, max_value=3.0),
        Node("missing", (2,), 5, gathered=(1, 4)),
        Node("piecewise_linear", (3,), 6, edges=edges),
        Node("concatenate", (4, 5), 7),
        Node("concatenate", (7, 6), 8),
        Node("dense", (8,), 9, (0, 1), activation="relu"),
        Node("dense", (9,), 10, (2, 3)),
    )
    shapes = {"0/kernel": (113, 40), "0/bias": (40,), "1/kernel": (40, 3), "1/bias": (3,)}
    return Plan((5, 5, 5, 5, 5, 2, 106, 7, 113, 40, 3), nodes, tuple(Parameter(*item) for item in shapes.items()), 10)


def waves(count=19):
    """Sines and cosines of what a dense node returns, and of the input."""
    shapes = {"0/kernel": (5, 3), "1/coefficients": (3, count), "2/coefficients": (5, 2), "3/kernel": (6 * count + 20, 3)}
    nodes = (
        *(Node("branch", (0,), i) for i in (1, 2)),
        Node("dense", (1,), 3, (0,), activation="tanh"),
        *(Node("periodic", (3 - i,), 4 + i, (1 + i,), roles=("coefficients",)) for i in (0, 1)),
        Node("concatenate", (4, 5), 6),
        Node("dense", (6,), 7, (3,)),
    )
    widths = (5, 5, 5, 3, 6 * count, 20, 6 * count + 20, 3)
    return Plan(widths, nodes, tuple(Parameter(*item) for item in shapes.items()), 7)


def samples(rows, batch_size, x=table):
    rng = np.random.default_rng(2)
    return Batches(x(rows), rng.normal(size=(rows, 3)).astype(np.float32), None, rng.permutation(rows).astype(np.uint32), batch_size)


def plain(rows):
    return np.random.default_rng(3).normal(size=(rows, 5)).astype(np.float32)


every_plan = pytest.mark.parametrize(
    ("plan", "x"), [(encoded_table(), table), (waves(), plain), (waves(1), plain)], ids=["table", "waves", "one_wave"]
)


@every_plan
def test_engines_train_alike_on_encoded_numbers(plan, x):
    networks = [configured(engine, plan, objective_for(plan, "mse")) for engine in ENGINES]
    gradients = [network.gradients(samples(40, 40, x))[1] for network in networks]
    for left, right in zip(*gradients, strict=True):
        assert right.any()
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6 * np.abs(right).max())
    totals = [train(network, samples(90, 16, x), epochs=3) for network in networks]
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-4)


@every_plan
def test_the_number_of_threads_changes_no_bit(threads, plan, x):
    batches = samples(900, 300, x)
    states = []
    for count, unfused in ((1, False), (2, False), (5, True)):
        threads(count)
        network = configured(_core, plan, objective_for(plan, "mse"))
        network.set_unfused(unfused)
        train(network, batches, epochs=2)
        states.append([*state_of(network), network.predict(batches.x)])
    assert all(same_bits(states[0], state) for state in states[1:])


def test_rows_are_encoded_alike_together_or_one_by_one():
    network = fill(_core.Network(encoded_table()))
    x = table(50)
    np.testing.assert_array_equal(network.predict(x), np.concatenate([network(row) for row in x]))


def test_the_network_has_its_own_copies_of_the_edges():
    networks = [_core.Network(bins()) for _ in range(3)]
    x = table(20)
    expected = reference.Network(bins()).predict(x)
    for network in networks:
        np.testing.assert_array_equal(network.predict(x), expected)


@pytest.mark.parametrize(
    "edges",
    [
        ((0.0,),),
        ((1.0, 0.0),),
        ((0.0, 0.0, 1.0),),
        ((0.0, 1e-45),),
        ((0.0, np.inf),),
        ((-np.inf, 0.0),),
        ((0.0, np.nan),),
        ((-3e38, 3e38),),
        ((),),
        ((0.0, 1.0), (0.0, 1.0)),
    ],
)
def test_the_native_engine_refuses_edges_that_make_no_bins(edges):
    with pytest.raises(ValueError, match=r"does not fit|edges for 2 columns"):
        _core.Network(Plan((1, 1), bins(edges).nodes, (), 1))


def test_the_native_engine_refuses_encodings_that_do_not_fit():
    for plan in (bins(width=WIDTH - 1), bins(EDGES[:-1], WIDTH), missing((4,)), missing((-1,))):
        with pytest.raises(ValueError, match=r"does not fit|edges for 4 columns"):
            _core.Network(plan)
    for limit in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="does not fit"):
            _core.Network(scaling((0.0,), (1.0,), limit))
    with pytest.raises(ValueError, match="gathers 2 columns into 3"):
        _core.Network(Plan((2, 3), missing((0, 1)).nodes, (), 1))


@pytest.mark.parametrize("op", ["robust_scaling", "missing", "piecewise_linear"])
def test_encodings_read_nothing_that_is_trained(op):
    encoding = {"robust_scaling": scaling((0.0,), (1.0,)), "missing": missing((0,), 1), "piecewise_linear": bins(((0.0, 1.0),), 1)}[
        op
    ].nodes[0]
    node = Node(op, (1,), 2, constants=encoding.constants, max_value=encoding.max_value, gathered=encoding.gathered, edges=encoding.edges)
    dense, kernel = Node("dense", (0,), 1, (0,)), Parameter("kernel", (1, 1))
    with pytest.raises(ValueError, match="does not fit"):
        _core.Network(Plan((1, 1, 1), (dense, node), (kernel,), 2))
    _core.Network(Plan((1, 1, 1), (dense, node), (Parameter("kernel", (1, 1), trainable=False),), 2))


@pytest.mark.parametrize(("columns", "shape"), [(12, (2, 4)), (13, (2, 3)), (12, (3, 2)), (12, (1, 6))])
def test_the_native_engine_refuses_coefficients_that_do_not_fit(columns, shape):
    node = Node("periodic", (0,), 1, (0,), roles=("coefficients",))
    with pytest.raises(ValueError, match="does not fit"):
        _core.Network(Plan((2, columns), (node,), (Parameter("coefficients", shape),), 1))
    _core.Network(Plan((2, 12), (node,), (Parameter("coefficients", (2, 3)),), 1))
