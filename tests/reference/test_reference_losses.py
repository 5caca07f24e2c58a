"""The reference engine's losses and metrics, against values worked out by hand and in float64."""

import math

import numpy as np
import pytest
from loss_cases import LOGITS, constants_of, draw_predictions, draw_targets

from fastmlp._engine.spec import Metric
from fastmlp.reference.losses import LOGIT_LOSSES, LOSSES, make_loss
from fastmlp.reference.metrics import METRICS, make_metric

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
    if name.startswith("binary"):
        p, y = 1 / (1 + np.exp(-z)), (np.arange(80).reshape(20, 4) % 3 == 0) * 1.0
    else:
        p, y = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), np.arange(20) % 4
        if not name.startswith("sparse"):
            y = np.eye(4)[y]
    of_logits, of_probabilities = (make_loss(name, from_logits, constants_of(name)) for from_logits in (True, False))
    assert of_logits.value(y, z) == pytest.approx(of_probabilities.value(y, p))


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


@pytest.mark.parametrize("from_logits", [False, True], ids=["predictions", "logits"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_keep_the_dtype_and_shape_of_the_predictions(from_logits, dtype):
    p = np.full((2, 2), 0.5, dtype)
    for name in LOGIT_LOSSES if from_logits else LOSSES:
        loss = make_loss(name, from_logits, constants_of(name))
        y = np.eye(2, dtype=dtype)[:, : 1 if name == "gaussian_nll" else 2]
        y = np.array([0, 1], np.int32) if name.startswith("sparse") else y
        value, gradient = loss.value(y, p), loss.gradient(y, p)
        assert (name, value.dtype, value.shape) == (name, dtype, (2,))
        assert (name, gradient.dtype, gradient.shape) == (name, dtype, (2, 2))


@pytest.mark.parametrize("from_logits", [False, True], ids=["predictions", "logits"])
def test_the_slopes_of_losses_are_those_of_finite_differences(from_logits):
    rng = np.random.default_rng(0)
    for name in LOGIT_LOSSES if from_logits else [name for name in LOSSES if name != "sparse_circle"]:
        loss = make_loss(name, from_logits, constants_of(name))
        p, y = draw_predictions(name + LOGITS * from_logits, rng, 50, 4), draw_targets(name, rng, 50, 4)
        step = 1e-6
        for column in range(4):
            beside = np.zeros_like(p)
            beside[:, column] = step
            measured = (loss.value(y, p + beside) - loss.value(y, p - beside)) / (2 * step)
            assert loss.gradient(y, p)[:, column] == pytest.approx(measured, rel=1e-6, abs=1e-8), name


def test_the_slopes_of_a_loss_of_pairs_are_those_of_all_rows_that_a_row_is_compared_with():
    rng = np.random.default_rng(0)
    name, share = "sparse_circle", rng.uniform(0, 2, 8)
    for parameters in ((4.0, 0.25, 1.0), (3.0, 0.4, 0.0)):
        loss = make_loss(name, False, parameters)
        p, y = draw_predictions(name, rng, 8, 3), draw_targets(name, rng, 8, 3)
        slopes = loss.weighted_gradient(y, p, share)
        assert loss.gradient(y, p) == pytest.approx(loss.weighted_gradient(y, p, np.ones(8)))
        for at in np.ndindex(p.shape):
            beside = np.zeros_like(p)
            beside[at] = 1e-6
            measured = (share @ loss.value(y, p + beside) - share @ loss.value(y, p - beside)) / 2e-6
            assert slopes[at] == pytest.approx(measured, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_smoothing_spreads_a_share_of_the_targets(name):
    p = rows([0.1, 0.7, 0.2], [0.3, 0.3, 0.4])
    one_hot = rows([0, 1, 0], [0, 0, 1])
    y = np.array([1, 2], np.int32) if name.startswith("sparse") else one_hot
    spread = one_hot * 0.7 + 0.3 / (2 if name.startswith("binary") else 3)
    for from_logits in (False, True):
        smooth = make_loss(name, from_logits, smoothing=0.3)
        plain = make_loss(name.removeprefix("sparse_"), from_logits)
        assert smooth.value(y, p) == pytest.approx(plain.value(spread, p))
        assert smooth.gradient(y, p) == pytest.approx(plain.gradient(spread, p))


def test_the_slope_at_a_kink_is_between_those_beside_it():
    zero = rows([0.0])
    assert make_loss("quantile", False, (0.9,)).gradient(zero, zero).tolist() == [[0]]
    assert make_loss("mean_absolute_percentage_error", False).gradient(rows([2.0]), rows([2.0])).tolist() == [[0]]
    assert make_loss("hinge", False).gradient(rows([1.0]), rows([1.0])).tolist() == [[-0.5]]
    assert make_loss("kl_divergence", False).gradient(rows([1.0]), rows([1.0])).tolist() == [[-0.5]]
    assert make_loss("categorical_hinge", False).gradient(rows([0, 1, 0]), rows([0.5, 0.5, 0.5])).tolist() == [[0.5, -1, 0.5]]


def test_a_variance_that_is_too_small_has_a_slope_to_grow_by():
    loss = make_loss("gaussian_nll", False, (1e-2, 0.0))
    assert loss.value(rows([1.0]), rows([0.0, -5.0])) == pytest.approx([0.5 * (math.log(1e-2) + 100)])
    assert loss.gradient(rows([1.0]), rows([0.0, -5.0])) == pytest.approx(rows([-100.0, 0.5 * (100 - 10000)]))


def test_short_vectors_have_a_cosine_similarity_and_a_finite_slope():
    loss = make_loss("cosine_similarity", False, (-1.0,))
    assert loss.value(rows([1.0, 0.0]), rows([0.0, 0.0])).tolist() == [0]
    assert loss.gradient(rows([1.0, 0.0]), rows([0.0, 0.0])) == pytest.approx(rows([-1e7, 0.0]))


def test_binary_accuracy_counts_columns_strictly_above_the_threshold():
    y, p = rows([1, 0], [1, 0]), rows([0.6, 0.4], [0.5, 0.6])
    assert METRICS["binary_accuracy"](y, p, 0.5).tolist() == [1, 0]
    assert METRICS["binary_accuracy"](y, p, 0.45).tolist() == [1, 0.5]


def test_categorical_accuracy_compares_the_first_of_the_largest():
    y = rows([0, 1, 0], [0, 1, 1], [1, 0, 0])
    p = rows([0.1, 0.8, 0.1], [0.2, 0.4, 0.4], [0.3, 0.4, 0.3])
    assert METRICS["categorical_accuracy"](y, p, 0.5).tolist() == [1, 1, 0]
    assert METRICS["sparse_categorical_accuracy"](np.array([1, 2, 1], np.int32), p, 0.5).tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_metric(name):
    p = rows([0.3, 0.9])
    y = np.array([1], np.int32) if name.startswith("sparse") else rows([0, 1][: 1 if name == "gaussian_nll" else 2])
    metric = make_metric(Metric(name, parameters=constants_of(name)))
    assert np.array_equal(metric(y, p), make_loss(name, False, constants_of(name)).value(y, p))


def test_an_unknown_metric_is_named():
    with pytest.raises(ValueError, match="unknown metric 'accuracy': known are binary_accuracy"):
        make_metric(Metric("accuracy"))
