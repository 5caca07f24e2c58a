"""Bad data and bad arguments: every case tells what was given, what was wanted, and what to do.

Each case goes to every method that takes the data; the message is the same everywhere.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastmlp import layers, models, utils
from fastmlp.errors import NonFiniteLossError, UnsupportedError

N = 8
X = np.linspace(-1, 1, N * 3, dtype=np.float32).reshape(N, 3)
LABELS = np.arange(N) % 4
ONE_HOT = utils.to_categorical(LABELS, 4)

WITH_TARGETS = {
    "fit": lambda model, x, y, **more: model.fit(x, y, verbose=0, **more),
    "evaluate": lambda model, x, y, **more: model.evaluate(x, y, verbose=0, **more),
    "train_on_batch": lambda model, x, y, **more: model.train_on_batch(x, y, **more),
    "test_on_batch": lambda model, x, y, **more: model.test_on_batch(x, y, **more),
    "validation_data": lambda model, x, y: model.fit(X, GOOD[model.loss.kind], validation_data=(x, y), verbose=0),
}
INPUTS_ONLY = {
    "predict": lambda model, x, y: model.predict(x, verbose=0),
    "call": lambda model, x, y: model(x),
    "call in training": lambda model, x, y: model(x, training=True),
}
GOOD = {
    "sparse_categorical_crossentropy": LABELS,
    "categorical_crossentropy": ONE_HOT,
    "mean_squared_error": ONE_HOT,
    "binary_crossentropy": LABELS > 1,
}


def made(engine, loss="sparse_categorical_crossentropy", units=4, activation="softmax", columns=3):
    model = models.Sequential([layers.Dense(units, activation=activation, input_shape=(columns,))])
    model.compile(optimizer="sgd", loss=loss, engine=engine)
    return model


def changed(value):
    x = X.astype(np.float64)
    x[5, 1] = value
    return x


class Lazy:
    """Not an array, and not like one."""


BAD_X = {
    "wrong width": (X[:, :2], ValueError, "x has 2 features, but the first layer expects 3"),
    "too wide": (np.zeros((N, 784)), ValueError, "x has 784 features, but the first layer expects 3"),
    "wrong rank": (
        X.reshape(N, 1, 3),
        ValueError,
        "x has shape (8, 1, 3), but the model expects (samples, 3); reshape it: x.reshape(len(x), -1)",
    ),
    "rank with another size": (np.zeros((N, 2, 2)), ValueError, "x has shape (8, 2, 2), but the model expects (samples, 3)"),
    "0-d": (np.float32(3), ValueError, "x must be an array whose first axis is that of the samples, got the single value 3.0"),
    "a number": (3.5, ValueError, "x must be an array whose first axis is that of the samples, got the single value 3.5"),
    "strings": (np.full((N, 3), "a"), TypeError, "x must be numbers, but holds strings such as"),
    "a string": ("data.csv", TypeError, "x must be an array of numbers, got 'data.csv'"),
    "object array": (np.full((N, 3), None), TypeError, "x must be numbers, but holds Python objects (NoneType)"),
    "array of arrays": (np.array([X, None], dtype=object), TypeError, "x must be numbers, but holds Python objects (NoneType, ndarray)"),
    "ragged list": ([[1.0, 2.0, 3.0], [1.0, 2.0]], ValueError, "x is ragged: its samples have different lengths"),
    "complex": (X + 1j, TypeError, "x must be numbers, but holds complex values; pass real and imaginary parts as features"),
    "dates": (np.full((N, 3), np.datetime64("2020-01-01")), TypeError, "x must be numbers, but holds dates or times"),
    "None": (None, ValueError, "x is missing (None)"),
    "dict": ({"x": X}, UnsupportedError, "x is a dict, which is for models with several inputs or outputs; this one takes one array"),
    "anything else": (Lazy(), TypeError, "x must be an array of numbers, got Lazy"),
    "masked": (np.ma.masked_less(X, 0), ValueError, "x has masked elements; fill them first: x.filled(0)"),
}


@pytest.mark.parametrize("method", [*WITH_TARGETS, *INPUTS_ONLY])
@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("ready", [False, True], ids=["fresh", "ready"])
def test_x_that_is_no_table_of_numbers(engine, ready, case, method):
    x, error, message = BAD_X[case]
    model = made(engine)
    if ready:
        model(X)
    with pytest.raises(error) as caught:
        {**WITH_TARGETS, **INPUTS_ONLY}[method](model, x, LABELS)
    told = str(caught.value)
    assert told.replace("val_x", "x").startswith(message)
    assert told.startswith("val_x" if method == "validation_data" else "x")


@pytest.mark.parametrize("method", [*WITH_TARGETS, "predict"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "x[5, 1] is NaN; remove these samples or replace the values"),
        (math.inf, "x[5, 1] is Inf; remove these samples"),
        (-math.inf, "x[5, 1] is -Inf; remove these samples"),
        (1e300, "x[5, 1] is 1e+300, which is too large for float32 (3.4e38); scale x down"),
    ],
)
def test_x_with_values_that_are_not_finite(engine, value, message, method):
    with pytest.raises(ValueError, match="x") as caught:
        {**WITH_TARGETS, **INPUTS_ONLY}[method](made(engine), changed(value), LABELS)
    assert message in str(caught.value).replace("val_x", "x")


def test_many_gaps_are_counted_and_found_in_images(engine):
    model = models.Sequential([layers.Flatten(input_shape=(2, 3)), layers.Dense(1)])
    x = np.zeros((5, 2, 3))
    x[3, 1, 2] = x[4] = math.nan
    with pytest.raises(ValueError, match=r"x\[3, 1, 2\] is NaN \(7 such values in all\)"):
        model.predict(x, verbose=0)


def test_a_strided_float64_array_is_scanned_too(engine):
    x = np.asfortranarray(changed(math.nan))
    with pytest.raises(ValueError, match=r"x\[5, 1\] is NaN"):
        made(engine).predict(x, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_no_rows(engine, method):
    with pytest.raises(ValueError, match="x has no samples"):
        WITH_TARGETS[method](made(engine), X[:0], LABELS[:0])


@pytest.mark.parametrize("method", WITH_TARGETS)
def test_lengths_that_differ(engine, method):
    with pytest.raises(ValueError, match=r"x has 8 samples, (val_)?y has 7 samples; they must have the same number of samples"):
        WITH_TARGETS[method](made(engine), X, LABELS[:-1])


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (
            np.ones(7),
            ValueError,
            "x has 8 samples, y has 8 samples, sample_weight has 7 samples; they must have the same number of samples",
        ),
        (np.ones((8, 2)), ValueError, "sample_weight has shape (8, 2), but each sample has one weight: shape (samples,)"),
        (np.full(8, np.nan), ValueError, "sample_weight[0] is NaN (8 such values in all)"),
        (["a"] * 8, TypeError, "sample_weight must be numbers, but holds strings such as"),
        (2.0, ValueError, "sample_weight must be an array whose first axis is that of the samples, got the single value 2.0"),
    ],
)
def test_sample_weights_that_do_not_fit(engine, method, weight, error, message):
    with pytest.raises(error) as caught:
        WITH_TARGETS[method](made(engine), X, LABELS, sample_weight=weight)
    assert message in str(caught.value)


BAD_Y = {
    "labels too large": (
        LABELS + 1,
        {},
        ValueError,
        "y[3] is 4, but integer class labels go from 0 to 3, since the last layer has 4 units",
    ),
    "negative labels": (LABELS - 1, {}, ValueError, "y[0] is -1, but integer class labels must be ≥ 0"),
    "fractional labels": (LABELS + 0.5, {}, ValueError, "y[0] is 0.5, but sparse_categorical_crossentropy takes integer class labels"),
    "NaN labels": (np.full(N, np.nan), {}, ValueError, "y[0] is nan, but sparse_categorical_crossentropy takes integer class labels"),
    "infinite labels": (np.full(N, np.inf), {}, ValueError, "y[0] is inf, but integer class labels go from 0 to 3"),
    "one-hot for labels": (ONE_HOT, {}, ValueError, "y looks one-hot: use loss='categorical_crossentropy', or pass y.argmax(axis=1)"),
    "labels of rank 3": (
        LABELS.reshape(N, 1, 1),
        {},
        ValueError,
        "y has shape (8, 1, 1), but sparse_categorical_crossentropy takes one integer class label",
    ),
    "string labels": (np.full(N, "cat"), {}, TypeError, "y must be numbers, but holds strings such as"),
    "ragged targets": ([[1], [1, 2]], {}, ValueError, "y is ragged: its samples have different lengths"),
    "0-d targets": (3, {}, ValueError, "y must be an array whose first axis is that of the samples, got the single value 3"),
    "missing targets": (None, {}, ValueError, "y is missing: pass the targets, one for each sample of x"),
    "labels for one-hot": (LABELS, {"loss": "categorical_crossentropy"}, ValueError, "pass utils.to_categorical(y, 4)"),
    "one-hot of another width": (
        utils.to_categorical(LABELS, 5),
        {"loss": "categorical_crossentropy"},
        ValueError,
        "y has shape (8, 5), but the last layer has 4 units, so categorical_crossentropy takes (samples, 4)",
    ),
    "one-hot of rank 3": (
        ONE_HOT[None],
        {"loss": "categorical_crossentropy"},
        ValueError,
        "y has shape (1, 8, 4), but the last layer has 4",
    ),
    "percent for one-hot": (
        ONE_HOT * 100,
        {"loss": "categorical_crossentropy"},
        ValueError,
        "y[0, 0] is 100, but categorical_crossentropy takes",
    ),
    "NaN targets": (ONE_HOT * np.nan, {"loss": "mse"}, ValueError, "y[0, 0] is NaN (32 such values in all)"),
    "one column for four": (
        X[:, :1],
        {"loss": "mse"},
        ValueError,
        "y has shape (8, 1), but the last layer has 4 units, so mean_squared_error takes",
    ),
    "labels 1 and 2": (
        LABELS % 2 + 1,
        {"loss": "binary_crossentropy", "units": 1, "activation": "sigmoid"},
        ValueError,
        "y[1, 0] is 2, but binary_crossentropy takes values from 0 to 1; use labels 0 and 1",
    ),
    "labels -1 and 1": (
        LABELS % 2 * 2 - 1,
        {"loss": "binary_crossentropy", "units": 1, "activation": "sigmoid"},
        ValueError,
        "y[0, 0] is -1, but binary_crossentropy takes values from 0 to 1; use labels 0 and 1",
    ),
    "labels for two sigmoids": (
        LABELS % 2,
        {"loss": "binary_crossentropy", "units": 2, "activation": "sigmoid"},
        ValueError,
        "for one yes-no answer end the model in Dense(1, activation='sigmoid')",
    ),
}


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("case", BAD_Y)
def test_targets_the_loss_can_not_read(engine, case, method):
    y, model, error, message = BAD_Y[case]
    with pytest.raises(error) as caught:
        WITH_TARGETS[method](made(engine, **model), X, y)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "model", "y"),
    [
        ("sparse_categorical_crossentropy", {}, LABELS.tolist()),
        ("sparse_categorical_crossentropy", {}, LABELS[:, None]),
        ("sparse_categorical_crossentropy", {}, LABELS.astype(np.float64)),
        ("sparse_categorical_crossentropy", {}, LABELS.astype(np.uint8)),
        ("categorical_crossentropy", {}, ONE_HOT.astype(int)),
        ("categorical_crossentropy", {}, ONE_HOT.astype(bool).tolist()),
        ("mse", {"units": 1}, X[:, 0]),
        ("binary_crossentropy", {"units": 1, "activation": "sigmoid"}, LABELS > 1),
        ("binary_crossentropy", {"units": 1, "activation": "sigmoid"}, (LABELS > 1)[:, None].astype(np.int8)),
    ],
)
def test_targets_in_all_usual_forms_are_read(engine, loss, model, y):
    assert np.isfinite(WITH_TARGETS["train_on_batch"](made(engine, loss=loss, **model), X, y))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": -2}, ValueError, "epochs must be an integer ≥ 0, got -2"),
        ({"epochs": 2.5}, TypeError, "epochs must be an integer ≥ 0, got 2.5"),
        ({"epochs": "5"}, TypeError, "epochs must be an integer ≥ 0, got '5'"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer ≥ 1, got 0"),
        ({"batch_size": -32}, ValueError, "batch_size must be an integer ≥ 1, got -32"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be an integer ≥ 1, got 1.5"),
        ({"initial_epoch": -1}, ValueError, "initial_epoch must be an integer ≥ 0, got -1"),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch must be an integer ≥ 1, got 0"),
        ({"validation_steps": 0}, ValueError, "validation_steps must be an integer ≥ 1, got 0"),
        ({"validation_batch_size": 0}, ValueError, "validation_batch_size must be an integer ≥ 1, got 0"),
        ({"validation_freq": 0}, ValueError, "validation_freq must be an integer ≥ 1, got 0"),
        ({"validation_split": 1.0}, ValueError, "validation_split must be a number ≥ 0 and < 1, got 1"),
        ({"validation_split": -0.1}, ValueError, "validation_split must be a number ≥ 0 and < 1, got -0.1"),
        ({"validation_split": 0.99}, ValueError, "validation_split=0.99 of 8 samples leaves none to train on"),
        ({"validation_split": 0.0000001}, None, ""),
        ({"validation_data": X}, UnsupportedError, "validation_data must be (x, y) or (x, y, sample_weight), got ndarray"),
        ({"validation_data": (X,)}, ValueError, "validation_data must be (x, y) or (x, y, sample_weight), got 1 parts"),
        ({"verbose": 3}, ValueError, "verbose must be 'auto', 0, 1 or 2, got 3"),
        ({"verbose": "yes"}, ValueError, "verbose must be 'auto', 0, 1 or 2, got 'yes'"),
        ({"shuffle": "batch"}, TypeError, "shuffle must be True or False, got 'batch'"),
        ({"class_weight": {0: 1.0}, "sample_weight": np.ones(N)}, ValueError, "pass class_weight or sample_weight, not both"),
        ({"class_weight": [1, 2]}, TypeError, "class_weight must be a dict from integer class label to weight"),
        ({"class_weight": {"cat": 1.0}}, TypeError, "class_weight must map integer class labels to weights"),
        ({"class_weight": {0: math.nan}}, ValueError, "class_weight[0] must be finite, got nan"),
        ({"callbacks": [models.Sequential]}, TypeError, "callbacks holds the class Sequential; pass an instance: Sequential()"),
        ({"callbacks": [print]}, TypeError, "callbacks must be instances of fastmlp.callbacks.Callback"),
        ({"btach_size": 3}, TypeError, "fit has no argument 'btach_size'; did you mean 'batch_size'?"),
    ],
)
def test_arguments_of_fit(engine, arguments, error, message):
    model = made(engine)
    before = model.get_weights()
    if error is None:
        model.fit(X, LABELS, **{"verbose": 0, **arguments})
        return
    with pytest.raises(error) as caught:
        model.fit(X, LABELS, **{"verbose": 0, **arguments})
    assert message in str(caught.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", ["batch_size", "steps"])
def test_sizes_of_evaluate_and_predict(engine, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer ≥ 1, got 0"):
        made(engine).evaluate(X, LABELS, verbose=0, **{name: 0})
    with pytest.raises(ValueError, match=f"{name} must be an integer ≥ 1, got -4"):
        made(engine).predict(X, verbose=0, **{name: -4})


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_that_is_not_compiled(method):
    model = models.Sequential([layers.Dense(4, input_shape=(3,))])
    with pytest.raises(RuntimeError, match=rf"the model must be compiled before {method}: model.compile\(optimizer='adam', loss='mse'\)"):
        WITH_TARGETS[method](model, X, LABELS)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_compiled_without_a_loss(engine, method):
    with pytest.raises(ValueError, match=r"compiled without a loss, so it can only predict; name one, for example compile\(loss='mse'\)"):
        WITH_TARGETS[method](made(engine, loss=None), X, LABELS)


@pytest.mark.parametrize("x", [np.zeros((5, 0)), np.zeros((5, 2, 0)), [[], []]])
def test_rows_that_are_empty(engine, x):
    model = models.Sequential([layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"x has shape \(\d, .*0\): its samples are empty"):
        model.predict(x, verbose=0)


def test_a_model_that_has_no_layers(engine):
    model = models.Sequential()
    model.compile(loss="mse", engine=engine)
    for use in (lambda: model.fit(X, X, verbose=0), lambda: model.predict(X, verbose=0), lambda: model(X)):
        with pytest.raises(ValueError, match=r"the model has no layers; add some, for example model.add\(layers.Dense\(10\)\)"):
            use()


def test_a_loss_that_becomes_nan_stops_with_the_epoch_the_batch_and_advice(engine):
    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile(optimizer="sgd", loss="mse", engine=engine)
    model.optimizer.learning_rate = 1e18
    with pytest.raises(NonFiniteLossError) as caught, np.errstate(all="ignore"):
        model.fit(X, X[:, 0] + 1, batch_size=2, epochs=5, verbose=0)
    error = caught.value
    assert isinstance(error, FloatingPointError)
    assert f"the loss became NaN or infinite in epoch {error.epoch + 1}, batch {error.batch + 1}; the weights are those before" in str(
        error
    )
    assert "Lower the learning rate (now 1e+18)" in str(error)
    assert len(model.history.epoch) == error.epoch
    assert all(np.isfinite(array).all() for array in model.get_weights())
    assert model.predict(X, verbose=0).shape == (8, 1)
    model.optimizer.learning_rate = 0.0
    with np.errstate(all="ignore"), pytest.raises(NonFiniteLossError, match="in this batch"):
        model.train_on_batch(X, X[:, 0] + 1)


@pytest.mark.parametrize(
    ("x", "num_classes", "error", "message"),
    [
        (["a"], None, TypeError, "to_categorical needs integer class labels"),
        ([0.5], None, ValueError, "x has fractions, NaN or Inf"),
        ([np.nan], None, ValueError, "x has fractions, NaN or Inf"),
        ([-1, 2], None, ValueError, "x has the label -1, but the labels of 3 classes are 0 to 2"),
        ([0, 5], 3, ValueError, "x has the label 5, but the labels of 3 classes are 0 to 2"),
        ([], None, ValueError, "x is empty, so the number of classes is unknown; pass num_classes"),
        ([0], 0, ValueError, "num_classes must be an integer ≥ 1, got 0"),
    ],
)
def test_to_categorical(x, num_classes, error, message):
    with pytest.raises(error) as caught:
        utils.to_categorical(x, num_classes)
    assert message in str(caught.value)


def test_to_categorical_gives_float32_rows():
    np.testing.assert_array_equal(utils.to_categorical([[1], [0]]), [[0, 1], [1, 0]])
    assert utils.to_categorical(np.zeros((2, 3), int), 5).shape == (2, 3, 5)
    assert utils.to_categorical([0]).dtype == np.float32


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "a"])
def test_seeds_that_are_none(seed):
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        utils.set_random_seed(seed)
