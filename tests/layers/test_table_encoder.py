"""What TableEncoder makes of the columns of a table, in both engines."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from fastmlp import layers, models, utils
from fastmlp._data.tables import constants

TABLE = {
    "age": [20, 30, None, 40, 60, 30],
    "city": ["Rome", "Oslo", "Rome", None, "Bern", "Oslo"],
    "job": [f"j{number}" for number in (1, 2, 1, 3, 2, 3)],
    "same": ["x"] * 6,
}


def adapted(table=TABLE, **options):
    encoder = layers.TableEncoder(**options)
    encoder.adapt(table)
    return encoder


def clipped(z):
    return z / math.sqrt(1 + (z / constants.LIMIT) ** 2)


def test_numbers_are_scaled_and_clipped_and_categories_are_one_hot():
    encoder = adapted()
    given = {"age": [50, None, 1e30], "city": [None, "Rome", "new"], "job": ["j1", "new", "j3"]}
    ages = np.clip([20, 30, 40, 60, 30], 20.4, 59.2)  # the 1st and the 99th percentile
    age = clipped((50 - ages.mean()) / ages.std())
    expected = [[age, 0, 0, 0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 0, 0, 0, 0], [constants.LIMIT, 0, 0, 0, 0, 0, 0, 0, 1]]
    np.testing.assert_allclose(encoder(given), expected, rtol=1e-6)
    assert encoder.output_shape == (None, 9)
    assert encoder.weights == []
    assert encoder.embeddings is None


def test_many_categories_become_vectors_that_are_trained():
    encoder = adapted(max_one_hot=2, embedding_dim=3)
    assert encoder.embeddings.shape == (3 + 4, 3)  # Oslo and Rome, and j1 to j3, each with unknown; Bern and missing are seen once
    vectors = encoder.get_weights()[0]
    cities = {**TABLE, "city": ["Rome", "Bern", "new", None, "Oslo", "Oslo"]}
    np.testing.assert_array_equal(encoder(cities)[:, 2:5], vectors[[1, 2, 2, 2, 0, 0]])
    np.testing.assert_array_equal(encoder(TABLE)[:, 5:], vectors[[3, 4, 3, 5, 4, 5]])


def test_bins_are_the_piecewise_linear_encoding():
    x = np.array([[0.0, 5], [1, 5], [2, np.nan], [5, 6]])
    encoder = adapted(x, bins=3, bin_dim=0)
    np.testing.assert_allclose(
        encoder([[0.5, np.nan], [9, 5.5], [np.nan, 5]])[:, 3:], [[0.5, 0, 0], [1, 1, 2], [0, 0, 0]], rtol=1e-6
    )  # the second has two values
    assert [row["becomes"] for row in encoder.describe()] == ["scaled, 3 bins", "scaled, missing or not"]


def test_numbers_in_bins_become_vectors_that_are_trained():
    x = np.array([[0.0, 5], [1, 5], [2, np.nan], [5, 6]])
    encoder = adapted(x, bins=3, bin_dim=4)
    embedding = layers.PiecewiseLinearEmbedding(4, edges=[[0, 1, 2, 5], []])
    embedding.build((None, 2))
    embedding.set_weights(encoder.get_weights())
    given = [[0.5, np.nan], [9, 5.5], [np.nan, 5]]
    np.testing.assert_array_equal(encoder(given)[:, 3:], embedding(given)[:, 0])
    assert encoder.number_embeddings.shape == (4, 4)
    assert encoder.embeddings is None
    assert [row["becomes"] for row in encoder.describe()] == ["scaled, vector of 4 in 3 bins", "scaled, missing or not"]
    assert [row["columns"] for row in encoder.describe()] == [5, 2]


def test_both_engines_give_the_same_numbers():
    utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    table = {
        "a": np.where(generator.random(400) < 0.1, np.nan, generator.normal(size=400)),
        "b": generator.normal(size=400) ** 3,
        "c": generator.integers(0, 5, 400).astype(str),
        "d": [f"d{number}" for number in generator.integers(0, 20, 400)],
        "e": generator.random(400) < 0.3,
    }
    y = (table["b"] > 0).astype(np.float32)
    config = adapted(table, bins=8).get_config()
    parts = [layers.TableEncoder.from_config(config), layers.Dense(8, "tanh"), layers.Dense(1, "sigmoid")]
    start = models.Sequential(parts).get_weights()

    def trained(engine):
        model = models.clone_model(models.Sequential(parts))
        model.set_weights(start)
        model.compile("adam", "binary_crossentropy", engine=engine)
        first = model.predict(table, verbose=0)
        utils.set_random_seed(1)
        model.fit(table, y, epochs=2, verbose=0, shuffle=False)
        return [first, *model.get_weights()]

    for native, reference in zip(trained("native"), trained("reference"), strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-3, atol=1e-5)
    for native, before in zip(trained("native")[1:], start, strict=True):
        assert not np.array_equal(native, before)


def test_the_default_bins_are_those_of_tables_with_enough_rows():
    x = np.arange(constants.SAMPLES_FOR_BINS, dtype=np.float32)[:, None]
    assert adapted(x).output_shape == (None, 1 + constants.BIN_DIM)
    assert adapted(x, bin_dim=0).output_shape == (None, 1 + constants.BINS)
    assert adapted(x, bins=0).output_shape == adapted(x[1:]).output_shape == (None, 1)


def test_an_encoder_that_is_not_adapted_says_what_to_do():
    encoder = layers.TableEncoder(name="rows")
    for use in (
        lambda: encoder(TABLE),
        lambda: models.Sequential([encoder, layers.Dense(1)]),
        lambda: encoder(layers.Input((3,))),
        encoder.summary,
    ):
        with pytest.raises(ValueError, match=r"layer 'rows' has not learned a table yet: call encoder.adapt\(table\)"):
            use()
    assert encoder.feature_names is None


def test_an_encoder_behind_another_width_is_refused():
    with pytest.raises(ValueError, match=r"reads samples of shape \(3,\), one number for each column of the table that varies, got \(4,\)"):
        models.Sequential([layers.Input((4,)), adapted(), layers.Dense(1)])


def test_summary_shows_what_becomes_of_each_column(capsys):
    adapted(max_one_hot=3, kinds={"job": "drop"}).summary()
    assert capsys.readouterr().out.splitlines() == [
        "column  kind      becomes",
        "age     number    scaled, missing or not",
        "city    category  vectors of 8, 2 categories with missing",
        "job     category  nothing, it is dropped",
        "same    category  nothing, it is constant",
    ]
    assert adapted({"n": list("abcdefghijkl"), "x": range(12)}).describe()[0]["becomes"] == "nothing, no category is repeated"
    described = adapted().describe()
    assert [row["columns"] for row in described] == [2, 4, 3, 0]
    assert described[1] == {
        "name": "city",
        "kind": "category",
        "missing": True,
        "categories": 4,
        "columns": 4,
        "becomes": "one-hot, 4 categories with missing",
    }


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_encode_as_the_original(copied):
    encoder = adapted(max_one_hot=2)
    np.testing.assert_array_equal(copied(encoder)(TABLE), encoder(TABLE))
    assert copied(layers.TableEncoder(bins=3)).get_config()["schema"] is None


def test_a_frozen_encoder_keeps_its_vectors():
    encoder = adapted(max_one_hot=2, trainable=False)
    model = models.Sequential([encoder, layers.Dense(1)])
    model.compile("sgd", "mse")
    before = encoder.get_weights()
    model.fit(TABLE, np.arange(6.0), verbose=0)
    np.testing.assert_array_equal(encoder.get_weights(), before)
    encoder.trainable = True
    model.compile("sgd", "mse")
    model.fit(TABLE, np.arange(6.0), verbose=0)
    assert not np.array_equal(encoder.get_weights(), before)


def test_vectors_may_have_a_penalty():
    model = models.Sequential([adapted(max_one_hot=2, embeddings_regularizer="l2"), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    expected = 0.01 * np.sum(model.get_weights()[0] ** 2)
    assert model.evaluate(TABLE, np.zeros(6), verbose=0) == pytest.approx(expected, rel=1e-5)


def test_adapting_again_takes_effect_in_models_if_their_shapes_stay():
    encoder = adapted()
    model = models.Sequential([encoder, layers.Dense(1)])
    encoder.adapt({**TABLE, "age": [200, 300, None, 400, 600, 300], "city": ["a", "b", "a", None, "c", "b"]})
    other = {**TABLE, "age": [500] * 6, "city": ["c"] * 6}
    np.testing.assert_allclose(model(other), encoder(other) @ model.get_weights()[0], rtol=1e-5)
    with pytest.raises(RuntimeError, match=r"reads 3 columns, which become 9, .* this table 3, which become 8, .* make a new layer"):
        encoder.adapt({**TABLE, "age": [20, 30, 25, 40, 60, 30]})
    np.testing.assert_allclose(model(other), encoder(other) @ model.get_weights()[0], rtol=1e-5)


def test_an_encoder_without_a_model_can_be_adapted_to_any_table():
    encoder = adapted()
    encoder.adapt([[1, "a"], [2, "b"]])
    assert encoder.output_shape == (None, 3)


def test_kinds_are_checked():
    for kinds in ({"age": "numeric"}, ["age"], {"age": 3}):
        with pytest.raises(ValueError, match=r"kinds must map names of columns to 'number', .* or 'drop'"):
            layers.TableEncoder(kinds=kinds)


def test_arguments_are_fixed_once_the_layer_is_made():
    encoder = adapted()
    with pytest.raises(AttributeError, match=r"bins of TableEncoder is fixed once it is made"):
        encoder.bins = 3
