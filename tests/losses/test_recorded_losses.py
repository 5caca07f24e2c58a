"""Custom losses that return values only: recorded, differentiated, reduced as in Keras, and stored in files and copies as programs."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from folders import GOLDEN
from golden import custom_loss_programs as programs

import fastmlp
from fastmlp import layers, losses, models, ops
from fastmlp.errors import ModelFileError, UnsupportedError

KERAS = json.loads((GOLDEN / "custom_losses.json").read_text(encoding="utf-8"))
ENGINES = ("native", "reference")
X, Y = programs.X, programs.Y


def mean_of_squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def model_with(loss, outputs=4, **options):
    model = models.Sequential([layers.Dense(5, activation="tanh", input_shape=(3,)), layers.Dense(outputs)])
    if outputs == 4:
        model.set_weights(programs.INITIAL)
    model.compile("sgd", loss, **options)
    return model


def fit(model, y=Y, **options):
    return model.fit(X, y, verbose=0, shuffle=False, batch_size=8, **options).history["loss"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "weighted"), programs.fits())
def test_losses_and_weights_are_those_of_keras(name, weighted, engine):
    found, expected = programs.fitted(fastmlp, name, weighted, engine=engine), KERAS[f"{name}{', weighted' * weighted}"]
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=2e-5)
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_written_by_hand_trains_like_the_built_in_one(engine):
    np.testing.assert_allclose(fit(model_with(mean_of_squares, engine=engine)), fit(model_with("mse", engine=engine)), rtol=1e-6)


def test_the_function_is_called_once():
    calls = []

    def counting(y_true, y_pred):
        calls.append((y_true.shape, y_pred.shape))
        return mean_of_squares(y_true, y_pred)

    model = model_with(counting)
    fit(model, epochs=3)
    model.evaluate(X, Y, verbose=0)
    assert calls == [((None, 4), (None, 4))]


def test_a_loss_that_returns_its_gradient_is_never_called_with_symbolic_values():
    types = []

    def with_gradient(y_true, y_pred):
        types.append(type(y_pred))
        error = y_pred - y_true
        return (error**2).mean(axis=1), 2 * error / error.shape[1]

    class Squares(losses.Loss):
        def call(self, y_true, y_pred):
            value, gradient = with_gradient(y_true, y_pred)
            return value, gradient

    expected = fit(model_with("mse"))
    for loss in (with_gradient, Squares(), functools.partial(with_gradient)):
        np.testing.assert_allclose(fit(model_with(loss)), expected, rtol=1e-6)
    assert set(types) == {np.ndarray}


def test_a_gradient_from_another_function_is_used_too():
    def with_gradient(y_true, y_pred):
        error = y_pred - y_true
        return (error**2).mean(axis=1), 2 * error / error.shape[1]

    np.testing.assert_allclose(fit(model_with(lambda y, p: with_gradient(y, p))), fit(model_with("mse")), rtol=1e-6)


def test_samples_whose_losses_are_mixed_cannot_be_weighted():
    model = model_with(lambda y, p: ops.mean(ops.square(y - p)))
    for weights in ({"sample_weight": np.ones(22)}, {"class_weight": {0: 1.0, 1: 2.0}}):
        with pytest.raises(UnsupportedError, match="mixes the samples of a batch; return one value for each sample"):
            fit(model, **weights)
    with pytest.raises(UnsupportedError, match="mixes the samples"):
        model.evaluate(X, Y, sample_weight=np.ones(22), verbose=0)


def test_predictions_of_several_axes_have_their_shape_in_the_function():
    shapes = []

    def of_elements(y_true, y_pred):
        shapes.append(y_pred.shape)
        return ops.square(y_true - y_pred)

    made = []
    for loss in (of_elements, "mse"):
        model = models.Sequential([layers.Dense(12, input_shape=(3,), kernel_initializer="ones"), layers.Reshape((4, 3))])
        model.compile("sgd", loss)
        made.append(model.fit(X, np.repeat(Y[..., None], 3, 2), epochs=2, verbose=0, shuffle=False).history["loss"])
    assert shapes == [(None, 4, 3)]
    np.testing.assert_allclose(*made, rtol=1e-5)


def test_each_output_has_its_own_program():
    x = layers.Input((3,))
    hidden = layers.Dense(4)(x)
    model = fastmlp.Model(x, [layers.Dense(2)(hidden), layers.Dense(3)(hidden)])
    model.compile("sgd", mean_of_squares)
    y = [Y[:, :2], Y[:, 1:]]
    loss = model.fit(X, y, verbose=0).history["loss"][0]
    assert loss > 0
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.evaluate(X, y, verbose=0), model.evaluate(X, y, verbose=0))


def test_a_loss_can_be_called_on_arrays():
    class Scaled(losses.Loss):
        def call(self, y_true, y_pred):
            return 3 * ops.square(y_true - y_pred)

    expected = (3 * (X - 1) ** 2).mean()
    assert Scaled()(np.ones_like(X), X) == pytest.approx(expected, rel=1e-6)
    assert losses.get(mean_of_squares)(np.ones_like(X), X) == pytest.approx(expected / 3, rel=1e-6)
    weights = np.linspace(0, 1, len(X))
    assert Scaled()(np.ones_like(X), X, weights) == pytest.approx((3 * (X - 1) ** 2 * weights[:, None]).mean(), rel=1e-6)
    np.testing.assert_allclose(Scaled(reduction="none")(np.ones_like(X), X), 3 * (X - 1) ** 2, rtol=1e-6)


# Targets of another shape than the predictions

LABELS = np.arange(22) % 4


def of_labels(y_true, y_pred):
    places = ops.expand_dims(ops.cast(y_true, "int32"), -1)
    return -ops.log(ops.take_along_axis(y_pred, places, axis=-1)[:, 0])


def of_columns_of_labels(y_true, y_pred):
    return -ops.log(ops.sum(ops.one_hot(y_true[:, 0], 4) * y_pred, axis=-1))


def with_advantages(y_true, y_pred):
    actions, advantages, old = y_true[:, 0], y_true[:, 1], y_true[:, 2:]
    return advantages * of_labels(actions, y_pred) + ops.mean(ops.square(y_pred - old), axis=-1)


def classifier(loss, **options):
    model = models.Sequential([layers.Dense(5, activation="tanh", input_shape=(3,)), layers.Dense(4, activation="softmax")])
    model.set_weights(programs.INITIAL)
    model.compile("adam", loss, **options)
    return model


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (of_labels, LABELS),
        (of_columns_of_labels, LABELS[:, None]),
        (lambda y_true, y_pred: losses.sparse_categorical_crossentropy(y_true, y_pred), LABELS),
    ],
)
def test_targets_may_be_labels(loss, y, engine):
    expected = classifier("sparse_categorical_crossentropy", metrics=["accuracy"], engine=engine)
    model = classifier(loss, metrics=["accuracy"], engine=engine)
    for options in ({"epochs": 3}, {"sample_weight": programs.WEIGHTS}, {"validation_split": 0.25}):
        one, other = (made.fit(X, y, verbose=0, shuffle=False, **options).history for made in (model, expected))
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(model.evaluate(X, y, verbose=0), expected.evaluate(X, y, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_targets_may_have_more_columns_than_predictions(engine, tmp_path):
    wide = np.concatenate([LABELS[:, None], programs.WEIGHTS[:, None], np.full((22, 4), 0.25)], axis=1)
    model = classifier(with_advantages, engine=engine, metrics=[lambda y_true, y_pred: y_true[:, 1]])
    history = model.fit(X, wide, batch_size=8, epochs=2, verbose=0).history
    assert history["<lambda>"][0] == pytest.approx(programs.WEIGHTS.mean(), rel=1e-6)
    p = model.predict(X, verbose=0)
    expected = -programs.WEIGHTS * np.log(p[np.arange(22), LABELS]) + ((p - 0.25) ** 2).mean(axis=1)
    assert model.evaluate(X, wide, verbose=0)[0] == pytest.approx(expected.mean(), rel=1e-5)
    classifier_of_file = classifier(with_advantages, engine=engine)
    classifier_of_file.fit(X, wide, verbose=0)
    classifier_of_file.save(tmp_path / "model.safetensors")
    again = models.load_model(tmp_path / "model.safetensors")
    assert again.evaluate(X, wide, verbose=0) == classifier_of_file.evaluate(X, wide, verbose=0)
    with pytest.raises(ValueError, match=r"y has shape \(22,\), but with_advantages\(\) takes \(samples, 6\)"):
        again.evaluate(X, LABELS, verbose=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_output_may_have_targets_of_its_own_shape(engine):
    def made(loss):
        x = layers.Input((3,))
        kind = layers.Dense(4, activation="softmax", kernel_initializer="ones", name="kind")(x)
        model = fastmlp.Model(x, {"kind": kind, "price": layers.Dense(2, kernel_initializer="ones", name="price")(x)})
        model.compile("sgd", {"kind": loss, "price": "mse"}, metrics={"kind": ["accuracy"]}, engine=engine)
        return model.fit(X, {"kind": LABELS, "price": Y[:, :2]}, batch_size=8, epochs=2, verbose=0, shuffle=False).history

    one, other = made(of_labels), made("sparse_categorical_crossentropy")
    for name in other:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)


def test_batches_of_a_generator_may_have_labels():
    batches = [(X[i : i + 8], LABELS[i : i + 8]) for i in (0, 8)]
    one, other = (
        classifier(loss).fit(iter(batches), steps_per_epoch=2, verbose=0).history["loss"]
        for loss in (of_labels, "sparse_categorical_crossentropy")
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_targets_of_a_wrong_shape_do_no_harm():
    model = classifier(of_labels)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"fit together|batch axis"):
        model.fit(X, Y[:, :3], verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    fit_now = model.fit(X, LABELS, verbose=0, shuffle=False).history["loss"]
    assert fit_now == classifier(of_labels).fit(X, LABELS, verbose=0, shuffle=False).history["loss"]


def test_the_optimizer_goes_on_when_targets_change_their_shape():
    def either(y_true, y_pred):
        hot = y_true if y_true.ndim == 2 else ops.one_hot(y_true, 4)
        return -ops.sum(hot * ops.log(y_pred), axis=-1)

    changing, same = classifier(either), classifier(either)
    for made, second in ((changing, np.eye(4)[LABELS]), (same, LABELS)):
        made.fit(X, LABELS, verbose=0, shuffle=False)
        made.fit(X, second, verbose=0, shuffle=False)
    for one, other in zip(changing.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("metric", ["mae", "mse", "categorical_crossentropy"])
def test_a_metric_that_reads_targets_of_another_shape_is_refused(metric):
    with pytest.raises(ValueError, match="compares predictions with targets of their shape, but those of the loss have the shape"):
        classifier(of_labels, metrics=[metric]).fit(X, LABELS, verbose=0)


# Built-in losses in functions

NOT_RECORDED = {
    "CategoricalGeneralizedCrossEntropy",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "GaussianNLL",
    "Hinge",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
}


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("name", sorted(set(losses.registry.classes) - NOT_RECORDED))
def test_built_in_losses_can_be_called_in_a_function(name, from_logits):
    cls = losses.registry.classes[name]
    options = {"from_logits": True} if from_logits else {}
    if from_logits and "rossentropy" not in name:
        pytest.skip("it has no logits")
    made = []
    for loss in (cls(**options), lambda y, p: cls(reduction="none", **options)(y, p), lambda y, p: cls(**options)(y, p)):
        model = models.Sequential([layers.Dense(4, activation="tanh" if from_logits else "sigmoid", input_shape=(3,), use_bias=False)])
        model.set_weights([np.linspace(-1, 1, 12).reshape(3, 4)])
        model.compile("sgd", loss)
        y = np.eye(4)[np.arange(22) % 4] if "rossentropy" in name or "ivergence" in name else np.abs(Y)
        made.append([*model.fit(X, y, epochs=2, verbose=0, shuffle=False).history["loss"], *model.get_weights()[0].ravel()])
    np.testing.assert_allclose(made[1], made[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(made[2], made[0], rtol=1e-3, atol=1e-5)


def test_functions_of_losses_can_be_called_in_a_function():
    mixed = model_with(lambda y, p: 0.5 * losses.mean_squared_error(y, p) + 0.5 * losses.mean_squared_error(p, y))
    np.testing.assert_allclose(fit(mixed), fit(model_with("mse")), rtol=1e-6)


@pytest.mark.parametrize("name", ["hinge", "cosine_similarity"])
def test_a_loss_that_cannot_be_called_in_a_function_says_so(name):
    with pytest.raises(UnsupportedError, match="of symbolic values is not in fastmlp"):
        fit(model_with(lambda y, p: getattr(losses, name)(y, p)))


# What can't be recorded


def branching(y_true, y_pred):
    if ops.mean(y_pred) > 0:
        return mean_of_squares(y_true, y_pred)
    return mean_of_squares(y_true, y_pred) * 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (branching, TypeError, r"Python's if.*test_recorded_losses.py, line \d+"),
        (lambda y, p: np.linalg.pinv(p).T, TypeError, "np.pinv of a symbolic value is not supported"),
        (lambda y, p: "a", TypeError, "must return one array"),
        (lambda y, p: None, TypeError, "must return one array"),
        (lambda y, p: y.wrong, AttributeError, "wrong"),
        (lambda y, p: ops.mean(p, axis=1) + y, ValueError, "batch axis|broadcast|fit"),
    ],
)
def test_a_function_that_cannot_be_recorded_is_an_error_and_changes_nothing(function, error, message, engine):
    model = model_with(function, engine=engine)
    before = model.get_weights()
    with pytest.raises(error, match=message):
        fit(model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# Copies and files


class Weighted(losses.Loss):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


LOSSES = {
    "function": mean_of_squares,
    "lambda": lambda y_true, y_pred: ops.sum(ops.abs(y_true - y_pred), axis=1),
    "of the batch": lambda y_true, y_pred: ops.mean(ops.abs(y_true - y_pred)),
    "subclass": Weighted(3.0),
}


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), "file"])
def test_copies_and_files_hold_the_program(name, copied, trained, tmp_path):
    model = model_with(LOSSES[name])
    if trained:
        fit(model)
    if copied == "file":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.save(tmp_path / "model.safetensors")
        again = models.load_model(tmp_path / "model.safetensors")
    else:
        again = copied(model)
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert fit(again, epochs=2) == fit(model, epochs=2)
    assert again.loss.name == model.loss.name


def test_a_clone_has_the_program():
    model = model_with(LOSSES["lambda"])
    clone = models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert fit(clone) == fit(model)


def test_a_file_loads_in_a_process_without_the_function(tmp_path):
    model = model_with(Weighted(3.0))
    fit(model)
    path = tmp_path / "model.safetensors"
    model.save(path)
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    code = (
        f"import numpy as np, fastmlp; d = np.load({str(tmp_path / 'data.npz')!r}); m = fastmlp.load_model({str(path)!r});"
        "m.fit(d['x'], d['y'], batch_size=8, shuffle=False, verbose=0); print(repr(m.evaluate(d['x'], d['y'], verbose=0)));"
        f"m.save({str(path)!r})"
    )
    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout
    fit(model)
    assert float(shown) == model.evaluate(X, Y, verbose=0)
    assert models.load_model(path).evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_custom_objects_take_the_place_of_the_program(tmp_path):
    def twice(y_true, y_pred):
        return 2 * ops.mean(ops.square(y_true - y_pred), axis=-1)

    path = tmp_path / "model.safetensors"
    model = model_with(mean_of_squares)
    model.save(path)
    again = models.load_model(path, custom_objects={"mean_of_squares": twice})
    assert again.evaluate(X, Y, verbose=0) == pytest.approx(2 * model.evaluate(X, Y, verbose=0), rel=1e-6)
    model_with(Weighted(3.0)).save(path)
    again = models.load_model(path, custom_objects={"Weighted": Weighted})
    assert again.evaluate(X, Y, verbose=0) == pytest.approx(3 * model.evaluate(X, Y, verbose=0), rel=1e-6)


def test_a_program_is_for_predictions_of_one_shape(tmp_path):
    config = losses.serialize(model_with(mean_of_squares).loss)
    assert "program" not in config  # not recorded yet
    model = model_with(mean_of_squares)
    config = model.get_compile_config()["loss"]
    other = model_with(config, outputs=2)
    with pytest.raises(ValueError, match=r"saved as a program for predictions of shape \(samples, 4\)"):
        fit(other, Y[:, :2])


@pytest.mark.parametrize(
    "change",
    [
        lambda program: program.update(version=99),
        lambda program: program["instructions"].append(["system", [0]]),
        lambda program: program["instructions"][0].__setitem__(1, [7, 7]),
        lambda program: program.update(outputs=[0]),
        lambda program: program.update(outputs=[1, 1, 1]),
        lambda program: program.update(inputs=[["float32", [-1, 4]], ["float32", [-1, 3]]]),
        lambda program: program.update(inputs=[["int32", [-1, 4]], ["int32", [-1, 4]]]),
        lambda program: program.clear(),
    ],
)
def test_a_malformed_program_in_a_configuration_is_an_error(change):
    config = json.loads(json.dumps(model_with(mean_of_squares).get_compile_config()["loss"]))
    change(config["program"])
    with pytest.raises(ValueError, match=r"program|operation|integer|fit together|one dtype"):
        losses.get(config)


@pytest.mark.parametrize(
    "config", [{"class": 1, "config": {}}, {"class": "function", "config": {}}, {"class": "function", "config": 3}, {}]
)
def test_a_malformed_name_beside_a_program_is_an_error(config):
    with pytest.raises(ValueError, match="custom loss must have"):
        losses.get({**config, "program": {}})


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_of_keras_hold_the_name_and_no_lambda(suffix, tmp_path):
    pytest.importorskip("h5py")
    model = model_with(mean_of_squares)
    path = tmp_path / f"model{suffix}"
    with pytest.warns(UserWarning, match="does not hold mean_of_squares"):
        model.save(path)
    with pytest.raises(ModelFileError, match="custom_objects"):
        models.load_model(path)
    again = models.load_model(path, custom_objects={"mean_of_squares": mean_of_squares})
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    with pytest.raises(UnsupportedError, match=r"lambda has none; define it with def, or save the model as \.safetensors"):
        model_with(LOSSES["lambda"]).save(tmp_path / f"other{suffix}")
