"""Layers that prepare data: Rescaling, Normalization, Reshape, CategoryEncoding, Embedding."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import fastmlp
from fastmlp import constraints, layers, models, saving
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers import SGD

rng = np.random.default_rng(8)
IDS = rng.integers(0, 12, (40, 3))


def test_rescaling_takes_images_and_arrays(engine):
    x = rng.integers(0, 256, (5, 4, 3)).astype(np.uint8)
    model = models.Sequential([layers.Input((4, 3)), layers.Rescaling(1 / 255, offset=[0.0, 1.0, 2.0]), layers.Flatten()])
    np.testing.assert_allclose(model.predict(x, verbose=0), (x / 255 + [0, 1, 2]).reshape(5, 12), rtol=1e-6)
    assert model.layers[0].output_shape == (None, 4, 3)
    with pytest.raises(ValueError, match=r"scale has shape \(2,\), which does not fit rows of shape \(3,\)"):
        models.Sequential([layers.Input((3,)), layers.Rescaling([1, 2])])


def test_normalization_learns_columns(engine):
    x = rng.normal([1, -5, 1000, 3], [2, 0.1, 1, 0], size=(300, 4))
    layer = layers.Normalization()
    layer.adapt(x)
    model = models.Sequential([layers.Input((4,)), layer])
    out = model.predict(x, verbose=0)
    np.testing.assert_allclose(out[:, :3].mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(out[:, :3].std(axis=0), 1, atol=1e-3)
    np.testing.assert_allclose(layer.mean, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.variance, x.var(axis=0), rtol=1e-5, atol=1e-12)


def test_normalization_learns_from_batches_and_frames_as_from_one_array(engine):
    x = rng.normal(3, 2, (100, 2)).astype(np.float32)
    learned = []
    for data in (x, [x[:30], x[30:]], ((x[i : i + 10], None) for i in range(0, 100, 10)), [(x[:30], None), (x[30:], None)], x.tolist()):
        layer = layers.Normalization()
        layer.adapt(data)
        learned.append(np.concatenate(layer.get_weights()))
    for other in learned[1:]:
        np.testing.assert_allclose(other, learned[0], rtol=1e-6)


def test_normalization_can_learn_again_within_a_model(engine):
    layer = layers.Normalization(input_shape=(2,))
    model = models.Sequential([layer, layers.Dense(1)])
    assert (layer.mean == 0).all()
    assert (layer.variance == 1).all()
    before = model(np.ones((1, 2)))
    for shift in (5, 0):
        layer.adapt([[0.0, 1.0 + shift], [2.0, 5.0]])
        assert not np.array_equal(model(np.ones((1, 2))), before)
    np.testing.assert_array_equal(layer.mean, [1, 3])
    np.testing.assert_array_equal(layer.variance, [1, 4])


def test_inverting_undoes_a_normalization(engine):
    x = rng.normal(4, 3, (50, 3)).astype(np.float32)
    there, back = layers.Normalization(), layers.Normalization(invert=True)
    there.adapt(x)
    back.adapt(x)
    model = models.Sequential([layers.Input((3,)), there, back])
    np.testing.assert_allclose(model.predict(x, verbose=0), x, rtol=1e-5, atol=1e-5)


def test_what_normalization_learned_is_saved_copied_and_not_trained(engine, tmp_path):
    x, y = rng.normal(7, 2, (40, 3)), rng.normal(size=40)
    layer = layers.Normalization()
    layer.adapt(x)
    model = models.Sequential([layers.Input((3,)), layer, layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    np.testing.assert_allclose(layer.mean, x.mean(axis=0), rtol=1e-5)
    model.save(tmp_path / "m.safetensors")
    expected = model.predict(x, verbose=0)
    for other in (fastmlp.load_model(tmp_path / "m.safetensors"), copy.deepcopy(model)):
        assert np.array_equal(other.predict(x, verbose=0), expected)
        assert len(other.trainable_weights) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros(3), r"adapt takes \(rows, columns\), got shape \(3,\)"),
        (np.zeros((2, 2, 2)), r"adapt takes \(rows, columns\), got shape \(2, 2, 2\)"),
        (np.zeros((0, 2)), "adapt got no samples"),
        ([], "adapt got no samples"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], "batches of 3 and of 4 columns"),
        ([[1.0, np.nan]], r"data\[0, 1\] is nan"),
    ],
)
def test_data_that_teach_nothing_are_told(data, message):
    with pytest.raises(ValueError, match=message):
        layers.Normalization().adapt(data)


def test_normalization_says_what_does_not_fit():
    with pytest.raises(ValueError, match="has a fixed mean and variance, so there is nothing to learn"):
        layers.Normalization(mean=0, variance=1).adapt(np.zeros((2, 2)))
    layer = layers.Normalization(input_shape=(2,))
    models.Sequential([layer])
    with pytest.raises(ValueError, match=r"has weights for samples of shape \(2,\), got \(3,\)"):
        layer.adapt(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"mean has shape \(2,\), which does not fit rows of shape \(3,\)"):
        models.Sequential([layers.Input((3,)), layers.Normalization(mean=[0, 0], variance=[1, 1])])


@pytest.mark.parametrize(
    ("target", "shape"), [((3, 4), (3, 4)), ((-1, 6), (2, 6)), ((-1,), (12,)), ((12,), (12,)), ((2, 2, -1), (2, 2, 3))]
)
def test_reshape_gives_rows_another_shape(engine, target, shape):
    model = models.Sequential([layers.Input((12,)), layers.Dense(12), layers.Reshape(target), layers.Flatten()])
    assert model.layers[1].output_shape == (None, *shape)
    assert model.predict(np.zeros((2, 12)), verbose=0).shape == (2, 12)


@pytest.mark.parametrize("target", [(5,), (-1, 5), (3, 5)])
def test_a_shape_of_other_size_is_refused(target):
    with pytest.raises(ValueError, match="have 12 elements and can't be reshaped to"):
        models.Sequential([layers.Input((12,)), layers.Reshape(target)])


def test_categories_become_columns(engine):
    def encode(mode, x):
        model = models.Sequential([layers.Input((x.shape[1],)), layers.CategoryEncoding(4, output_mode=mode), layers.Flatten()])
        return model.predict(x, verbose=0).tolist(), model.layers[0].output_shape[1:]

    x = np.array([[2, 0, 2], [3, 3, 3]])
    assert encode("multi_hot", x) == ([[1, 0, 1, 0], [0, 0, 0, 1]], (4,))
    assert encode("count", x) == ([[1, 0, 2, 0], [0, 0, 0, 3]], (4,))
    assert encode("one_hot", x[:1]) == ([[0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0]], (3, 4))
    assert encode("one_hot", x[:, :1]) == ([[0, 0, 1, 0], [0, 0, 0, 1]], (4,))


def embedder(**options):
    return models.Sequential([layers.Input((3,), dtype="int32"), layers.Embedding(12, 5, **options), layers.Flatten(), layers.Dense(2)])


def test_embedding_looks_rows_up(engine):
    table = rng.normal(size=(12, 5)).astype(np.float32)
    layer = layers.Embedding(12, 5, weights=[table], input_length=3)
    model = models.Sequential([layer, layers.Flatten()])
    assert layer.output_shape == (None, 3, 5)
    for dtype in (np.int64, np.uint8, np.float32):
        assert np.array_equal(model.predict(IDS.astype(dtype), verbose=0), table[IDS].reshape(40, 15))
    assert np.array_equal(layer.embeddings, table)
    assert np.array_equal(model(IDS[0]), table[IDS[:1]].reshape(1, 15))


def test_embedding_starts_uniform_as_in_keras(seeded):
    layer = layers.Embedding(500, 20)
    assert np.abs(layer.embeddings).max() <= 0.05
    assert layer.embeddings.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.05)


def test_only_looked_up_rows_move_with_plain_descent(engine, seeded):
    model = embedder()
    model.compile("sgd", "mse")
    before = model.layers[0].embeddings.numpy()
    model.fit(np.array([[1, 4, 4], [7, 1, 4]]), np.ones((2, 2)), verbose=0)
    moved = np.flatnonzero((model.layers[0].embeddings != before).any(axis=1))
    assert moved.tolist() == [1, 4, 7]


@pytest.mark.parametrize("bad", [-1, 12, 2.5, 1e20])
@pytest.mark.parametrize("head", [lambda: layers.Embedding(12, 2), lambda: layers.CategoryEncoding(12)])
def test_numbers_out_of_range_are_told_wherever_they_come_in(engine, head, bad):
    model = models.Sequential([layers.Input((3,)), head(), layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    x = IDS.astype(np.float64)
    x[17, 2] = bad
    y = np.zeros((40, 2))
    wanted = rf"x\[17, 2\] is {bad:g}, but the first layer reads integers from 0 to 11".replace("+", r"\+")
    for do in (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.predict(x, verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model(x),
    ):
        with pytest.raises(ValueError, match=wanted):
            do()


def test_layers_that_read_numbers_come_first():
    with pytest.raises(ValueError, match="reads integers, so it must be the first of the model, but dense is before it"):
        models.Sequential([layers.Input((3,)), layers.Dense(3), layers.Embedding(4, 2, name="late")])
    assert models.Sequential([layers.Input((3, 2)), layers.Flatten(), layers.Embedding(4, 2)]).output_shape == (None, 6, 2)


def test_dense_after_embedding_acts_on_each_vector():
    model = models.Sequential([layers.Input((3,)), layers.Embedding(4, 5), layers.Dense(2)])
    assert model.output_shape == (None, 3, 2)
    assert model.layers[1].kernel.shape == (5, 2)


@pytest.mark.parametrize("layer", [layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization, layers.Normalization])
def test_columns_are_those_of_the_last_axis(layer):
    model = models.Sequential([layers.Input((4, 5)), layer(), layers.Dense(1)])
    assert {weight.shape for weight in model.layers[0].weights} == {(5,)}
    with pytest.raises(UnsupportedError, match="use the last axis, -1, or put a Permute before it"):
        models.Sequential([layers.Input((4, 5)), layer(axis=1)])


@pytest.mark.parametrize(("shared", "shape"), [(None, (4, 5)), ([], (4, 5)), (1, (1, 5)), ([2], (4, 1)), ((1, 2), (1, 1))])
def test_slopes_are_shared_along_axes(engine, seeded, tmp_path, shared, shape):
    x = rng.normal(size=(30, 4, 5)).astype(np.float32)
    model = models.Sequential([layers.Input((4, 5)), layers.PReLU("normal", shared_axes=shared)])
    alpha = model.layers[0].alpha
    assert alpha.shape == shape
    np.testing.assert_allclose(model.predict(x, verbose=0), np.where(x > 0, x, alpha * x), rtol=1e-6)
    model.compile(SGD(0.1, momentum=0.5), "mse")
    before, away = np.array(alpha), 2 * (np.where(x > 0, x, alpha * x) - 1) / x.size
    model.fit(x, np.ones_like(x), batch_size=30, verbose=0)
    slope = (away * np.minimum(x, 0)).sum(axis=0)
    expected = before - 0.1 * slope.sum(axis=tuple(axis for axis, size in enumerate(shape) if size == 1), keepdims=True)
    np.testing.assert_allclose(alpha, expected, rtol=1e-5, atol=1e-6)
    for ending in ("safetensors", "keras", "h5"):
        model.save(tmp_path / f"slopes.{ending}")
        loaded = fastmlp.load_model(tmp_path / f"slopes.{ending}")
        for one in (model, loaded):
            one.fit(x, np.ones_like(x), batch_size=30, shuffle=False, verbose=0)
        np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_slopes_refuse_what_depends_on_their_shape():
    for options in ({"alpha_constraint": "max_norm"}, {"alpha_regularizer": "orthogonal_regularizer"}):
        with pytest.raises(UnsupportedError, match=r"are not in fastmlp for the alpha of layer 'p_re_lu.*', whose shape is \(4, 5\)"):
            models.Sequential([layers.Input((4, 5)), layers.PReLU(**options)])
    with pytest.raises(ValueError, match=r"must be axes of samples of shape \(4, 5\), 1 to 2, got \[3\]"):
        models.Sequential([layers.Input((4, 5)), layers.PReLU(shared_axes=[3])])


def test_a_norm_of_all_slopes_is_kept(engine):
    model = models.Sequential([layers.Input((4, 5)), layers.PReLU("ones", alpha_constraint=constraints.MaxNorm(1.0, axis=None))])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4, 5)), np.ones((8, 4, 5)), verbose=0)
    assert np.linalg.norm(model.layers[0].alpha) == pytest.approx(1.0, rel=1e-5)


def test_an_axis_counted_from_the_front_is_that_of_vectors():
    assert models.Sequential([layers.Input((3,)), layers.Normalization(axis=1, mean=[1, 2, 3], variance=[1, 4, 9])])(
        [[1, 2, 6]]
    ).tolist() == [[0.0, 0.0, 1.0]]
    with pytest.raises(UnsupportedError, match=r"Normalization\(axis=1\) is not in fastmlp for samples of shape \(3, 3\)"):
        models.Sequential([layers.Input((3, 3)), layers.Normalization(axis=1, mean=[1, 2, 3], variance=[1, 4, 9])])


@pytest.mark.parametrize(
    ("layer", "mean", "deviation"),
    [
        (layers.GaussianNoise(0.5), 0.0, np.sqrt(1.25)),
        (layers.GaussianDropout(0.2), 0.0, np.sqrt(1.25)),
        (layers.AlphaDropout(0.3), 0.0, 1.0),
    ],
)
def test_noise_has_the_moments_it_promises_and_is_off_in_predictions(engine, seeded, layer, mean, deviation):
    x = rng.normal(size=(2000, 50)).astype(np.float32)
    model = models.Sequential([layers.Input((50,)), copy.copy(layer)])
    assert np.array_equal(model.predict(x, verbose=0), x)
    out = model(x, training=True)
    assert out.mean() == pytest.approx(mean, abs=0.02)
    assert out.std() == pytest.approx(deviation, rel=0.02)
    assert not np.array_equal(out, model(x, training=True))


def test_a_noise_of_nothing_is_nothing():
    for layer in (layers.GaussianNoise(0.0), layers.GaussianDropout(0.0), layers.AlphaDropout(0.0)):
        assert layer.operations((4,)) == ()


def test_one_mean_and_variance_for_all_numbers_are_learned_before_the_layer_is_used(tmp_path):
    x = np.random.default_rng(0).normal(3, 2, (40, 5)).astype(np.float32)
    layer = layers.Normalization(axis=None)
    layer.adapt([x[:10], x[10:]])
    model = models.Sequential([layers.Input((5,)), layer])
    assert np.allclose(model.predict(x, verbose=0), (x - x.mean()) / x.std(), atol=1e-5)
    for name in ("model.safetensors", "model.keras"):
        model.save(tmp_path / name)
        assert np.array_equal(saving.load_model(tmp_path / name).predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="is part of a built model; with axis=None, call adapt before the layer is used"):
        layer.adapt(x)
    with pytest.raises(ValueError, match="has no mean and variance yet"):
        models.Sequential([layers.Input((5,)), layers.Normalization(axis=None)])
