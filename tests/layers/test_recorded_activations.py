"""Activations as functions of arrays: recorded, differentiated, trained on the reference engine, and stored as programs."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import activations, layers, models, ops
from fastmlp.errors import ModelFileError, UnsupportedError

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)).astype(np.float32)
Y = np.sin(X[:, :1])


def gated(z):
    return z * ops.sigmoid(z)


def scaled_softmax(z):
    return 2 * ops.softmax(z)


def model_with(activation, engine="native", units=6):
    model = models.Sequential(
        [layers.Dense(units, activation=activation, input_shape=(3,)), layers.Dense(5), layers.Activation(activation), layers.Dense(1)]
    )
    random = np.random.default_rng(1)
    model.set_weights([random.normal(scale=0.4, size=weight.shape) for weight in model.get_weights()])
    model.compile("sgd", "mse", engine=engine)
    return model


def fit(model):
    return model.fit(X, Y, epochs=3, verbose=0, shuffle=False).history["loss"]


IMITATIONS = {
    "tanh": np.tanh,
    "silu": gated,
    "relu": lambda z: ops.where(z > 0, z, 0.0),
    "softplus": lambda z: np.logaddexp(z, 0),
    "gelu": lambda z: 0.5 * z * (1 + ops.erf(z / np.sqrt(2))),
    "softmax": lambda z: np.exp(z) / np.sum(np.exp(z), axis=-1, keepdims=True),
    "log_softmax": lambda z: z - ops.logsumexp(z, axis=1, keepdims=True),
    "mish": lambda z: z * activations.tanh(activations.softplus(z)),
    "linear": lambda z: z,
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", IMITATIONS)
def test_a_function_trains_like_the_activation_it_imitates(name, engine):
    np.testing.assert_allclose(fit(model_with(IMITATIONS[name], engine)), fit(model_with(name, "reference")), rtol=1e-4)


def test_every_activation_can_be_called_in_a_function():
    z = np.linspace(-2.03, 2.1, 24, dtype=np.float32).reshape(4, 6)
    for name in set(activations.__all__) - {
        "Activation",
        "custom",
        "deserialize",
        "get",
        "make",
        "serialize",
        "sparsemax",
        "threshold",
        "glu",
    }:
        activation = getattr(activations, name)
        recorded = activations.get(lambda z, activation=activation: activation(z) + 0.0)
        np.testing.assert_allclose(recorded(z), activation(z), rtol=2e-5, atol=1e-6, err_msg=name)
    with pytest.raises(UnsupportedError, match="the activation sparsemax of a symbolic value is not in fastmlp"):
        activations.get(lambda z: activations.sparsemax(z) + 0.0)


def test_a_function_of_elements_is_recorded_once_and_one_of_vectors_for_each_length():
    shapes = []

    def listening(z):
        shapes.append(getattr(z, "shape", None))
        return gated(z)

    fit(model_with(listening))
    assert shapes.count((None,)) == 2  # of each of two layers
    assert set(shapes) == {None, (None,)}
    shapes.clear()
    model = model_with(lambda z: shapes.append(getattr(z, "shape", None)) or scaled_softmax(z))
    fit(model)
    assert shapes.count((None, 6)) == shapes.count((None, 5)) == 1


def test_a_function_that_only_calls_an_activation_is_that_activation():
    assert activations.get(lambda z: activations.relu(z, max_value=6)) == activations.relu6


def test_a_function_can_be_called_on_arrays():
    z = rng.normal(size=(2, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(activations.get(gated)(z), z / (1 + np.exp(-z)), rtol=1e-5)
    np.testing.assert_allclose(activations.get(scaled_softmax)(z).sum(axis=-1), np.full((2, 4), 2.0), rtol=1e-6)
    np.testing.assert_allclose(activations.get(scaled_softmax)(z, axis=1).sum(axis=1), np.full((2, 3), 2.0), rtol=1e-6)


def branching(z):
    return z if z.sum() > 0 else -z


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (branching, TypeError, r"Python's if.*test_recorded_activations.py, line \d+"),
        (np.sort, TypeError, "np.sort of a symbolic value is not supported"),
        (lambda z: None, TypeError, "must return one array"),
        (lambda z: z.no_such_name, AttributeError, "no_such_name"),
        (lambda z: z[:, :1], ValueError, "it must keep the shape"),
        (lambda z: ops.sum(z, axis=1), ValueError, "it must keep the shape"),
        (lambda z: z > 0, ValueError, "it must keep the shape"),
    ],
)
def test_a_function_that_cannot_be_an_activation_is_an_error(function, error, message):
    with pytest.raises(error, match=message):
        model_with(function)


def test_a_function_for_vectors_of_one_length_is_used_for_those():
    weights = np.linspace(1, 2, 6)
    layer = layers.Dense(6, activation=lambda z: z * weights, input_shape=(3,))
    model = models.Sequential([layer])
    np.testing.assert_allclose(model.predict(X, verbose=0), (X @ layer.kernel) * weights, rtol=1e-5)
    with pytest.raises(ValueError, match="do not fit"):
        models.Sequential([layers.Dense(5, activation=lambda z: z * weights, input_shape=(3,))])


@pytest.mark.parametrize("function", [gated, scaled_softmax, lambda z: ops.tanh(z) * 0.5], ids=["elements", "vectors", "lambda"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), models.clone_model, "file"])
def test_copies_and_files_hold_the_program(function, copied, tmp_path):
    model = model_with(function)
    if copied == "file":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.save(tmp_path / "model.safetensors")
        again = models.load_model(tmp_path / "model.safetensors")
    else:
        again = copied(model)
        again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert fit(again) == fit(model)


def test_a_file_loads_in_a_process_without_the_function(tmp_path):
    path = tmp_path / "model.safetensors"
    model = model_with(scaled_softmax)
    model.save(path)
    code = (
        f"import fastmlp; m = fastmlp.load_model({str(path)!r}); print(m.predict([[1.0, 2.0, 3.0]], verbose=0)[0, 0]);m.save({str(path)!r})"
    )
    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout
    assert np.float32(shown) == model.predict([[1.0, 2.0, 3.0]], verbose=0)[0, 0]


def test_custom_objects_take_the_place_of_the_program(tmp_path):
    path = tmp_path / "model.safetensors"
    model_with(gated).save(path)
    again = fastmlp.load_model(path, custom_objects={"gated": np.tanh})
    np.testing.assert_allclose(again.layers[0].activation(X), np.tanh(X), rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda programs: programs.clear(),
        lambda programs: programs.__setitem__(0, {}),
        lambda programs: programs.extend([programs[0]] * 100),
        lambda programs: programs[0].update(outputs=[0, 0]),
        lambda programs: programs[0].update(inputs=[["float32", [-1, 2, 2]]]),
        lambda programs: programs[0].update(inputs=[["float32", [3]]]),
        lambda programs: programs[0]["instructions"].insert(0, ["exec", [0]]),
    ],
)
def test_a_malformed_program_in_a_configuration_is_an_error(change):
    config = json.loads(json.dumps(activations.serialize(activations.get(gated))))
    change(config["programs"])
    with pytest.raises(ValueError, match=r"program|operation"):
        activations.get(config)


def test_files_of_keras_hold_the_name_and_no_lambda(tmp_path):
    pytest.importorskip("h5py")
    model = model_with(gated)
    with pytest.warns(UserWarning, match="does not hold gated"):
        model.save(tmp_path / "model.keras")
    with pytest.raises(ModelFileError, match="gated"):
        models.load_model(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras", custom_objects={"gated": gated})
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(UnsupportedError, match="lambda has none; define it with def"):
        model_with(lambda z: ops.tanh(z) * 0.5).save(tmp_path / "other.keras")
