"""What surrounds an optimizer's step: decay, clipping, averages, accumulation, penalties and bounds, on both engines."""

from dataclasses import replace

import numpy as np
import pytest
from networks import LEARNING_RATES, UPDATES, data_for, fill, objective_for, perceptron, same_bits, state_of, train
from update_options import BOUNDS, OPTIONS, PENALTIES, plan_with

from fastmlp import _core, reference
from fastmlp._engine.spec import Penalty

WHOLE = ("lamb", "adafactor", "muon")
"""Rules whose steps look at all of a parameter."""


def ended(engine, plan, update, name="adam", unfused=False, rows=200, batch_size=32, epochs=2):
    network = fill(engine.Network(plan, 7))
    network.configure(objective_for(plan, "mse"), update)
    network.learning_rate = LEARNING_RATES[name]
    if unfused:
        network.set_unfused(True)
    totals = train(network, data_for(plan, "mse", rows, batch_size, weighted=True), epochs=epochs)
    network.evaluate(data_for(plan, "mse", rows, batch_size), 0, 2, 1e9, totals)
    return [*state_of(network), totals]


def variants():
    """Plans and updates, by name."""
    small = (7, 20, 4)
    found = {option: (plan_with(small), replace(UPDATES["adam"], **given)) for option, given in OPTIONS.items()}
    found |= {f"penalty: {name}": (plan_with(small, penalty), UPDATES["adam"]) for name, penalty in PENALTIES.items()}
    found |= {f"bounds: {name}": (plan_with(small, bounds=bounds), UPDATES["adam"]) for name, bounds in BOUNDS.items()}
    everything = replace(UPDATES["adam"], **OPTIONS["everything"])
    found["all at once"] = (plan_with(small, PENALTIES["all"], BOUNDS["units"]), everything)
    return found


VARIANTS = variants()


@pytest.mark.parametrize("name", VARIANTS)
def test_both_engines_end_with_the_same_numbers(name):
    native, expected = (ended(engine, *VARIANTS[name]) for engine in (_core, reference))
    plain = ended(_core, plan_with((7, 20, 4)), UPDATES["adam"])
    for a, b in zip(native, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(native[-1], expected[-1], rtol=1e-5)
    if name != "average":
        assert not np.allclose(native[0], plain[0], rtol=1e-3), "it does nothing"


@pytest.mark.parametrize("name", VARIANTS)
def test_updating_apart_from_the_gradient_changes_no_bit(name):
    assert same_bits(ended(_core, *VARIANTS[name]), ended(_core, *VARIANTS[name], unfused=True))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(
    "update",
    ["momentum", "rmsprop_centered_momentum", "amsgrad", "nadam", "adagrad", "lion", "ftrl", "schedule_free", "lamb", "adafactor", "muon"],
)
def test_other_rules_have_the_same_options(update, option):
    rule = replace(UPDATES[update], **OPTIONS[option])
    native, expected = (ended(engine, plan_with((7, 20, 4)), rule, update) for engine in (_core, reference))
    for a, b in zip(native, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-3, atol=2e-4)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("penalty", ["l1 and l2", "all", "columns"])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_number_of_threads_changes_no_bit(threads, penalty, bounds, count):
    plan = plan_with((150, 210, 37), PENALTIES[penalty], BOUNDS[bounds])
    update = replace(UPDATES["nadam"], **OPTIONS["everything"])
    threads(1)
    alone = ended(_core, plan, update, rows=240, batch_size=120)
    threads(count)
    assert same_bits(alone, ended(_core, plan, update, rows=240, batch_size=120))


@pytest.mark.parametrize("update", WHOLE)
@pytest.mark.parametrize("count", [2, 3])
def test_rules_that_look_at_whole_parameters_give_the_same_bits_for_any_threads(threads, update, count):
    plan = plan_with((150, 210, 37), PENALTIES["l1 and l2"])
    for rule in (UPDATES[update], replace(UPDATES[update], **OPTIONS["everything"])):
        threads(1)
        alone = ended(_core, plan, rule, update, rows=240, batch_size=120)
        threads(count)
        assert same_bits(alone, ended(_core, plan, rule, update, rows=240, batch_size=120))


@pytest.mark.parametrize("update", WHOLE)
def test_rules_that_look_at_whole_parameters_leave_frozen_ones_alone(update):
    plan = perceptron((7, 20, 4), "tanh", "linear")
    frozen = replace(plan, parameters=tuple(replace(one, trainable=i != 2) for i, one in enumerate(plan.parameters)))
    native, expected = (ended(engine, frozen, UPDATES[update], update) for engine in (_core, reference))
    for a, b in zip(native, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
    assert same_bits(native[2], fill(_core.Network(frozen, 7)).get_parameter(2))


def test_a_step_of_lamb_is_in_proportion_to_the_parameter():
    plan = perceptron((7, 20, 4), "tanh", "linear")
    network = fill(_core.Network(plan, 7))
    network.configure(objective_for(plan, "mse"), UPDATES["lamb"])
    network.learning_rate = 0.02
    before = [network.get_parameter(i) for i in range(4)]
    train(network, data_for(plan, "mse", 32, 32))
    for i, old in enumerate(before):
        assert np.linalg.norm(network.get_parameter(i) - old) == pytest.approx(0.02 * np.linalg.norm(old), rel=1e-5)


@pytest.mark.parametrize("engine", [_core, reference])
@pytest.mark.parametrize("widths", [(7, 20, 4), (40, 9, 17), (16, 16, 1), (1, 33, 2)])
def test_steps_of_muon_are_nearly_orthogonal(engine, widths):
    plan = perceptron(widths, "tanh", "linear")
    network = fill(engine.Network(plan, 7))
    network.configure(objective_for(plan, "mse"), replace(UPDATES["muon"], rms_rate=None, newton_steps=9))
    network.learning_rate = 0.125
    before = [network.get_parameter(i) for i in (0, 2)]
    train(network, data_for(plan, "mse", 256, 256))
    for i, old in zip((0, 2), before, strict=True):
        values = np.linalg.svd((old - network.get_parameter(i)) / 0.125, compute_uv=False)
        assert 0.3 < values.min() <= values.max() < 1.3
        assert network.slot_shape("velocity", i) == (0,)


@pytest.mark.parametrize("engine", [_core, reference])
def test_what_muon_takes_as_no_matrix_moves_by_adam(engine):
    plan = perceptron((7, 20, 4), "tanh", "linear")
    muon = replace(UPDATES["muon"], matrices=(), vector_rate=1.0, vector_decay=0.3, weight_decay=0.9)
    assert same_bits(ended(engine, plan, muon), ended(engine, plan, replace(UPDATES["adam"], weight_decay=0.3)))


@pytest.mark.parametrize("engine", [_core, reference])
def test_slots_of_rows_and_columns_have_shapes_of_their_own(engine):
    plan = perceptron((7, 20, 4), "tanh", "linear")
    network = fill(engine.Network(plan, 7))
    network.configure(objective_for(plan, "mse"), UPDATES["adafactor"])
    network.learning_rate = 0.02
    shapes = {name: [network.slot_shape(name, index) for index in range(4)] for name in network.slot_names}
    assert shapes == {"row": [(7,), (0,), (20,), (0,)], "column": [(20,), (0,), (4,), (0,)], "velocity": [(7, 20), (20,), (20, 4), (4,)]}
    train(network, data_for(plan, "mse", 32, 32))
    slots = {name: [network.get_slot(name, index) for index in range(4)] for name in shapes}
    assert {name: [one.shape for one in values] for name, values in slots.items()} == shapes
    row, column = slots["row"][0], slots["column"][0]
    np.testing.assert_allclose(slots["velocity"][0], np.outer(row / row.mean(), column), rtol=1e-5)
    for name, values in slots.items():
        for index, value in enumerate(values):
            network.set_slot(name, index, 2 * value)
            assert same_bits(network.get_slot(name, index), 2 * value)
    with pytest.raises(ValueError, match="shape"):
        network.set_slot("row", 0, np.zeros(8, np.float32))
    with pytest.raises(ValueError, match="shape"):
        network.set_slot("column", 1, np.zeros(1, np.float32))


@pytest.mark.parametrize("engine", [_core, reference])
def test_lamb_moves_what_is_zero(engine):
    plan = perceptron((7, 20, 4), "tanh", "linear")
    network = fill(engine.Network(plan, 7))
    network.set_parameter(3, np.zeros(4, np.float32))
    network.configure(objective_for(plan, "mse"), UPDATES["lamb"])
    network.learning_rate = 0.02
    train(network, data_for(plan, "mse", 32, 32))
    np.testing.assert_allclose(np.abs(network.get_parameter(3)), 0.02, rtol=1e-3)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_gradients_hold_the_penalty_s(penalty):
    plan = plan_with((9, 33, 5), PENALTIES[penalty])
    batches = data_for(plan, "mse", 20, 20)
    results = []
    for engine in (_core, reference):
        network = fill(engine.Network(plan, 7))
        network.configure(objective_for(plan, "mse"), UPDATES["sgd"])
        results.append(network.gradients(batches))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("columns", [False, True])
def test_many_vectors_are_made_orthogonal_in_parts(columns):
    """More of them than have room at a time."""
    shape = (3, 1700) if columns else (1700, 3)
    plan = plan_with((*shape, 2), Penalty(orthogonal=1.0, columns=columns))
    results = []
    for engine in (_core, reference):
        network = fill(engine.Network(plan, 7))
        network.configure(objective_for(plan, "mse"), UPDATES["sgd"])
        results.append(network.gradients(data_for(plan, "mse", 4, 4)))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=5e-6)  # a cosine near zero may have either sign


def test_a_penalty_s_gradient_is_its_slope():
    plan = plan_with((4, 6, 3), Penalty(0.1, 0.2, 0.7))
    rng = np.random.default_rng(0)
    network = fill(reference.Network(plan, 7, dtype=np.float64))
    network.configure(objective_for(plan, "mse"), UPDATES["sgd"])
    batches = data_for(plan, "mse", 8, 8)
    direction = [rng.normal(size=one.shape) for one in plan.parameters]
    start = [network.get_parameter(i) for i in range(4)]
    slope = sum(float((g * d).sum()) for g, d in zip(network.gradients(batches)[1], direction, strict=True))
    values = []
    for step in (1e-6, -1e-6):
        for i in range(4):
            network.set_parameter(i, start[i] + step * direction[i])
        values.append(network.gradients(batches)[0])
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("name", ["decay", "clipnorm", "average", "accumulation", "penalty: l2", "bounds: units"])
def test_sparse_input_takes_the_same_steps(name):
    plan, update = VARIANTS[name]
    batches = data_for(plan, "mse", 60, 12)
    batches.x[np.random.default_rng(1).random(batches.x.shape) < 0.8] = 0
    outcomes = []
    for skip_below in (0.0, 2.0):
        network = fill(_core.Network(plan, 7))
        network.configure(objective_for(plan, "mse"), update)
        network.set_skip_below(skip_below)
        train(network, batches, epochs=2)
        outcomes.append(state_of(network))
    assert same_bits(*outcomes)


@pytest.mark.parametrize("engine", [_core, reference])
def test_nadam_goes_on_from_any_iteration(engine):
    plan = perceptron((5, 8, 2), "tanh", "linear")
    batches = data_for(plan, "mse", 40, 8)
    straight, resumed = (fill(engine.Network(plan, 7)) for _ in range(2))
    for network in (straight, resumed):
        network.configure(objective_for(plan, "mse"), UPDATES["nadam"])
        network.learning_rate = 0.01
    train(straight, batches, epochs=2)
    for i, value in enumerate(state_of(straight)[:4]):
        resumed.set_parameter(i, value)
    for name in straight.slot_names:
        for i in range(4):
            resumed.set_slot(name, i, straight.get_slot(name, i))
    resumed.iterations = straight.iterations
    train(straight, batches)
    train(resumed, batches)
    assert same_bits(state_of(straight), state_of(resumed))


@pytest.mark.parametrize("engine", [_core, reference])
@pytest.mark.parametrize("update", ["adagrad", "ftrl"])
def test_sums_of_squares_begin_with_what_they_are_told(engine, update):
    plan = perceptron((5, 8, 2))
    network = engine.Network(plan)
    network.configure(objective_for(plan, "mse"), replace(UPDATES[update], initial_accumulator=0.25))
    assert (network.get_slot("accumulator", 0) == 0.25).all()


@pytest.mark.parametrize("engine", [_core, reference])
def test_what_begins_as_the_parameters_is_theirs_when_training_begins(engine):
    plan = perceptron((5, 8, 2), "tanh", "linear")
    batches = data_for(plan, "mse", 16, 8)
    early, late = (engine.Network(plan, 7) for _ in range(2))
    fill(late)
    for network in (early, late):
        network.configure(objective_for(plan, "mse"), UPDATES["schedule_free"])
        network.learning_rate = 0.01
    early.evaluate(batches, 0, 2, 1e9, np.zeros(2))
    fill(early)
    for network in (early, late):
        train(network, batches)
    assert same_bits(state_of(early), state_of(late))


@pytest.mark.parametrize("engine", [_core, reference])
def test_schedule_free_weights_lie_between_the_steps_and_their_mean(engine):
    plan = perceptron((5, 8, 2), "tanh", "linear")
    batches = data_for(plan, "mse", 40, 40)
    network = fill(engine.Network(plan, 7))
    network.configure(objective_for(plan, "mse"), replace(UPDATES["schedule_free"], beta_1=0.7))
    network.learning_rate = 0.01
    visited = []
    for _ in range(6):
        train(network, batches)
        visited.append(network.get_slot("momentum", 0))
    expected = 0.3 * visited[-1] + 0.7 * np.mean(visited, axis=0)
    np.testing.assert_allclose(network.get_parameter(0), expected, rtol=1e-5, atol=1e-6)
