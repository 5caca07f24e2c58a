"""``model.gradients``: derivatives of the loss, or of any function of the outputs, by weights and by inputs."""

import numpy as np
import pytest

from fastmlp import layers, models
from fastmlp.callbacks import LambdaCallback
from fastmlp.errors import UnsupportedError

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 6)).astype("float32")
G = rng.normal(size=(12, 3)).astype("float32")
LABELS = rng.integers(0, 3, 12)


def of_layers(*between, last="linear"):
    return models.Sequential([layers.Dense(8, activation="tanh", input_shape=(6,)), *between, layers.Dense(3, activation=last)])


@pytest.mark.parametrize("compiled", [None, "without loss", "with loss"])
def test_the_gradient_of_a_loss_is_the_product_with_its_gradient_by_the_outputs(compiled):
    model, with_loss = of_layers(layers.Dropout(0.4), last="softmax"), of_layers(layers.Dropout(0.4), last="softmax")
    with_loss.set_weights(model.get_weights())
    with_loss.seed = model.seed = 4
    with_loss.compile("adam", "mse")
    if compiled:
        model.compile("adam", None if compiled == "without loss" else "sparse_categorical_crossentropy")
    outputs = with_loss(X)
    for by in ("weights", "inputs"):
        expected = with_loss.gradients(X, G, by=by, training=False)
        found = model.gradients(X, output_gradients=2 * (outputs - G) / G.size, by=by, training=False)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_without_an_objective_it_is_the_sum_of_the_outputs():
    model = of_layers()
    assert all(map(np.array_equal, model.gradients(X), model.gradients(X, output_gradients=np.ones((12, 3)))))


def test_the_loss_of_a_class_by_the_inputs():
    model = of_layers(last="softmax")
    model.compile("adam", "sparse_categorical_crossentropy")
    gradient = model.gradients(X, LABELS, by="inputs")
    step = 1e-2 * gradient / np.abs(gradient).max()
    assert model.evaluate(X + step, LABELS, verbose=0) > model.evaluate(X, LABELS, verbose=0) > model.evaluate(X - step, LABELS, verbose=0)


def test_gradients_follow_the_weights_and_the_layers():
    model = of_layers()
    model.gradients(X, by="inputs")
    model.set_weights([np.zeros(one.shape) for one in model.weights])
    assert not model.gradients(X, by="inputs").any()
    model.layers[0].trainable = False
    assert len(model.gradients(X)) == 2
    model.add(layers.Dense(1))
    assert model.gradients(X, by="inputs").shape == X.shape
    assert len(model.gradients(X)) == 4


def test_gradients_in_a_callback_are_those_of_the_weights_between_two_batches():
    model, found = of_layers(), []
    model.compile("sgd", "mse")
    record = LambdaCallback(on_train_batch_begin=lambda batch, logs: found.append((model.gradients(X, G), model.gradients(X, by="inputs"))))
    model.fit(X, G, batch_size=6, epochs=1, verbose=0, callbacks=[record])
    assert len(found) == 2
    assert not np.array_equal(found[0][0][0], found[1][0][0])
    assert not np.array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("by", ["weights", "inputs"])
def test_a_loss_function_that_asks_for_gradients_gets_an_error(by):
    model = of_layers()

    def loss(y, p):
        model.gradients(X, G, by=by)
        return ((p - y) ** 2).mean(axis=1), 2 * (p - y) / 3

    model.compile("sgd", loss)
    with pytest.raises((RuntimeError, ValueError), match="loss"):
        model.fit(X, G, verbose=0)


def test_gradients_change_nothing():
    model = of_layers(layers.BatchNormalization())
    model.compile("adam", "mse")
    model.train_on_batch(X, G)
    before, state = model.get_weights(), model.training_state()
    for by in ("weights", "inputs"):
        model.gradients(X, G, by=by)
        model.gradients(X, output_gradients=G, by=by, training=True)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.training_state() == state


def test_penalties_belong_to_the_loss():
    model = models.Sequential([layers.Dense(3, kernel_regularizer="l2", input_shape=(6,)), layers.ActivityRegularization(l2=0.1)])
    model.compile("adam", "mse")
    plain = models.Sequential([layers.Dense(3, input_shape=(6,))])
    plain.set_weights(model.get_weights())
    for a, b in zip(model.gradients(X, output_gradients=G), plain.gradients(X, output_gradients=G), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert not np.allclose(model.gradients(X, G)[0], model.gradients(X, output_gradients=2 * (model(X) - G) / G.size)[0])


def test_several_inputs_and_outputs():
    a, b = layers.Input((2,), name="a"), layers.Input((2, 2), name="b")
    h = layers.Concatenate()([a, layers.Flatten()(b)])
    model = models.Model({"a": a, "b": b}, {"one": layers.Dense(3, name="one")(h), "two": layers.Dense(1, name="two")(h)})
    x = {"a": X[:, :2], "b": X[:, 2:].reshape(-1, 2, 2)}
    by_inputs = model.gradients(x, output_gradients={"one": G}, by="inputs")
    assert {key: value.shape for key, value in by_inputs.items()} == {"a": (12, 2), "b": (12, 2, 2)}
    np.testing.assert_allclose(by_inputs["a"], G @ model.get_layer("one").kernel.numpy()[:2].T, rtol=1e-5, atol=1e-6)
    kernel, bias, *of_two = model.gradients(x, output_gradients={"one": G})
    np.testing.assert_allclose(kernel, X.T @ G, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(bias, G.sum(axis=0), rtol=1e-5, atol=1e-5)
    assert not any(one.any() for one in of_two)


def test_sparse_and_integer_inputs():
    sparse = pytest.importorskip("scipy.sparse")
    model = of_layers()
    x = np.where(X > 0.5, np.float32(1), np.float32(0))
    dense = model.gradients(x, by="inputs")
    assert np.array_equal(dense, model.gradients(sparse.csr_matrix(x), by="inputs"))
    assert np.array_equal(dense, model.gradients(sparse.csr_matrix(np.vstack([x, x])), by="inputs")[12:])
    assert np.array_equal(dense, model.gradients(x.astype("uint8"), by="inputs"))
    embedding = models.Sequential([layers.Embedding(4, 2, input_length=3), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(UnsupportedError, match=r"no gradient by its inputs.*embedding"):
        embedding.gradients(np.zeros((2, 3)), by="inputs")
    assert len(embedding.gradients(np.zeros((2, 3)))) == 3


def test_mistakes_are_named():
    model = of_layers()
    for options, message in (
        ({"by": "outputs"}, "by must be 'weights' or 'inputs', got 'outputs'"),
        ({"y": G, "output_gradients": G}, "either y"),
        ({"sample_weight": [1.0]}, "needs y"),
        ({"output_gradients": G[:, :2]}, r"output_gradients has shape \(12, 2\), but the predictions have \(12, 3\)"),
        ({"output_gradients": G * np.inf}, "NaN or infinite"),
        ({"output_gradients": "a"}, "array of numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            model.gradients(X, **options)
    with pytest.raises(RuntimeError, match="must be compiled before gradients of the loss"):
        model.gradients(X, G)
    with pytest.raises(ValueError, match="no samples"):
        model.gradients(X[:0])
