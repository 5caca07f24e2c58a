"""Every kind of loss in models with several outputs: smoothed targets, variances beside means, functions of the user's own, schedules."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastmlp import Model, layers, losses, metrics, optimizers
from fastmlp.optimizers import schedules

ENGINES = ("native", "reference")
rng = np.random.default_rng(8)
X = rng.normal(size=(40, 5)).astype(np.float32)
Y = {
    "kind": np.eye(4, dtype=np.float32)[rng.integers(0, 4, 40)],
    "group": rng.integers(0, 3, 40),
    "price": rng.normal(size=(40, 2)).astype(np.float32),
    "size": rng.normal(size=(40, 2)).astype(np.float32),
}


def squares(y_true, y_pred):
    error = y_pred - y_true
    return np.square(error).mean(axis=1), 2 * error / error.shape[1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("activation", "loss"), [("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy")])
def test_a_closing_activation_that_another_layer_reads_keeps_the_loss_on_logits(engine, activation, loss):
    x = layers.Input((5,))
    kind = layers.Dense(4, activation=activation, name="kind")(x)
    model = Model(x, {"kind": kind, "price": layers.Dense(2, name="prices")(kind)})
    model.compile(optimizers.SGD(1.0), {"kind": loss, "price": "mse"}, loss_weights={"price": 0.0}, engine=engine)
    alone = Model(x, kind)
    alone.compile(optimizers.SGD(1.0), loss, engine=engine)
    model.get_layer("kind").set_weights([np.full((5, 4), 40.0) * np.arange(4), np.zeros(4)])  # saturated
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wanted = alone.evaluate(X, Y["kind"], verbose=0)
        values = model.evaluate(X, {"kind": Y["kind"], "price": Y["price"]}, verbose=0, return_dict=True)
    assert values["kind_loss"] == pytest.approx(wanted, rel=1e-6)
    assert wanted > 20
    before = model.get_layer("kind").get_weights()[0]
    model.fit(X, {"kind": Y["kind"], "price": Y["price"]}, batch_size=40, shuffle=False, verbose=0)
    shared = model.get_layer("kind").get_weights()[0]
    model.get_layer("kind").set_weights([before, np.zeros(4)])
    alone.fit(X, Y["kind"], batch_size=40, shuffle=False, verbose=0)
    np.testing.assert_allclose(shared, model.get_layer("kind").get_weights()[0], rtol=1e-6)
    assert np.abs(shared - before).max() > 1e-3


def four_outputs(engine="native", size=squares, optimizer=None):
    x = layers.Input(shape=(5,))
    h = layers.Dense(16, activation="gelu", name="first")(x)
    outputs = {
        "kind": layers.Dense(4, activation="softmax", name="kinds")(h),
        "group": layers.Dense(3, activation="softmax", name="groups")(h),
        "price": layers.Dense(4, activation="softplus", name="prices")(h),
        "size": layers.Dense(2, name="sizes")(h),
    }
    model = Model(x, outputs)
    model.compile(
        optimizer or optimizers.SGD(0.05),
        loss={
            "kind": losses.CategoricalCrossentropy(label_smoothing=0.2),
            "group": losses.SparseCategoricalCrossentropy(),
            "price": "gaussian_nll",
            "size": size,
        },
        loss_weights={"kind": 0.5, "size": 2.0},
        metrics={
            "kind": ["accuracy", metrics.CategoricalCrossentropy(name="smoothed", label_smoothing=0.1)],
            "size": ["cosine_similarity"],
        },
        engine=engine,
    )
    start = np.random.default_rng(1)
    model.set_weights([start.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    model.seed = 1
    return model


def test_engines_train_alike():
    models = [four_outputs(engine) for engine in ENGINES]
    weight = np.linspace(0.5, 1.5, 40)
    for model in models:
        model.fit(X, Y, epochs=4, batch_size=16, sample_weight=weight, verbose=0)
    left, right = (model.history.history for model in models)
    assert list(left) == list(right)
    for name in left:
        assert left[name] == pytest.approx(right[name], rel=1e-4), name
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_loss_is_the_weighted_sum_of_what_each_loss_gives(engine):
    model = four_outputs(engine)
    values, predictions = model.evaluate(X, Y, verbose=0, return_dict=True), model.predict(X)
    alone = {
        "kind": losses.CategoricalCrossentropy(label_smoothing=0.2),
        "group": losses.SparseCategoricalCrossentropy(),
        "price": losses.get("gaussian_nll"),
        "size": losses.MeanSquaredError(),
    }
    for name, loss in alone.items():
        assert values[f"{name}_loss"] == pytest.approx(float(loss(Y[name], predictions[name])), rel=1e-4), name
    parts = [0.5 * values["kind_loss"], values["group_loss"], values["price_loss"], 2 * values["size_loss"]]
    assert values["loss"] == pytest.approx(sum(parts), rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_trains_as_the_loss_it_computes(engine):
    own, built_in = four_outputs(engine), four_outputs(engine, size="mse")
    for model in (own, built_in):
        model.fit(X, Y, epochs=3, batch_size=16, verbose=0)
    for left, right in zip(own.get_weights(), built_in.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_a_function_leaves_the_weights_of_the_batch_before(engine):
    def fails(y_true, y_pred):
        raise KeyError("this one")

    model = four_outputs(engine, size=fails)
    before = model.get_weights()
    with pytest.raises(KeyError, match="this one"):
        model.fit(X, Y, verbose=0)
    for left, right in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_function_cannot_use_the_model_it_trains():
    def predicts(y_true, y_pred):
        model(X[:1])
        return squares(y_true, y_pred)

    model = four_outputs(size=predicts)
    with pytest.raises(RuntimeError, match="a loss function can't use the model that is being trained with it"):
        model.fit(X, Y, verbose=0)


def test_rates_of_a_schedule_are_those_of_each_batch():
    rate = schedules.ExponentialDecay(0.1, 3, 0.5)
    models = [four_outputs(engine, optimizer=optimizers.SGD(rate)) for engine in ENGINES]
    for model in models:
        model.fit(X, Y, epochs=3, batch_size=8, verbose=0)
    for left, right in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-5)


def test_targets_of_variances_have_half_the_columns():
    model = four_outputs()
    with pytest.raises(
        ValueError, match=r"y\['price'\] has shape \(40, 4\), but the last layer has 4 units, so gaussian_nll takes \(samples, 2\)"
    ):
        model.fit(X, {**Y, "price": np.zeros((40, 4))}, verbose=0)
