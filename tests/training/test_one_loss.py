"""Models in which one output has a loss, or one loss has a weight: the same numbers as without the outputs and factors around it."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastmlp import Model, Sequential, layers, load_model, metrics, optimizers

ENGINES = ("native", "reference")
rng = np.random.default_rng(8)
X = rng.normal(size=(40, 6)).astype(np.float32)
PRICE, KIND = rng.normal(size=(40, 1)).astype(np.float32), rng.integers(0, 3, 40)
WEIGHT = rng.uniform(0, 2, 40)


def two_outputs():
    x = layers.Input((6,))
    h = layers.Dense(5, activation="tanh")(x)
    return Model(x, [layers.Dense(1, name="price")(h), layers.Dense(3, activation="softmax", name="kind")(h)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("output", "loss", "watched"),
    [
        ("price", "mse", lambda: ["mae", metrics.R2Score(name="r2")]),
        ("kind", "sparse_categorical_crossentropy", lambda: ["accuracy", metrics.SparseTopKCategoricalAccuracy(2, name="top_2")]),
    ],
)
def test_an_output_with_the_only_loss_trains_as_if_it_were_alone(output, loss, watched, engine):
    both = two_outputs()
    alone = Model(both.input, both.get_layer(output).output)
    copied = Sequential([layers.Input((6,)), *(type(layer).from_config(layer.get_config()) for layer in alone.layers[1:])])
    copied.set_weights(alone.get_weights())
    targets = {"price": PRICE, "kind": KIND}
    options = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, "validation_split": 0.25}
    weighted = ["mse" if output == "price" else "acc"]
    copied.compile("sgd", loss, metrics=watched(), weighted_metrics=weighted, engine=engine)
    expected = copied.fit(X, targets[output], sample_weight=WEIGHT, **options).history
    both.compile("sgd", {output: loss}, metrics={output: watched()}, weighted_metrics={output: weighted}, engine=engine)
    history = both.fit(X, targets, sample_weight={output: WEIGHT}, **options).history
    for name, values in expected.items():
        bare = name.removeprefix("val_")
        key = name if bare == "loss" else f"{name.removesuffix(bare)}{output}_{bare}"
        np.testing.assert_allclose(history.pop(key), values, rtol=1e-6, err_msg=key)
    assert not history
    assert len(both.evaluate(X, targets, verbose=0)) == 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("weight", [0.25, [0.25]])
def test_a_loss_is_multiplied_by_its_weight(weight, engine):
    model = Sequential([layers.Input((6,)), layers.Dense(1)])
    other = copy.deepcopy(model)
    model.compile(optimizers.SGD(0.1), "mse", loss_weights=weight, metrics=["mse"], engine=engine)
    other.compile(optimizers.SGD(0.025), "mse", engine=engine)
    loss, mse = model.evaluate(X, PRICE, verbose=0)
    assert loss == pytest.approx(mse / 4)
    for each in (model, other, copy.deepcopy(model)):
        each.fit(X, PRICE, epochs=2, shuffle=False, verbose=0)
        np.testing.assert_allclose(each.get_weights()[0], model.get_weights()[0], rtol=1e-5, atol=1e-7)


def test_evaluate_lists_losses_as_they_were_told_to_compile():
    x = layers.Input((6,))
    model = Model(x, {"b": layers.Dense(1)(x), "a": layers.Dense(2)(x)})
    model.compile("sgd", {"b": "mse", "a": "mae"})
    data = {"a": X[:, :2], "b": PRICE}
    named = model.evaluate(X, data, verbose=0, return_dict=True)
    assert list(named) == ["a_loss", "b_loss", "loss"]
    assert model.evaluate(X, data, verbose=0) == [named["loss"], named["b_loss"], named["a_loss"]]


def test_a_model_of_several_outputs_lists_its_losses_and_metrics_as_evaluate_does():
    x = layers.Input((6,))
    model = Model(x, {"a": layers.Dense(2)(x), "b": layers.Dense(1)(x)})
    model.compile("sgd", {"b": "mse", "a": "mae"}, metrics={"b": ["mae"], "a": ["mse"]})
    assert model.metrics_names == ["loss", "b_loss", "a_loss", "a_mse", "b_mae"]
    named = model.evaluate(X, {"a": X[:, :2], "b": PRICE}, verbose=0, return_dict=True)
    assert [named[name] for name in model.metrics_names] == model.evaluate(X, {"a": X[:, :2], "b": PRICE}, verbose=0)
    assert {name: loss.kind for name, loss in model.loss.items()} == {"a": "mean_absolute_error", "b": "mean_squared_error"}
    assert model.metrics == ["mse", "mae"]


@pytest.mark.parametrize("ending", [".safetensors", ".keras"])
def test_files_keep_the_weight_of_a_loss(ending, tmp_path):
    if ending == ".keras":
        pytest.importorskip("h5py")
    model = Sequential([layers.Input((6,)), layers.Dense(1)])
    model.compile("sgd", "mse", loss_weights=0.25)
    model.save(tmp_path / f"model{ending}")
    loaded = load_model(tmp_path / f"model{ending}")
    assert loaded.evaluate(X, PRICE, verbose=0) == pytest.approx(model.evaluate(X, PRICE, verbose=0))
