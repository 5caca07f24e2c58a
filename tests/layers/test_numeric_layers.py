"""Layers that encode numbers: bins in which numbers are interpolated, sines and cosines of learned frequencies."""

import copy
import pickle

import numpy as np
import pytest

from fastmlp import layers, models, utils
from fastmlp.errors import UnsupportedError
from fastmlp.layers import Concatenate, Dense, Input, PeriodicEmbedding, PiecewiseLinearEmbedding, PiecewiseLinearEncoding
from fastmlp.layers.numeric import edges_of

ENGINES = ("native", "reference")
EDGES = [[0.0, 1.0, 3.0], [], [-1.0, 1.0]]
X = np.array([[0.5, 9.0, np.nan], [np.nan, 9.0, 0.0], [4.0, 9.0, -5.0]], np.float32)
ENCODED = np.array([[0.5, 0, 0], [0, 0, 0.5], [1, 1.5, -1]], np.float32)


def adapted(data, bins=32):
    layer = PiecewiseLinearEncoding(bins)
    layer.adapt(data)
    return layer


def sequential(*stack, width=3):
    return models.Sequential([Input((width,)), *stack])


# Edges


def test_few_distinct_values_are_all_edges():
    assert edges_of(np.array([3.0, 1.0, np.nan, 1.0, 2.0]), 2) == (1.0, 2.0, 3.0)
    assert edges_of(np.array([0.0, 1.0, 1.0]), 32) == (0.0, 1.0)


def test_a_constant_feature_has_no_edges():
    assert edges_of(np.array([2.0, 2.0, np.nan]), 8) == ()
    assert edges_of(np.full(3, np.nan), 8) == ()


def test_bins_of_continuous_values_hold_equally_many():
    values = np.random.default_rng(0).lognormal(size=20_000)
    edges = edges_of(values, 32)
    assert len(edges) == 33
    assert edges[0] == np.float32(values.min())
    assert edges[-1] == np.float32(values.max())
    counts = np.histogram(values.astype(np.float32), edges)[0]
    np.testing.assert_allclose(counts, 625, atol=2)


def test_a_value_that_most_samples_have_leaves_the_bins_to_the_others():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(5000) < 0.95, 0, rng.uniform(1, 2, 5000))
    edges = edges_of(values, 32)
    assert sum(edge > 1 for edge in edges) >= 29


def test_there_are_never_more_bins_than_asked_for():
    rng = np.random.default_rng(1)
    for bins in (1, 2, 3, 16, 48):
        for values in (rng.normal(size=999), rng.integers(0, 70, 999), rng.standard_cauchy(999), rng.zipf(1.5, 999)):
            edges = edges_of(values.astype(np.float64), bins)
            assert 2 <= len(edges) <= bins + 1
            assert sorted(set(edges)) == list(edges)


def test_edges_of_any_finite_numbers_suit_an_engine():
    edges = edges_of(np.array([0.0, 1e-45, 1e-40, 3e38, -3e38, 1e300, np.inf, -np.inf]), 8)
    layer = PiecewiseLinearEncoding(edges=[edges])
    assert np.isfinite(layer(np.array([[0.0], [1e-45], [3e38], [-3e38]]))).all()


# The layer


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_encodes_what_the_layer_does(engine):
    layer = PiecewiseLinearEncoding(edges=EDGES)
    np.testing.assert_array_equal(layer(X), ENCODED)
    model = sequential(PiecewiseLinearEncoding(edges=EDGES))
    model.compile("sgd", "mse", engine=engine)
    np.testing.assert_array_equal(model.predict(X, verbose=0), ENCODED)
    np.testing.assert_array_equal(model(X), ENCODED)
    assert model.output_shape == (None, 3)
    assert layer.compute_output_shape((None, 3)) == (None, 3)
    assert model.count_params() == 0


def test_adapting_learns_edges_of_each_feature_and_ignores_missing_values():
    layer = adapted(np.array([[0.0, 7.0, np.nan], [1.0, 7.0, 2.0], [3.0, np.nan, 4.0]]))
    assert layer.edges == ((0.0, 1.0, 3.0), (), (2.0, 4.0))
    batches = adapted([(np.array([[0.0, 7.0]]), None), (np.array([[1.0, 7.0], [3.0, 7.0]]), None)])
    assert batches.edges == ((0.0, 1.0, 3.0), ())


def test_a_network_learns_a_step_from_bins(seeded):
    rng = np.random.default_rng(0)
    x = rng.lognormal(0, 2, (2000, 2))
    y = ((x[:, 0] > 0.7) ^ (x[:, 1] < 2.0)).astype(np.float32)
    model = models.Sequential([adapted(x), Dense(32, "relu"), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=20, batch_size=32, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.97


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_values_may_be_trained_on_where_only_encodings_read_them(engine):
    number, other = Input((3,), name="number"), Input((1,), name="other")
    model = models.Model([number, other], Dense(1)(Concatenate()([PiecewiseLinearEncoding(edges=EDGES)(number), other])))
    model.compile("sgd", "mse", engine=engine)
    model.fit([X, np.ones((3, 1))], np.ones(3), verbose=0)
    assert np.isfinite(model.predict([X, np.ones((3, 1))], verbose=0)).all()
    with pytest.raises(ValueError, match=r"x\['other'\]\[1, 0\] is NaN; remove these samples"):
        model.fit([X, np.array([[1.0], [np.nan], [1.0]])], np.ones(3), verbose=0)


def test_infinite_values_and_features_that_other_layers_read_are_refused():
    model = sequential(PiecewiseLinearEncoding(edges=EDGES), Dense(1))
    model.compile("sgd", "mse")
    x = X.copy()
    x[2, 1] = np.inf
    with pytest.raises(ValueError, match=r"x\[2, 1\] is Inf; remove"):
        model.fit(x, np.ones(3), verbose=0)
    with pytest.raises(ValueError, match=r"x\[2, 1\] is 1e\+300, which is too large for float32"):
        model.fit(np.where(np.isinf(x), 1e300, x.astype(np.float64)), np.ones(3), verbose=0)
    tensor = Input((3,))
    both = models.Model(tensor, Dense(1)(Concatenate()([PiecewiseLinearEncoding(edges=EDGES)(tensor), tensor])))
    both.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"x\[0, 2\] is NaN \(2 such values in all\)"):
        both.fit(X, np.ones(3), verbose=0)


def test_edges_are_saved_copied_and_pickled(tmp_path):
    layer = adapted(np.random.default_rng(0).normal(size=(100, 3)), 5)
    model = sequential(layer, Dense(2))
    expected = model.predict(X, verbose=0)
    model.save(tmp_path / "model.safetensors")
    copies = [models.load_model(tmp_path / "model.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for other in copies:
        assert other.layers[0].edges == layer.edges
        np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    assert models.clone_model(model).layers[0].edges == layer.edges
    again = PiecewiseLinearEncoding.from_config(layer.get_config())
    assert again.edges == layer.edges
    again.adapt(np.array([[1.0], [2.0]]))
    assert again.edges == ((1.0, 2.0),)


def test_keras_files_have_no_place_for_it(tmp_path):
    model = sequential(PiecewiseLinearEncoding(edges=EDGES), Dense(2))
    with pytest.raises(UnsupportedError, match=r"a PiecewiseLinearEncoding; save the model as \.safetensors"):
        model.save(tmp_path / "model.keras")


def test_a_model_on_a_frame_selects_the_features_it_was_adapted_to():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0.0, 1.0, np.nan], "b": [2.0, 4.0, 8.0]})
    layer = adapted(frame)
    assert layer.feature_names == ("a", "b")
    model = models.Sequential([layer, Dense(1)])
    model.compile("sgd", "mse")
    model.fit(frame, np.ones(3), verbose=0)
    np.testing.assert_array_equal(model.predict(frame[["b", "a"]], verbose=0), model.predict(frame, verbose=0))


def test_edges_learned_anew_take_effect_in_the_models_that_have_them():
    layer = adapted(np.array([[0.0], [1.0], [2.0]]))
    model = sequential(layer, width=1)
    np.testing.assert_array_equal(model.predict(np.array([[1.5]]), verbose=0), [[1, 0.5]])
    layer.adapt(np.array([[0.0], [1.0], [3.0]]))
    np.testing.assert_array_equal(model.predict(np.array([[1.5]]), verbose=0), [[1, 0.25]])
    for data in (np.array([[0.0], [1.0]]), np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 2.0]])):
        with pytest.raises(RuntimeError, match="part of a model and reads 1 features in 2 bins"):
            layer.adapt(data)
    np.testing.assert_array_equal(model.predict(np.array([[1.5]]), verbose=0), [[1, 0.25]])


def test_a_layer_called_on_arrays_may_learn_other_bins():
    layer = adapted(np.array([[0.0], [1.0], [2.0]]))
    assert layer([[0.5]]).shape == (1, 2)
    layer.adapt(np.array([[0.0, 0.0], [1.0, 5.0]]))
    np.testing.assert_array_equal(layer([[0.5, 4.0]]), np.array([[0.5, 0.8]], np.float32))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: PiecewiseLinearEncoding(0), ValueError, "num_bins"),
        (lambda: PiecewiseLinearEncoding(edges=3), TypeError, "edges must be a list with the edges of each feature"),
        (lambda: PiecewiseLinearEncoding(edges=[["a"]]), TypeError, "edges[0] must be a list of numbers"),
        (lambda: PiecewiseLinearEncoding(edges=[[], [1.0]]), ValueError, "edges[1] must be at least two ascending numbers"),
        (lambda: PiecewiseLinearEncoding(edges=[[1.0, 1.0 + 1e-12]]), ValueError, "edges[0] must be at least two ascending numbers"),
        (lambda: PiecewiseLinearEncoding(edges=[[0.0, np.nan]]), ValueError, "edges[0] must be at least two ascending numbers"),
        (lambda: PiecewiseLinearEncoding(edges=[[0.0, 1e300]]), ValueError, "edges[0] must be at least two ascending numbers"),
        (lambda: sequential(PiecewiseLinearEncoding()), ValueError, "has no edges yet: call adapt(data), or pass edges="),
        (lambda: PiecewiseLinearEncoding()(X), ValueError, "has no edges yet: call adapt(data), or pass edges="),
        (lambda: sequential(PiecewiseLinearEncoding(edges=EDGES), width=2), ValueError, "has edges for 3 features, but samples have 2"),
        (lambda: sequential(PiecewiseLinearEncoding(edges=[[]]), width=1), ValueError, "has no bins"),
        (lambda: models.Sequential([Input((2, 3)), PiecewiseLinearEncoding(edges=EDGES)]), ValueError, "needs samples that are vectors"),
        (
            lambda: sequential(Dense(3), PiecewiseLinearEncoding(edges=EDGES)),
            ValueError,
            "no layer before it may be trainable, but dense is",
        ),
        (lambda: adapted(np.zeros((0, 2))), ValueError, "adapt got no samples"),
        (lambda: adapted([]), ValueError, "adapt got no samples"),
        (lambda: adapted(np.ones((5, 2))), ValueError, "no feature of the data has two different values"),
        (lambda: adapted(np.array([1.0, 2.0])), ValueError, "adapt takes (samples, features), got shape (2,)"),
        (lambda: adapted(np.array([[1.0, np.inf]])), ValueError, "data[0, 1] is inf"),
    ],
)
def test_what_makes_no_bins_is_an_error_that_says_what_to_do(build, error, message):
    with pytest.raises(error) as caught:
        build()
    assert message in str(caught.value)


def test_frozen_layers_may_stand_before_it():
    model = sequential(Dense(3, trainable=False), layers.Rescaling(2.0), PiecewiseLinearEncoding(edges=EDGES), Dense(1))
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)


# Periodic embeddings


@pytest.mark.parametrize("engine", ENGINES)
def test_a_number_becomes_sines_and_cosines_of_its_multiples(engine, seeded):
    layer = PeriodicEmbedding(5, sigma=2.0)
    model = sequential(layer, width=2)
    model.compile("sgd", "mse", engine=engine)
    x = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    angles = 2 * np.pi * x[:, :, None].astype(np.float64) * layer.coefficients.numpy()
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=2)
    assert model.output_shape == (None, 2, 10)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=0, atol=2e-7)
    np.testing.assert_allclose(layer(x), expected, rtol=0, atol=2e-7)


def test_coefficients_are_drawn_with_the_deviation_sigma(seeded):
    layer = PeriodicEmbedding(2000, sigma=0.05, input_shape=(10,))
    assert layer.compute_output_shape((None, 10)) == (None, 10, 4000)
    layer.build((None, 10))
    assert layer.count_params() == 20_000
    assert layer.weight_shapes == {"coefficients": (10, 2000)}
    assert layer.coefficients.numpy().std() == pytest.approx(0.05, rel=0.03)
    assert abs(layer.coefficients.numpy().mean()) < 0.002


def test_a_network_learns_the_frequency_of_a_wave(seeded):
    x = np.random.default_rng(0).normal(size=(1000, 1))
    y = np.sin(9 * x[:, 0])
    model = sequential(PeriodicEmbedding(16, sigma=1.0), Dense(8, "relu"), layers.Flatten(), Dense(1), width=1)
    model.compile("adam", "mse")
    model.optimizer.learning_rate = 0.01
    before = model.layers[0].coefficients.numpy()
    history = model.fit(x, y, epochs=60, verbose=0).history["loss"]
    assert history[-1] < 0.02
    assert not np.allclose(before, model.layers[0].coefficients.numpy(), atol=0.01)


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_coefficients_stay_while_layers_before_them_are_trained(engine, seeded):
    first, periodic = Dense(2), PeriodicEmbedding(4, trainable=False)
    model = sequential(first, periodic, layers.Flatten(), Dense(1))
    model.compile("adam", "mse", engine=engine)
    before = [first.kernel.numpy(), periodic.coefficients.numpy()]
    model.fit(np.ones((30, 3)), np.ones(30), verbose=0)
    assert not np.array_equal(before[0], first.kernel.numpy())
    np.testing.assert_array_equal(before[1], periodic.coefficients.numpy())


def test_coefficients_may_be_shared(seeded):
    one, other = Input((2,)), Input((2,))
    shared = PeriodicEmbedding(3)
    y = Dense(1)(layers.Flatten()(layers.Add()([shared(one), shared(other)])))
    states = []
    x = list(np.random.default_rng(0).normal(size=(2, 40, 2)))
    weights = models.Model([one, other], y).get_weights()
    for engine in ENGINES:
        model = models.Model([one, other], y)
        model.set_weights(weights)
        model.compile("sgd", "mse", engine=engine)
        model.fit(x, np.ones(40), epochs=3, shuffle=False, verbose=0)
        states.append(model.get_weights())
        assert not np.array_equal(weights[0], states[-1][0])
    for native, reference in zip(*states, strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lamb", "adafactor", "muon"])
def test_every_kind_of_optimizer_trains_coefficients(optimizer, seeded):
    x = np.random.default_rng(0).normal(size=(64, 3))
    weights = None
    states = []
    for engine in ENGINES:
        model = sequential(PeriodicEmbedding(5), layers.Flatten(), Dense(1))
        weights = weights or model.get_weights()
        model.set_weights(weights)
        model.compile(optimizer, "mse", engine=engine)
        model.fit(x, x[:, 0], epochs=2, shuffle=False, verbose=0)
        states.append(model.get_weights())
        assert not np.array_equal(weights[0], states[-1][0])
    for native, reference in zip(*states, strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-3, atol=1e-5)


def test_periodic_embeddings_are_saved_copied_and_refused_by_keras_files(tmp_path, seeded):
    model = sequential(PeriodicEmbedding(5, sigma=3.0), layers.Flatten(), Dense(1))
    x = np.ones((2, 3))
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.safetensors")
    for other in (models.load_model(tmp_path / "model.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.layers[0].sigma == 3.0
        np.testing.assert_array_equal(other.predict(x, verbose=0), expected)
    with pytest.raises(UnsupportedError, match=r"Keras has no layer like .*, a PeriodicEmbedding"):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PeriodicEmbedding(0), "frequencies"),
        (lambda: PeriodicEmbedding(sigma=0.0), "sigma"),
        (lambda: models.Sequential([Input((2, 3)), PeriodicEmbedding()]), "needs samples that are vectors, got shape"),
    ],
)
def test_periodic_embeddings_that_can_not_be_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# -- PiecewiseLinearEmbedding --


def test_an_embedding_is_a_dense_layer_of_its_own_on_the_encoding_of_each_feature():
    edges = [[-1.0, 0.0, 2.0], [], [0.0, 1.0]]
    x = np.array([[-3.0, 5.0, 0.25], [np.nan, 5.0, np.nan], [0.5, 0.0, 9.0]], np.float32)
    embedding = PiecewiseLinearEmbedding(2, edges=edges, activation="tanh")
    vectors = embedding(x)
    table = embedding.get_weights()[0].astype(np.float64)
    encoding = PiecewiseLinearEncoding(edges=edges)(x)
    expected = np.tanh(np.stack([table[0] + encoding[:, :2] @ table[1:3], table[3] + encoding[:, 2:] @ table[4:]], axis=1))
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6)
    assert embedding.output_shape == (None, 2, 2)


def test_an_embedding_learns_steps_that_a_dense_layer_cannot():
    utils.set_random_seed(0)
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 1)).astype(np.float32)
    y = (np.floor(8 * x[:, 0]) % 2).astype(np.float32)

    def accuracy(*first):
        model = sequential(*first, Dense(1, "sigmoid"), width=1)
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        model.fit(x, y, epochs=30, batch_size=64, verbose=0)
        return model.evaluate(x, y, verbose=0)[1]

    embedding = PiecewiseLinearEmbedding(16, num_bins=64)
    embedding.adapt(x)
    assert accuracy(embedding, layers.Flatten()) > 0.93
    assert accuracy(Dense(16, "relu")) < 0.7


def test_an_embedding_is_saved_copied_and_penalized_like_other_layers(tmp_path):
    embedding = PiecewiseLinearEmbedding(3, edges=EDGES, embeddings_regularizer="l2", embeddings_initializer="ones")
    model = sequential(embedding, layers.Flatten(), Dense(1))
    model.compile("adam", "mse")
    model.fit(X, np.zeros(len(X)), epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    for again in (models.load_model(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
        assert again.layers[0].get_config() == embedding.get_config()
        assert again.layers[0].embeddings_regularizer.l2 == 0.01


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: PiecewiseLinearEmbedding(0), ValueError, "dim"),
        (lambda: PiecewiseLinearEmbedding(2, 256), ValueError, "up to 255 bins, got 256"),
        (lambda: PiecewiseLinearEmbedding(2, edges=[list(range(300))]), ValueError, "up to 255 bins, got 299"),
        (lambda: PiecewiseLinearEmbedding(2, activation="softmax"), ValueError, "must be elementwise"),
        (lambda: PiecewiseLinearEmbedding(2)(X), ValueError, "has no edges yet"),
    ],
)
def test_an_embedding_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
