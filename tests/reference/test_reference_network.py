"""The reference engine's network: predicting, minibatches and their accounting, what it refuses."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastmlp._engine.spec import Batches, Metric, Node, Objective, Parameter, Plan, Update
from fastmlp.errors import NonFiniteLossError
from fastmlp.reference import Network, shuffle
from fastmlp.reference import network as network_module
from fastmlp.reference.optimizers import OPTIMIZERS

LINE = Plan(
    widths=(2, 1),
    nodes=(Node("dense", (0,), 1, (0, 1)),),
    parameters=(Parameter("kernel", (2, 1)), Parameter("bias", (1,))),
    output=1,
)
"""p = x · kernel + bias."""

ENDLESS = 1e9
SQUARED_ERROR = Objective("mean_squared_error", source=1)


def line(kernel=(1.0, 2.0), bias=0.5, objective=SQUARED_ERROR, update=None, dtype=np.float32):
    network = Network(LINE, dtype=dtype)
    network.set_parameter(0, np.array(kernel, np.float32)[:, None])
    network.set_parameter(1, np.array([bias], np.float32))
    network.configure(objective, update or Update("sgd"))
    network.learning_rate = 0.01
    return network


def data(rows=10, batch_size=4, weight=None, order=None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2)).astype(np.float32)
    y = rng.normal(size=(rows, 1)).astype(np.float32)
    return Batches(x, y, weight, order, batch_size)


def dropping(rate=0.5, width=200, seed=0):
    """A network that is dropout alone."""
    return Network(Plan((width, width), (Node("dropout", (0,), 1, rate=rate),), (), output=1), seed)


def parameters_of(network):
    return [network.get_parameter(i) for i in range(len(network.plan.parameters))]


def assert_same_parameters(network, expected):
    for parameter, value in zip(parameters_of(network), expected, strict=True):
        assert np.array_equal(parameter, value)


# Predicting


def test_predict_runs_the_nodes():
    predictions = line().predict(np.array([[1, 1], [0, 10]], np.float32))
    assert predictions.dtype == np.float32
    assert predictions.tolist() == [[3.5], [20.5]]


def test_predict_writes_to_out():
    out = np.empty((2, 1), np.float32)
    assert line().predict(np.ones((2, 2), np.float32), out) is out
    assert out.tolist() == [[3.5], [3.5]]


def test_predict_takes_no_rows():
    assert line().predict(np.empty((0, 2), np.float32)).shape == (0, 1)


def test_predict_takes_bytes_as_numbers():
    assert line().predict(np.array([[255, 1]], np.uint8)).tolist() == [[257.5]]


def test_predict_takes_more_rows_than_a_block():
    x = np.arange(2 * 2500, dtype=np.float32).reshape(2500, 2)
    assert np.array_equal(line().predict(x), x @ np.array([[1], [2]], np.float32) + np.float32(0.5))


@pytest.mark.parametrize("x", [[1, 1], [[1, 1]], np.ones(2), np.ones((1, 2), np.int64)], ids=["list", "rows", "float64", "int64"])
def test_a_call_takes_one_row_or_many(x):
    predictions = line()(x)
    assert predictions.dtype == np.float32
    assert predictions.tolist() == [[3.5]]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((5, 3)), "x has 3 columns, but the first layer expects 2"),
        (np.zeros(3), "x has 3 columns, but the first layer expects 2"),
        (np.zeros((5, 2, 1)), r"x has shape \(5, 2, 1\), but \(rows, 2\) is expected"),
        (np.float32(1), r"x has shape \(\), but \(rows, 2\) is expected"),
    ],
)
def test_x_of_another_shape_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        line()(x)


def test_x_that_is_not_numbers_is_refused():
    with pytest.raises(TypeError, match="x has dtype <U1, but numbers are expected"):
        line()([["1", "2"]])


def test_softmax_gives_probabilities():
    plan = Plan((3, 3), (Node("activation", (0,), 1, activation="softmax"),), (), output=1)
    p = Network(plan)(np.log([[1, 2, 5], [3, 3, 2]]))
    assert p == pytest.approx(np.array([[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]]))


# Dropout


def test_dropout_drops_and_scales_while_training():
    dropped = dropping(rate=0.2).apply(np.ones((50, 200)), training=True)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1.25)}
    assert dropped.mean() == pytest.approx(1, abs=0.02)


def test_dropout_does_nothing_when_predicting():
    x = np.ones((5, 200), np.float32)
    assert np.array_equal(dropping().predict(x), x)
    assert np.array_equal(dropping()(x), x)
    assert np.array_equal(dropping().apply(x, training=False), x)


def test_predictions_are_never_the_callers_own_array():
    x = np.ones((5, 200), np.float32)
    assert not np.shares_memory(dropping()(x), x)
    assert not np.shares_memory(dropping().predict(x), x)


def test_dropout_drops_others_after_an_update_and_with_another_seed():
    x, network = np.ones((5, 200), np.float32), dropping()
    first = network.apply(x, training=True)
    assert np.array_equal(network.apply(x, training=True), first)
    network.iterations = 1
    assert not np.array_equal(network.apply(x, training=True), first)
    network.iterations, network.seed = 0, 1
    assert not np.array_equal(network.apply(x, training=True), first)


def test_dropout_is_on_in_train_and_off_in_evaluate():
    network = dropping(rate=0.5, width=1)
    network.configure(SQUARED_ERROR, Update("sgd"))
    batches = Batches(np.ones((1000, 1), np.float32), np.ones((1000, 1), np.float32), None, None, 1000)
    training, evaluating = np.zeros(2), np.zeros(2)
    network.train(batches, 0, 1, ENDLESS, training)
    network.evaluate(batches, 0, 1, ENDLESS, evaluating)
    assert training.tolist() == [1000, 1000]  # each prediction is 0 or 2: off by one either way
    assert evaluating.tolist() == [0, 1000]


# Minibatches


def test_totals_weigh_each_minibatch_by_its_rows():
    network, batches, totals = line(), data(rows=10, batch_size=4), np.zeros(2)
    assert network.evaluate(batches, 0, 3, ENDLESS, totals) == 3
    errors = (network.predict(batches.x) - batches.y) ** 2
    assert totals == pytest.approx([errors.sum(), 10], rel=1e-6)


def test_totals_are_added_to():
    network, batches = line(), data()
    once, twice = np.zeros(2), np.zeros(2)
    network.evaluate(batches, 0, 3, ENDLESS, once)
    network.evaluate(batches, 0, 3, ENDLESS, twice)
    network.evaluate(batches, 0, 3, ENDLESS, twice)
    assert np.array_equal(twice, 2 * once)


def test_the_loss_is_divided_by_rows_and_not_by_weights():
    weight = np.linspace(0, 3, 10, dtype=np.float32)
    network, totals = line(), np.zeros(2)
    batches = data(weight=weight)
    network.evaluate(batches, 0, 3, ENDLESS, totals)
    errors = (network.predict(batches.x) - batches.y)[:, 0] ** 2
    assert totals == pytest.approx([(weight * errors).sum(), 10], rel=1e-6)


def test_a_weighted_metric_uses_the_weights_and_an_unweighted_one_does_not():
    weight = np.linspace(0, 3, 10, dtype=np.float32)
    metrics = (Metric("mean_absolute_error"), Metric("mean_absolute_error", weighted=True))
    network = line(objective=Objective("mean_squared_error", source=1, metrics=metrics))
    batches, totals = data(weight=weight), np.zeros(6)
    network.evaluate(batches, 0, 3, ENDLESS, totals)
    errors = np.abs(network.predict(batches.x) - batches.y)[:, 0]
    assert totals[2:] == pytest.approx([errors.sum(), 10, (weight * errors).sum(), weight.sum()], rel=1e-6)


def test_metrics_read_probabilities_when_the_loss_reads_logits():
    plan = Plan(
        widths=(2, 1, 1),
        nodes=(*LINE.nodes, Node("activation", (1,), 2, activation="sigmoid")),
        parameters=LINE.parameters,
        output=2,
    )
    network = Network(plan)
    network.set_parameter(0, np.ones((2, 1), np.float32))
    metrics = (Metric("binary_accuracy", threshold=0.7), Metric("binary_crossentropy"))
    network.configure(Objective("binary_crossentropy", source=1, from_logits=True, metrics=metrics), Update("sgd"))
    x = np.array([[0.6, 0], [1, 0]], np.float32)  # sigmoid: .65, .73
    totals = np.zeros(6)
    network.evaluate(Batches(x, np.ones((2, 1), np.float32), None, None, 2), 0, 1, ENDLESS, totals)
    assert totals[2:4].tolist() == [1, 2]
    assert totals[4] == pytest.approx(totals[0], rel=1e-6)


def test_training_follows_the_order():
    order = np.empty(10, np.uint32)
    shuffle(1, 2, order)
    shuffled, sorted_before = line(), line()
    batches = data(order=order)
    shuffled.train(batches, 0, 3, ENDLESS, np.zeros(2))
    sorted_before.train(Batches(batches.x[order], batches.y[order], None, None, 4), 0, 3, ENDLESS, np.zeros(2))
    assert_same_parameters(shuffled, parameters_of(sorted_before))


def test_weights_follow_the_order():
    weight, order = np.arange(10, dtype=np.float32), np.arange(9, -1, -1, dtype=np.uint32)
    totals, expected = np.zeros(2), np.zeros(2)
    batches = data(weight=weight, order=order)
    line().evaluate(batches, 0, 1, ENDLESS, totals)
    line().evaluate(Batches(batches.x[order], batches.y[order], weight[order], None, 4), 0, 1, ENDLESS, expected)
    assert np.array_equal(totals, expected)


def test_training_in_pieces_is_training_in_one_go():
    whole, pieces, batches = line(update=Update("adam")), line(update=Update("adam")), data()
    totals, totals_of_pieces = np.zeros(2), np.zeros(2)
    whole.train(batches, 0, 3, ENDLESS, totals)
    assert pieces.train(batches, 0, 2, ENDLESS, totals_of_pieces) == 2
    assert pieces.train(batches, 2, 3, ENDLESS, totals_of_pieces) == 3
    assert_same_parameters(pieces, parameters_of(whole))
    assert np.array_equal(totals, totals_of_pieces)
    assert whole.iterations == pieces.iterations == 3


@pytest.mark.parametrize("method", ["train", "evaluate"])
def test_one_minibatch_is_done_even_without_time(method):
    totals = np.zeros(2)
    assert getattr(line(), method)(data(), 1, 3, 0.0, totals) == 2
    assert totals[1] == 4


@pytest.mark.parametrize("method", ["train", "evaluate"])
def test_work_stops_after_a_minibatch_once_time_is_up(method, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(network_module, "perf_counter", lambda: next(clock))
    assert getattr(line(), method)(data(rows=100, batch_size=1), 0, 100, 7.0, np.zeros(2)) == 7


def test_no_minibatch_is_done_in_an_empty_range():
    network, totals = line(), np.zeros(2)
    assert network.train(data(), 3, 3, ENDLESS, totals) == 3
    assert totals.tolist() == [0, 0]
    assert network.iterations == 0


def test_training_reports_the_loss_before_each_update():
    network, batches = line(), data(batch_size=10)
    before, reported = np.zeros(2), np.zeros(2)
    network.evaluate(batches, 0, 1, ENDLESS, before)
    network.train(batches, 0, 1, ENDLESS, reported)
    assert np.array_equal(reported, before)


def test_evaluate_and_gradients_move_nothing():
    network = line(update=Update("adam"))
    before = parameters_of(network)
    network.evaluate(data(), 0, 3, ENDLESS, np.zeros(2))
    network.gradients(data())
    assert_same_parameters(network, before)
    assert network.iterations == 0
    assert not network.get_slot("momentum", 0).any()


def test_train_follows_the_gradients():
    network, batches = line(), data()
    before = parameters_of(network)
    loss, gradients = network.gradients(batches)
    totals = np.zeros(2)
    network.train(batches, 0, 1, ENDLESS, totals)
    assert totals[0] == loss * 4
    assert_same_parameters(network, [w - np.float32(0.01) * g for w, g in zip(before, gradients, strict=True)])


def test_bytes_train_like_the_numbers_they_stand_for():
    x = np.random.default_rng(0).integers(0, 256, (10, 2), dtype=np.uint8)
    as_bytes, as_floats = line(), line()
    as_bytes.learning_rate = as_floats.learning_rate = 1e-6
    as_bytes.train(Batches(x, data().y, None, None, 4), 0, 3, ENDLESS, np.zeros(2))
    as_floats.train(Batches(x.astype(np.float32), data().y, None, None, 4), 0, 3, ENDLESS, np.zeros(2))
    assert_same_parameters(as_bytes, parameters_of(as_floats))


def test_a_float64_network_is_float64_throughout():
    network = line(update=Update("adam"), dtype=np.float64)
    network.train(data(), 0, 3, ENDLESS, np.zeros(2))
    _, gradients = network.gradients(data())
    arrays = [*parameters_of(network), *gradients, network([1, 1]), network.get_slot("velocity", 0)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


def test_a_line_is_learnt():
    network, batches = line(kernel=(0, 0), bias=0, update=Update("adam")), data(rows=64, batch_size=16)
    network.learning_rate = 0.05
    y = batches.x @ np.array([[3], [-2]], np.float32) + 1
    for _ in range(100):
        network.train(Batches(batches.x, y, None, None, 16), 0, 4, ENDLESS, np.zeros(2))
    assert np.concatenate([network.get_parameter(0)[:, 0], network.get_parameter(1)]) == pytest.approx([3, -2, 1], abs=1e-2)


# When something goes wrong


def test_a_loss_that_is_not_finite_stops_training_before_the_update():
    network, batches, totals = line(), data(), np.zeros(2)
    batches.x[5] = np.nan  # in the second minibatch
    expected = line()
    expected.train(batches, 0, 1, ENDLESS, np.zeros(2))
    with pytest.raises(NonFiniteLossError) as caught:
        network.train(batches, 0, 3, ENDLESS, totals)
    assert caught.value.batch == 1
    assert_same_parameters(network, parameters_of(expected))
    assert network.iterations == 1
    assert totals[1] == 4
    assert np.isfinite(totals).all()


@pytest.mark.filterwarnings("error")
def test_a_loss_that_overflows_raises_without_a_warning():
    network = line()
    batches = data()
    batches.x[:] = 1e30
    with pytest.raises(NonFiniteLossError):
        network.train(batches, 0, 3, ENDLESS, np.zeros(2))


def test_evaluate_reports_a_loss_that_is_not_finite():
    batches, totals = data(), np.zeros(2)
    batches.x[5] = np.nan
    assert line().evaluate(batches, 0, 3, ENDLESS, totals) == 3
    assert np.isnan(totals[0])


def test_an_interrupted_update_leaves_the_network_as_it_was_before_the_batch(monkeypatch):
    moved = []

    def step(rule, rate, t, w, g, **slots):
        moved.append(w)
        if len(moved) == 4:  # the second parameter of the second batch
            raise KeyboardInterrupt
        return w - g, {"momentum": g}

    monkeypatch.setitem(OPTIMIZERS, "lion", step)
    network = line(update=Update("lion"))
    network.train(data(), 0, 1, ENDLESS, np.zeros(2))
    before, momentum = parameters_of(network), network.get_slot("momentum", 0)
    with pytest.raises(KeyboardInterrupt):
        network.train(data(), 1, 3, ENDLESS, np.zeros(2))
    assert_same_parameters(network, before)
    assert np.array_equal(network.get_slot("momentum", 0), momentum)
    assert network.iterations == 1


@pytest.mark.parametrize(
    ("method", "arguments"), [("train", (0, 3, ENDLESS, np.zeros(2))), ("evaluate", (0, 3, ENDLESS, np.zeros(2))), ("gradients", ())]
)
def test_learning_needs_an_objective(method, arguments):
    with pytest.raises(RuntimeError, match=rf"no objective yet: call configure\(objective, update\) before {method}"):
        getattr(Network(LINE), method)(data(), *arguments)


def test_configure_starts_the_optimizer_afresh_and_keeps_the_weights():
    network = line(update=Update("adam"))
    network.train(data(), 0, 3, ENDLESS, np.zeros(2))
    weights = parameters_of(network)
    network.configure(SQUARED_ERROR, Update("sgd", momentum=0.9))
    assert_same_parameters(network, weights)
    assert network.iterations == 0
    assert network.slot_names == ("momentum",)
    assert not network.get_slot("momentum", 0).any()


def test_parameters_start_at_zero():
    network = Network(LINE)
    assert [parameter.tolist() for parameter in parameters_of(network)] == [[[0], [0]], [0]]
    assert network.slot_names == ()


def test_parameters_and_slots_are_copied_in_and_out():
    network = line(update=Update("adam"))
    value = np.ones((2, 1), np.float32)
    network.set_parameter(0, value)
    network.set_slot("momentum", 0, value)
    value[:] = 7
    network.get_parameter(0)[:] = 8
    network.get_slot("momentum", 0)[:] = 9
    assert network.get_parameter(0).tolist() == network.get_slot("momentum", 0).tolist() == [[1], [1]]


def test_parameters_and_slots_of_another_shape_are_refused():
    network = line(update=Update("adam"))
    message = r"kernel has shape \(2, 1\), but the given array has shape \(1, 2\)"
    with pytest.raises(ValueError, match=message):
        network.set_parameter(0, np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match=message):
        network.set_slot("velocity", 0, np.zeros((1, 2), np.float32))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: line(update=Update("adam")).get_slot("speed", 0), "unknown slot 'speed': known are momentum, velocity"),
        (lambda: line().get_slot("momentum", 0), "unknown slot 'momentum': known are none"),
        (lambda: line(update=Update("adamm")), "unknown optimizer 'adamm': known are sgd, rmsprop, adam"),
        (lambda: line(objective=Objective("mse", source=1)), "unknown loss 'mse': known are mean_squared_error, "),
        (lambda: line(objective=Objective("mean_squared_error", source=1, metrics=(Metric("acc"),))), "unknown metric 'acc'"),
        (lambda: Network(Plan((1, 1), (Node("conv", (0,), 1),), (), 1)), "unknown op 'conv': known are dense, activation, dropout"),
        (lambda: Network(Plan((1, 1), (Node("activation", (0,), 1, activation="swoosh"),), (), 1)), "unknown activation 'swoosh'"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(action, message):
    with pytest.raises(ValueError, match=message):
        action()


# Threads


def test_another_thread_may_predict_in_the_middle_of_an_update(monkeypatch):
    x, seen = np.ones((1, 2), np.float32), []

    with ThreadPoolExecutor(1) as other_thread:

        def step(rule, rate, t, w, g, **slots):
            seen.append(other_thread.submit(network.predict, x).result(timeout=10).item())
            return w + 1, {}

        monkeypatch.setitem(OPTIMIZERS, "watched", step)
        network = line(kernel=(1, 2), bias=0.5, update=Update("watched"))
        network.train(data(), 0, 2, ENDLESS, np.zeros(2))
    assert seen == [3.5, 3.5, 6.5, 6.5]  # two parameters, two updates: all of an update is seen, or none of it


def test_two_threads_that_train_take_turns():
    network = line()

    def train():
        for _ in range(100):
            network.train(data(), 0, 3, ENDLESS, np.zeros(2))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(train), pool.submit(train)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)
    assert network.iterations == 600
