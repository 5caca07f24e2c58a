"""Functional models: the numbers of Keras, data and names in every form, weights shared between models, files and copies."""

from __future__ import annotations

import copy
import json
import re
from itertools import pairwise

import numpy as np
import pytest
from folders import GOLDEN
from golden import graph_programs as programs

import fastmlp
from fastmlp import Model, layers, models, utils
from fastmlp.errors import ModelFileError, UnsupportedError

KERAS = json.loads((GOLDEN / "graphs.json").read_text(encoding="utf-8"))
ENGINES = ("native", "reference")
rng = np.random.default_rng(3)
X = rng.normal(size=(30, 6)).astype(np.float32)
PRICE, KIND = rng.normal(size=(30, 1)).astype(np.float32), rng.integers(0, 4, 30)


def residual(units=12, name=None):
    x = layers.Input(shape=(6,), name="x")
    h = layers.Dense(units, activation="relu", name="first")(x)
    h = layers.Add(name="sum")([h, layers.Dense(units, activation="tanh", name="second")(h)])
    return Model(x, layers.Dense(1, name="last")(h), name=name)


def two_outputs(**compiled):
    model = programs.two_outputs(fastmlp)
    model.compile("adam", **{"loss": ["mse", "sparse_categorical_crossentropy"], **compiled})
    return model


# The numbers of Keras


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", programs.OPTIMIZERS)
@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_training_follows_keras(name, optimizer, engine):
    expected = KERAS["runs"][f"{name}/{optimizer}"]
    result = programs.run(fastmlp, name, optimizer, engine=engine)
    assert result["layers"] == expected["layers"]
    assert list(result["history"]) == list(expected["history"])
    for key in ("last_step", "history"):
        assert set(result[key]) == set(expected[key])
        for metric, values in expected[key].items():
            np.testing.assert_allclose(result[key][metric], values, rtol=1e-5, atol=1e-6, err_msg=metric)
    np.testing.assert_allclose(result["evaluated"], expected["evaluated"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(result["weights"], expected["weights"], rtol=1e-5, atol=1e-5)
    for prediction, values in zip(result["predictions"], expected["predictions"], strict=True):
        np.testing.assert_allclose(prediction, values, rtol=1e-5, atol=1e-5)  # of numbers around 1, some near 0


def test_summary_prints_what_keras_prints():
    for name, text in programs.summaries(fastmlp).items():
        expected = KERAS["summaries"][name]
        assert [line.rstrip() for line in text.rstrip().splitlines()] == [line.rstrip() for line in expected.rstrip().splitlines()]


def test_summary_shows_the_layers_of_models_inside_the_model():
    lines = []
    programs.nested(fastmlp).summary(print_fn=lines.append, expand_nested=True, line_length=100)
    assert "   └ inner_h (Dense)" in lines[0]
    assert "inner[0][0]" not in lines[0] or "tail" in lines[0]


# Layers on tensors


def test_a_tensor_knows_its_shape_and_holds_no_numbers():
    x = layers.Input(shape=(3,), name="x")
    y = layers.Dense(4, name="y")(x)
    assert (x.shape, y.shape, y.name, y.dtype) == ((None, 3), (None, 4), "y", "float32")
    assert repr(y) == "<Tensor shape=(None, 4), from layer 'y'>"
    with pytest.raises(TypeError, match=r"has no values; define a model, Model\(inputs, outputs\)"):
        np.asarray(y)


def test_a_layer_called_twice_has_its_weights_once():
    x = layers.Input(shape=(5,))
    layer = layers.Dense(5)
    model = Model(x, layer(layer(x)))
    assert model.count_params() == 30
    assert len(model.get_weights()) == 2
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model.predict(X[:, :5], verbose=0), (X[:, :5] @ kernel + bias) @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_merge_layers_compute_what_they_say():
    a, b, c = (rng.normal(size=(9, 4)).astype(np.float32) for _ in range(3))
    expected = {
        layers.Add: a + b + c,
        layers.Multiply: a * b * c,
        layers.Maximum: np.maximum(np.maximum(a, b), c),
        layers.Average: (a + b + c) / 3,
        layers.Concatenate: np.concatenate([a, b, c], axis=1),
    }
    for kind, values in expected.items():
        tensors = [layers.Input(shape=(4,)) for _ in range(3)]
        np.testing.assert_allclose(Model(tensors, kind()(tensors)).predict([a, b, c], verbose=0), values, rtol=1e-6)
    tensors = [layers.Input(shape=(4,)) for _ in range(2)]
    np.testing.assert_array_equal(Model(tensors, layers.Subtract()(tensors)).predict([a, b], verbose=0), a - b)


def test_rows_of_any_shape_are_flattened_on_the_way():
    x = layers.Input(shape=(2, 3))
    flat = layers.Flatten()(x)
    model = Model(x, layers.Concatenate()([flat, layers.Dense(2)(flat)]))
    values = X.reshape(-1, 2, 3)
    assert model.input_shape == (None, 2, 3)
    np.testing.assert_array_equal(model.predict(values, verbose=0)[:, :6], X)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda x: layers.Add()(x), ValueError, "merges two or more tensors, got 1; call it on a list"),
        (lambda x: layers.Add()([x, layers.Dense(4)(x)]), ValueError, "that broadcast to each other, got (3,), (4,)"),
        (lambda x: layers.Subtract()([x, x, x]), ValueError, "subtracts the second of two tensors from the first, got 3"),
        (lambda x: layers.Concatenate(axis=0), UnsupportedError, "axis=0 is not in fastmlp"),
        (
            lambda x: layers.Concatenate()([x, layers.Input((2, 2))]),
            ValueError,
            "joins samples along axis -1, but they differ in other axes",
        ),
        (lambda x: layers.Dense(2)([x, x]), ValueError, "takes one tensor, got 2; merge them first, for example with Concatenate"),
        (lambda x: layers.Add()([x, np.zeros((4, 3))]), TypeError, "or a layer returned, got an array of shape (4, 3)"),
        (lambda x: layers.Dense(2)(x, mask=x), UnsupportedError, "with mask= is not in fastmlp"),
        (lambda x: layers.Dense(2)(x, training="yes"), TypeError, "training must be True or False"),
        (lambda x: layers.Dense(2)(x, axis=1), TypeError, "has no argument 'axis'"),
        (lambda x: models.Sequential([layers.Add(input_shape=(3,))]), ValueError, "but a Sequential model has only one"),
        (lambda x: models.Sequential([layers.Dense(2)(x)]), TypeError, "add takes a layer, got the output of layer"),
        (lambda x: Model(x), TypeError, "Model takes inputs and outputs"),
        (lambda x: Model(x, x), ValueError, "the model has no layer that computes anything"),
        (
            lambda x: Model(layers.Input((2,), name="other"), layers.Dense(1)(x)),
            ValueError,
            "which is not among the model's inputs: 'other'",
        ),
        (lambda x: Model(layers.Dense(2)(x), layers.Dense(1)(x)), UnsupportedError, "create an Input of its shape"),
        (lambda x: Model([x, x], layers.Dense(1)(x)), ValueError, "the same Input is passed twice"),
        (lambda x: Model([], layers.Dense(1)(x)), ValueError, "a model needs at least one input"),
        (
            lambda x: Model(x, layers.Dense(1, name="d")(layers.Dense(2, name="d")(x))),
            ValueError,
            "two layers of the model have the name 'd'",
        ),
        (
            lambda x: Model(x, layers.Embedding(3, 2)(layers.Dense(2)(x))),
            ValueError,
            "so it must be the first of the model, but dense is before",
        ),
        (lambda x: residual()(x), ValueError, "takes samples of shape (6,), but is called on (3,)"),
        (lambda x: models.clone_model(layers.Dense(2)), TypeError, "model must be a fastmlp model"),
    ],
)
def test_misuse_is_told(use, error, message):
    with pytest.raises(error) as caught:
        use(layers.Input(shape=(3,)))
    assert message in str(caught.value)


# Several inputs and outputs


def test_inputs_come_as_a_list_or_by_name():
    model = programs.two_inputs(fastmlp)
    text, numbers = programs.data("two inputs")[0]
    expected = model.predict([text, numbers], verbose=0)
    for given in ((text, numbers), {"text": text, "numbers": numbers}, {"numbers": numbers, "text": text}, [text.tolist(), numbers]):
        np.testing.assert_allclose(model.predict(given, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(model([text, numbers]), expected, rtol=1e-6)
    assert model.input_shape == [(None, 7), (None, 3)]


def test_a_model_that_training_makes_no_difference_to_may_be_called_for_predicting():
    x = layers.Input((3,))
    base = models.Sequential([layers.Input((3,)), layers.Dense(2), layers.BatchNormalization(), layers.Dropout(0.0)])
    base.trainable = False
    assert Model(x, layers.Dense(1)(base(x, training=False))).output_shape == (None, 1)


def test_inputs_and_outputs_given_as_dicts_keep_their_keys():
    x, y = layers.Input((2,), name="left"), layers.Input((3,), name="right")
    h = layers.Concatenate()([x, y])
    model = Model({"a": x, "b": y}, {"up": layers.Dense(1, name="one")(h), "down": layers.Dense(2, name="two")(h)})
    data = {"a": X[:, :2], "b": X[:, :3]}
    predicted = model.predict(data, verbose=0)
    assert {key: value.shape for key, value in predicted.items()} == {"up": (30, 1), "down": (30, 2)}
    model.compile("sgd", loss={"up": "mse", "down": "mae"}, metrics={"down": ["mse"]})
    history = model.fit(data, {"down": X[:, :2], "up": PRICE}, verbose=0).history
    assert list(history) == ["down_loss", "down_mse", "loss", "up_loss"]
    assert model.output_names == ["down", "up"]  # Keras sorts the keys of dicts
    assert list(predicted) == ["down", "up"]
    assert model.evaluate(data, {"up": PRICE, "down": X[:, :2]}, verbose=0)[0] == pytest.approx(
        sum(model.evaluate(data, {"up": PRICE, "down": X[:, :2]}, verbose=0)[1:3])
    )


def test_a_loss_may_be_left_out():
    x = layers.Input((6,))
    h = layers.Dense(8, activation="relu")(x)
    outputs = [layers.Dense(1, name=name)(h) for name in ("a", "b", "c")]
    model = Model(x, outputs)
    model.compile("adam", loss={"a": "mse", "c": "mae"})
    before = model.get_layer("b").get_weights()
    history = model.fit(X, {"a": PRICE, "c": PRICE}, verbose=0).history
    assert list(history) == ["a_loss", "c_loss", "loss"]
    for left, right in zip(before, model.get_layer("b").get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "metric", ["accuracy", "sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy"]
)
def test_an_output_without_a_loss_may_have_metrics(engine, metric):
    utils.set_random_seed(3)
    model = two_outputs(engine=engine, loss={"price": "mse"}, metrics=None)
    utils.set_random_seed(3)
    watched = two_outputs(engine=engine, loss={"price": "mse"}, metrics={"kind": [metric], "price": ["mae"]})
    plain = model.fit(X, [PRICE, KIND], epochs=2, verbose=0).history
    history = watched.fit(X, [PRICE, KIND], epochs=2, verbose=0).history
    assert history["loss"] == pytest.approx(plain["loss"], rel=1e-6)
    for left, right in zip(model.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6)
    assert list(history) == [f"kind_{metric}", "loss", "price_mae"]
    values = watched.evaluate(X, [PRICE, KIND], verbose=0, return_dict=True)
    both = two_outputs(engine=engine, metrics={"kind": [metric]})
    both.set_weights(watched.get_weights())
    assert values[f"kind_{metric}"] == pytest.approx(
        both.evaluate(X, [PRICE, KIND], verbose=0, return_dict=True)[f"kind_{metric}"], rel=1e-6
    )
    with pytest.raises(ValueError, match=r"y\['kind'\] is missing"):
        watched.fit(X, [PRICE, None], verbose=0)


def test_metrics_of_an_output_without_a_loss_are_stored():
    watched = two_outputs(loss={"price": "mse"}, metrics={"kind": ["accuracy"]})
    values = watched.evaluate(X, [PRICE, KIND], verbose=0)
    again = models.clone_model(watched)
    again.compile_from_config(watched.get_compile_config())
    again.set_weights(watched.get_weights())
    assert again.evaluate(X, [PRICE, KIND], verbose=0) == values


@pytest.mark.parametrize("engine", ENGINES)
def test_sample_weights_are_for_all_outputs_or_for_each(engine):
    model = two_outputs(engine=engine)
    weight = rng.uniform(0.5, 2, 30).astype(np.float32)
    plain = model.evaluate(X, [PRICE, KIND], verbose=0)
    both = model.evaluate(X, [PRICE, KIND], sample_weight=weight, verbose=0)
    each = model.evaluate(X, [PRICE, KIND], sample_weight=[weight, np.ones(30)], verbose=0)
    assert both[1:] != plain[1:]
    assert each[1] == pytest.approx(both[1], rel=1e-6)
    assert each[2] == pytest.approx(plain[2], rel=1e-6)
    named = model.evaluate(X, [PRICE, KIND], sample_weight={"price": weight}, verbose=0)
    assert named == pytest.approx(each, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_class_weights_are_given_for_each_output(engine):
    weight = np.where(np.ravel(KIND) == 1, 5.0, 1.0)
    histories = []
    for given in ({"class_weight": {"kind": {1: 5.0}}}, {"class_weight": [None, {1: 5.0}]}, {"sample_weight": {"kind": weight}}):
        utils.set_random_seed(3)
        model = two_outputs(engine=engine)
        histories.append(model.fit(X, [PRICE, KIND], verbose=0, shuffle=False, **given).history)
    for history in histories[1:]:
        for name, values in histories[0].items():
            assert history[name] == pytest.approx(values, rel=1e-6), name


def test_class_weights_may_be_given_plainly_where_one_output_is_trained():
    model = two_outputs(loss={"kind": "sparse_categorical_crossentropy"}, metrics=None)
    plain = model.evaluate(X, [None, KIND], sample_weight=np.where(np.ravel(KIND) == 1, 5.0, 1.0), verbose=0)
    model.optimizer.learning_rate = 0
    for given in ({1: 5.0}, {"kind": {1: 5.0}}):
        assert model.train_on_batch(X, [None, KIND], class_weight=given) == pytest.approx(plain, rel=1e-6)


def test_crossentropy_means_what_each_output_calls_for():
    model = two_outputs(loss={"price": "mse", "kind": "crossentropy"}, metrics={"kind": "accuracy"})
    assert model.evaluate(X, [PRICE, KIND], verbose=0, return_dict=True).keys() == {"loss", "price_loss", "kind_loss", "kind_accuracy"}
    assert model.metric_direction("kind_accuracy") is True
    assert model.metric_direction("price_loss") is False
    assert model.metric_direction("loss") is False


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (
            lambda m: m.fit(X, PRICE),
            ValueError,
            "the model has 2 outputs (price, kind); pass y as a list or a dict of 2, got an array of shape",
        ),
        (lambda m: m.fit(X, [PRICE]), ValueError, "the model has 2 outputs (price, kind), but y has 1"),
        (lambda m: m.fit(X, {"price": PRICE}), ValueError, "but y lacks kind"),
        (lambda m: m.fit(X, {"price": PRICE, "sort": KIND}), ValueError, "but y has 'sort'"),
        (lambda m: m.fit(X, [PRICE, KIND + 9]), ValueError, "y['kind'][0] is"),
        (lambda m: m.fit(X, [PRICE[:5], KIND]), ValueError, "y['price'] has 5 samples, y['kind'] has 30 samples"),
        (lambda m: m.fit(X, [PRICE, KIND], class_weight={0: 2.0}), ValueError, "class_weight must be a dict from output to class weights"),
        (
            lambda m: m.fit(X, [PRICE, KIND], class_weight={"sort": {0: 2.0}}),
            ValueError,
            "class_weight must be a dict from output to class",
        ),
        (lambda m: m.compile("sgd", loss=["mse"]), ValueError, "the model has 2 outputs (price, kind), but loss has 1"),
        (lambda m: m.compile("sgd", loss={"cost": "mse"}), ValueError, "but loss has 'cost'"),
        (lambda m: m.compile("sgd", loss="mse", metrics=["mae"]), ValueError, "but metrics has 1"),
        (lambda m: m.compile("sgd", loss="mse", loss_weights=["a", 1]), TypeError, "a loss weight must be a number"),
        (lambda m: (m.compile("sgd", loss=["mse", None]), m.fit(X, [None, KIND])), ValueError, "y['price'] is missing"),
    ],
)
def test_misuse_of_outputs_is_told(use, error, message):
    with pytest.raises(error) as caught:
        use(two_outputs())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X, ValueError, "the model has 2 inputs (text, numbers); pass x as a list or a dict of 2"),
        ([X[:, :1].repeat(7, 1)], ValueError, "the model has 2 inputs (text, numbers), but x has 1"),
        ({"text": X}, ValueError, "but x lacks numbers"),
        ([X, X[:, :3]], ValueError, "x['text'] has 6 features, but the first layer expects 7"),
        ([np.zeros((4, 7)), np.zeros((5, 3))], ValueError, "x['text'] has 4 samples, x['numbers'] has 5 samples"),
        ([np.zeros((4, 7)), np.full((4, 3), np.nan)], ValueError, "x['numbers'][0, 0] is NaN"),
    ],
)
def test_misuse_of_inputs_is_told(x, error, message):
    with pytest.raises(error) as caught:
        programs.two_inputs(fastmlp).predict(x, verbose=0)
    assert message in str(caught.value)


def test_a_single_input_and_output_may_be_named():
    model = residual()
    model.compile("sgd", loss={"last": "mse"}, metrics={"last": ["mae"]})
    assert list(model.fit({"x": X}, {"last": PRICE}, verbose=0).history) == ["loss", "mae"]
    np.testing.assert_array_equal(model.predict({"x": X}, verbose=0), model.predict(X, verbose=0))


# Weights that models share


def autoencoder():
    x = layers.Input((6,))
    code = layers.Dense(3, activation="tanh")(x)
    return Model(x, code), Model(x, layers.Dense(6)(code))


@pytest.mark.parametrize("engine", ENGINES)
def test_training_a_model_trains_the_models_that_share_its_layers(engine):
    encoder, whole = autoencoder()
    before = encoder.predict(X, verbose=0)
    whole.compile("adam", loss="mse", engine=engine)
    whole.fit(X, X, epochs=3, verbose=0)
    after = encoder.predict(X, verbose=0)
    assert not np.allclose(before, after)
    kernel, bias = whole.get_weights()[:2]
    np.testing.assert_allclose(after, np.tanh(X @ kernel + bias), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(encoder(X), after)


def test_models_that_share_layers_may_be_trained_in_turn():
    x = layers.Input((6,))
    h = layers.Dense(8, activation="relu")
    first, second = Model(x, layers.Dense(1)(h(x))), Model(x, layers.Dense(1)(h(x)))
    for model in (first, second):
        model.compile("sgd", loss="mse")
    seen = []
    for _ in range(3):
        for model in (first, second):
            model.train_on_batch(X, PRICE)
            seen.append(h.get_weights()[0])
            for other in (first, second):
                np.testing.assert_array_equal(other.get_weights()[0], seen[-1])
                np.testing.assert_array_equal(other.network.get_parameter(0), seen[-1])
    assert all(not np.array_equal(left, right) for left, right in pairwise(seen))


def test_predicting_with_a_part_while_the_whole_is_trained_disturbs_nothing():
    def run(watch):
        fastmlp.utils.set_random_seed(4)
        encoder, whole = autoencoder()
        codes = []

        class Watch(fastmlp.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                codes.append(encoder.predict(X, verbose=0))

        whole.compile("adam", loss="mse")
        whole.fit(X, X, epochs=4, verbose=0, callbacks=[Watch()] if watch else None)
        assert all(not np.allclose(left, right) for left, right in pairwise(codes))
        return whole.get_weights()

    for left, right in zip(run(True), run(False), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_callback_may_train_a_model_that_shares_layers():
    x = layers.Input((6,))
    h = layers.Dense(8, activation="relu")
    first, second = Model(x, layers.Dense(1)(h(x))), Model(x, layers.Dense(1)(h(x)))

    class TrainTheOther(fastmlp.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            second.train_on_batch(X, PRICE)
            seen.append(h.get_weights()[0])

    seen = []
    for model in (first, second):
        model.compile("sgd", loss="mse")
    first.fit(X, PRICE, epochs=3, verbose=0, callbacks=[TrainTheOther()], validation_split=0.2)
    assert all(not np.array_equal(left, right) for left, right in pairwise(seen))
    np.testing.assert_array_equal(first.get_weights()[0], seen[-1])
    first.predict(X, verbose=0)
    np.testing.assert_array_equal(first.network.get_parameter(0), seen[-1])


def test_models_that_grow_without_end_are_refused():
    def twice(model):
        x = layers.Input((2,))
        return Model(x, layers.Add()([model(x), model(model(x))]))

    x = layers.Input((2,))
    model = Model(x, layers.Activation("tanh")(x))
    for _ in range(8):
        model = twice(model)
    with pytest.raises(ValueError, match="has more than 16384 nodes, with those of models inside it"):
        twice(model)


def test_a_model_inside_a_model_is_trained_with_it():
    inner = residual(name="inner")
    inner.compile("sgd", loss="mse")
    before = inner.evaluate(X, PRICE, verbose=0)
    x = layers.Input((6,))
    outer = Model(x, layers.Dense(1)(layers.Concatenate()([inner(x), x])))
    assert [layer.name for layer in outer.layers if layer is inner] == ["inner"]
    outer.compile("sgd", loss="mse")
    outer.fit(X, PRICE, epochs=3, verbose=0)
    assert inner.evaluate(X, PRICE, verbose=0) != before


# Copies and files


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_model_comes_back_from_its_configuration(name):
    model = programs.PROGRAMS[name][0](fastmlp)
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert again.get_config() == model.get_config()
    assert again.plan == model.plan
    clone = models.clone_model(model)
    assert [weight.shape for weight in clone.get_weights()] == [weight.shape for weight in model.get_weights()]
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])
    clone.set_weights(model.get_weights())
    x = programs.data(name)[0]
    for left, right in zip(clone.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_saved_model_goes_on_as_if_nothing_had_happened(name, tmp_path):
    program, compiled, *_ = programs.PROGRAMS[name]
    x, y, _ = programs.data(name)
    model = program(fastmlp)
    model.compile("adam", **compiled)
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    others = [fastmlp.load_model(tmp_path / "model.safetensors"), copy.deepcopy(model)]
    expected = model.fit(x, y, epochs=2, verbose=0).history
    for other in others:
        assert other.fit(x, y, epochs=2, verbose=0).history == expected
        for left, right in zip(other.get_weights(), model.get_weights(), strict=True):
            assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("inputs"), "must have name, layers, inputs, outputs"),
        (lambda c: c.update(layers=[]), "the layers of a model must be a non-empty list"),
        (lambda c: c["layers"].append("dense"), "a layer of a model must have a class, a config and calls"),
        (lambda c: c["layers"][1].update(calls=[[0, [["nowhere", 0, 0]]]]), "a tensor must be [layer, call, output]"),
        (lambda c: c["layers"][1].update(calls=[[0, [["x", 0, 1]]]]), "a tensor must be [layer, call, output]"),
        (lambda c: c["layers"][1].update(calls=[[]]), "a call of a layer must be [number, tensors]"),
        (lambda c: c["layers"][1].update(calls=[[0, [["last", 0, 0]]]]), "a tensor must be [layer, call, output] of an earlier call"),
        (lambda c: c["layers"].append(c["layers"][1]), "two layers of the model are called 'first'"),
        (lambda c: c["outputs"].update(tensors=[["x", 4, 0]]), "a tensor must be [layer, call, output] of an earlier call"),
        (lambda c: c["outputs"].update(form="pile"), "must have a form, keys and tensors that layers return"),
        (lambda c: c["layers"][1].update({"class": "Functional", "config": 3}), "a model inside a model must be a dict"),
        (lambda c: c["layers"][1].update({"class": "eval"}), "unknown layer class 'eval'"),
    ],
)
def test_malformed_configurations_are_refused(change, message):
    config = json.loads(json.dumps(residual().get_config()))
    change(config)
    with pytest.raises(ValueError, match=re.escape(message)):
        models.Functional.from_config(config)


def test_an_older_fastmlp_refuses_files_of_functional_models_by_their_version(tmp_path):
    model = residual()
    model.save(tmp_path / "graph.safetensors")
    assert fastmlp.saving.describe(tmp_path / "graph.safetensors")["version"] == 2
    chain = models.Sequential([layers.Dense(1, input_shape=(2,))])
    chain.save(tmp_path / "chain.safetensors")
    assert fastmlp.saving.describe(tmp_path / "chain.safetensors")["version"] == 1
    data = bytearray((tmp_path / "graph.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "graph.safetensors").write_bytes(data)
    with pytest.raises(ModelFileError, match="damaged"):
        fastmlp.load_model(tmp_path / "graph.safetensors")


# Engines


def test_a_chain_is_the_same_whether_written_as_a_graph_or_not():
    sequential = models.Sequential([layers.Dense(9, activation="relu", input_shape=(6,)), layers.Dropout(0.3), layers.Dense(1)])
    x = layers.Input((6,))
    functional = Model(x, layers.Dense(1)(layers.Dropout(0.3)(layers.Dense(9, activation="relu")(x))))
    assert functional.plan.nodes == sequential.plan.nodes
    functional.set_weights(sequential.get_weights())
    functional.seed = sequential.seed
    for model in (sequential, functional):
        model.compile("adam", loss="mse")
        model.fit(X, PRICE, epochs=3, verbose=0)
    for left, right in zip(sequential.get_weights(), functional.get_weights(), strict=True):
        assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("name", ["two outputs", "shared", "merges"])
def test_threads_change_no_bit(name):
    program, compiled, *_ = programs.PROGRAMS[name]
    x, y, _ = programs.data(name)
    start = program(fastmlp).get_weights()
    before = fastmlp.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            fastmlp.set_num_threads(threads)
            model = program(fastmlp)
            model.set_weights(start)
            model.seed = 9
            model.compile("adam", **compiled)
            model.fit(x, y, epochs=5, verbose=0)
            results.append([weight.tobytes() for weight in model.get_weights()])
    finally:
        fastmlp.set_num_threads(before)
    assert results[0] == results[1] == results[2]
