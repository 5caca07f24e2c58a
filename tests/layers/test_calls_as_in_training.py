"""Layers that are called with ``training=``: Monte-Carlo dropout, and what Keras 3 makes of such calls."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, Sequential, layers, models, set_num_threads, utils
from fastmlp.saving.formats import kerasconfig

pytestmark = pytest.mark.filterwarnings("ignore:training=")

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
NOISY = {
    "Dropout": lambda: layers.Dropout(0.5),
    "AlphaDropout": lambda: layers.AlphaDropout(0.5),
    "GaussianDropout": lambda: layers.GaussianDropout(0.5),
    "GaussianNoise": lambda: layers.GaussianNoise(0.5),
}


def noisy(layer=None, training=True, units=4):
    """A model whose one layer with noise is called so."""
    x = layers.Input((6,), name="x")
    h = layers.Dense(units, activation="tanh", name="before")(x)
    return Model(x, layers.Dense(2, name="after")((layer or layers.Dropout(0.5, name="noise"))(h, training=training)))


@pytest.mark.parametrize("kind", NOISY)
def test_every_call_of_the_model_draws_new_noise(engine, seeded, kind):
    model = noisy(NOISY[kind]())
    samples = [np.asarray(model(X)) for _ in range(200)]
    assert not np.array_equal(samples[0], samples[1])
    without = model.predict(X, verbose=0)
    spread = np.std(samples, axis=0) / np.sqrt(len(samples))
    assert (spread > 0).all()
    assert (np.abs(np.mean(samples, axis=0) - without) < 6 * spread).all() or kind == "AlphaDropout"


def test_predict_evaluate_and_fit_are_as_in_keras(engine, seeded):
    model, plain = noisy(), noisy(training=None)
    plain.set_weights(model.get_weights())
    plain.seed = model.seed
    for one in (model, plain):
        one.compile("sgd", "mse")
    y = X[:, :2]
    assert np.array_equal(model.predict(X, verbose=0), plain.predict(X, verbose=0))
    assert np.array_equal(model.predict_on_batch(X), plain.predict_on_batch(X))
    assert np.array_equal(model(X, training=False), plain(X))
    assert model.evaluate(X, y, verbose=0) == plain.evaluate(X, y, verbose=0)
    assert model.fit(X, y, verbose=0).history == plain.fit(X, y, verbose=0).history
    for mine, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)


def test_engines_draw_the_same_noise():
    outputs = {}
    for engine in ("native", "reference"):
        utils.set_random_seed(3)
        x = layers.Input((6,))
        h = x
        for make in NOISY.values():
            h = make()(h, training=True)
        model = Model(x, layers.BatchNormalization()(h, training=True))
        model.compile("sgd", "mse", engine=engine)
        outputs[engine] = [np.asarray(model(X)) for _ in range(3)] + [np.asarray(model(X, training=True)) for _ in range(2)]
    for native, reference in zip(*outputs.values(), strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-4, atol=1e-5)


def test_noise_does_not_depend_on_threads_or_blocks(seeded):
    x = np.random.default_rng(1).normal(size=(5000, 6)).astype(np.float32)
    results = []
    for threads in (1, 4):
        utils.set_random_seed(0)
        model = noisy(units=300)
        before = fastmlp.get_num_threads()
        set_num_threads(threads)
        try:
            results.append([np.asarray(model(x)), np.asarray(model(x, training=True))])
        finally:
            set_num_threads(before)
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])
    ones = np.ones((5000, 6), np.float32)
    start = layers.Input((6,))
    masks = np.asarray(Model(start, layers.Dropout(0.5)(start, training=True))(ones))
    assert len(np.unique(masks, axis=0)) == 64
    assert not np.array_equal(masks[:192], masks[192:384])


def test_a_seed_makes_the_samples_the_same_again(engine):
    def samples():
        utils.set_random_seed(11)
        model = noisy()
        return [np.asarray(model(X)) for _ in range(3)]

    for first, second in zip(samples(), samples(), strict=True):
        assert np.array_equal(first, second)


def test_threads_never_share_a_sample(seeded):
    model = noisy()
    expected = [np.asarray(model(X)).tobytes() for _ in range(80)]
    utils.set_random_seed(7)
    model = noisy()
    found = []

    def sample():
        for _ in range(20):
            found.append(np.asarray(model(X)).tobytes())

    threads = [threading.Thread(target=sample) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(expected)


def test_the_call_of_the_whole_model_draws_new_noise_too(engine, seeded):
    model = Sequential([layers.Input((6,)), layers.Dropout(0.5)])
    first, second = np.asarray(model(X, training=True)), np.asarray(model(X, training=True))
    assert not np.array_equal(first, second)
    assert np.array_equal(model(X), X)


def test_batch_normalization_takes_the_moments_of_all_rows(engine, seeded):
    x = np.random.default_rng(2).normal(3, 2, size=(1000, 4)).astype(np.float32)
    start = layers.Input((4,))
    normalized = layers.BatchNormalization(epsilon=0)
    model = Model(start, normalized(start, training=True))
    np.testing.assert_allclose(model(x), (x - x.mean(axis=0)) / x.std(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    np.testing.assert_array_equal(normalized.get_weights()[2], np.zeros(4))
    normalized.trainable = False
    np.testing.assert_array_equal(model(x), x)


def test_an_order_for_a_model_is_one_for_all_its_layers(engine, seeded):
    def is_noisy(inner, outer):
        x = layers.Input((6,))
        part = Model(x, layers.Dropout(0.5)(x, training=inner))
        y = layers.Input((6,))
        return not np.array_equal(Model(y, part(y, training=outer))(X), X)

    assert is_noisy(None, True)
    assert is_noisy(False, True)
    assert is_noisy(True, None)
    assert not is_noisy(True, False)
    assert not is_noisy(None, False)
    x = layers.Input((6,))
    assert not np.array_equal(Sequential([layers.Input((6,)), Model(x, layers.Dropout(0.5)(x, training=True))])(X), X)


def copies(model, tmp_path):
    """The same model by every way that there is."""
    yield Model.from_config(model.get_config())
    yield models.model_from_json(model.to_json())
    yield models.clone_model(model)
    yield models.clone_model(model, clone_function=lambda layer: type(layer).from_config(layer.get_config()))
    yield models.clone_model(model, call_function=lambda layer, inputs, **options: layer(inputs, **options))
    yield pickle.loads(pickle.dumps(model))
    yield copy.deepcopy(model)
    for ending in ("safetensors", "keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        yield fastmlp.load_model(tmp_path / f"model.{ending}")


def test_copies_and_files_keep_how_layers_were_called(engine, seeded, tmp_path):
    for training, differs in ((True, True), (None, False)):
        for made in copies(noisy(training=training), tmp_path):
            assert np.array_equal(made(X), made(X)) is not differs
    x = layers.Input((6,))
    part = Model(x, layers.Dropout(0.5)(x, training=True), name="part")
    for made in copies(Model(x, layers.Dense(2)(part(x, training=False))), tmp_path):
        assert np.array_equal(made(X), made(X))


def test_keras_finds_the_flag_where_it_keeps_it(tmp_path):
    nodes = {layer["name"]: layer["inbound_nodes"] for layer in kerasconfig.write_model(noisy())["config"]["layers"]}
    assert nodes["noise"][0]["kwargs"] == {"training": True}
    assert nodes["after"][0]["kwargs"] == {}


@pytest.mark.filterwarnings("default:training=")
def test_a_call_that_predict_does_not_heed_is_warned_about(recwarn):
    with pytest.warns(UserWarning, match=r"training=True in the call of 'noise' only affects model\(x\)"):
        noisy()
    for layer in (layers.Dense(3), layers.Dropout(0.0)):
        noisy(layer)
    assert not recwarn.list
