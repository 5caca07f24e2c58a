"""The reference engine's losses and metrics, against values worked out by hand and in float64."""

import math

import numpy as np
import pytest

from fastmlp.reference.losses import LOGIT_LOSSES, LOSSES
from fastmlp.reference.metrics import METRICS

EPSILON = 1e-7


def rows(*values, dtype=np.float64):
    return np.array(values, dtype)


def test_mean_squared_error_averages_over_the_columns():
    y, p = rows([1, 2], [0, 0]), rows([2, 5], [0, 1])
    loss = LOSSES["mean_squared_error"]
    assert loss.value(y, p).tolist() == [5, 0.5]
    assert loss.gradient(y, p).tolist() == [[1, 3], [0, 1]]


def test_mean_absolute_error_has_slope_zero_where_prediction_and_target_are_equal():
    y, p = rows([1, 2]), rows([-1, 2])
    loss = LOSSES["mean_absolute_error"]
    assert loss.value(y, p).tolist() == [1]
    assert loss.gradient(y, p).tolist() == [[-0.5, 0]]


def test_binary_crossentropy_of_a_fair_coin_is_log_two():
    y, p = rows([1, 0]), rows([0.5, 0.5])
    loss = LOSSES["binary_crossentropy"]
    assert loss.value(y, p) == pytest.approx([math.log(2)])
    assert loss.gradient(y, p).tolist() == [[-1, 1]]


def test_binary_crossentropy_clips_certain_predictions_and_stops_their_gradient():
    y, p = rows([1, 0, 1, 0]), rows([0, 1, 1, 0])
    loss = LOSSES["binary_crossentropy"]
    wrong, right = -math.log(EPSILON), -math.log(1 - EPSILON)
    assert loss.value(y, p) == pytest.approx([(2 * wrong + 2 * right) / 4])
    assert loss.gradient(y, p).tolist() == [[0, 0, 0, 0]]


def test_binary_crossentropy_clips_in_float32_as_in_keras():
    certain = np.ones((1, 1), np.float32)
    value = LOSSES["binary_crossentropy"].value(0 * certain, certain)
    assert value.dtype == np.float32
    assert value == pytest.approx([-math.log(2**-23)])  # 1 − 10⁻⁷ rounds to 1 − 2⁻²³


def test_categorical_crossentropy_normalises_the_predictions():
    y, p = rows([0, 1, 0]), rows([1, 2, 1])
    assert LOSSES["categorical_crossentropy"].value(y, p) == pytest.approx([math.log(2)])


def test_categorical_crossentropy_clips_certain_predictions():
    y, p = rows([1, 0], [0, 1]), rows([1, 0], [1, 0])
    assert LOSSES["categorical_crossentropy"].value(y, p) == pytest.approx([-math.log(1 - EPSILON), -math.log(EPSILON)])
    assert LOSSES["categorical_crossentropy"].gradient(y, p).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("table", [LOSSES, LOGIT_LOSSES], ids=["probabilities", "logits"])
def test_sparse_crossentropy_is_categorical_crossentropy_of_one_hot_rows(table):
    labels, p = np.array([2, 0, 1], np.int32), rows([0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8])
    for function in ("value", "gradient"):
        sparse = getattr(table["sparse_categorical_crossentropy"], function)(labels, p)
        dense = getattr(table["categorical_crossentropy"], function)(np.eye(3)[labels], p)
        assert np.array_equal(sparse, dense)


@pytest.mark.parametrize("name", LOGIT_LOSSES)
def test_a_loss_of_logits_is_the_loss_of_their_probabilities(name):
    z = np.random.default_rng(0).normal(size=(20, 4))
    if name == "binary_crossentropy":
        p, y = 1 / (1 + np.exp(-z)), (np.arange(80).reshape(20, 4) % 3 == 0) * 1.0
    else:
        p, y = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), np.arange(20) % 4
        if name == "categorical_crossentropy":
            y = np.eye(4)[y]
    assert LOGIT_LOSSES[name].value(y, z) == pytest.approx(LOSSES[name].value(y, p))


@pytest.mark.parametrize("scale", [100, 1e30])
def test_losses_of_large_logits_are_exact(scale):
    z = rows([scale, -scale], dtype=np.float32)
    y = rows([0, 1], dtype=np.float32)
    with np.errstate(all="raise", under="ignore"):
        assert LOGIT_LOSSES["binary_crossentropy"].value(y, z) == pytest.approx([scale])
        assert LOGIT_LOSSES["binary_crossentropy"].gradient(y, z).tolist() == [[0.5, -0.5]]
        assert LOGIT_LOSSES["categorical_crossentropy"].value(y, z) == pytest.approx([2 * scale])
        assert LOGIT_LOSSES["categorical_crossentropy"].gradient(y, z).tolist() == [[1, -1]]


def test_soft_targets_need_not_add_up_to_one():
    y, z = rows([0.5, 1.0]), rows([0.0, 0.0])
    assert LOGIT_LOSSES["categorical_crossentropy"].value(y, z) == pytest.approx([1.5 * math.log(2)])
    assert LOGIT_LOSSES["categorical_crossentropy"].gradient(y, z).tolist() == [[0.25, -0.25]]


@pytest.mark.parametrize("table", [LOSSES, LOGIT_LOSSES], ids=["probabilities", "logits"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_keep_the_dtype_and_shape_of_the_predictions(table, dtype):
    p = np.full((2, 2), 0.5, dtype)
    for name, loss in table.items():
        y = np.array([0, 1], np.int32) if name.startswith("sparse") else np.eye(2, dtype=dtype)
        value, gradient = loss.value(y, p), loss.gradient(y, p)
        assert (name, value.dtype, value.shape) == (name, dtype, (2,))
        assert (name, gradient.dtype, gradient.shape) == (name, dtype, (2, 2))


def test_binary_accuracy_counts_columns_strictly_above_the_threshold():
    y, p = rows([1, 0], [1, 0]), rows([0.6, 0.4], [0.5, 0.6])
    assert METRICS["binary_accuracy"](y, p, 0.5).tolist() == [1, 0]
    assert METRICS["binary_accuracy"](y, p, 0.45).tolist() == [1, 0.5]


def test_categorical_accuracy_compares_the_first_of_the_largest():
    y = rows([0, 1, 0], [0, 1, 1], [1, 0, 0])
    p = rows([0.1, 0.8, 0.1], [0.2, 0.4, 0.4], [0.3, 0.4, 0.3])
    assert METRICS["categorical_accuracy"](y, p, 0.5).tolist() == [1, 1, 0]
    assert METRICS["sparse_categorical_accuracy"](np.array([1, 2, 1], np.int32), p, 0.5).tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "binary_crossentropy", "categorical_crossentropy"])
def test_every_loss_is_a_metric(name):
    y, p = rows([0, 1]), rows([0.3, 0.9])
    assert np.array_equal(METRICS[name](y, p, 0.5), LOSSES[name].value(y, p))
