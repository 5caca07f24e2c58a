"""What programs read and assign of an optimizer: its learning rate, its iterations and what it keeps for each weight."""

import copy
import json
import pickle

import numpy as np
import pytest

from fastmlp import layers, models, optimizers
from fastmlp.optimizers import schedules

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def trained(optimizer, engine="native"):
    model = models.Sequential([layers.Input((3,)), layers.Dense(2, name="a"), layers.Dense(1, name="b")], name="net")
    model.compile(optimizer, "mse", engine=engine)
    model.fit(X, X[:, 0], batch_size=10, verbose=0)
    return model


def test_the_learning_rate_is_a_float_that_can_be_assigned():
    optimizer = optimizers.Adam(0.5)
    rate = optimizer.learning_rate
    assert isinstance(rate, float)
    assert (rate, f"{rate:.2f}", repr(rate), json.dumps([rate]), rate * 2, 1 - rate) == (0.5, "0.50", "0.5", "[0.5]", 1.0, 0.5)
    assert (rate.numpy(), rate.numpy().dtype, float(rate.value)) == (0.5, np.float32, 0.5)
    assert (rate.name, rate.path, rate.shape, rate.ndim) == ("learning_rate", "adam/learning_rate", (), 0)
    assert rate.assign(0.25) == optimizer.learning_rate == 0.25
    assert (rate, rate.numpy()) == (0.5, 0.25)
    optimizer.learning_rate.assign_sub(0.05)
    assert optimizer.learning_rate == pytest.approx(0.2)
    with pytest.raises(ValueError, match="learning_rate must be a number ≥ 0"):
        rate.assign(-1)
    for duplicate in (copy.copy(rate), copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):
        assert (type(duplicate), duplicate) == (float, 0.5)


def test_an_assigned_learning_rate_is_used():
    model = trained("sgd")
    model.optimizer.learning_rate.assign(0.0)
    before = model.get_weights()
    model.fit(X, X[:, 0], verbose=0)
    assert all((old == new).all() for old, new in zip(before, model.get_weights(), strict=True))


def test_the_learning_rate_of_a_schedule_cannot_be_assigned():
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizers.Adam(schedules.CosineDecay(0.1, 10)).learning_rate.assign(0.1)


def test_iterations_are_an_int_that_can_be_assigned():
    optimizer = optimizers.Adam()
    model = trained(optimizer)
    count = optimizer.iterations
    assert (isinstance(count, int), count, count.numpy(), count.name) == (True, 2, 2, "iteration")
    model.fit(X, X[:, 0], batch_size=10, verbose=0)
    assert (count, count.numpy(), optimizer.iterations) == (2, 4, 4)
    optimizer.iterations.assign(0)
    assert (optimizer.iterations, model.training_state()["iterations"]) == (0, 0)
    with pytest.raises(ValueError, match="compile and build a model with it"):
        optimizers.Adam().iterations = 3


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(
    ("optimizer", "kept"),
    [
        (
            optimizers.Adafactor,
            {"a_kernel_row": (3,), "a_kernel_column": (2,), "a_kernel_velocity": (3, 2), "a_bias_velocity": (2,)}
            | {"b_kernel_row": (2,), "b_kernel_column": (1,), "b_kernel_velocity": (2, 1), "b_bias_velocity": (1,)},
        ),
        (
            lambda: optimizers.Muon(exclude_layers=["^b/"]),
            {"a_kernel_momentum": (3, 2), "a_bias_momentum": (2,), "a_bias_velocity": (2,)}
            | {"b_kernel_momentum": (2, 1), "b_kernel_velocity": (2, 1), "b_bias_momentum": (1,), "b_bias_velocity": (1,)},
        ),
    ],
    ids=["adafactor", "muon"],
)
def test_what_is_kept_for_no_weight_is_no_variable(engine, optimizer, kept):
    made = optimizer()
    trained(made, engine)
    assert {variable.name.removeprefix("net_"): variable.shape for variable in made.variables[2:]} == kept
    assert all(variable.numpy().any() for variable in made.variables[2:])


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_variables_are_the_state_under_the_names_of_keras(engine):
    optimizer = optimizers.Adam()
    assert [variable.name for variable in optimizer.variables] == ["iteration", "learning_rate"]
    model = trained(optimizer, engine)
    assert [variable.path for variable in optimizer.variables] == [
        "adam/iteration",
        "adam/learning_rate",
        *(f"adam/net_{layer}_{weight}_{slot}" for layer in "ab" for weight in ("kernel", "bias") for slot in ("momentum", "velocity")),
    ]
    momentum = optimizer.variables[2]
    assert momentum.shape == (3, 2)
    before = momentum.numpy()
    model.fit(X, X[:, 0], verbose=0)
    assert (momentum != before).all()
    momentum.assign(np.zeros((3, 2)))
    assert (optimizer.variables[2] == 0).all()
    assert (model.optimizer.variables[2].numpy() == 0).all()


def test_frozen_weights_have_no_variables():
    model = models.Sequential([layers.Input((3,)), layers.Dense(2), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile(optimizers.SGD(momentum=0.9), "mse")
    model.fit(X, X[:, 0], verbose=0)
    assert [variable.shape for variable in model.optimizer.variables] == [(), (), (2, 1), (1,)]


def test_excluding_a_name_that_no_weight_has_warns():
    optimizer = optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias", "gama"])
    with pytest.warns(UserWarning, match="got 'gama', but no weight of the model has a matching name; the names are bias, kernel"):
        trained(optimizer)
