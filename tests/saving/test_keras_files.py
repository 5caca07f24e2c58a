"""Keras' files: what Keras saved is the same model here, and what is saved here has the form that Keras gives its own."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from folders import GOLDEN
from keras_files import HOW, MODEL_ENDINGS, close, members, same, strip, tree

import fastmlp
from fastmlp import initializers, layers, metrics, saving, utils
from fastmlp.errors import ModelFileError
from fastmlp.losses import BinaryCrossentropy
from fastmlp.optimizers import SGD, Adam, RMSprop

LAYERS = ("normalized", "frozen", "prepared", "embedded", "one_hot", "multi_hot", "count")
NAMES = ("classes", "binary", "chain", "plain", *LAYERS)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_files.npz") as arrays, np.load(GOLDEN / "keras_files_layers.npz") as layers:
        return {**arrays, **{("x/layers" if name == "x" else name): array for name, array in layers.items()}}


def data(golden, name):
    if name in LAYERS:
        return golden["x/layers" if name in LAYERS[:3] else "numbers"], golden["y"]
    return golden["x"].reshape((-1, 2, 3) if name == "chain" else (-1, 6)), golden[f"y/{name}"]


def weights_after(golden, name):
    weights = [golden[f"continued/{name}/{index}"] for index in range(sum(key.startswith(f"continued/{name}/") for key in golden))]
    return [weight for weight in weights if weight.ndim]  # without the count that Normalization has in Keras


def rounding(name):
    """How far predictions may be apart: further behind five normalizations."""
    return 5e-6 if name == "normalized" else 2e-6


def make(optimizer=None, loss="sparse_categorical_crossentropy", seed=3, width=4):
    utils.set_random_seed(seed)
    model = fastmlp.Sequential(name="net")
    model.add(layers.Dense(width, activation="relu", input_shape=(6,)))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(optimizer or Adam(0.01), loss, metrics=["accuracy"])
    return model


# What Keras saved


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_model_saved_by_keras_predicts_and_evaluates_the_same(golden, saved_by_keras, engine, name, ending):
    model = fastmlp.load_model(saved_by_keras(f"{name}.{ending}"))
    x, y = data(golden, name)
    close([model.predict(x, verbose=0)], [golden[f"predictions/{name}"]], rounding(name))
    close([np.atleast_1d(model.evaluate(x, y, verbose=0))], [golden[f"evaluation/{name}"]], rounding(name))


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_training_goes_on_as_in_keras(golden, saved_by_keras, engine, name, ending):
    model = fastmlp.load_model(saved_by_keras(f"{name}.{ending}"))
    assert model.training_state()["iterations"] == 6
    model.fit(*data(golden, name), epochs=2, **HOW)
    close(model.get_weights(), weights_after(golden, name))


@pytest.mark.parametrize("name", NAMES)
def test_weights_saved_by_keras_fit_a_model_with_its_layers_and_bring_the_optimizer_s_state(golden, saved_by_keras, name):
    loaded = fastmlp.load_model(saved_by_keras(f"{name}.keras"))
    model = type(loaded).from_config(loaded.get_config())
    model.compile_from_config(saving.describe(saved_by_keras(f"{name}.keras"))["compile"])
    model.load_weights(saved_by_keras(f"{name}.weights.h5"))
    x, y = data(golden, name)
    close([model.predict(x, verbose=0)], [golden[f"predictions/{name}"]], rounding(name))
    model.fit(x, y, epochs=2, **HOW)
    close(model.get_weights(), weights_after(golden, name))


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
def test_layers_losses_metrics_and_optimizers_come_as_they_were(saved_by_keras, ending):
    classes = fastmlp.load_model(saved_by_keras(f"classes.{ending}"))
    kinds = [layers.Dense, layers.Dropout, layers.Dense, layers.ReLU, layers.Dense, layers.Softmax]
    assert [type(layer) for layer in classes.layers] == kinds
    assert [layer.name for layer in classes.layers][-2:] == ["dense_2", "softmax"]
    assert isinstance(classes.layers[2].kernel_initializer, initializers.HeNormal)
    assert not classes.layers[2].use_bias
    assert classes.layers[3].negative_slope == 0.05
    assert (type(classes.optimizer), classes.optimizer.learning_rate) == (Adam, pytest.approx(0.01))
    assert classes.metrics == ["accuracy"]
    binary = fastmlp.load_model(saved_by_keras(f"binary.{ending}"))
    assert binary.layers[0].activation.alpha == 0.13
    assert (binary.optimizer.momentum, binary.optimizer.nesterov) == (0.9, True)
    assert isinstance(binary.loss, BinaryCrossentropy)
    assert (binary.metrics[0].threshold, binary.metrics[1]) == (0.4, "mse")
    chain = fastmlp.load_model(saved_by_keras(f"chain.{ending}"))
    assert isinstance(chain, fastmlp.models.Functional)
    assert chain.input_shape == (None, 2, 3)
    assert isinstance(chain.optimizer, RMSprop)


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
def test_without_compile_the_model_only_predicts(golden, saved_by_keras, ending):
    model = fastmlp.load_model(saved_by_keras(f"classes.{ending}"), compile=False)
    assert not model.compiled
    close([model.predict(data(golden, "classes")[0], verbose=0)], [golden["predictions/classes"]], 2e-6)


# What is saved here


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.9), RMSprop(0.01), RMSprop(0.01, momentum=0.5), Adam(0.01)], ids=repr)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(golden, tmp_path, optimizer, ending):
    x, y = data(golden, "classes")
    straight, stopped = (make(type(optimizer)(**optimizer.get_config())) for _ in range(2))
    straight.fit(x, y, epochs=4, batch_size=7, verbose=0)
    stopped.fit(x, y, epochs=2, batch_size=7, verbose=0)
    stopped.save(tmp_path / f"model.{ending}")
    resumed = fastmlp.load_model(tmp_path / f"model.{ending}")
    resumed.fit(x, y, epochs=2, batch_size=7, verbose=0)
    assert same(resumed, straight)
    assert resumed.training_state() == straight.training_state()


def test_weights_come_back_bit_for_bit_with_the_optimizer_s_state(golden, tmp_path):
    x, y = data(golden, "classes")
    model, other = make(), make(seed=4)
    model.fit(x, y, epochs=2, **HOW)
    model.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    assert same(model, other)
    for each in (model, other):
        each.fit(x, y, epochs=2, **HOW)
    assert same(model, other)


@pytest.mark.parametrize("name", ["whole.keras", "whole.h5", "whole.safetensors"])
def test_weights_can_be_taken_from_a_whole_model(tmp_path, name):
    model, other = make(), make(seed=4)
    model.save(tmp_path / name)
    other.load_weights(tmp_path / name)
    assert same(model, other)


def test_weights_saved_as_safetensors_are_loaded_too(tmp_path):
    model, other = make(), make(seed=4)
    model.save_weights(tmp_path / "weights.safetensors")
    other.load_weights(tmp_path / "weights.safetensors")
    assert same(model, other)


def test_an_optimizer_of_another_kind_keeps_its_own_state(golden, tmp_path):
    x, y = data(golden, "classes")
    make().save_weights(tmp_path / "adam.weights.h5")
    model = make(SGD(0.1, momentum=0.9))
    model.fit(x, y, epochs=1, **HOW)
    with pytest.warns(UserWarning, match="the optimizer goes on with the state it has: the optimizer's state has 10 arrays, but SGD"):
        model.load_weights(tmp_path / "adam.weights.h5")
    assert model.training_state()["iterations"] == 3


@pytest.mark.parametrize("name", ["w.weights.h5", "m.h5", "m.keras", "m.safetensors"])
def test_weights_that_do_not_fit_are_refused_or_skipped_on_request(tmp_path, name):
    model, wide = make(), make(width=5)
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    before = wide.get_weights()
    with pytest.raises(ModelFileError, match=r"it does not fit the model: .*kernel.*\(6, 5\), but there it has \(6, 4\)"):
        wide.load_weights(tmp_path / name)
    assert all(np.array_equal(a, b) for a, b in zip(before, wide.get_weights(), strict=True))
    with pytest.warns(UserWarning, match="weights are not loaded"):
        wide.load_weights(tmp_path / name, skip_mismatch=True)
    assert np.array_equal(wide.get_weights()[0], before[0])


def test_a_model_with_other_layers_is_refused(tmp_path):
    model = make()
    for name, save in (("w.weights.h5", model.save_weights), ("m.h5", model.save), ("m.safetensors", model.save)):
        save(tmp_path / name)
        longer = fastmlp.Sequential([*(layers.Dense(n) for n in (4, 3)), layers.Dense(2)])
        shorter = fastmlp.Sequential([layers.Dense(4)])
        for other in (longer, shorter):
            other.build((None, 6))
            with pytest.raises(ModelFileError, match="it does not fit the model"):
                other.load_weights(tmp_path / name)


def test_weights_need_a_built_model_and_their_own_name(tmp_path):
    model = make()
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="the model is not built, so it can't take weights"):
        fastmlp.Sequential([layers.Dense(2)]).load_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"weights are saved as \.weights\.h5 files: use '.*w\.h5\.weights\.h5'"):
        model.save_weights(tmp_path / "w.h5")
    with pytest.raises(FileExistsError, match="exists already"):
        model.save_weights(tmp_path / "w.weights.h5", overwrite=False)
    with pytest.raises(ModelFileError, match="it holds weights only: build the model"):
        fastmlp.load_model(tmp_path / "w.weights.h5")


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
def test_provenance_is_kept_and_described(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    saving.save_model(make(), path, provenance={"data": "noise"})
    document = saving.describe(path)
    assert document["provenance"] == {"data": "noise"}
    assert document["fastmlp_version"] == fastmlp.__version__
    assert document["model"] == fastmlp.load_model(path).get_config()


@pytest.mark.parametrize("ending", MODEL_ENDINGS)
def test_without_the_optimizer_s_state_the_optimizer_starts_anew(golden, tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    model = make()
    model.fit(*data(golden, "classes"), epochs=1, **HOW)
    saving.save_model(model, path, include_optimizer=False)
    loaded = fastmlp.load_model(path)
    assert same(model, loaded)
    assert loaded.training_state()["iterations"] == 0


def test_weights_that_are_nan_come_back_with_a_warning(tmp_path):
    model = make()
    model.layers[0]._weights[1].store(np.array([1, np.nan, 2, 3], np.float32))
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match=r"dense\w*/bias held NaN or Inf when it was saved"):
        loaded = fastmlp.load_model(tmp_path / "model.keras")
    assert np.isnan(loaded.get_weights()[1][1])


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "w.weights.h5"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, name):
    model = make()
    save = model.save_weights if "weights" in name else model.save
    save(tmp_path / name)
    before = (tmp_path / name).read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_a_name_keras_would_refuse_is_refused(tmp_path):
    model = fastmlp.Sequential([layers.Dense(2, input_shape=(3,), name="a/b")])
    with pytest.raises(ValueError, match="the layer's name 'a/b' has a slash, which Keras refuses"):
        model.save(tmp_path / "model.keras")


def test_a_missing_h5py_is_named_with_its_extra(tmp_path, monkeypatch):
    make().save(tmp_path / "model.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    for work in (lambda: make().save(tmp_path / "model.keras"), lambda: fastmlp.load_model(tmp_path / "model.h5")):
        with pytest.raises(ImportError, match=r'Keras files need h5py: pip install "fastmlp\[keras\]"'):
            work()


def test_fastmlp_alone_does_not_import_h5py():
    program = "import sys, fastmlp; from fastmlp import saving, models, layers; print('h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "False"


# The form, compared with files of Keras


def names(attribute):
    return [name.decode() if isinstance(name, bytes) else name for name in attribute]


@pytest.mark.parametrize("name", ["classes", "binary", "plain", *LAYERS])
def test_a_keras_file_has_the_members_arrays_and_configuration_that_keras_writes(saved_by_keras, tmp_path, name):
    fastmlp.load_model(saved_by_keras(f"{name}.keras")).save(tmp_path / "ours.keras")
    theirs, ours = members(saved_by_keras(f"{name}.keras")), members(tmp_path / "ours.keras")
    assert list(ours) == list(theirs) == ["metadata.json", "config.json", "model.weights.h5"]
    assert set(json.loads(ours["metadata.json"])) - {"fastmlp"} == set(json.loads(theirs["metadata.json"]))
    ours_tree, theirs_tree = (tree(h5py.File(io.BytesIO(each["model.weights.h5"]))) for each in (ours, theirs))
    inner = re.compile("layers/[^/]+/activation")  # empty groups for an activation that is a layer
    assert ours_tree == {place: entry for place, entry in theirs_tree.items() if not inner.match(place)}
    ours, theirs = (strip(json.loads(each["config.json"])) for each in (ours, theirs))
    assert ours["config"] == theirs["config"]
    ours, theirs = ours["compile_config"], theirs["compile_config"]
    assert ours["optimizer"]["config"].items() <= theirs["optimizer"]["config"].items()
    assert set(ours) == set(theirs)


@pytest.mark.parametrize("name", ["classes", "binary", "plain", *LAYERS])
def test_an_h5_file_has_the_groups_attributes_and_configuration_that_keras_writes(saved_by_keras, tmp_path, name):
    fastmlp.load_model(saved_by_keras(f"{name}.h5")).save(tmp_path / "ours.h5")
    with h5py.File(tmp_path / "ours.h5") as ours, h5py.File(saved_by_keras(f"{name}.h5")) as theirs:
        assert tree(ours) == tree(theirs)
        assert set(ours.attrs) - {"fastmlp"} == set(theirs.attrs)
        for place in ("model_weights", "optimizer_weights"):
            for key in set(theirs[place].attrs) & {"layer_names", "weight_names"}:
                assert names(ours[place].attrs[key]) == names(theirs[place].attrs[key])
        assert strip(json.loads(ours.attrs["model_config"])) == strip(json.loads(theirs.attrs["model_config"]))
        assert set(json.loads(ours.attrs["training_config"])) == set(json.loads(theirs.attrs["training_config"]))


def test_metrics_of_predictions_go_with_the_model(tmp_path):
    model = fastmlp.Sequential([layers.Dense(2, activation="softmax", input_shape=(3,))])
    model.compile(loss="huber", metrics=["AUC", metrics.Precision(thresholds=[0.2, 0.5]), metrics.F1Score(average="macro")])
    model.save(tmp_path / "model.keras")
    found = fastmlp.load_model(tmp_path / "model.keras").get_compile_config()["metrics"]
    assert isinstance(metrics.get(found[0]), metrics.AUC)
    assert found[1]["config"]["thresholds"] == [0.2, 0.5]
    assert found[2]["config"]["average"] == "macro"
