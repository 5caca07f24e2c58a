"""Every loss and its gradient, and the metrics of the same names, against numbers from Keras (tests/golden/make_loss_golden.py)."""

from __future__ import annotations

import numpy as np
import pytest
from folders import GOLDEN
from golden import loss_programs

import fastmlp
from fastmlp import layers, models

with np.load(GOLDEN / "losses.npz") as file:
    KERAS = dict(file)

CLOSE = {"rtol": 1e-5, "atol": 1e-7}


@pytest.mark.parametrize("name", loss_programs.CASES)
def test_losses_of_arrays_are_those_of_keras(name):
    function, loss, y, p = loss_programs.make(fastmlp, name)
    np.testing.assert_allclose(function(y, p), KERAS[f"{name}/value"], **CLOSE)
    assert loss(y, p, sample_weight=loss_programs.weights()) == pytest.approx(float(KERAS[f"{name}/weighted"]), rel=1e-5)


@pytest.mark.parametrize("name", loss_programs.CASES)
def test_reductions_are_those_of_keras(name):
    np.testing.assert_allclose(loss_programs.reduced(fastmlp, name), KERAS[f"{name}/reduced"], **CLOSE)


@pytest.mark.filterwarnings("ignore:.* reads the output as probabilities:UserWarning")
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", loss_programs.CASES)
def test_losses_and_gradients_in_training_are_those_of_keras(name, engine):
    _, loss, y, p = loss_programs.make(fastmlp, name)
    columns = p.shape[1]
    model = models.Sequential([layers.Dense(columns, input_shape=(columns,))])
    model.compile(optimizer=fastmlp.optimizers.SGD(learning_rate=1.0), loss=loss, engine=engine)
    values, gradients = [], []
    for row in range(len(p)):
        model.set_weights([np.eye(columns), np.zeros(columns)])
        values.append(model.train_on_batch(p[row : row + 1], y[row : row + 1]))
        gradients.append(-model.get_weights()[1] / len(p))
    np.testing.assert_allclose(values, KERAS[f"{name}/value"], **CLOSE)
    np.testing.assert_allclose(gradients, KERAS[f"{name}/gradient"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", loss_programs.AXIS_CASES)
def test_losses_along_another_axis_of_arrays_are_those_of_keras(name):
    function, loss, y, p = loss_programs.make_axis(fastmlp, name)
    np.testing.assert_allclose(function(y, p), KERAS[f"axis/{name}/value"], **CLOSE)
    assert loss(y, p) == pytest.approx(float(KERAS[f"axis/{name}/loss"]), rel=1e-5)


def test_reductions_of_the_circle_loss_are_those_of_keras():
    np.testing.assert_allclose(loss_programs.reduced_batch(fastmlp, "circle"), KERAS["circle/reduced"], **CLOSE)


@pytest.mark.parametrize("name", loss_programs.BATCH_CASES)
def test_losses_of_whole_batches_are_those_of_keras(name):
    function, loss, y, p = loss_programs.make_batch(fastmlp, name)
    np.testing.assert_allclose(function(y, p), KERAS[f"{name}/value"], **CLOSE)
    assert loss(y, p) == pytest.approx(float(KERAS[f"{name}/loss"]), rel=1e-5)
    if name != "dice_columns":
        assert loss(y, p, sample_weight=loss_programs.weights()) == pytest.approx(float(KERAS[f"{name}/weighted"]), rel=1e-5)


@pytest.mark.filterwarnings("ignore:.* reads the output as probabilities:UserWarning")
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", [name for name in loss_programs.BATCH_CASES if name != "dice_columns"])
def test_a_step_on_a_whole_batch_is_that_of_keras(name, engine):
    _, loss, y, p = loss_programs.make_batch(fastmlp, name)
    columns = p.shape[1]
    model = models.Sequential([layers.Dense(columns, input_shape=(len(p),), use_bias=False)])
    model.compile(optimizer=fastmlp.optimizers.SGD(learning_rate=1.0), loss=loss, engine=engine)
    model.set_weights([p])  # each row has a weight for each of its predictions, whose gradient is that of the predictions
    value = model.train_on_batch(np.eye(len(p)), y)
    assert value == pytest.approx(float(KERAS[f"{name}/loss"]), rel=1e-5)
    np.testing.assert_allclose(p - model.get_weights()[0], KERAS[f"{name}/gradient"], rtol=1e-4, atol=3e-7)
    model.set_weights([p])
    weighted = model.train_on_batch(np.eye(len(p)), y, sample_weight=loss_programs.weights())
    assert weighted == pytest.approx(float(KERAS[f"{name}/weighted"]), rel=1e-5)
    np.testing.assert_allclose(p - model.get_weights()[0], KERAS[f"{name}/weighted_gradient"], rtol=1e-4, atol=3e-7)


@pytest.mark.filterwarnings("ignore:.* reads the output as probabilities:UserWarning")
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", loss_programs.METRICS)
def test_metrics_of_losses_are_those_of_keras(name, engine):
    y, p = loss_programs.data(name)
    model = models.Sequential([layers.Dense(p.shape[1], input_shape=(p.shape[1],))])
    loss = "sparse_categorical_crossentropy" if y.ndim == 1 else "mse"
    model.compile(loss=loss, metrics=[loss_programs.metric(fastmlp, name)], engine=engine)
    model.set_weights([np.eye(p.shape[1]), np.zeros(p.shape[1])])
    _, measured = model.evaluate(p, y, verbose=0)
    assert measured == pytest.approx(float(KERAS[f"metric/{name}"]), rel=1e-5)
