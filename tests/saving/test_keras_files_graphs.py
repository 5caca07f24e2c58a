"""Keras' files of functional models: several inputs and outputs, shared layers, merges, models inside models, frozen layers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
from folders import GOLDEN
from golden import graph_programs as programs

import fastmlp
from fastmlp import Model, layers, saving, utils
from fastmlp.errors import ModelFileError
from fastmlp.optimizers import SGD, Adam, RMSprop

NAMES = ("two_outputs", "shared_layers", "nested", "dicts", "inside_sequential")
ENDINGS = ("keras", "h5")
HOW = {"batch_size": 8, "shuffle": False, "verbose": 0}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_files_graphs.npz") as arrays:
        return dict(arrays)


def data(golden, name):
    """x and y as the program gave them: one array, a list or a dict."""
    result = []
    for kind in ("x", "y"):
        prefix = f"{kind}/{name}/"
        given = {key.removeprefix(prefix): values for key, values in golden.items() if key.startswith(prefix)}
        if all(key.isdigit() for key in given):
            given = list(given.values()) if len(given) > 1 else given["0"]
        result.append(given)
    return result


def flat(values):
    """As Keras lists them: dicts by sorted keys."""
    if isinstance(values, dict):
        return [values[key] for key in sorted(values)]
    return values if isinstance(values, list) else [values]


def numbered(golden, prefix):
    return [golden[f"{prefix}/{index}"] for index in range(sum(key.startswith(f"{prefix}/") for key in golden))]


def close(found, wanted, tolerance):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


# What Keras saved


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_model_saved_by_keras_predicts_evaluates_and_trains_on(golden, saved_by_keras, engine, name, ending):
    model = fastmlp.load_model(saved_by_keras(f"{name}.{ending}"))
    assert isinstance(model, fastmlp.models.Sequential if name == "inside_sequential" else fastmlp.models.Functional)
    x, y = data(golden, name)
    close(flat(model.predict(x, verbose=0)), numbered(golden, f"predictions/{name}"), 5e-6)
    close([sorted(np.atleast_1d(model.evaluate(x, y, batch_size=20, verbose=0)))], [sorted(golden[f"evaluation/{name}"])], 5e-6)
    model.fit(x, y, epochs=2, **HOW)
    close(model.get_weights(), numbered(golden, f"continued/{name}"), 2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_weights_saved_by_keras_fit_a_model_with_its_layers_and_bring_the_optimizer_s_state(golden, saved_by_keras, name):
    loaded = fastmlp.load_model(saved_by_keras(f"{name}.keras"))
    model = type(loaded).from_config(loaded.get_config())
    model.compile_from_config(saving.describe(saved_by_keras(f"{name}.keras"))["compile"])
    model.load_weights(saved_by_keras(f"{name}.weights.h5"))
    x, y = data(golden, name)
    model.fit(x, y, epochs=2, **HOW)
    close(model.get_weights(), numbered(golden, f"continued/{name}"), 2e-5)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_frozen_is_frozen(saved_by_keras, ending):
    model = fastmlp.load_model(saved_by_keras(f"shared_layers.{ending}"))
    assert [layer.name for layer in model.layers if not layer.trainable] == ["inner", "fixed"]
    assert [layer.trainable for layer in model.get_layer("inner").layers] == [True, False, False]  # an input, and what is frozen
    dicts = fastmlp.load_model(saved_by_keras(f"dicts.{ending}"))
    assert [layer.name for layer in dicts.layers if not layer.trainable] == [dicts.layers[-1].name]
    assert dicts.optimizer.learning_rate == pytest.approx(0.003)


# What is saved here


def structure(value):
    """A configuration without what differs from run to run."""
    if isinstance(value, dict):
        left_out = (
            "shared_object_id",
            "input_axes",
            "output_axes",
            "dtype",
            "build_config",
            "compile_config",
            "quantization_config",
            "jit_compile",
            "kwargs",
        )
        return {key: structure(item) for key, item in value.items() if key not in left_out}
    return [structure(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["two_outputs", "shared_layers", "nested", "dicts"])
def test_a_keras_file_has_the_configuration_that_keras_writes(saved_by_keras, tmp_path, name):
    theirs = saved_by_keras(f"{name}.keras")
    fastmlp.load_model(theirs).save(tmp_path / "ours.keras")
    found, wanted = (json.loads(zipfile.ZipFile(path).read("config.json"))["config"] for path in (tmp_path / "ours.keras", theirs))
    assert structure(found) == structure(wanted)


def without_steps(config):
    """A model's configuration without the order in which it was written down."""
    layers = [{**layer, "calls": [places for _, places in layer.get("calls", [])]} for layer in config["layers"]]
    return {
        **config,
        "layers": [{**layer, "config": without_steps(layer["config"])} if "layers" in layer["config"] else layer for layer in layers],
    }


@pytest.mark.parametrize("file", ["model.keras", "model.h5", "model.safetensors"])
@pytest.mark.parametrize("optimizer", [SGD(0.05, momentum=0.9), RMSprop(0.003, momentum=0.4), Adam(0.003)], ids=lambda each: each.name)
@pytest.mark.parametrize("name", ["two outputs", "shared layers", "nested"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, name, optimizer, file):
    def make():
        utils.set_random_seed(2)
        model = programs.PROGRAMS[name][0](fastmlp)
        model.compile(type(optimizer)(**optimizer.get_config()), **programs.PROGRAMS[name][1])
        return model

    x, y, weight = programs.data(name)
    straight, stopped = make(), make()
    straight.fit(x, y, epochs=4, sample_weight=weight, **HOW)
    stopped.fit(x, y, epochs=2, sample_weight=weight, **HOW)
    stopped.save(tmp_path / file)
    resumed = fastmlp.load_model(tmp_path / file)
    assert without_steps(resumed.get_config()) == without_steps(stopped.get_config())
    assert resumed.get_compile_config() == stopped.get_compile_config()
    resumed.fit(x, y, epochs=2, sample_weight=weight, **HOW)
    assert all(np.array_equal(a, b) for a, b in zip(resumed.get_weights(), straight.get_weights(), strict=True))


def test_a_call_for_predicting_is_read_as_keras_does_which_trains_the_layer_all_the_same(changed):
    def for_predicting(config, named):
        named["first"]["inbound_nodes"][0].update(kwargs={"training": False})

    assert fastmlp.load_model(changed(for_predicting)).built


def test_a_model_used_twice_has_its_arrays_once(tmp_path):
    model = programs.nested(fastmlp)
    model.save_weights(tmp_path / "w.weights.h5")
    other = programs.nested(fastmlp)
    other.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_weights_for_a_model_inside_are_checked_too(tmp_path):
    def make(units):
        inner = fastmlp.Sequential([layers.Input((4,)), layers.Dense(units, name="deep")], name="inner")
        x = layers.Input((4,))
        return Model(x, layers.Dense(1, name="last")(inner(x)))

    for file in ("m.keras", "m.h5", "w.weights.h5"):
        (make(3).save_weights if "weights" in file else make(3).save)(tmp_path / file)
        with pytest.raises(ModelFileError, match=r"the kernel of layer 'deep' has the shape \(4, 2\), but there it has \(4, 3\)"):
            make(2).load_weights(tmp_path / file)


# Hostile files


@pytest.fixture
def changed(tmp_path):
    """A small functional model's file with a changed configuration."""

    def write(change):
        x, z = layers.Input((4,), name="x"), layers.Input((4,), name="z")
        h = layers.Dense(4, name="first")
        model = Model([x, z], layers.Add(name="sum")([h(x), h(z)]))
        model.compile("sgd", "mse")
        model.save(tmp_path / "model.keras")
        with zipfile.ZipFile(tmp_path / "model.keras") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        change(config["config"], {layer["name"]: layer for layer in config["config"]["layers"]})
        with zipfile.ZipFile(tmp_path / "changed.keras", "w") as archive:
            for name, content in {**members, "config.json": json.dumps(config)}.items():
                archive.writestr(name, content)
        return tmp_path / "changed.keras"

    return write


def history(named, layer, node=0):
    arguments = named[layer]["inbound_nodes"][node]["args"]
    return (arguments[0][0] if isinstance(arguments[0], list) else arguments[0])["config"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda config, named: history(named, "first").update(keras_history=["sum", 0, 0]),
            "the layers of the model form a circle, through",
        ),
        (
            lambda config, named: history(named, "first").update(keras_history=["gone", 0, 0]),
            r"a tensor must be \[layer, call, output\] of an earlier call",
        ),
        (
            lambda config, named: history(named, "first").update(keras_history=["x", 1, 0]),
            r"a tensor must be \[layer, call, output\] of an earlier call",
        ),
        (
            lambda config, named: history(named, "first").update(keras_history=["x", 0, 7]),
            r"a tensor must be \[layer, call, output\] of an earlier call",
        ),
        (lambda config, named: history(named, "first").update(keras_history="x"), r"must be \[layer, call, output\], got 'x'"),
        (
            lambda config, named: named["first"]["inbound_nodes"][0].update(kwargs={"training": "yes"}),
            "layer 'first' is called with 'training'",
        ),
        (lambda config, named: named["first"]["inbound_nodes"][0].update(args=[2.0]), "layer 'first' is called on 2.0, which is no tensor"),
        (lambda config, named: named["first"]["inbound_nodes"][0].update(args=None), "layer 'first' is called on None, which is no tensor"),
        (lambda config, named: named["first"]["inbound_nodes"].append([]), r"a call of a layer must be \[number, tensors\]"),
        (lambda config, named: named["first"].update(inbound_nodes=None), "a layer of a functional model must have inbound_nodes"),
        (lambda config, named: named["first"].update(name="other"), "must have names, each another one"),
        (lambda config, named: config["layers"].append(named["first"]), "must have names, each another one"),
        (lambda config, named: config.update(input_layers=[["x", 0, 0]]), "the outputs depend on the input 'z'"),
        (lambda config, named: config.update(output_layers=[]), "must have a form, keys and tensors"),
        (
            lambda config, named: config.update(output_layers=["first", 5, 0]),
            r"a tensor must be \[layer, call, output\] of an earlier call",
        ),
        (lambda config, named: config.update(input_layers=7), "must have a form, keys and tensors"),
    ],
)
def test_connections_that_make_no_sense_are_refused(changed, change, reason):
    with pytest.raises(ModelFileError, match=re.compile(f"cannot load .*changed.keras: .*{reason}", re.DOTALL)):
        fastmlp.load_model(changed(change))


def test_models_in_models_in_models_do_not_go_on_for_ever(changed):
    def nest(depth):
        def change(config, named):
            tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
            inner = {"class_name": "Dense", "config": {"name": "flat", "units": 4}}
            for level in range(depth):
                start = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4]}, "name": "x", "inbound_nodes": []}
                name = inner["config"]["name"]
                again = {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
                calls = [{"args": [tensor], "kwargs": {}}, {"args": [again], "kwargs": {}}]
                parts = [start, {**inner, "name": name, "inbound_nodes": calls}]
                ends = {"input_layers": ["x", 0, 0], "output_layers": [name, 1, 0]}
                inner = {"class_name": "Functional", "config": {"name": f"level{level}", "layers": parts, **ends}}
            config.update(inner["config"])

        return change

    with pytest.raises(ModelFileError, match="nodes, with those of models inside it; make it smaller"):
        fastmlp.load_model(changed(nest(40)))
    with pytest.raises(ModelFileError, match=r"nested too deeply|make it smaller"):
        fastmlp.load_model(changed(nest(150)))


# Keras itself


@pytest.fixture(scope="module")
def python_with_keras():
    python = os.environ.get("FASTMLP_KERAS_PYTHON", sys.executable)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    if subprocess.run([python, "-c", "import keras, jax, h5py"], env=environment, capture_output=True, check=False).returncode:
        pytest.skip("Keras is not installed: set FASTMLP_KERAS_PYTHON to an interpreter that has it")
    return python


KERAS_PROGRAM = """
    import json, os, sys
    os.environ["KERAS_BACKEND"], os.environ["JAX_PLATFORMS"] = "jax", "cpu"
    import jax, keras, numpy as np
    sys.path.insert(0, sys.argv[2])
    import graph_programs as programs
    jax.config.update("jax_default_matmul_precision", "highest")
    x, y, weight = programs.data(sys.argv[3])
    model = keras.saving.load_model(sys.argv[1])
    found = {"predictions": [p.tolist() for p in keras.tree.flatten(model.predict(x, verbose=0))]}
    if sys.argv[1].endswith(".keras"):
        model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
        found["weights"] = [w.tolist() for w in model.get_weights()]
    print(json.dumps(found))
"""


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", ["two outputs", "shared layers", "nested"])
def test_keras_loads_what_is_saved_here_predicts_the_same_and_trains_on(tmp_path, python_with_keras, name, ending):
    utils.set_random_seed(4)
    model = programs.PROGRAMS[name][0](fastmlp)
    model.compile(Adam(0.003), **programs.PROGRAMS[name][1])
    x, y, _ = programs.data(name)
    model.fit(x, y, epochs=1, **HOW)
    path = tmp_path / f"model.{ending}"
    model.save(path)
    command = [python_with_keras, "-c", textwrap.dedent(KERAS_PROGRAM), str(path), str(GOLDEN), name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(result.stdout.splitlines()[-1])
    close(flat(model.predict(x, verbose=0)), found["predictions"], 5e-6)
    if ending == "keras":
        model.fit(x, y, epochs=2, **HOW)
        close(model.get_weights(), found["weights"], 2e-5)
