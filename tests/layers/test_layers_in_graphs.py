"""Layers with statistics, tables and slopes in functional models: shared, frozen, inside models inside models, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import Model, layers, models, utils

rng = np.random.default_rng(6)
ROWS = 700
WORDS = rng.integers(0, 40, (ROWS, 6))
MORE = rng.integers(0, 40, (ROWS, 6))
NUMBERS = rng.normal(size=(ROWS, 33)).astype(np.float32)
X = [WORDS, MORE, NUMBERS]
Y = rng.normal(size=(ROWS, 3)).astype(np.float32)


def branched(frozen=(), units=70):
    """A table, a batch normalization and a PReLU for two inputs; noise; a model inside, and a residual connection around it."""
    words, more, numbers = (layers.Input(shape=(width,), name=name) for width, name in ((6, "words"), (6, "more"), (33, "numbers")))
    table, norm, slope = layers.Embedding(40, 9, name="table"), layers.BatchNormalization(name="norm"), layers.PReLU("ones", name="slope")
    left, right = (
        slope(norm(layers.Dense(units, use_bias=False, name=name)(layers.Flatten()(table(x)))))
        for name, x in (("left", words), ("right", more))
    )
    inner_x = layers.Input(shape=(units,))
    h = layers.LayerNormalization(name="rows")(layers.Dense(units, activation="gelu", name="deep")(inner_x))
    inner = Model(inner_x, layers.BatchNormalization(name="deep_norm")(h), name="inner")
    h = layers.Add()([inner(left), layers.GaussianDropout(0.2)(right), layers.Dense(units, activation="relu", name="wide")(numbers)])
    model = Model([words, more, numbers], layers.Dense(3, name="last")(layers.Add()([h, inner(h)])))
    for name in frozen:
        (inner if name in ("rows", "deep", "deep_norm") else model).get_layer(name).trainable = False
    return model


def trained(frozen=(), engine="native", optimizer="adam", units=70, rows=150, batch_size=64):
    utils.set_random_seed(5)
    model = branched(frozen, units)
    model.compile(optimizer, "mse", engine=engine)
    model.fit([part[:rows] for part in X], Y[:rows], batch_size=batch_size, epochs=1, verbose=0)
    return model


def largest_difference(left, right):
    return max(float(np.abs(a - b).max()) for a, b in zip(left.get_weights(), right.get_weights(), strict=True))


@pytest.mark.parametrize("frozen", [(), ("table",), ("norm", "left"), ("inner",), ("deep", "slope", "wide"), ("deep_norm",)])
def test_engines_train_alike(frozen):
    native, reference = (trained(frozen, engine, "sgd") for engine in ("native", "reference"))
    assert largest_difference(native, reference) < 1e-4
    np.testing.assert_allclose(native.predict(X), reference.predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("frozen", [(), ("table", "norm"), ("deep", "slope")])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_threads_change_no_bit(frozen, optimizer, threads):
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(trained(frozen, "native", optimizer, 256, ROWS, 350))
    assert largest_difference(results[0], results[1]) == largest_difference(results[0], results[2]) == 0


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("frozen", [("table",), ("norm",), ("slope", "wide"), ("inner",), ("deep_norm",)])
def test_frozen_layers_stay_and_the_others_train(engine, frozen):
    utils.set_random_seed(5)
    start, model = branched(), trained(frozen, engine)
    names = [parameter.name for parameter in model.plan.parameters]
    moved = {name for name, a, b in zip(names, start.get_weights(), model.get_weights(), strict=True) if not np.array_equal(a, b)}
    assert moved == {name for name in names if not set(name.split("/")) & set(frozen)}


def test_a_model_inside_is_frozen_and_released_as_a_whole():
    model = trained(("inner",))
    inner = model.get_layer("inner")
    assert not inner.trainable
    assert inner.trainable_weights == []
    assert len(model.trainable_weights) == len(model.get_weights()) - len(inner.get_weights()) - 2  # and the statistics of norm
    before = inner.get_weights()
    model.trainable = True
    with pytest.raises(RuntimeError, match=r"trainable was changed after the model was trained, .* call compile again"):
        model.fit(X, Y, epochs=1, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, inner.get_weights(), strict=True))
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, inner.get_weights(), strict=True))


def test_weights_of_a_shared_layer_count_once():
    model = branched()
    shapes = [weight.shape for weight in model.trainable_weights]
    assert shapes.count((40, 9)) == 1
    assert sum(weight.size for weight in (*model.trainable_weights, *model.non_trainable_weights)) == model.count_params()
    lines = []
    model.summary(print_fn=lines.append)
    assert f"Trainable params: {model.count_trainable():,}" in lines[0]


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_statistics_move_where_no_loss_is(engine):
    utils.set_random_seed(1)
    x = layers.Input(shape=(33,))
    h = layers.Dense(5)(x)
    outputs = {
        "a": layers.Dense(3)(h),
        "b": layers.Dense(3)(h),
        "watched": layers.BatchNormalization(name="norm")(layers.Dense(2, name="d")(h)),
    }
    model = Model(x, outputs)
    model.compile("sgd", {"a": "mse", "b": "mse"}, engine=engine)
    before = model.get_layer("norm").get_weights() + model.get_layer("d").get_weights()
    model.train_on_batch(NUMBERS, {"a": Y, "b": Y})
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(before, model.get_layer("norm").get_weights() + model.get_layer("d").get_weights(), strict=True)
    ]
    assert moved == [False, False, True, True, False, False]


def test_a_layer_of_numbers_fits_each_of_its_inputs():
    scale = layers.Rescaling([1.0, 2.0])
    one, two = layers.Input(shape=(2,)), layers.Input(shape=(3, 2))
    model = Model([one, two], layers.Concatenate()([scale(one), layers.Flatten()(scale(two))]))
    assert model([[[1.0, 1.0]], [[[1.0, 1.0]] * 3]]).tolist() == [[1.0, 2.0] * 4]


def test_numbers_out_of_range_are_told_by_input():
    model = branched()
    wrong = MORE.copy()
    wrong[4, 2] = 40
    with pytest.raises(ValueError, match=r"x\['more'\]\[4, 2\] is 40, but the first layer reads integers from 0 to 39"):
        model.predict([WORDS, wrong, NUMBERS])
    model.predict([WORDS, MORE, NUMBERS * 100])


def test_tables_inside_a_model_read_its_input():
    x = layers.Input(shape=(6,))
    inner = models.Sequential([layers.Input(shape=(6,)), layers.Embedding(40, 2), layers.Flatten()])
    model = Model(x, layers.Dense(1)(inner(x)))
    with pytest.raises(ValueError, match=r"x\[0, 0\] is 0.5"):
        model.predict(np.full((1, 6), 0.5))
    with pytest.raises(ValueError, match="reads integers, so it must be the first of the model, but dense is before it"):
        Model(x, inner(layers.Dense(6)(x)))
