"""Losses, metrics and optimizers by name and object: what they mean, what they refuse, and how they are stored."""

from __future__ import annotations

import json

import pytest

from fastmlp import losses, metrics, optimizers
from fastmlp.errors import UnsupportedError

NAMES = {
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


@pytest.mark.parametrize("registry", [losses.registry, metrics.registry, optimizers.registry], ids=lambda registry: registry.kind)
def test_all_come_back_from_their_configurations(registry):
    for cls in registry.classes.values():
        made = cls()
        again = registry.deserialize(json.loads(json.dumps(registry.serialize(made))))
        assert type(again) is cls
        assert again.get_config() == made.get_config()
        assert repr(made).startswith(cls.__name__ + "(name=")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.get("mape"), UnsupportedError, "the loss 'mape' is not in fastmlp yet; use 'mse' on the logarithm of y"),
        (lambda: losses.get("huber"), UnsupportedError, "the loss 'huber' is not in fastmlp yet; use 'mse' or 'mae'"),
        (lambda: losses.get("msee"), ValueError, "unknown loss 'msee'; did you mean MeanSquaredError?"),
        (lambda: losses.get("zzz"), ValueError, "unknown loss 'zzz'; there are MeanSquaredError, MeanAbsoluteError"),
        (lambda: losses.get(lambda y, p: 0), TypeError, "losses that are functions are not in fastmlp"),
        (lambda: losses.get(1), TypeError, "1 is not a loss; give one of MeanSquaredError"),
        (lambda: losses.MeanSquaredError(reduction="sum"), UnsupportedError, "reduction='sum' is not in fastmlp yet"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), UnsupportedError, "smooth the targets: y * (1 - a)"),
        (lambda: losses.CategoricalCrossentropy(False, 0.1), UnsupportedError, "label_smoothing is not in fastmlp yet"),
        (lambda: losses.CategoricalCrossentropy(axis=0), UnsupportedError, "classes stand in the columns (axis=-1)"),
        (lambda: losses.SparseCategoricalCrossentropy(ignore_class=0), UnsupportedError, "give those rows sample_weight 0"),
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
        (lambda: optimizers.get("adafactor"), UnsupportedError, "the optimizer 'adafactor' is not in fastmlp yet; it saves memory"),
        (lambda: optimizers.get("adamm"), ValueError, "unknown optimizer 'adamm'; did you mean Adam?"),
        (lambda: optimizers.Adam(loss_scale_factor=2.0), UnsupportedError, "Adam(loss_scale_factor=...) is not in fastmlp yet"),
        (lambda: optimizers.SGD(decay=1e-6), UnsupportedError, "set model.optimizer.learning_rate in a callback's on_epoch_begin"),
        (lambda: optimizers.SGD(momentun=0.9), TypeError, "SGD has no argument 'momentun'"),
        (lambda: optimizers.SGD(-1), ValueError, "learning_rate must be at least 0, got -1"),
        (lambda: optimizers.SGD(float("nan")), ValueError, "learning_rate must be finite, got nan"),
        (lambda: optimizers.SGD("fast"), TypeError, "learning_rate must be a number, got 'fast'"),
        (lambda: optimizers.SGD(lambda: 0.1), UnsupportedError, "learning rate schedules are not in fastmlp yet"),
        (lambda: optimizers.SGD(momentum=1.5), ValueError, "momentum must be at least 0 and at most 1, got 1.5"),
        (lambda: optimizers.Adam(beta_1=1.0), ValueError, "beta_1 must be at least 0 and below 1, got 1"),
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
