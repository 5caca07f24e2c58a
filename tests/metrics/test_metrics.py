"""Which metric a name means for a model, what it is called, and what it measures."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastmlp import Model, layers, losses, metrics, models
from fastmlp.errors import UnsupportedError


def compiled(units=3, activation="softmax", **arguments):
    model = models.Sequential([layers.Dense(units, activation=activation, input_shape=(2,))])
    model.compile(optimizer="sgd", **arguments)
    return model


def kinds(model):
    return [metric.kind for metric in model._current_objective().objectives[0].metrics]


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
            "the metric 'mae' compares columns, but the targets of sparse_categorical_crossentropy are integer class",
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
        (3, None, "categorical_crossentropy", "reads the output as probabilities, but the last layer has no softmax"),
        (1, None, "binary_crossentropy", "reads the output as probabilities, but the last layer has no sigmoid"),
        (3, "tanh", "binary_crossentropy", "reads the output as probabilities, but the last layer has no sigmoid"),
        (1, "sigmoid", "categorical_crossentropy", "of a single output is always 0"),
        (1, "sigmoid", "sparse_categorical_crossentropy", "of a single output is always 0"),
        (1, "hard_sigmoid", losses.BinaryCrossentropy(from_logits=True), "from_logits=True, but the last layer ends in a hard_sigmoid"),
        *((1, "softmax", loss, "a softmax over a single unit is always 1") for loss in ("mse", "mae", "hinge", "binary_crossentropy")),
        (1, "softmax", "categorical_crossentropy", "a softmax over a single unit is always 1"),
        (1, "log_softmax", "mse", "a log_softmax over a single unit is always 0"),
    ],
)
def test_a_loss_that_does_not_suit_the_last_layer_warns(units, activation, loss, message):
    model = compiled(units, activation, loss=loss)
    with pytest.warns(UserWarning, match=message):
        model._current_objective()


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (3, "softmax", "categorical_crossentropy"),
        (3, None, losses.CategoricalCrossentropy(from_logits=True)),
        (3, "sigmoid", "binary_crossentropy"),
        (1, None, "mse"),
        (1, "sigmoid", "mse"),
        (1, "hard_sigmoid", "binary_crossentropy"),
        (3, "hard_sigmoid", "categorical_crossentropy"),
    ],
)
def test_usual_endings_do_not_warn(units, activation, loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(units, activation, loss=loss)._current_objective()


def _two_sigmoids(x):
    return layers.Concatenate()([layers.Dense(1, activation="sigmoid")(x), layers.Dense(2, activation="sigmoid")(x)])


def _average(x):
    return layers.Average()([layers.Dense(3, activation="softmax")(x), layers.Dense(3, activation="softmax")(x)])


def _penalized(x):
    return layers.ActivityRegularization(l2=1e-3)(layers.Dense(3, activation="softmax")(x))


def _capped(x):
    return layers.ReLU(max_value=1.0)(layers.Dense(3)(x))


@pytest.mark.parametrize(
    ("ending", "loss"),
    [
        (_two_sigmoids, "binary_crossentropy"),
        (_average, "categorical_crossentropy"),
        (_penalized, "categorical_crossentropy"),
        (_capped, "binary_crossentropy"),
    ],
)
def test_probabilities_that_other_layers_make_do_not_warn(ending, loss):
    x = layers.Input((2,))
    model = Model(x, ending(x))
    model.compile("sgd", loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model._current_objective()


def test_a_softmax_over_one_unit_in_the_middle_warns_too():
    model = models.Sequential([layers.Dense(1, activation="softmax", input_shape=(2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="a softmax over a single unit is always 1"):
        model.fit(np.zeros((2, 2)), np.zeros(2), verbose=0)


BINARY = losses.BinaryCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("metric", "advice"),
    [
        ("accuracy", r"use BinaryAccuracy\(threshold=0\)"),
        ("AUC", r"use AUC\(from_logits=True\)"),
        ("Precision", r"use Precision\(thresholds=0\)"),
        (metrics.Recall(thresholds=[0.2, 0.7]), r"use Recall\(thresholds=0\)"),
        ("false_positives", r"use FalsePositives\(thresholds=0\)"),
        (metrics.F1Score(threshold=0.5), "end the model in a sigmoid or softmax"),
        ("binary_crossentropy", "pass it as an object with from_logits=True"),
    ],
)
def test_metrics_of_probabilities_on_scores_warn_and_say_what_to_change(metric, advice):
    model = compiled(1, None, loss=BINARY, metrics=[metric])
    with pytest.warns(UserWarning, match=f"reads probabilities, but with from_logits=True the model predicts scores; {advice}"):
        model._current_objective()


@pytest.mark.parametrize(
    ("units", "loss", "metric"),
    [
        (1, BINARY, metrics.BinaryAccuracy(threshold=0)),
        (1, BINARY, metrics.AUC(from_logits=True)),
        (1, BINARY, metrics.Precision(thresholds=0)),
        (1, BINARY, metrics.BinaryCrossentropy(from_logits=True)),
        (3, losses.CategoricalCrossentropy(from_logits=True), "accuracy"),
        (3, losses.CategoricalCrossentropy(from_logits=True), metrics.TopKCategoricalAccuracy(k=2)),
        (3, losses.CategoricalCrossentropy(from_logits=True), metrics.Precision(top_k=1)),
        (3, losses.CategoricalCrossentropy(from_logits=True), "mae"),
    ],
)
def test_metrics_that_can_use_scores_do_not_warn(units, loss, metric):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(units, None, loss=loss, metrics=[metric])._current_objective()


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(
    ("activation", "loss", "metric", "y"),
    [
        ("sigmoid", "binary_crossentropy", "binary_crossentropy", np.eye(3)),
        ("sigmoid", "mse", "binary_crossentropy", np.eye(3)),
        ("softmax", "categorical_crossentropy", "categorical_crossentropy", np.eye(3)),
        ("softmax", "mse", metrics.CategoricalCrossentropy(name="ce"), np.eye(3)),
        ("softmax", "sparse_categorical_crossentropy", "sparse_categorical_crossentropy", np.arange(3)),
    ],
)
def test_a_cross_entropy_as_metric_is_computed_from_the_logits_as_the_loss_is(engine, activation, loss, metric, y):
    model = compiled(3, activation, loss=loss, metrics=[metric], engine=engine)
    model.set_weights([np.array([[-40.0, 2.0, 60.0], [9.0, 8.0, -35.0]]), np.zeros(3)])
    x = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]], np.float32)
    z = x.astype(np.float64) @ model.get_weights()[0]
    one_hot = np.eye(3)
    if activation == "sigmoid":
        wanted = (np.logaddexp(0, z) - one_hot * z).mean()
    else:
        wanted = (np.logaddexp.reduce(z, axis=1) - (one_hot * z).sum(axis=1)).mean()
    values = model.evaluate(x, y, verbose=0)
    assert wanted > 17  # beyond what probabilities within [1e-7, 1 - 1e-7] can give
    assert values[1] == pytest.approx(wanted, rel=1e-6)
    if loss != "mse":
        assert values[0] == pytest.approx(values[1], rel=1e-6)
