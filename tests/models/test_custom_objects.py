"""Functions and classes of the user's own: models that use them are copied whole, and stored without the code."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import initializers, layers, losses, metrics, models, optimizers, regularizers, saving, utils
from fastmlp.callbacks import ModelCheckpoint
from fastmlp.errors import ModelFileError, UnsupportedError

X = np.random.default_rng(0).normal(size=(48, 3)).astype(np.float32)
Y = (X[:, :1] - 2 * X[:, 1:2]).astype(np.float32)
SUFFIXES = (".safetensors", ".keras", ".h5")


def squares(y_true, y_pred):
    error = y_pred - y_true
    return (error**2).mean(axis=1), 2 * error / error.shape[1]


def largest_error(y_true, y_pred):
    return np.abs(y_true - y_pred).max(axis=1)


def halves(shape, dtype=None):
    return np.full(shape, 0.5)


def arctan(z):
    return np.arctan(z)


def arctan_slope(z):
    return 1 / (1 + z * z)


class Squares(losses.Loss):
    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, y_true, y_pred):
        value, gradient = squares(y_true, y_pred)
        return self.factor * value, self.factor * gradient

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class OwnSquares(losses.MeanSquaredError):
    pass


class Rows(metrics.Metric):
    def reset_state(self):
        self.rows = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.rows += len(y_true)

    def result(self):
        return float(self.rows)


class OwnAdam(optimizers.Adam):
    pass


class OwnDense(layers.Dense):
    pass


class Warmup(optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.01 / (1 + step)

    def get_config(self):
        return {}


CUSTOM = {
    "squares": squares,
    "Squares": Squares,
    "OwnSquares": OwnSquares,
    "largest_error": largest_error,
    "Rows": Rows,
    "halves": halves,
    "arctan": (arctan, arctan_slope),
    "OwnAdam": OwnAdam,
    "OwnDense": OwnDense,
    "Warmup": Warmup,
}


def model_of(loss=squares, **options):
    utils.set_random_seed(1)
    model = models.Sequential(
        [
            layers.Input((3,)),
            OwnDense(4, activation=(arctan, arctan_slope), bias_initializer=halves),
            layers.Dense(1, kernel_regularizer=lambda w: 0.01 * np.sum(np.square(w))),
        ]
    )
    model.compile(**({"optimizer": OwnAdam(Warmup()), "loss": loss, "metrics": [largest_error, Rows()]} | options))
    model.fit(X, Y, verbose=0)
    return model


def plain_model(loss=squares):
    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", loss)
    return model


def same(one, other):
    """Whether two models are the same now, and after another epoch."""
    before = np.allclose(one.evaluate(X, Y, verbose=0), other.evaluate(X, Y, verbose=0), rtol=1e-6)
    for model in (one, other):
        model.fit(X, Y, verbose=0)
    return before and all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


LOSSES = [squares, Squares, Squares(2.0), OwnSquares(), lambda y, p: squares(y, p)]


@pytest.mark.parametrize("loss", LOSSES[:4])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"])
def test_a_model_with_custom_objects_is_copied_whole(copied, loss):
    model = plain_model(loss)
    model.fit(X, Y, verbose=0)
    assert same(model, copied(model))


def test_deepcopy_takes_what_pickle_cannot():
    model = model_of(LOSSES[-1])
    assert same(model, copy.deepcopy(model))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["w.weights.h5", "w.safetensors"])
def test_weights_of_a_model_with_custom_objects_are_saved_and_loaded(tmp_path, loss, name):
    model = model_of(loss)
    weights = model.get_weights()
    model.save_weights(tmp_path / name)
    model.fit(X, Y, verbose=0)
    model.load_weights(tmp_path / name)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


def test_a_checkpoint_of_weights_works_with_a_custom_loss(tmp_path):
    model = plain_model()
    model.fit(X, Y, verbose=0, callbacks=ModelCheckpoint(tmp_path / "best.weights.h5", save_weights_only=True))
    weights = model.get_weights()
    again = plain_model("mse")
    again.load_weights(tmp_path / "best.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(weights, again.get_weights(), strict=True))


@pytest.mark.parametrize("loss", LOSSES[:4])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save_keeps_everything_but_the_code_and_custom_objects_put_it_back(tmp_path, loss, suffix):
    model = model_of(loss)
    path = tmp_path / f"model{suffix}"
    with pytest.warns(UserWarning, match=r"does not hold OwnDense, arctan, halves, .*OwnAdam.*largest_error, Rows, because files hold no"):
        model.save(path)
    again = saving.load_model(path, custom_objects=CUSTOM)
    assert type(again.optimizer) is OwnAdam
    assert type(again.layers[0]) is OwnDense
    assert again.loss.get_config() == model.loss.get_config()
    assert same(model, again)


@pytest.mark.parametrize("loss", [squares, Squares(), OwnSquares()])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_loss_is_told_with_both_ways_to_load_the_file(tmp_path, loss, suffix):
    model = plain_model(loss)
    path = tmp_path / f"model{suffix}"
    with pytest.warns(UserWarning, match="does not hold"):
        model.save(path)
    name = loss.__name__ if loss is squares else type(loss).__name__
    with pytest.raises(ModelFileError, match=rf"{name}.* pass it as custom_objects={{'{name}': \.\.\.}}; .*compile=False"):
        saving.load_model(path)
    with pytest.raises(ModelFileError, match=name):
        saving.load_model(path, custom_objects={"another": squares})
    alone = saving.load_model(path, compile=False)
    assert not alone.compiled
    assert np.array_equal(alone.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("metric", [largest_error, Rows(), metrics.MeanMetricWrapper(largest_error, name="worst")])
def test_metrics_of_ones_own_come_back(tmp_path, suffix, metric):
    model = plain_model("mse")
    model.compile("sgd", "mse", metrics=[metric], weighted_metrics=[largest_error])
    path = tmp_path / f"model{suffix}"
    with pytest.warns(UserWarning, match="does not hold"):
        model.save(path)
    again = saving.load_model(path, custom_objects={"largest_error": largest_error, "Rows": Rows})
    assert again.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)


def test_two_functions_of_the_same_name_are_told_apart(tmp_path):
    model = plain_model(lambda y, p: squares(y, p))
    model.compile("sgd", model.loss, metrics=[lambda y, p: np.abs(y - p).max(axis=1)])
    with pytest.warns(UserWarning, match="does not hold <lambda>, <lambda>_1,"):
        model.save(tmp_path / "model.safetensors")
    objects = {"<lambda>": squares, "<lambda>_1": largest_error}
    again = saving.load_model(tmp_path / "model.safetensors", custom_objects=objects)
    assert np.allclose(again.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0))


def test_registered_objects_need_no_custom_objects(tmp_path, recwarn):
    registered = utils.register_keras_serializable(package="test")(Squares)
    try:
        model = plain_model(Squares(3.0))
        for suffix in SUFFIXES:
            model.save(tmp_path / f"model{suffix}")
            assert saving.load_model(tmp_path / f"model{suffix}").loss.of.factor == 3.0
        assert utils.get_registered_name(Squares) == "test>Squares"
        assert utils.get_registered_object("test>Squares") is registered
    finally:
        utils.get_custom_objects().clear()
    assert not recwarn.list


def test_within_a_scope_names_mean_custom_objects():
    with utils.custom_object_scope({"squares": squares, "bent": (arctan, arctan_slope), "largest_error": largest_error, "halves": halves}):
        model = models.Sequential([layers.Dense(1, "bent", kernel_initializer="halves", input_shape=(3,))])
        model.compile("sgd", "squares", metrics=["largest_error"])
    assert (model.get_weights()[0] == 0.5).all()
    assert model.evaluate(X, Y, verbose=0, return_dict=True).keys() == {"loss", "largest_error"}
    with pytest.raises(ValueError, match="unknown loss 'squares'"):
        losses.get("squares")
    utils.get_custom_objects()["squares"] = squares
    try:
        assert losses.get("squares").function is squares
    finally:
        utils.get_custom_objects().clear()


def test_a_file_can_be_described_without_its_custom_objects(tmp_path):
    for suffix in SUFFIXES:
        with pytest.warns(UserWarning, match="does not hold"):
            model_of(Squares(2.0)).save(tmp_path / f"model{suffix}")
        described = saving.describe(tmp_path / f"model{suffix}")
        assert described["compile"]["loss"] == {"class": "Squares", "config": Squares(2.0).get_config()}


def test_a_loss_class_of_ones_own_is_called_like_any_other():
    assert Squares(2.0)([[1.0], [2.0]], [[2.0], [4.0]]) == 5.0
    assert Squares(reduction=None)([[1.0]], [[3.0]]).tolist() == [4.0]


def test_initializers_may_be_functions_and_classes_with_a_call():
    class Thirds(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 1 / 3)

    layer = layers.Dense(2, kernel_initializer=lambda shape: np.arange(6).reshape(shape), bias_initializer=Thirds(), input_shape=(3,))
    models.Sequential([layer])
    assert layer.get_weights()[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert np.allclose(layer.get_weights()[1], 1 / 3)


class Halved(regularizers.Regularizer):
    def __init__(self, strength=0.1):
        self.strength = strength

    def __call__(self, x):
        return self.strength * np.sum(np.abs(x)) / 2

    def get_config(self):
        return {"strength": self.strength}


@pytest.mark.parametrize(
    ("given", "l1", "l2"),
    [
        (lambda w: 0.25 * np.sum(w**2), 0, 0.25),
        (lambda w: 1e-3 * np.abs(w).sum() + 0.5e-4 * (w * w).sum(), 1e-3, 0.5e-4),
        (regularizers.l2, 0, 0.01),
        (Halved(0.1), 0.05, 0),
    ],
)
def test_regularizers_may_be_functions_that_are_sums_of_sizes_and_squares(given, l1, l2):
    penalty = regularizers.get(given).penalty()
    assert (penalty.l1, penalty.l2) == pytest.approx((l1, l2))


@pytest.mark.parametrize("given", [lambda w: np.mean(w**2), lambda w: np.sum(w**4), lambda w: -np.sum(w**2), lambda w: w @ None])
def test_other_functions_are_refused_as_regularizers(given):
    with pytest.raises(UnsupportedError, match="the regularizer <lambda>"):
        layers.Dense(2, kernel_regularizer=given)


def test_custom_objects_is_a_dict(tmp_path):
    fastmlp.Sequential([layers.Dense(1, input_shape=(2,))]).save(tmp_path / "m.safetensors")
    with pytest.raises(TypeError, match="custom_objects must be a dict of objects by name"):
        saving.load_model(tmp_path / "m.safetensors", custom_objects=[squares])
