"""Normalisations, PReLU, noise, embeddings and encodings in the engines: agreement, gradients, and the native engine's promises."""

import numpy as np
import pytest
from layer_plans import INPUTS, KINDS, NUMBERS, TABLES, WHOLE, configured, data_for, mse, plan_around, plan_of
from networks import ENDLESS, parameters_of, same_bits, state_of, train
from subprocesses import run

from fastmlp import _core, layers, reference
from fastmlp._engine.spec import Batches, Update

ENGINES = (_core, reference)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_gradients_and_noise_agree(kind):
    plan = plan_around(kind)
    native, expected = (configured(engine, plan) for engine in ENGINES)
    for rows in (1, 2, 16, 37):
        batches = data_for(kind, rows, rows)
        np.testing.assert_allclose(native.predict(batches.x), expected.predict(batches.x), rtol=5e-5, atol=1e-5)
        np.testing.assert_allclose(native.apply(batches.x, True), expected.apply(batches.x, True), rtol=5e-5, atol=2e-5)
        loss, gradients = native.gradients(batches)
        loss_expected, gradients_expected = expected.gradients(batches)
        assert loss == pytest.approx(loss_expected, rel=1e-5)
        scale = max(float(np.abs(gradient).max()) for gradient in gradients_expected)
        for one, other in zip(gradients, gradients_expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=3e-6 * scale)


@pytest.mark.parametrize("update", ["momentum", "rmsprop"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_runs_stay_together(kind, update):
    plan = plan_around(kind)
    batches = data_for(kind, 90, 16)
    networks = [configured(engine, plan, update) for engine in ENGINES]
    totals = [train(network, batches, epochs=3) for network in networks]
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-4)
    x = batches.x[:20]
    np.testing.assert_allclose(networks[0].predict(x), networks[1].predict(x), rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_backpropagation_agrees_with_finite_differences(kind):
    plan = plan_around(kind, units=6)
    network = reference.Network(plan, 7, dtype=np.float64)
    network.configure(mse(plan), Update("sgd"))
    rng = np.random.default_rng(1)
    values = [
        rng.normal(0, 0.3, parameter.shape) if len(parameter.shape) == 2 else rng.uniform(0.3, 1.3, parameter.shape)
        for parameter in plan.parameters
    ]
    batches = data_for(kind, 9, 9, np.float64)

    def gradients_at(distance, direction):
        for i, (value, part) in enumerate(zip(values, direction, strict=True)):
            network.set_parameter(i, value + distance * part)
        return network.gradients(batches)

    for _ in range(3):
        direction = [rng.normal(size=parameter.shape) * parameter.trainable for parameter in plan.parameters]
        _, gradients = gradients_at(0, direction)
        told = sum(float((gradient * part).sum()) for gradient, part in zip(gradients, direction, strict=True))
        measured = (gradients_at(1e-6, direction)[0] - gradients_at(-1e-6, direction)[0]) / 2e-6
        assert abs(told) > 1e-4, "the test needs a slope to measure"
        assert told == pytest.approx(measured, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_and_the_way_of_updating_change_no_bit(threads, kind):
    plan = plan_around(kind, units=200)
    batches = data_for(kind, 400, 200)
    states = []
    for count, unfused in ((1, False), (2, False), (5, False), (3, True)):
        threads(count)
        network = configured(_core, plan)
        network.set_unfused(unfused)
        train(network, batches, epochs=2)
        states.append([*state_of(network), network.predict(batches.x)])
    assert all(same_bits(states[0], state) for state in states[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_predicted_alike_together_or_one_by_one(kind):
    network = configured(_core, plan_around(kind))
    x = data_for(kind, 50, 50).x
    together = network.predict(x)
    assert np.array_equal(together, np.concatenate([network(row) for row in x]))


PROGRAM = """
import hashlib
from layer_plans import KINDS, configured, data_for, plan_around
from networks import state_of, train
from fastmlp import _core
digest = hashlib.sha256()
for kind in KINDS:
    network = configured(_core, plan_around(kind))
    train(network, data_for(kind, 60, 16), epochs=2)
    for array in state_of(network):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bits():
    digests = {run(PROGRAM, FASTMLP_ISA=isa) for isa in _core.supported_isas()}
    assert len(digests) == 1


@pytest.mark.parametrize("engine", ENGINES, ids=["native", "reference"])
class TestMovingStatistics:
    def setup_method(self):
        self.plan = plan_of([layers.BatchNormalization(momentum=0.75, center=False), layers.Dense(4)])
        self.mean, self.variance = (
            next(i for i, parameter in enumerate(self.plan.parameters) if parameter.name.endswith(name))
            for name in ("moving_mean", "moving_variance")
        )

    def test_they_follow_the_batches_that_train(self, engine):
        network = configured(engine, self.plan)
        batches = data_for("any", 48, 16)
        mean, variance = network.get_parameter(self.mean), network.get_parameter(self.variance)
        train(network, batches)
        for first in (0, 16, 32):
            rows = batches.x[batches.order[first : first + 16]]
            mean = 0.75 * mean + 0.25 * rows.mean(axis=0)
            variance = 0.75 * variance + 0.25 * rows.var(axis=0)
        np.testing.assert_allclose(network.get_parameter(self.mean), mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(network.get_parameter(self.variance), variance, rtol=1e-5)

    def test_looking_moves_nothing(self, engine):
        network = configured(engine, self.plan)
        before = parameters_of(network)
        batches = data_for("any", 48, 16)
        network.gradients(batches)
        network.apply(batches.x, True)
        network.evaluate(batches, 0, 3, ENDLESS, np.zeros(2))
        network.predict(batches.x)
        assert same_bits(before, parameters_of(network))

    def test_a_batch_whose_loss_is_not_finite_does_not_move_them(self, engine):
        network = configured(engine, self.plan)
        before = parameters_of(network)
        batches = data_for("any", 16, 16)
        batches.y[3] = np.inf
        with pytest.raises(FloatingPointError):
            network.train(batches, 0, 1, ENDLESS, np.zeros(2))
        assert same_bits(before, parameters_of(network))

    def test_they_have_no_gradient_and_no_step(self, engine):
        network = configured(engine, self.plan)
        _, gradients = network.gradients(data_for("any", 16, 16))
        assert not gradients[self.mean].any()
        assert not gradients[self.variance].any()
        train(network, data_for("any", 48, 16))
        assert not any(network.get_slot(name, self.mean).any() for name in network.slot_names)


@pytest.mark.parametrize("engine", ENGINES, ids=["native", "reference"])
@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_no_number_of_the_range_gives_nan_and_harms_nobody(engine, kind):
    network = configured(engine, plan_around(kind))
    x = data_for(kind, 6, 6).x
    expected = network.predict(x)
    for row, wrong in enumerate((-1, NUMBERS, 0.5, np.nan, 1e30) if kind not in TABLES else (-(2**24), 2**24, 0.5, np.nan, 1e30)):
        x[row, 7] = wrong
    out = network.predict(x)
    assert np.isnan(out[:5]).all()
    assert np.array_equal(out[5], expected[5])


@pytest.mark.parametrize("update", ["sgd", "momentum"])
def test_large_tables_train_as_in_the_reference_whatever_the_threads(threads, update):
    plan = plan_of([layers.Embedding(5000, 21), layers.Flatten(), layers.Dense(4)])
    batches = data_for("embedding", 60, 16)
    batches.x[:] = np.random.default_rng(2).integers(0, 5000, batches.x.shape)
    batches.x[:20, 3] = batches.x[:20, 4] = 7
    states = []
    for engine, count in ((_core, 1), (_core, 3), (reference, 1)):
        threads(count)
        network = configured(engine, plan, update)
        train(network, batches, epochs=2)
        states.append(state_of(network))
    assert same_bits(states[0], states[1])
    for native, expected in zip(states[0], states[2], strict=True):
        np.testing.assert_allclose(native, expected, rtol=1e-4, atol=1e-6)


def test_gradients_of_numbers_that_stand_twice_are_added_in_the_order_of_the_rows():
    plan = plan_of([layers.Embedding(NUMBERS, 16), layers.Flatten()])
    network = configured(_core, plan)
    x = np.zeros((5, INPUTS), np.float32)
    rng = np.random.default_rng(0)
    y = rng.normal(size=(5, plan.widths[plan.output])).astype(np.float32)
    _, (gradient,) = network.gradients(Batches(x, y, None, None, 5))
    _, (expected,) = configured(reference, plan).gradients(Batches(x, y, None, None, 5))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)
    assert not gradient[1:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"op": "pooling"}, "the engine has no node 'pooling'"), ({"mode": "sideways"}, "the engine has no mode 'sideways'")],
)
def test_a_plan_the_engine_does_not_know_is_refused(change, message):
    from dataclasses import replace

    plan = plan_of([layers.PReLU()])
    with pytest.raises(ValueError, match=message):
        _core.Network(replace(plan, nodes=(replace(plan.nodes[0], **change),)))


def test_a_vector_of_another_width_is_refused():
    from dataclasses import replace

    plan = plan_of([layers.PReLU()])
    wrong = (replace(plan.parameters[0], shape=(INPUTS - 1,)),)
    with pytest.raises(ValueError, match="does not fit"):
        _core.Network(replace(plan, parameters=wrong))
