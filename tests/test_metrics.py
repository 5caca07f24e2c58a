"""Which metric a name means for a model, what it is called, and what it measures."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastmlp import layers, losses, metrics, models
from fastmlp.errors import UnsupportedError


def compiled(units=3, activation="softmax", **arguments):
    model = models.Sequential([layers.Dense(units, activation=activation, input_shape=(2,))])
    model.compile(optimizer="sgd", **arguments)
    return model


def kinds(model):
    return [metric.kind for metric in model._current_goal().objective.metrics]


@pytest.mark.parametrize("name", ["accuracy", "acc"])
@pytest.mark.parametrize(
    ("units", "activation", "loss", "kind"),
    [
        (1, "sigmoid", "binary_crossentropy", "binary_accuracy"),
        (1, "linear", "mse", "binary_accuracy"),
        (3, "sigmoid", "binary_crossentropy", "categorical_accuracy"),  # as Keras resolves it
        (3, "softmax", "categorical_crossentropy", "categorical_accuracy"),
        (3, "softmax", "sparse_categorical_crossentropy", "sparse_categorical_accuracy"),
    ],
)
def test_accuracy_follows_output_and_loss(name, units, activation, loss, kind):
    model = compiled(units, activation, loss=loss, metrics=[name])
    assert kinds(model) == [kind]
    assert model.metrics_names == ["loss", name]


@pytest.mark.parametrize(
    ("units", "activation", "y", "kind"),
    [
        (1, "sigmoid", [0, 1], "binary_crossentropy"),
        (3, "softmax", [0, 1], "sparse_categorical_crossentropy"),
        (3, "softmax", [[0], [1]], "sparse_categorical_crossentropy"),
        (3, "softmax", [[0, 0, 1], [1, 0, 0]], "categorical_crossentropy"),
    ],
)
def test_crossentropy_means_what_the_targets_call_for(engine, units, activation, y, kind):
    model = compiled(units, activation, loss="crossentropy", metrics=["ce"])
    model.fit(np.zeros((2, 2)), y, verbose=0)
    assert model.loss.kind == kind
    assert kinds(model) == [kind]
    assert model.evaluate(np.zeros((2, 2)), y, verbose=0, return_dict=True).keys() == {"loss", "ce"}


def test_a_bare_string_is_one_metric():
    assert compiled(loss="categorical_crossentropy", metrics="accuracy").metrics_names == ["loss", "accuracy"]


def test_names_are_as_typed_and_doubles_get_a_number():
    model = compiled(
        1,
        "sigmoid",
        loss="bce",
        metrics=[
            "mae",
            "mean_absolute_error",
            "mae",
            metrics.BinaryAccuracy(),
            metrics.MeanSquaredError(name="squares"),
            losses.MeanSquaredError(),
        ],
        weighted_metrics=["mae", "acc"],
    )
    assert model.metrics_names == [
        "loss", "mae", "mean_absolute_error", "mae_1", "binary_accuracy", "squares", "mean_squared_error", "weighted_mae", "acc",
    ]  # fmt: skip


def test_metrics_measure_what_they_say(engine):
    model = compiled(1, "linear", loss="mse", metrics=["mse", "mae", metrics.BinaryAccuracy(threshold=0.8)], weighted_metrics=["mae"])
    model.set_weights([[[1.0], [0.0]], [0.0]])
    x = np.array([[0.0, 0.0], [0.5, 0.0], [0.75, 0.0], [1.0, 0.0]])
    y = np.array([0, 0, 1, 1])
    result = model.evaluate(x, y, sample_weight=np.array([1, 1, 2, 0]), verbose=0, return_dict=True)
    assert result == {
        "loss": pytest.approx((0.25 + 2 * 0.0625) / 4),  # weights scale the rows, and the mean is over their number
        "mse": pytest.approx((0.25 + 0.0625) / 4),
        "mae": pytest.approx((0.5 + 0.25) / 4),
        "binary_accuracy": 0.75,
        "weighted_mae": pytest.approx((0.5 + 2 * 0.25) / 4),
    }


def test_evaluate_gives_a_number_without_metrics_and_a_list_with(engine):
    x, y = np.zeros((2, 2)), np.zeros((2, 1))
    assert isinstance(compiled(1, "linear", loss="mse").evaluate(x, y, verbose=0), float)
    listed = compiled(1, "linear", loss="mse", metrics=["mse", "mae"]).evaluate(x, y, verbose=0)
    assert isinstance(listed, list)
    assert len(listed) == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metrics": ["acuracy"]}, ValueError, "unknown metric 'acuracy'"),
        ({"metrics": ["mean_io_u"]}, UnsupportedError, "the metric 'mean_io_u' is not in fastmlp; use Precision and Recall"),
        ({"metrics": {"out": "mae"}}, UnsupportedError, "metrics as a dict is for models with several outputs"),
        ({"metrics": [3]}, TypeError, "3 is not a metric"),
    ],
)
def test_metrics_that_can_not_be_are_told_at_compile(arguments, error, message):
    with pytest.raises(error) as caught:
        compiled(loss="categorical_crossentropy", **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "metric", "message"),
    [
        (
            "sparse_categorical_crossentropy",
            "mae",
            "the metric 'mae' compares columns, but the targets of sparse_categorical_crossentropy are class",
        ),
        ("categorical_crossentropy", metrics.SparseCategoricalAccuracy(), "have a column per output; use 'categorical_accuracy'"),
    ],
)
def test_metrics_and_loss_must_read_the_same_targets(loss, metric, message):
    model = compiled(loss=loss, metrics=[metric])
    with pytest.raises(ValueError, match=message):
        model.fit(np.zeros((2, 2)), [0, 1], verbose=0)


@pytest.mark.parametrize(
    ("units", "activation", "loss", "message"),
    [
        (3, "softmax", losses.CategoricalCrossentropy(from_logits=True), "from_logits=True, but the last layer ends in a softmax"),
        (1, "sigmoid", losses.BinaryCrossentropy(from_logits=True), "from_logits=True, but the last layer ends in a sigmoid"),
        (3, None, "categorical_crossentropy", "takes the output for probabilities, but the last layer has no softmax"),
        (1, None, "binary_crossentropy", "takes the output for probabilities, but the last layer has no sigmoid"),
        (1, "softmax", "categorical_crossentropy", "of a single output is always 0"),
    ],
)
def test_a_loss_that_does_not_suit_the_last_layer_warns(units, activation, loss, message):
    model = compiled(units, activation, loss=loss)
    with pytest.warns(UserWarning, match=message):
        model._current_goal()


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (3, "softmax", "categorical_crossentropy"),
        (3, None, losses.CategoricalCrossentropy(from_logits=True)),
        (3, "sigmoid", "binary_crossentropy"),
        (1, None, "mse"),
        (1, "sigmoid", "mse"),
    ],
)
def test_usual_endings_do_not_warn(units, activation, loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(units, activation, loss=loss)._current_goal()
