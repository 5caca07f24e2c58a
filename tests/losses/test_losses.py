"""Losses, metrics and optimizers by name and object: what they mean, what they refuse, and how they are stored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fastmlp import layers, losses, metrics, models, optimizers
from fastmlp.errors import UnsupportedError


class OwnLoss(losses.Loss):
    pass


def fourth_power(y_true, y_pred):
    error = y_pred - y_true
    return (error**4).sum(axis=1), 4 * error**3


NAMES = {
    "mape": "mean_absolute_percentage_error",
    "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "logcosh": "log_cosh",
    "huber": "huber",
    "gaussian_nll": "gaussian_nll",
    "CategoricalFocalCrossentropy": "categorical_focal_crossentropy",
    "mse": "mean_squared_error",
    "mean_squared_error": "mean_squared_error",
    "MeanSquaredError": "mean_squared_error",
    "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error",
    "bce": "binary_crossentropy",
    "BinaryCrossentropy": "binary_crossentropy",
    "categorical_crossentropy": "categorical_crossentropy",
    "sparse_categorical_crossentropy": "sparse_categorical_crossentropy",
}


@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_losses_have_the_names_of_keras(name, kind):
    assert losses.get(name).kind == kind


def test_a_loss_may_be_an_object_a_class_or_a_configuration():
    assert losses.get(losses.MeanSquaredError).kind == "mean_squared_error"
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert losses.get(loss) is loss
    assert losses.get(losses.registry.serialize(loss)).from_logits


def test_a_function_of_the_module_stands_for_its_class():
    assert isinstance(losses.get(losses.huber), losses.Huber)
    assert isinstance(metrics.get(losses.huber), metrics.Huber)


def test_an_object_keeps_its_arguments_as_a_metric():
    metric = metrics.get(losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.1, from_logits=True, name="focal"))
    assert metric.parameters == (2.0, 0.1, 0.9)
    assert metric.from_logits
    assert metric.name == "focal"


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", 2.25),
        ("mean", 2.25),
        ("sum", 4.5),
        ("mean_with_sample_weight", 1.125),
        ("none", [0.0, 4.5]),
        (None, [0.0, 4.5]),
    ],
)
def test_a_loss_called_on_arrays_reduces_as_it_was_told(reduction, expected):
    result = losses.MeanSquaredError(reduction=reduction)([[0, 1], [2, 4]], [[0, 3], [2, 2.5]], sample_weight=[0, 4])
    assert result == pytest.approx(expected)


def test_losses_of_arrays_take_any_rank_and_a_trailing_one():
    assert losses.mean_absolute_error([1, 2, 3], [1, 2, 6]) == pytest.approx(1)
    assert losses.mean_absolute_error([1, 2], [[1], [4]]).tolist() == [0, 2]
    assert losses.mean_absolute_error(np.zeros((2, 3, 4)), np.ones((2, 3, 4))).shape == (2, 3)
    assert losses.sparse_categorical_crossentropy([[0], [1]], [[1, 0], [0, 1]]).shape == (2,)


def test_the_cosine_loss_is_the_negative_of_the_metric():
    y, p = np.array([[1.0, 0.0]], np.float32), np.array([[3.0, 4.0]], np.float32)
    assert losses.CosineSimilarity()(y, p) == pytest.approx(-0.6)
    assert metrics.CosineSimilarity().parameters == (1.0,)
    assert metrics.CosineSimilarity().higher_is_better


@pytest.mark.parametrize("registry", [losses.registry, metrics.registry, optimizers.registry], ids=lambda registry: registry.kind)
def test_all_come_back_from_their_configurations(registry):
    for cls in registry.classes.values():
        made = cls(0.5) if "At" in cls.__name__ else cls()
        again = registry.deserialize(json.loads(json.dumps(registry.serialize(made))))
        assert type(again) is cls
        assert again.get_config() == made.get_config()
        assert repr(made).startswith(cls.__name__ + "(")


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy", "cosine_similarity"])
@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_the_axis_of_a_loss_says_where_the_classes_of_arrays_are(name, axis):
    rng = np.random.default_rng(2)
    y, p = rng.dirichlet(np.ones(4), size=(4, 4)), rng.dirichlet(np.ones(4), size=(4, 4))
    values = getattr(losses, name)(y, p, axis=axis)
    np.testing.assert_array_equal(values, getattr(losses, name)(np.moveaxis(y, axis, -1), np.moveaxis(p, axis, -1)))
    labels = rng.integers(0, 4, size=(4, 4))
    np.testing.assert_array_equal(
        losses.sparse_categorical_crossentropy(labels, p, axis=axis),
        losses.sparse_categorical_crossentropy(labels, np.moveaxis(p, axis, -1)),
    )


def test_a_model_takes_the_last_axis_only():
    model = models.Sequential([layers.Dense(3, activation="softmax", input_shape=(2,))])
    x, y = np.zeros((2, 2)), np.eye(3)[:2]
    model.compile("sgd", losses.CategoricalCrossentropy(axis=1))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(np.log(3))
    assert losses.deserialize(losses.serialize(model.loss)).axis == 1
    model.compile("sgd", losses.CategoricalCrossentropy(axis=0))
    with pytest.raises(UnsupportedError, match=r"axis=0\) on an output of 2 axes"):
        model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=0), ValueError, "q must be > 0, got 0; use SparseCategoricalCrossentropy"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1), ValueError, "q must be a number ≥ 0 and < 1, got 1"),
        (
            lambda: losses.Dice()([[1, 0]], [[0.5]]),
            ValueError,
            "y_true has shape (1, 2), but for y_pred of shape (1, 1) dice takes the same",
        ),
        (
            lambda: losses.Circle()([0], [[0.5], [0.5]]),
            ValueError,
            "circle takes class labels (samples,) and embeddings (samples, outputs)",
        ),
        (lambda: metrics.get(losses.Dice()), TypeError, "the loss dice can't be a metric; compute it from predict's output"),
        (lambda: losses.get("ctc"), UnsupportedError, "the loss 'ctc' is not in fastmlp; it is for sequences"),
        (lambda: losses.get("msee"), ValueError, "unknown loss 'msee'; did you mean MeanSquaredError?"),
        (lambda: losses.get("zzz"), ValueError, "unknown loss 'zzz'; there are MeanSquaredError, MeanAbsoluteError"),
        (lambda: losses.get(1), TypeError, "1 is not a loss; pass one of MeanSquaredError"),
        (lambda: losses.MeanSquaredError(reduction="total"), ValueError, "reduction must be 'sum_over_batch_size', 'mean', 'sum'"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=2), ValueError, "label_smoothing must be a number ≥ 0 and ≤ 1, got 2"),
        (lambda: losses.CategoricalCrossentropy(axis=2)([[1, 0]], [[0.5, 0.5]]), ValueError, "axis=2, but y_pred has shape (1, 2)"),
        (lambda: metrics.CategoricalCrossentropy(axis=0), UnsupportedError, "the outputs must be the last axis"),
        (lambda: losses.Huber(delta=-1), ValueError, "delta must be a number ≥ 0, got -1"),
        (lambda: losses.Quantile(q=1.5), ValueError, "q must be a number ≥ 0 and ≤ 1, got 1.5"),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), ValueError, "gamma must be a number ≥ 0"),
        (lambda: losses.get(OwnLoss()), TypeError, "OwnLoss is a custom Loss, which must define call(y_true, y_pred)"),
        (lambda: losses.mean_squared_error([[1, 2]], [[1, 2, 3]]), ValueError, "y_true has shape (1, 2), but for y_pred of shape (1, 3)"),
        (lambda: losses.SparseCategoricalCrossentropy()([3], [[0.5, 0.5]]), ValueError, "class labels from 3 to 3, but y_pred has 2"),
        (lambda: losses.gaussian_nll([[1]], [[1, 2, 3]]), ValueError, "y_pred has 3 columns, but gaussian_nll needs an even number"),
        (lambda: losses.SparseCategoricalCrossentropy(ignore_class=0.5), TypeError, "ignore_class must be"),
        (lambda: losses.BinaryCrossentropy(from_logits=1), TypeError, "from_logits must be True or False, got 1"),
        (lambda: losses.MeanSquaredError(logits=True), TypeError, "MeanSquaredError has no argument 'logits'"),
    ],
)
def test_losses_refuse_what_they_can_not_do(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAM"])
def test_optimizer_names_ignore_case(name):
    assert isinstance(optimizers.get(name), optimizers.Adam)


@pytest.mark.parametrize("given", [{"learning_rate": 1}, {"lr": 1.0}])
def test_learning_rates_may_be_integers_and_be_called_lr(given):
    optimizer = optimizers.SGD(**given)
    assert optimizer.learning_rate == 1.0
    optimizer.lr = 2
    assert optimizer.learning_rate == 2.0


def test_positional_arguments_stand_where_keras_has_them():
    assert optimizers.SGD(0.1, 0.9, True).update().nesterov
    assert optimizers.Adam(0.1, 0.8, 0.9, 1e-3).update().epsilon == 1e-3
    assert optimizers.RMSprop(0.1, 0.8, 0.5, 1e-3).update().momentum == 0.5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optimizers.get("LossScaleOptimizer"), UnsupportedError, "is not in fastmlp; everything is float32"),
        (lambda: optimizers.get("adamm"), ValueError, "unknown optimizer 'adamm'; did you mean Adam?"),
        (lambda: optimizers.Adam(loss_scale_factor=2.0), UnsupportedError, "Adam(loss_scale_factor=...) is not in fastmlp"),
        (lambda: optimizers.SGD(decay=1e-6), UnsupportedError, "use learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)"),
        (lambda: optimizers.SGD(momentun=0.9), TypeError, "SGD has no argument 'momentun'"),
        (lambda: optimizers.SGD(-1), ValueError, "learning_rate must be a number ≥ 0, got -1"),
        (lambda: optimizers.SGD(float("nan")), ValueError, "learning_rate must be finite, got nan"),
        (lambda: optimizers.SGD("fast"), TypeError, "learning_rate must be a number, got 'fast'"),
        (
            lambda: optimizers.SGD(lambda: 0.1),
            UnsupportedError,
            "the learning rate must be a number or a schedule of fastmlp.optimizers.schedules",
        ),
        (lambda: optimizers.SGD(momentum=1.5), ValueError, "momentum must be a number ≥ 0 and ≤ 1, got 1.5"),
        (lambda: optimizers.Adam(beta_1=1.0), ValueError, "beta_1 must be a number ≥ 0 and < 1, got 1"),
        (lambda: optimizers.SGD(nesterov=2), TypeError, "nesterov must be True or False, got 2"),
    ],
)
def test_optimizers_refuse_what_they_can_not_do(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"class": "SGD"},
        {"class": 3, "config": {}},
        {"class": "os.system", "config": {}},
        {"class": "SGD", "config": []},
        {"class": "SGD", "config": {"learning_rate": "x"}},
        {"class": "SGD", "config": {"learning_rate": 10**400}},
        {"class": "SGD", "config": {"unknown": 1}},
    ],
)
def test_a_malformed_configuration_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"configuration|unknown optimizer class"):
        optimizers.registry.deserialize(data)
