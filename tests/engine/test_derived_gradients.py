"""Derivatives of models by weights and inputs: finite differences in float64, and engine against engine."""

import numpy as np
import pytest

from fastmlp import layers, models
from fastmlp._engine.spec import Update
from fastmlp._graph import derived
from fastmlp.reference import Network

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 6)).astype("float32")
G = rng.normal(size=(12, 3)).astype("float32")


def of_layers(*between, last="linear"):
    return models.Sequential([layers.Dense(8, activation="tanh", input_shape=(6,)), *between, layers.Dense(3, activation=last)])


def branched():
    x = layers.Input((6,))
    parts = x[:, :2], x[:, 2:]
    h = layers.Add()([layers.Dense(5, activation="gelu")(parts[0]), layers.Dense(5)(parts[1])])
    return models.Model(x, layers.Dense(3)(layers.Concatenate()([h, layers.Dropout(0.2)(x), layers.Dense(2)(x)])))


MODELS = {
    "dense": lambda: of_layers(),
    "softmax": lambda: of_layers(last="softmax"),
    "linear": lambda: models.Sequential([layers.Dense(3, input_shape=(6,))]),
    "gelu": lambda: of_layers(layers.Dense(7, activation="gelu")),
    "dropout": lambda: of_layers(layers.Dropout(0.5), layers.GaussianNoise(0.3)),
    "norms": lambda: of_layers(layers.LayerNormalization(), layers.Dense(4), layers.BatchNormalization()),
    "noise first": lambda: models.Sequential([layers.Input((6,)), layers.Dropout(0.2), layers.Dense(3)]),
    "rescaled": lambda: models.Sequential([layers.Input((6,)), layers.Rescaling(0.5, 1.0), layers.Dense(3)]),
    "branched": branched,
    "folded": lambda: models.Sequential(
        [layers.Input((6,)), layers.Reshape((3, 2)), layers.Dense(4, activation="tanh"), layers.Flatten(), layers.Dense(3)]
    ),
    "custom": lambda: of_layers(layers.Dense(4, activation=lambda z: z * z)),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_products_with_the_jacobian_are_finite_differences_in_float64(make):
    model = make()
    plan = derived.without_penalties(derived.as_called(model._require_plan()))
    network = Network(plan, dtype=np.float64)
    for index, weight in enumerate(model.weights):
        network.set_parameter(index, weight.numpy().astype(float))

    def value(x, weights):
        for index, weight in enumerate(weights):
            network.set_parameter(index, weight)
        return float((G * network.predict(x)).sum())

    weights = [one.numpy().astype(float) for one in model.weights]
    by_inputs = model.gradients(X, output_gradients=G, by="inputs")
    direction, step = rng.normal(size=X.shape), 1e-6
    difference = (value(X + step * direction, weights) - value(X - step * direction, weights)) / (2 * step)
    assert by_inputs.shape == X.shape
    assert np.sum(direction * by_inputs) == pytest.approx(difference, rel=1e-4, abs=1e-4)

    by_weights = model.gradients(X, output_gradients=G, training=False)
    assert [one.shape for one in by_weights] == [one.shape for one in model.trainable_variables]
    places = {id(one): index for index, one in enumerate(model.weights)}
    directions = [np.zeros(one.shape) for one in weights]
    for one in model.trainable_variables:
        directions[places[id(one)]] = rng.normal(size=one.shape)
    ahead, behind = ([w + s * d for w, d in zip(weights, directions, strict=True)] for s in (step, -step))
    difference = (value(X.astype(float), ahead) - value(X.astype(float), behind)) / (2 * step)
    products = sum(
        np.sum(directions[places[id(one)]] * gradient) for one, gradient in zip(model.trainable_variables, by_weights, strict=True)
    )
    assert products == pytest.approx(difference, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("by", ["weights", "inputs"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "custom"])
def test_both_engines_agree(name, training, by):
    results = []
    for engine in ("native", "reference"):
        model = MODELS[name]()
        model.seed = 5
        draw = np.random.default_rng(1)
        model.set_weights([abs(draw.normal(size=one.shape)) * 0.3 for one in model.weights])
        model.compile("adam", "mse", engine=engine)
        for options in ({"output_gradients": G}, {"y": G, "sample_weight": np.arange(12.0)}):
            found = model.gradients(X, by=by, training=training, **options)
            results.append(found if by == "weights" else [found])
    for a, b in zip((*results[0], *results[1]), (*results[2], *results[3]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


def test_a_plan_of_a_derived_network_has_one_trainable_parameter():
    plan = derived.with_input_as_parameter(of_layers()._require_plan(), 7)
    assert [one.name for one in plan.parameters if one.trainable] == ["x"]
    network = Network(plan)
    network.configure(derived.linear_objective(plan.output), Update("sgd"))
    assert network.plan.parameters[-1].shape == (7, 6)
