"""Keras' files of every layer: saved here and read here or in Keras, and what has no place in them."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
import zipfile

import numpy as np
import pytest
from keras_files import HOW, KERAS_PROGRAM, python_with_keras
from safetensors.numpy import load_file

import fastmlp
from fastmlp import layers, losses, metrics, utils
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers import SGD, Adam, RMSprop

STACKS = {
    "dense": lambda: [layers.Dense(5, activation=layers.LeakyReLU(0.13)), layers.ReLU(), layers.Dropout(0.0)],
    "normalized": lambda: [
        *(layers.Normalization(), layers.Dense(5, use_bias=False), layers.BatchNormalization(momentum=0.8), layers.ELU(0.7)),
        *(layers.Dense(4, "mish"), layers.LayerNormalization(), layers.PReLU(), layers.Dense(4), layers.RMSNormalization()),
    ],
    "frozen": lambda: [
        *(layers.Dense(5, activation=layers.ReLU(2.0, 0.1)), layers.Dense(4, trainable=False), layers.BatchNormalization(trainable=False)),
    ],
    "prepared": lambda: [
        *(
            layers.Rescaling(0.5, np.linspace(-1, 1, 6)),
            layers.Normalization(mean=[0.5] * 6, variance=[2.0] * 6),
            layers.GaussianNoise(0.0),
        ),
        *(layers.Normalization(axis=None, mean=0.5, variance=2.0, invert=True), layers.GaussianDropout(0.0), layers.AlphaDropout(0.0)),
        *(layers.Reshape((2, 3)), layers.Flatten()),
    ],
    "bins": lambda: [layers.Discretization([-0.5, 0.2, 1.0]), layers.Embedding(4, 3), layers.Flatten()],
    "embedded": lambda: [layers.Embedding(9, 4), layers.Flatten()],
    **{
        mode: lambda mode=mode: [layers.CategoryEncoding(9, output_mode=mode), layers.Flatten()]
        for mode in ("one_hot", "multi_hot", "count")
    },
}
READS_NUMBERS = ("embedded", "one_hot", "multi_hot", "count")


def data(stack):
    generator = np.random.default_rng(5)
    x = generator.integers(0, 9, (24, 6)) if stack in READS_NUMBERS else generator.standard_normal((24, 6))
    return x.astype(np.float32), generator.integers(0, 3, 24)


def make(stack, optimizer):
    utils.set_random_seed(3)
    made = STACKS[stack]()
    if stack == "normalized":
        made[0].adapt(data(stack)[0] * 2 + 1)
    model = fastmlp.Sequential([layers.Input((6,)), *made, layers.Dense(3, activation="softmax", use_bias=False)])
    model.compile(type(optimizer)(**optimizer.get_config()), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def described(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.safetensors"])
@pytest.mark.parametrize("stack", STACKS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, stack, name):
    x, y = data(stack)
    straight, stopped = (make(stack, Adam(0.01)) for _ in range(2))
    straight.fit(x, y, epochs=4, **HOW)
    stopped.fit(x, y, epochs=2, **HOW)
    stopped.save(tmp_path / name)
    resumed = fastmlp.load_model(tmp_path / name)
    assert [layer.get_config() for layer in resumed.layers] == [layer.get_config() for layer in stopped.layers]
    resumed.fit(x, y, epochs=2, **HOW)
    assert all(np.array_equal(a, b) for a, b in zip(resumed.get_weights(), straight.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "w.weights.h5"])
def test_frozen_weights_have_no_state_in_the_file_and_begin_at_zero_when_released(tmp_path, name):
    x, y = data("frozen")
    model, other = make("frozen", Adam(0.01)), make("frozen", Adam(0.01))
    model.fit(x, y, epochs=1, **HOW)
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    other.load_weights(tmp_path / name)
    assert other.training_state()["iterations"] == 3
    other.save(tmp_path / "all.safetensors")
    everything = load_file(tmp_path / "all.safetensors")
    momentum = {name.rpartition("/")[0]: slot.any() for name, slot in everything.items() if name.startswith("optimizer/momentum/")}
    assert [bool(momentum[f"optimizer/momentum/{layer.name}"]) for layer in other.layers if layer.weights] == [True, False, False, True]


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_frozen_model_of_keras_has_all_its_layers_frozen(tmp_path, ending, monkeypatch):
    model = make("normalized", Adam(0.01))
    plain = fastmlp.saving.formats.kerasconfig.write_model

    def frozen(*arguments):
        config = plain(*arguments)
        config["config"]["trainable"] = False
        return config

    monkeypatch.setattr("fastmlp.saving.formats.kerasconfig.write_model", frozen)
    model.compile(Adam(0.01))
    model.save(tmp_path / f"model.{ending}")
    loaded = fastmlp.load_model(tmp_path / f"model.{ending}")
    assert not any(layer.trainable for layer in loaded.layers)


# What Keras has no place for


def test_activations_with_arguments_are_layers_in_the_file(tmp_path):
    activations = {"a": layers.ReLU(2.0, 0.1, 0.5), "b": layers.ELU(0.3), "c": layers.LeakyReLU(0.13), "d": "gelu"}
    model = fastmlp.Sequential([layers.Input((3,)), *(layers.Dense(2, activation, name=name) for name, activation in activations.items())])
    model.save(tmp_path / "model.keras")
    stored = [layer["config"].get("activation") for layer in described(tmp_path / "model.keras")["config"]["layers"]]
    assert [each if isinstance(each, str) else each and each["class_name"] for each in stored] == [None, "ReLU", "ELU", "LeakyReLU", "gelu"]
    loaded = fastmlp.load_model(tmp_path / "model.keras")
    assert [layer.activation for layer in loaded.layers] == [layer.activation for layer in model.layers]


def test_an_activation_whose_arguments_keras_cannot_store_is_refused(tmp_path):
    model = fastmlp.Sequential([layers.Dense(2, lambda x: fastmlp.activations.celu(x, alpha=0.5), input_shape=(3,))])
    with pytest.raises(UnsupportedError, match=r"no place for the arguments of celu: \{'alpha': 0.5\}; save the model as \.safetensors"):
        model.save(tmp_path / "model.keras")


def test_glu_is_stored_where_keras_can_load_it(tmp_path):
    model = fastmlp.Sequential([layers.Dense(6, "glu", input_shape=(3,))])
    model.save(tmp_path / "model.keras")
    assert fastmlp.load_model(tmp_path / "model.keras").output_shape == (None, 3)
    model.add(layers.Dense(2, name="behind"))
    with pytest.raises(UnsupportedError, match="Keras can't load the layer 'behind', because it reads what the activation glu of 'dense"):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("loss", "metric", "message"),
    [
        (losses.Quantile(0.3), None, "Keras has no loss like Quantile"),
        ("mse", metrics.Huber(), "Keras has no metric like Huber"),
        ("mse", "huber", "Keras has no metric like Huber"),
        (
            losses.SparseCategoricalCrossentropy(label_smoothing=0.1),
            None,
            r"Keras has no loss like SparseCategoricalCrossentropy\(label_smoothing=\.\.\.\)",
        ),
        ("crossentropy", None, "the loss for 'crossentropy' depends on the first targets"),
    ],
)
def test_losses_and_metrics_that_keras_has_not_are_refused(tmp_path, loss, metric, message):
    model = fastmlp.Sequential([layers.Dense(3, "softmax", input_shape=(2,))])
    model.compile("sgd", loss, metrics=metric)
    with pytest.raises(UnsupportedError, match=message):
        model.save(tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_keras_has_not_are_left_out_where_they_ask_for_nothing(tmp_path):
    model = fastmlp.Sequential([layers.Dense(3, "softmax", input_shape=(2,))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", metrics.SparseCategoricalCrossentropy()])
    model.save(tmp_path / "model.keras")
    compiled = described(tmp_path / "model.keras")["compile_config"]
    assert "label_smoothing" not in compiled["loss"]["config"]
    assert compiled["metrics"][0] == "accuracy"
    assert "label_smoothing" not in compiled["metrics"][1]["config"]
    assert fastmlp.load_model(tmp_path / "model.keras").compiled


def test_names_of_metrics_that_keras_has_not_are_objects_in_the_file(tmp_path):
    model = fastmlp.Sequential([layers.Dense(3, input_shape=(2,))])
    model.compile("sgd", "mse", metrics=["mae", "logcosh", "kl_divergence"])
    model.save(tmp_path / "model.keras")
    mae, log_cosh, divergence = described(tmp_path / "model.keras")["compile_config"]["metrics"]
    assert (mae, log_cosh["class_name"], divergence) == ("mae", "LogCoshError", "kl_divergence")


# In Keras


OPTIMIZERS = [SGD(0.05, momentum=0.9), RMSprop(0.003, momentum=0.4), Adam(0.01)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stack", "optimizer"),
    [*(("dense", optimizer) for optimizer in OPTIMIZERS), *((stack, OPTIMIZERS[2]) for stack in STACKS if stack != "dense")],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_keras_loads_what_is_saved_here_predicts_the_same_and_trains_on(tmp_path, stack, optimizer):
    python, backend = python_with_keras()
    if not backend:
        pytest.skip("Keras is not installed: set FASTMLP_KERAS_PYTHON to an interpreter that has it")
    x, y = data(stack)
    model = make(stack, optimizer)
    model.fit(x, y, epochs=2, **HOW)
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
    model.save_weights(tmp_path / "w.weights.h5")
    numbers = {"x": x, "y": y, "predictions": model.predict(x, verbose=0)}
    model.fit(x, y, epochs=2, **HOW)
    np.savez(tmp_path / "numbers.npz", **numbers, **{str(index): weight for index, weight in enumerate(model.get_weights())})
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    program = [python, "-c", textwrap.dedent(KERAS_PROGRAM), tmp_path]
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.stdout.strip().endswith("the same"), done.stderr
