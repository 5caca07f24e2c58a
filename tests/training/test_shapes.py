"""Data and predictions with more axes than two: output_shape is the shape of predictions and of targets."""

from __future__ import annotations

import numpy as np
import pytest
from tensor_expressions import EXPRESSIONS, GRID, ROW

from fastmlp import Model, Sequential, callbacks, layers, load_model, losses, metrics, sweep
from fastmlp.errors import UnsupportedError

rng = np.random.default_rng(5)
X = rng.random((24, 4, 3)).astype(np.float32)
Y = rng.random((24, 2, 5)).astype(np.float32)


def autoencoder(engine="native", loss="mse", head=(), **options):
    model = Sequential([layers.Input((4, 3)), layers.Flatten(), layers.Dense(7, "tanh"), *head, layers.Dense(10), layers.Reshape((2, 5))])
    model.compile("sgd", loss, engine=engine, **options)
    return model


def flat_twin(model, engine="native", loss="mse", **options):
    """The same network without the Reshape, trained on flat targets."""
    twin = Sequential([layers.Input((4, 3)), layers.Flatten(), layers.Dense(7, "tanh"), layers.Dense(10)])
    twin.compile("sgd", loss, engine=engine, **options)
    twin.set_weights(model.get_weights())
    twin.seed = model.seed
    return twin


def one_hot_encoder():
    return Sequential([layers.Input((3,)), layers.CategoryEncoding(4, "one_hot")])


def embedder():
    return Sequential([layers.Input((3,)), layers.Embedding(4, 6)])


@pytest.mark.parametrize("make", [one_hot_encoder, embedder])
def test_predictions_have_the_output_shape_of_the_model(engine, make):
    model = make()
    x = np.array([[0, 1, 2], [3, 3, 0]])
    for predictions in (model.predict(x, verbose=0), model(x), model(x, training=True), model.predict_on_batch(x), model(x[0])):
        assert predictions.shape[1:] == model.output_shape[1:]
        assert len(predictions) in (1, 2)
    assert model.predict(x[:0], verbose=0).shape == (0, *model.output_shape[1:])
    batches = (x for _ in range(3))
    assert model.predict(batches, steps=3, verbose=0).shape == (6, *model.output_shape[1:])


def test_predictions_are_the_flat_ones_in_another_shape(engine):
    model = autoencoder(engine)
    flat = flat_twin(model, engine).predict(X, verbose=0)
    np.testing.assert_array_equal(model.predict(X, verbose=0), flat.reshape(24, 2, 5))
    np.testing.assert_array_equal(model.predict(X, batch_size=24, verbose=0), flat.reshape(24, 2, 5))
    np.testing.assert_allclose(model(X[:1])[0], flat.reshape(24, 2, 5)[0], atol=1e-6)


def test_predict_hands_callbacks_outputs_of_that_shape():
    seen = []

    class Watch(callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            seen.append(logs["outputs"].shape)

    autoencoder().predict(X, batch_size=16, verbose=0, callbacks=[Watch()])
    assert seen == [(16, 2, 5), (8, 2, 5)]


def test_fit_takes_targets_of_the_output_shape(engine):
    model = autoencoder(engine, metrics=["mae"])
    twin = flat_twin(model, engine, metrics=["mae"])
    weights = np.linspace(0, 2, 24)
    given = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, validation_split=0.25, sample_weight=weights)
    flat = twin.fit(X, Y.reshape(24, 10), batch_size=8, epochs=2, verbose=0, validation_split=0.25, sample_weight=weights)
    assert given.history == flat.history
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.evaluate(X, Y, verbose=0) == twin.evaluate(X, Y.reshape(24, 10), verbose=0)
    assert model.train_on_batch(X, Y) == twin.train_on_batch(X, Y.reshape(24, 10))
    assert model.test_on_batch(X, Y) == twin.test_on_batch(X, Y.reshape(24, 10))


def test_batches_from_a_generator_have_that_shape_too():
    model = autoencoder()
    twin = flat_twin(model)
    model.fit(((X[i : i + 8], Y[i : i + 8]) for i in (0, 8, 16)), steps_per_epoch=3, verbose=0, validation_data=(X, Y))
    twin.fit(X, Y.reshape(24, 10), batch_size=8, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_of_several_outputs_has_its_own_shape(engine):
    x = layers.Input((3,))
    hidden = layers.Dense(6, "tanh")(x)
    model = Model(x, {"grid": layers.Reshape((2, 3))(hidden), "one": layers.Dense(1, name="one")(hidden)})
    model.compile("sgd", "mse", metrics={"grid": ["mae", "accuracy"], "one": "mae"}, engine=engine)
    inputs, grid, one = rng.random((8, 3)), rng.random((8, 2, 3)), rng.random(8)
    model.fit(inputs, {"grid": grid, "one": one}, verbose=0)
    predicted = model.predict(inputs, verbose=0)
    assert (predicted["grid"].shape, predicted["one"].shape) == ((8, 2, 3), (8, 1))
    logs = model.evaluate(inputs, {"grid": grid, "one": one}, verbose=0, return_dict=True)
    assert logs["grid_loss"] == pytest.approx(np.square(predicted["grid"] - grid).mean(), rel=1e-5)
    assert logs["grid_accuracy"] == pytest.approx((predicted["grid"].argmax(-1) == grid.argmax(-1)).mean())


def test_an_output_of_that_shape_can_be_the_only_one_with_a_loss(engine):
    x = layers.Input((3,))
    hidden = layers.Dense(6, "tanh")(x)
    model = Model(x, [layers.Reshape((2, 3), name="grid")(hidden), layers.Dense(1, name="one")(hidden)])
    model.compile("sgd", {"grid": "mse"}, metrics={"grid": "accuracy"}, engine=engine)
    inputs, grid = rng.random((8, 3)), rng.random((8, 2, 3))
    loss, accuracy = model.evaluate(inputs, {"grid": grid}, verbose=0)
    predicted = model.predict(inputs, verbose=0)[0]
    assert loss == pytest.approx(np.square(predicted - grid).mean(), rel=1e-5)
    assert accuracy == pytest.approx((predicted.argmax(-1) == grid.argmax(-1)).mean())


def test_metrics_compare_along_the_last_axis(engine):
    own = []

    def largest(y_true, y_pred):
        own.append((y_true.shape[1:], y_pred.shape[1:]))
        return np.abs(y_true - y_pred).max(axis=(1, 2))

    chosen = ["accuracy", "cosine_similarity", metrics.RootMeanSquaredError(), metrics.TopKCategoricalAccuracy(2), largest]
    model = autoencoder(engine, metrics=chosen, weighted_metrics=[metrics.CategoricalAccuracy("weighted")])
    weights = np.arange(24) % 3
    _, accuracy, cosine, root, top, most, weighted = model.evaluate(X, Y, verbose=0, sample_weight=weights)
    p = model.predict(X, verbose=0)
    hits = p.argmax(-1) == Y.argmax(-1)
    unit_p, unit_y = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (p, Y))
    assert accuracy == pytest.approx(hits.mean())
    assert cosine == pytest.approx((unit_p * unit_y).sum(-1).mean(), rel=1e-5)
    assert root == pytest.approx(np.sqrt(np.square(p - Y).mean()), rel=1e-5)
    assert top == pytest.approx(np.mean([Y[i, j].argmax() in p[i, j].argsort()[-2:] for i in range(24) for j in range(2)]))
    assert most == pytest.approx(np.abs(p - Y).max((1, 2)).mean(), rel=1e-5)
    assert weighted == pytest.approx((hits * weights[:, None]).sum() / (2 * weights.sum()))
    assert set(own) == {((2, 5), (2, 5))}


def test_a_loss_function_of_the_users_own_reads_rows_of_that_shape(engine):
    def fourth_power(y_true, y_pred):
        assert y_true.shape[1:] == y_pred.shape[1:] == (2, 5)
        error = y_pred - y_true
        return (error**4).sum(axis=(1, 2)), 4 * error**3

    model = autoencoder(engine, fourth_power)
    first = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert first[-1] < first[0]
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(((model.predict(X, verbose=0) - Y) ** 4).sum((1, 2)).mean(), rel=1e-5)


@pytest.mark.parametrize("loss", ["mae", "huber", "log_cosh", "poisson", "binary_crossentropy", "hinge", losses.Quantile(0.3)])
def test_losses_of_single_elements_are_their_mean(engine, loss):
    model = Sequential([layers.Input((2, 5)), layers.Flatten(), layers.Activation("sigmoid"), layers.Reshape((2, 5))])
    model.compile("sgd", loss, engine=engine)
    x, y = rng.normal(size=(9, 2, 5)), rng.integers(0, 2, (9, 2, 5))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(losses.get(loss)(y, model.predict(x, verbose=0)), rel=1e-5)


def test_as_in_keras_a_last_axis_of_one_may_be_missing_or_be_there_besides():
    model = autoencoder()
    column = Sequential([layers.Input((4,)), layers.Dense(6), layers.Reshape((6, 1))])
    column.compile("sgd", "mse")
    x, y = rng.random((8, 4)), rng.random((8, 6))
    assert column.evaluate(x, y, verbose=0) == column.evaluate(x, y[..., None], verbose=0)
    assert model.evaluate(X, Y, verbose=0) == model.evaluate(X, Y[..., None], verbose=0)


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"y has shape \(24, 5, 2\), but the model's predictions have shape \(samples, 2, 5\)"):
        autoencoder().fit(X, Y.transpose(0, 2, 1), verbose=0)
    broken = Y.copy()
    broken[1, 1, 4] = np.nan
    with pytest.raises(ValueError, match=r"y\[1, 1, 4\] is NaN"):
        autoencoder().fit(X, broken, verbose=0)
    with pytest.raises(UnsupportedError, match="class_weight"):
        autoencoder(loss="hinge").fit(X, np.sign(Y - 0.5), class_weight={0: 2.0}, verbose=0)


def sweepable(units):
    return autoencoder(head=[layers.Dense(units)])


def test_a_sweep_trains_on_targets_of_that_shape():
    results = sweep.run(sweepable, {"units": [2, 3], "epochs": [1]}, (X, Y), (X, Y), seeds=1, workers=1, verbose=0)
    assert len(results.runs) == 2


def test_files_keep_the_shape_of_the_predictions(tmp_path):
    model = autoencoder()
    model.fit(X, Y, verbose=0)
    for ending in ("safetensors", "keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        loaded = load_model(tmp_path / f"model.{ending}")
        np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
        loaded.fit(X, Y, verbose=0)


# Shapes with the batch axis in front


def test_layers_take_and_give_shapes_with_the_batch_axis_in_front():
    layer = layers.Dense(5)
    assert (layer.input_shape, layer.output_shape) == (None, None)
    assert layer.compute_output_shape((None, 4)) == (None, 5)
    assert layer.compute_output_shape((32, 4)) == (32, 5)
    assert not layer.built
    layer.build((None, 4))
    assert layer.kernel.shape == (4, 5)
    assert (layer.input_shape, layer.output_shape) == ((None, 4), (None, 5))
    assert layers.Reshape((2, -1)).compute_output_shape((None, 6)) == (None, 2, 3)
    assert layers.Flatten().compute_output_shape((None, 28, 28)) == (None, 784)
    with pytest.raises(ValueError, match="has an unknown size"):
        layer.compute_output_shape((None, None))


def test_a_shape_of_one_size_is_that_of_a_row():
    layer = layers.Dense(5)
    assert layer.compute_output_shape((4,)) == (5,)
    layer.build((4,))
    assert layer.input_shape == (None, 4)


def test_merges_take_lists_of_shapes():
    layer = layers.Concatenate()
    assert layer.compute_output_shape([(None, 4), (None, 3)]) == (None, 7)
    layer.build([(None, 4), (None, 3)])
    assert (layer.input_shape, layer.output_shape) == ([(None, 4), (None, 3)], (None, 7))
    with pytest.raises(ValueError, match="needs a list of shapes"):
        layer.compute_output_shape((None, 4))


def test_models_say_what_they_would_predict():
    chain = Sequential([layers.Dense(3), layers.Reshape((3, 1))])
    assert chain.compute_output_shape((None, 4)) == (None, 3, 1)
    assert not chain.built
    x = layers.Input((4,))
    model = Model(x, layers.Dense(2)(x))
    assert model.compute_output_shape((None, 4)) == (None, 2)
    with pytest.raises(ValueError, match=r"takes samples of shape \(4,\), got \(5,\)"):
        model.compute_output_shape((None, 5))
    pair = Model([x, layers.Input((2,))], [layers.Dense(2)(x), x])
    assert pair.compute_output_shape([(None, 4), (None, 2)]) == [(None, 2), (None, 4)]


# Layers along the last axis, and columns of tensors


@pytest.mark.parametrize("what", EXPRESSIONS)
def test_tensors_are_computed_with_as_arrays_are(engine, what):
    make, expected = EXPRESSIONS[what]
    grid, row = layers.Input((4, 3)), layers.Input((3,))
    model = Model([grid, row], make(grid, row))
    assert model.output_shape == (None, *expected.shape[1:])
    np.testing.assert_allclose(model.predict([GRID, ROW], verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence", "cosine_similarity"])
def test_losses_that_compare_vectors_take_them_along_the_last_axis(engine, loss):
    model = Sequential([layers.Input((4, 3)), layers.Dense(6, "tanh"), layers.Dense(5, "softmax")])
    model.compile("sgd", loss, metrics=["accuracy"] if loss.endswith("entropy") else [], engine=engine)
    x, labels = rng.normal(size=(9, 4, 3)), rng.integers(0, 5, (9, 4))
    y = labels if loss.startswith("sparse") else np.eye(5)[labels]
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    predicted = model.predict(x, verbose=0)
    assert before["loss"] == pytest.approx(float(np.mean(losses.get(loss)(y, predicted))), rel=1e-4)
    if "accuracy" in before:
        assert before["accuracy"] == pytest.approx((predicted.argmax(-1) == labels).mean())
    weights = np.arange(9) % 2
    weighted = losses.get(loss).call(y, predicted).mean(axis=1) * weights
    assert model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)["loss"] == pytest.approx(weighted.mean(), rel=1e-4)
    model.fit(x, y, epochs=20, batch_size=4, verbose=0)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] < before["loss"]


def test_the_same_when_the_vectors_come_from_a_reshape_and_the_output_is_one_of_several(engine):
    x = layers.Input((3,))
    hidden = layers.Dense(8)(x)
    model = Model(x, [layers.Softmax(name="classes")(layers.Reshape((2, 4))(hidden)), layers.Dense(1, name="one")(hidden)])
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], []], engine=engine)
    inputs, labels, one = rng.normal(size=(9, 3)), rng.integers(0, 4, (9, 2)), rng.normal(size=9)
    logs = model.evaluate(inputs, [labels, one], verbose=0, return_dict=True)
    classes, _ = model.predict(inputs, verbose=0)
    assert logs["classes_loss"] == pytest.approx(losses.get("sparse_categorical_crossentropy")(labels, classes), rel=1e-4)
    assert logs["classes_accuracy"] == pytest.approx((classes.argmax(-1) == labels).mean())
    model.fit(inputs, [labels, one], verbose=0)


def test_columns_of_an_input_may_be_numbers_to_embed():
    x = layers.Input((3,))
    model = Model(x, layers.Concatenate()([layers.Flatten()(layers.Embedding(4, 2)(x[:, :1])), x[:, 1:]]))
    assert model.predict([[3, 0.5, -1.5]], verbose=0).shape == (1, 4)
    with pytest.raises(ValueError, match="integers from 0 to 3"):
        model.predict([[3.5, 0.5, -1.5]], verbose=0)


@pytest.mark.parametrize("ending", ["safetensors", "keras", "h5"])
def test_files_keep_layers_along_the_last_axis(tmp_path, ending):
    x = layers.Input((4, 3))
    hidden = layers.Permute((2, 1))(layers.LayerNormalization()(layers.Dense(5)(x)))
    pooled = [
        layers.GlobalMaxPooling1D()(hidden),
        layers.Flatten()(layers.Dot((1, 1))([x, x]))[:, :4] if ending == "safetensors" else hidden,
    ]
    ends = [pooled[0], pooled[1] if ending == "safetensors" else layers.GlobalAveragePooling1D()(layers.RepeatVector(2)(pooled[0]))]
    model = Model(x, layers.Identity()(layers.Minimum()([ends[0], layers.Dot(-1, normalize=True)(ends)])))
    model.save(tmp_path / f"model.{ending}")
    np.testing.assert_array_equal(load_model(tmp_path / f"model.{ending}").predict(GRID, verbose=0), model.predict(GRID, verbose=0))


def test_what_tensors_can_not_do_is_told():
    x = layers.Input((4,))
    for make, message in (
        (lambda: x[0], "start with"),
        (lambda: x[:, [0, 1]], "use slices and integers"),
        (lambda: x**0.5, "integer exponents from 1 to 8 are"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            make()
    with pytest.raises(TypeError, match="can't be iterated over"):
        list(x)
    with pytest.raises(ValueError, match="selects no elements of samples"):
        x[:, 4:]
    with pytest.raises(ValueError, match="sums over axes of sizes 4 and 3"):
        layers.Dot(1)([x, layers.Input((3,))])
