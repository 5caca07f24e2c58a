"""What holds for any input the API may get, by hypothesis."""

from __future__ import annotations

import copy
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastmlp import initializers, layers, models, utils

ENGINE = "reference"  # what is checked here happens before an engine sees anything
settings.register_profile("fastmlp", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fastmlp")

activation_layers = st.sampled_from(["relu", "tanh", "sigmoid", "linear", "leaky_relu"])
hidden = st.one_of(
    st.builds(layers.Dense, st.integers(1, 6), activation=activation_layers, use_bias=st.booleans()),
    st.builds(layers.Activation, activation_layers),
    st.builds(layers.Dropout, st.floats(0, 0.9)),
    st.builds(layers.LeakyReLU, st.floats(0, 2, width=32)),
    st.builds(layers.ReLU),
    st.builds(layers.Softmax),
    st.builds(layers.Flatten),
)
numbers = st.one_of(
    hnp.arrays(st.sampled_from([np.float16, np.float32, np.float64]), hnp.array_shapes(max_dims=4, max_side=5, min_side=0)),
    hnp.arrays(st.sampled_from([np.int8, np.uint8, np.int32, np.int64, np.bool_]), hnp.array_shapes(max_dims=4, max_side=5, min_side=0)),
)
anything = st.one_of(
    numbers,
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.one_of(st.floats(), st.none(), st.text(max_size=2), st.lists(st.floats(), max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    hnp.arrays(object, 3),
    hnp.arrays(np.dtype("U2"), (2, 3)),
    hnp.arrays(np.complex64, (2, 3)),
)


@given(st.integers(1, 5), st.lists(hidden, min_size=1, max_size=5), st.integers(1, 4))
def test_any_chain_of_layers_predicts_and_comes_back_from_its_configuration(width, chain, outputs):
    model = models.Sequential([layers.Input((width,)), *chain, layers.Dense(outputs)])
    model.compile(loss="mse", engine=ENGINE)
    x = np.linspace(-1, 1, 3 * width).reshape(3, width)
    expected = model.predict(x, verbose=0)
    assert expected.shape == (3, outputs)
    assert np.isfinite(expected).all()
    again = models.Sequential.from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    again.compile_from_config(json.loads(json.dumps(model.get_compile_config())))
    np.testing.assert_array_equal(again.predict(x, verbose=0), expected)
    np.testing.assert_array_equal(copy.deepcopy(model).predict(x, verbose=0), expected)
    assert model.plan == again.plan
    assert sum(weight.size for weight in model.get_weights()) == model.count_params()


@given(anything)
def test_predict_answers_or_raises_a_type_or_value_error(x):
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile(loss="mse", engine=ENGINE)
    out, message = None, "x"
    try:
        out = model.predict(x, verbose=0)
    except (TypeError, ValueError) as error:
        message = str(error)
    assert message.startswith("x")
    if out is not None:
        array = np.asarray(x)
        assert out.shape == (len(array), 2)
        assert np.isfinite(out).all()
        assert array.shape[1:] == (3,)
        assert np.isfinite(array.astype(np.float32)).all()


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
@given(y=anything)
def test_training_answers_or_raises_a_type_or_value_error(loss, y):
    ending = {"mse": "linear", "binary_crossentropy": "sigmoid"}.get(loss, "softmax")
    model = models.Sequential([layers.Dense(2, activation=ending, input_shape=(3,))])
    model.compile(optimizer="sgd", loss=loss, engine=ENGINE)
    x = np.ones((3, 3))
    value, message = None, "y"
    try:
        value = model.train_on_batch(x, y)
    except FloatingPointError:
        largest = np.abs(np.asarray(y, dtype=float)).max()
        assert loss == "mse"
        assert largest > 1e18, "its square is more than float32 holds"
    except (TypeError, ValueError) as error:
        message = str(error)
    assert "y" in message
    if value is not None:
        assert math.isfinite(value)
        assert len(y) == 3


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30), elements=st.floats(-10, 10, width=32)),
    st.data(),
)
def test_any_value_that_is_not_finite_is_found_where_it_stands(x, data):
    model = models.Sequential([layers.Dense(1, input_shape=(x.shape[1],))])
    model.compile(loss="mse", engine=ENGINE)
    row, column = data.draw(st.integers(0, x.shape[0] - 1)), data.draw(st.integers(0, x.shape[1] - 1))
    x[row, column] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(ValueError, match=rf"x\[{row}, {column}\] is (NaN|Inf|-Inf); remove"):
        model.predict(x, verbose=0)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(10, 12))
def test_one_hot_targets_have_the_loss_of_integer_labels(labels, classes):
    one_hot = utils.to_categorical(labels, classes)
    assert one_hot.sum() == len(labels)
    np.testing.assert_array_equal(one_hot.argmax(axis=1), labels)

    def loss_of(loss, y):
        model = models.Sequential([layers.Dense(classes, "softmax", kernel_initializer=initializers.HeNormal(seed=1), input_shape=(2,))])
        model.compile(loss=loss, metrics=["accuracy"], engine=ENGINE)
        return model.evaluate(np.linspace(-3, 3, 2 * len(labels)).reshape(-1, 2), y, verbose=0)

    assert loss_of("sparse_categorical_crossentropy", labels) == pytest.approx(loss_of("categorical_crossentropy", one_hot), rel=1e-5)


def passes(rows, batch_size, epochs, steps=None, shuffle=True):
    """For each epoch and each batch of it, the numbers of the rows that were trained on."""
    batches = []

    def loss(y_true, y_pred):
        batches.append(y_true.ravel().tolist())
        return np.zeros(len(y_true)), np.zeros_like(y_pred)

    model = models.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile("sgd", loss)
    numbers = np.arange(rows, dtype=np.float32)[:, None]
    model.train_on_batch(numbers[:1], numbers[:1])
    batches.clear()  # the first call of a loss also checks its gradient
    model.fit(numbers, numbers, batch_size=batch_size, epochs=epochs, steps_per_epoch=steps, shuffle=shuffle, verbose=0)
    return np.array_split(np.array(batches, dtype=object), epochs)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 4))
def test_every_row_is_trained_on_once_per_epoch(rows, batch_size, epochs):
    for epoch in passes(rows, batch_size, epochs):
        assert sorted(itertools.chain(*epoch)) == list(range(rows))
        assert all(len(batch) == batch_size for batch in epoch[:-1])


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 6))
def test_epochs_of_fewer_steps_go_on_where_the_one_before_stopped(rows, batch_size, steps):
    count = -(-rows // batch_size)
    steps = min(steps, count)
    if count % steps == 0:
        batches = itertools.chain(*passes(rows, batch_size, count // steps * 2, steps, shuffle=False))
        assert list(itertools.chain(*batches)) == [*range(rows)] * 2
