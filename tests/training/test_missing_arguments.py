"""None, and containers with nothing in them, where data, weights, files or settings are wanted: the message says what to give."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, Sequential, callbacks, initializers, layers, losses, metrics, models, utils
from fastmlp.optimizers import schedules

X, Y = np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)
LIST = r"takes a list of 4 arrays, as get_weights\(\) returns it, got"


@pytest.fixture(scope="module")
def model():
    made = Sequential([layers.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


@pytest.fixture(scope="module")
def forked():
    x = layers.Input((3,))
    made = Model(x, [layers.Dense(1, name="p")(x), layers.Dense(1, name="q")(x)])
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (lambda model: model.set_weights(None), f"{LIST} None"),
        (lambda model: model.set_weights({}), f"{LIST} {{}}"),
        (lambda model: model.set_weights(3), f"{LIST} 3"),
        (lambda model: model.set_weights("abcd"), f"{LIST} 'abcd'"),
        (lambda model: model.set_weights([]), r"has 4 arrays \(kernel .*\), got 0"),
        (lambda model: model.set_weights([None] * 4), r"the kernel of layer 'first' has shape \(3, 2\), got \(\)"),
        (
            lambda model: model.set_weights([[[1], [2, 3]], [0, 0], [[1], [1]], [0]]),
            "the kernel of layer 'first' must be an array of numbers",
        ),
        (lambda model: model.layers[0].set_weights(None), r"layer 'first' takes a list of 2 arrays"),
        (lambda model: model.fit(None), r"x is missing \(None\)"),
        (lambda model: model.fit(X, None), "y is missing: pass the targets"),
        (lambda model: model.evaluate([], []), r"x has shape \(0,\), but the model expects \(samples, 3\)"),
        (lambda model: model.predict(None), r"x is missing \(None\)"),
        (lambda model: model(None), r"x is missing \(None\)"),
        (lambda model: model.load_weights(None), "the name of a file must be a str or a Path, got None"),
        (lambda model: model.load_weights(""), "the name of a file is empty"),
        (lambda model: model.load_weights({}), "the name of a file must be a str or a Path, got {}"),
        (lambda model: model.save(None), "the name of a file must be a str or a Path, got None"),
        (lambda model: model.save(""), "the name of a file is empty"),
        (lambda model: model.save_weights(None), "the name of a file must be a str or a Path, got None"),
    ],
)
def test_a_model_says_what_is_missing_and_stays_as_it_is(model, use, reason):
    before = model.get_weights()
    with pytest.raises((TypeError, ValueError), match=reason):
        use(model)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (lambda: fastmlp.load_model(None), "the name of a file must be a str or a Path, got None"),
        (lambda: fastmlp.load_model(""), "the name of a file is empty"),
        (lambda: models.model_from_json(None), r"json_string must be a string that model.to_json\(\) returned, got None"),
        (lambda: models.model_from_json(""), "json_string is not JSON"),
        (lambda: callbacks.ModelCheckpoint(None), "filepath must be a str or a Path, got None"),
        (lambda: callbacks.ModelCheckpoint(""), "filepath is empty"),
        (lambda: callbacks.CSVLogger(None), "filename must be a str or a Path, got None"),
        (lambda: callbacks.CSVLogger(""), "filename is empty"),
        (lambda: callbacks.BackupAndRestore(None), "backup_dir must be a str or a Path, got None"),
        (lambda: callbacks.TensorBoard(None), "log_dir must be a str or a Path, got None"),
        (lambda: callbacks.LivePlot(None), "filename must be a str or a Path, got None"),
        (lambda: utils.k_fold({}), "there are no arrays to select samples from: the data is an empty dict"),
        (lambda: utils.k_fold(None), "data must be arrays with one row per sample, or the number of samples, got None"),
        (lambda: utils.k_fold([], 2), "k must be at most the number of samples, 0, got 2"),
        (lambda: utils.split_dataset({}, 0.5), "there are no arrays to select samples from: the data is an empty dict"),
        (lambda: utils.split_dataset({"x": {}}, 0.5), "there are no arrays to select samples from"),
        (lambda: layers.Dense(2)([]), r"layer 'dense.*' is called on \[\], which is empty"),
        (lambda: layers.Dense(2)({}), "layer 'dense.*' is called on {}, which is empty"),
        (lambda: layers.Add()([]), r"layer 'add.*' is called on \[\], which is empty"),
        (lambda: layers.Dense.from_config(None), r"config must be a dict, as get_config\(\) of Dense returns it, got None"),
        (lambda: losses.MeanSquaredError()(None, Y), r"y_true is missing \(None\)"),
        (lambda: losses.CategoricalCrossentropy()(None, [1.0]), r"y_true is missing \(None\)"),
        (lambda: losses.MeanSquaredError()([], []), r"y_pred has shape \(0,\): it is empty"),
        (lambda: metrics.MeanSquaredError()(Y, None), r"y_pred is missing \(None\)"),
        (lambda: metrics.Mean()(None), r"values is missing \(None\)"),
        (lambda: metrics.Sum()(None), r"values is missing \(None\)"),
        (lambda: initializers.GlorotUniform()(None), "shape must be a tuple of integers such as"),
        (lambda: schedules.PiecewiseConstantDecay(None, [1.0]), "boundaries must be a list of numbers, got None"),
    ],
)
def test_functions_and_objects_say_what_is_missing(use, reason):
    with pytest.raises((TypeError, ValueError), match=reason):
        use()


def test_a_model_with_several_outputs_says_what_is_missing(forked):
    for y, reason in (
        ([], r"the model has 2 outputs \(p, q\), but y has 0"),
        ({}, r"the model has 2 outputs \(p, q\), but y lacks p, q"),
        ([Y, None], r"y\['q'\] is missing: pass the targets"),
        ([Y, []], r"y\['q'\] has no samples"),
    ):
        with pytest.raises(ValueError, match=reason):
            forked.fit(X, y, verbose=0)
    for weight in ({}, {"p": None}):
        assert forked.evaluate(X, [Y, Y], sample_weight=weight, verbose=0) == forked.evaluate(X, [Y, Y], verbose=0)


def test_what_may_be_left_out_may_be_none(model):
    assert layers.Dense(2, input_shape=None, input_dim=None).declared_shape is None
    mean = metrics.Mean()
    assert mean([]) == 0.0
    assert mean([1.0, 2.0]) == 1.5
    assert model.fit(X, Y, verbose=0, validation_data=None, class_weight={}, callbacks=[None], validation_split=None).epoch == [0]
