"""Optimizers, schedules, regularizers, constraints and initializers in Keras' files: training goes on as it would have there, and back."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import textwrap

import h5py
import numpy as np
import pytest
from folders import GOLDEN
from keras_files import HOW, KERAS_PROGRAM, MODEL_ENDINGS, close, members, python_with_keras, same, strip, tree

import fastmlp
from fastmlp import constraints, initializers, layers, losses, metrics, optimizers, regularizers, saving, utils
from fastmlp.errors import ModelFileError, UnsupportedError

FILES = [
    *(
        f"{name}.keras"
        for name in (
            "momentum",
            "centered",
            "amsgrad",
            "adamw",
            "adagrad",
            "adadelta",
            "adamax",
            "nadam",
            "lion",
            "ftrl",
            "schedule_free",
            "lamb",
            "adafactor",
            "muon",
        )
    ),
    *(f"{name}.h5" for name in ("momentum", "amsgrad", "nadam", "muon")),
]
NO_H5_IN_KERAS = ("lamb",)
"""Keras does not load .h5 files of its own either where these are compiled."""
schedules = optimizers.schedules
AROUND = {"use_ema": True, "ema_momentum": 0.9, "gradient_accumulation_steps": 2}
OURS = {
    "sgd": lambda: optimizers.SGD(schedules.CosineDecay(0.1, 40), momentum=0.5, clipvalue=0.1),
    "rmsprop": lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.5, global_clipnorm=1.0),
    "adam": lambda: optimizers.Adam(0.01, amsgrad=True, clipnorm=0.5, **AROUND),
    "adamw": lambda: optimizers.AdamW(0.01, **AROUND),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "adamax": lambda: optimizers.Adamax(0.01),
    "nadam": lambda: optimizers.Nadam(schedules.ExponentialDecay(0.01, 5, 0.8), gradient_accumulation_steps=2),
    "lion": lambda: optimizers.Lion(0.003, weight_decay=0.1, ema_overwrite_frequency=3, **AROUND),
    "ftrl": lambda: optimizers.Ftrl(0.1, initial_accumulator_value=0.3, beta=0.1),
    "schedule_free": lambda: optimizers.ScheduleFreeAdamW(0.02, warmup_steps=9, **AROUND),
    "lamb": lambda: optimizers.Lamb(0.02, global_clipnorm=1.0, **AROUND),
    "adafactor": lambda: optimizers.Adafactor(0.1, clipnorm=1.0, **AROUND),
    "muon": lambda: optimizers.Muon(0.05, exclude_layers=["dense_9"], **AROUND),
}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_optimizer_files.npz") as arrays:
        return dict(arrays)


def make(optimizer, seed=3):
    utils.set_random_seed(seed)
    model = fastmlp.Sequential(name="net")
    kernel = {"kernel_regularizer": regularizers.L1L2(0.001, 0.002), "kernel_constraint": constraints.MaxNorm(1.2)}
    model.add(layers.Dense(4, activation="relu", kernel_initializer="orthogonal", bias_regularizer="l2", **kernel, input_shape=(6,)))
    model.add(layers.ActivityRegularization(l1=0.01))
    model.add(
        layers.Dense(
            2, activity_regularizer="l2", kernel_constraint=constraints.MinMaxNorm(0.3, 1.0, axis=[0, 1]), bias_constraint="non_neg"
        )
    )
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("name", FILES)
def test_training_goes_on_as_in_keras(golden, saved_by_keras, engine, name):
    kind = name.partition(".")[0]
    model = fastmlp.load_model(saved_by_keras(name))
    assert model.training_state()["iterations"] == 6
    close([model.evaluate(golden["x"], golden["y"], verbose=0)], [golden[f"evaluation/{kind}"]], 2e-6)
    model.fit(golden["x"], golden["y"], epochs=2, **HOW)
    close(model.get_weights(), [golden[f"continued/{kind}/{index}"] for index in range(5)])


@pytest.mark.parametrize("name", ["momentum.keras", "amsgrad.h5"])
def test_what_stands_around_weights_comes_as_it_was(saved_by_keras, name):
    first, second, activity, third = fastmlp.load_model(saved_by_keras(name)).layers
    assert isinstance(first.kernel_initializer, initializers.Orthogonal)
    assert isinstance(second.kernel_initializer, initializers.Identity)
    assert first.kernel_initializer.get_config() == {"gain": 0.8, "seed": 1}
    assert first.kernel_regularizer.get_config() == pytest.approx({"l1": 0.001, "l2": 0.002})
    assert isinstance(first.bias_regularizer, regularizers.L2)
    assert isinstance(first.bias_constraint, constraints.NonNeg)
    assert second.kernel_regularizer.get_config() == {"factor": pytest.approx(0.02), "mode": "columns"}
    assert second.kernel_constraint.get_config() == {"min_value": 0.3, "max_value": 1.0, "rate": 0.9, "axis": [0]}
    assert isinstance(second.bias_constraint, constraints.UnitNorm)
    assert (activity.l1, activity.l2) == (0.003, 0.01)
    assert third.activity_regularizer.get_config() == {"l2": 0.05}
    assert (pytest.approx(third.kernel_regularizer.l1), third.kernel_constraint, third.bias_regularizer) == (0.003, None, None)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".keras")])
def test_a_keras_file_has_the_arrays_and_configuration_that_keras_writes(saved_by_keras, tmp_path, name):
    fastmlp.load_model(saved_by_keras(name)).save(tmp_path / "ours.keras")
    theirs, ours = members(saved_by_keras(name)), members(tmp_path / "ours.keras")
    ours_tree, theirs_tree = (tree(h5py.File(io.BytesIO(each["model.weights.h5"]))) for each in (ours, theirs))
    assert ours_tree == theirs_tree
    ours, theirs = (strip(json.loads(each["config.json"])) for each in (ours, theirs))
    theirs["config"]["layers"][2]["config"]["kernel_initializer"]["config"]["gain"] = 1.0  # which Keras forgets
    assert ours["config"] == theirs["config"]
    ours, theirs = ours["compile_config"]["optimizer"], theirs["compile_config"]["optimizer"]
    assert ours["class_name"] == theirs["class_name"]
    assert set(theirs["config"]) - set(ours["config"]) <= {"loss_scale_factor"}
    assert json.dumps(ours["config"], sort_keys=True) == json.dumps({key: theirs["config"][key] for key in ours["config"]}, sort_keys=True)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".h5")])
def test_an_h5_file_has_the_arrays_that_keras_writes(saved_by_keras, tmp_path, name):
    fastmlp.load_model(saved_by_keras(name)).save(tmp_path / "ours.h5")
    with h5py.File(tmp_path / "ours.h5") as ours, h5py.File(saved_by_keras(name)) as theirs:
        unnamed = re.compile(r"/variable(_\d+)?$")  # so Keras calls the product of Nadam's momenta
        assert {unnamed.sub("/nadam/u_product", place) for place in tree(theirs)} == set(tree(ours))


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
@pytest.mark.parametrize("name", OURS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(golden, tmp_path, name, ending):
    straight, stopped = (make(OURS[name]()) for _ in range(2))
    how = {"batch_size": 7, "verbose": 0}
    for model in (straight, stopped):
        model.fit(golden["x"], golden["y"], epochs=2, **how)
    stopped.save(tmp_path / f"model.{ending}")
    resumed = fastmlp.load_model(tmp_path / f"model.{ending}")
    assert resumed.optimizer.get_config() == straight.optimizer.get_config()
    assert resumed.get_config()["layers"] == stopped.get_config()["layers"]
    for model in (straight, resumed):
        model.fit(golden["x"], golden["y"], epochs=2, **how)
    assert same(resumed, straight)
    assert resumed.training_state() == straight.training_state()


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_keras_loads_what_is_saved_here_predicts_the_same_and_trains_on(golden, tmp_path, name):
    python, backend = python_with_keras()
    if not backend:
        pytest.skip("Keras is not installed: set FASTMLP_KERAS_PYTHON to an interpreter that has it")
    x, y = golden["x"], golden["y"]
    model = make(OURS[name]())
    model.fit(x, y, epochs=2, **HOW)
    for file in ("model.keras", "model.h5"):
        model.save(tmp_path / file)
    model.save_weights(tmp_path / "w.weights.h5")
    steps = model.optimizer.iterations
    numbers = {"x": x, "y": y, "predictions": model.predict(x, verbose=0)}
    model.fit(x, y, epochs=2, **HOW)
    np.savez(tmp_path / "numbers.npz", **numbers, **{str(index): weight for index, weight in enumerate(model.get_weights())})
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    program = KERAS_PROGRAM.replace("== 6", f"== {steps}")
    if name in NO_H5_IN_KERAS:
        program = program.replace('("model.keras", "model.h5")', '("model.keras",)')
    program = [python, "-c", textwrap.dedent(program), tmp_path]
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.stdout.strip().endswith("the same"), done.stderr


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
@pytest.mark.parametrize("name", ["adagrad", "nadam", "adam", "ftrl", "schedule_free", "lamb", "adafactor", "muon"])
def test_a_model_that_was_never_trained_begins_alike(golden, tmp_path, name, ending):
    model = make(OURS[name]())
    model.save(tmp_path / f"model.{ending}")
    loaded = fastmlp.load_model(tmp_path / f"model.{ending}")
    for each in (model, loaded):
        each.fit(golden["x"], golden["y"], epochs=1, **HOW)
    assert same(model, loaded)


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
def test_what_keras_has_no_place_for_stands_beside_its_description(tmp_path, ending):
    optimizer = optimizers.AdamW(catch_up="rounded")
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    make(optimizer).save(tmp_path / f"model.{ending}")
    loaded = fastmlp.load_model(tmp_path / f"model.{ending}")
    assert loaded.optimizer.get_config() == optimizer.get_config()
    described = saving.describe(tmp_path / f"model.{ending}")["compile"]["optimizer"]["config"]
    assert (described["catch_up"], described["not_decayed"]) == ("rounded", ["bias"])


@pytest.mark.parametrize("optimizer", [{"learning_rate": 3.0}, ["catch_up"], {"catch_up": "never"}])
def test_only_that_is_taken_from_there(tmp_path, optimizer):
    make("adam").save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "a") as file:
        file.attrs["fastmlp"] = json.dumps({**json.loads(file.attrs["fastmlp"]), "optimizer": optimizer})
    with pytest.raises(ModelFileError, match=r"what fastmlp wrote of the optimizer is not valid|catch_up must be 'exact' or 'rounded'"):
        fastmlp.load_model(tmp_path / "model.h5")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"optimizer": optimizers.SGD(schedules.OneCycle(0.1, 100))},
            "Keras has no schedule like OneCycle; save the model as .safetensors",
        ),
        ({"optimizer": "lbfgs"}, "Keras has no optimizer like LBFGS; save the model as .safetensors, or its weights with save_weights"),
        ({"loss": losses.Quantile()}, "Keras has no loss like Quantile; save"),
        ({"metrics": [metrics.Huber()]}, "Keras has no metric like Huber; save"),
        (
            {"loss": losses.SparseCategoricalCrossentropy(True, label_smoothing=0.1)},
            r"Keras has no loss like SparseCategoricalCrossentropy\(label_smoothing=\.\.\.\); save",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_keras_has_not_is_no_part_of_its_files(tmp_path, choice, message):
    model = fastmlp.Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile(**{"loss": "mse", **choice})
    with pytest.raises(UnsupportedError, match=message):
        model.save(tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []
    model.save_weights(tmp_path / "w.weights.h5")
    model.load_weights(tmp_path / "w.weights.h5")
