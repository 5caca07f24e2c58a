"""The ways in which programs written for Keras call models, layers and optimizers."""

from __future__ import annotations

import io

import numpy as np
import pytest

from fastmlp import Model, initializers, layers, models, optimizers, saving, utils
from fastmlp.errors import ModelFileError, UnsupportedError

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


def chain(shape=(3,)):
    utils.set_random_seed(1)
    first = [] if shape is None else [layers.Input(shape)]
    model = models.Sequential([*first, layers.Dense(4), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return model


def graph():
    utils.set_random_seed(1)
    x = layers.Input((3,))
    model = Model(x, layers.Dense(1, activation="sigmoid")(x))
    model.compile("sgd", "binary_crossentropy")
    return model


# Lists of one


@pytest.mark.parametrize("make", [chain, graph, lambda: chain(None)])
def test_data_may_come_in_lists_of_one(make):
    weight = np.linspace(0, 1, 40)
    listed = make()
    listed.fit([X], [Y], sample_weight=[weight], validation_data=([X], [Y]), verbose=0)
    plain = make()
    plain.fit(X, Y, sample_weight=weight, validation_data=(X, Y), verbose=0)
    assert np.array_equal(listed.predict([X], verbose=0), plain.predict(X, verbose=0))
    assert np.array_equal(listed([X]), plain(X))
    assert listed.evaluate([X], [Y], verbose=0) == plain.evaluate(X, Y, verbose=0)
    assert listed.train_on_batch([X], [Y]) == plain.train_on_batch(X, Y)
    assert listed.test_on_batch([X], [Y[:, None]]) == plain.test_on_batch(X, Y)


def test_a_list_of_one_sample_is_that_sample():
    model = chain()
    assert np.array_equal(model.predict([X[0]], verbose=0), model.predict(X[:1], verbose=0))
    assert np.array_equal(model.predict([[1, 2, 3]], verbose=0), model.predict(np.array([[1, 2, 3]]), verbose=0))
    model.fit([X[0]], [Y[0]], verbose=0)
    assert chain((1,)).predict([np.ones(7)], verbose=0).shape == (7, 1)
    images = models.Sequential([layers.Input((2, 3)), layers.Flatten(), layers.Dense(1)])
    assert images.predict([np.ones((2, 3))], verbose=0).shape == (1, 1)
    assert images.predict([np.ones((5, 2, 3))], verbose=0).shape == (5, 1)


def test_no_epochs_train_nothing():
    model = chain()
    weights = model.get_weights()
    history = model.fit(X, Y, epochs=0, verbose=0)
    assert history.history == {}
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    with pytest.raises(ValueError, match="epochs must be an integer ≥ 0, got -1"):
        model.fit(X, Y, epochs=-1)


# Arguments


def test_no_initializer_means_the_usual_one():
    layer = layers.Dense(4, kernel_initializer=None, bias_initializer=None, input_shape=(3,))
    models.Sequential([layer])
    assert np.abs(layer.get_weights()[1]).max() > 0  # as in Keras, for a bias too
    assert layer.get_config()["bias_initializer"] == {"class": "GlorotUniform", "config": {"seed": None}}


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_constant_takes_an_array(tmp_path, suffix):
    values = np.arange(6.0).reshape(3, 2)
    first = {"kernel_initializer": initializers.Constant(values), "bias_initializer": initializers.Constant([1, 2])}
    model = models.Sequential([layers.Input((3,)), layers.Dense(2, **first)])
    assert np.array_equal(model.get_weights()[0], values)
    model.save(tmp_path / f"model{suffix}")
    again = models.clone_model(saving.load_model(tmp_path / f"model{suffix}"))
    assert np.array_equal(again.get_weights()[0], values)
    assert again.get_weights()[1].tolist() == [1, 2]
    assert initializers.Constant([1, 2])((3, 2)).tolist() == [[1, 2]] * 3
    with pytest.raises(
        ValueError, match=r"the value of Constant has shape \(3, 2\), which can't be broadcast to weights of shape \(2, 3\)"
    ):
        initializers.Constant(values)((2, 3))
    with pytest.raises(ValueError, match="value must be finite"):
        initializers.Constant([1, np.nan])


@pytest.mark.parametrize("optimizer", [optimizers.Adam, optimizers.RMSprop, optimizers.Adagrad, optimizers.Adadelta, optimizers.Nadam])
def test_no_epsilon_means_the_usual_one(optimizer):
    assert optimizer(epsilon=None).epsilon == 1e-7


def test_arguments_that_ask_for_nothing_are_accepted():
    optimizers.SGD(decay=0.0)
    optimizers.Adam(decay=0, loss_scale_factor=None)
    with pytest.raises(UnsupportedError, match=r"Adam\(decay=\.\.\.\) is not in fastmlp; use learning_rate=schedules\.InverseTimeDecay"):
        optimizers.Adam(decay=1e-6)


# Files


def test_the_state_of_the_optimizer_may_be_left_out(tmp_path):
    model = chain()
    model.compile("adam", "binary_crossentropy")
    model.fit(X, Y, verbose=0)
    for suffix in (".safetensors", ".keras", ".h5"):
        model.save(tmp_path / f"with{suffix}")
        model.save(tmp_path / f"without{suffix}", include_optimizer=False)
        assert saving.load_model(tmp_path / f"with{suffix}").optimizer.iterations == 2
        again = saving.load_model(tmp_path / f"without{suffix}", safe_mode=True)
        assert again.optimizer.iterations == 0
        assert np.array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_the_format_of_a_file_may_be_said_twice_but_not_differently(tmp_path):
    model = chain()
    model.save(tmp_path / "model.h5", save_format="h5")
    model.save(tmp_path / "model.keras", save_format="keras")
    with pytest.raises(ValueError, match=r"save_format is 'h5', so the name must end in \.h5: use '.*model\.h5'"):
        model.save(tmp_path / "model", save_format="h5")
    with pytest.raises(ValueError, match=r"save_format is 'keras', so the name must end in \.keras"):
        model.save(tmp_path / "model.h5", save_format="keras")
    with pytest.raises(ValueError, match="save_format must be one of 'safetensors', 'keras', 'h5', 'hdf5', got 'tf'"):
        model.save(tmp_path / "model", save_format="tf")
    with pytest.raises(UnsupportedError, match="a model is one file, not a folder"):
        model.save(tmp_path / "model.keras", zipped=False)


@pytest.mark.parametrize("save_format", [None, "safetensors", "keras", "h5"])
def test_models_and_weights_go_through_memory(save_format):
    model = chain()
    model.fit(X, Y, verbose=0)
    memory = io.BytesIO()
    model.save(memory, save_format=save_format)
    for source in (memory.getvalue(), bytearray(memory.getvalue()), io.BytesIO(memory.getvalue())):
        again = saving.load_model(source)
        assert np.array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    weights = io.BytesIO()
    model.save_weights(weights)
    for content in (memory.getvalue(), weights.getvalue()):
        another = chain()
        another.load_weights(content)
        assert np.array_equal(another.predict(X, verbose=0), model.predict(X, verbose=0))
    assert saving.describe(memory.getvalue())["kind"] == "sequential"


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_an_open_file_has_the_format_of_its_name(tmp_path, suffix):
    model = chain()
    with (tmp_path / f"model{suffix}").open("wb") as file:
        model.save(file)
    with (tmp_path / f"model{suffix}").open("rb") as file:
        again = saving.load_model(file)
    assert np.array_equal(saving.load_model(tmp_path / f"model{suffix}").predict(X, verbose=0), again.predict(X, verbose=0))


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (b"", ModelFileError, "cannot load <bytes>: it is empty"),
        (b"nonsense" * 9, ModelFileError, "cannot load <bytes>: it is not a safetensors file"),
        (io.BytesIO(b"PK\x03\x04 and nothing else"), ModelFileError, "cannot load <file>: it is not a zip file"),
        (io.StringIO("text"), TypeError, "open the file in binary mode"),
    ],
)
def test_what_is_no_model_is_told(source, error, message):
    with pytest.raises(error) as caught:
        saving.load_model(source)
    assert message in str(caught.value)
