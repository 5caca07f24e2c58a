"""Models keep the labels of their classes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastmlp import layers, models, saving
from fastmlp.errors import ModelFileError

NAMES = ["red", "green", "blue"]


def new_model(units=3, names=NAMES):
    model = models.Sequential([layers.Input((2,)), layers.Dense(units)])
    model.class_names = names
    return model


def test_models_have_no_names_of_classes_by_default_and_return_copies():
    model = models.Sequential([layers.Input((2,)), layers.Dense(3)])
    assert model.class_names is None
    model.class_names = NAMES
    model.class_names.append("black")
    assert model.class_names == NAMES
    model.class_names = None
    assert model.class_names is None


@pytest.mark.parametrize("names", [["no", "yes"], (False, True), [0, 1], np.array(["no", "yes"]), np.array([-1, 1]), [0.5, 1.5]])
def test_one_column_of_predictions_distinguishes_two_classes(names, tmp_path):
    model = new_model(1, names)
    assert model.class_names == list(names)
    model.save(tmp_path / "m.safetensors")
    assert models.load_model(tmp_path / "m.safetensors").class_names == list(names)


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_files_keep_the_names(suffix, tmp_path):
    if suffix != ".safetensors":
        pytest.importorskip("h5py")
    new_model().save(tmp_path / f"m{suffix}")
    assert models.load_model(tmp_path / f"m{suffix}").class_names == NAMES
    assert saving.describe(tmp_path / f"m{suffix}")["class_names"] == NAMES


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), models.clone_model])
def test_copies_keep_the_names(copied):
    assert copied(new_model()).class_names == NAMES


def test_the_names_are_forgotten_when_the_number_of_classes_changes(tmp_path):
    model = new_model()
    model.add(layers.Dense(2))
    assert model.class_names is None
    model.save(tmp_path / "m.safetensors")
    assert models.load_model(tmp_path / "m.safetensors").class_names is None
    clone = models.clone_model(new_model(), clone_function=lambda layer: layers.Dense(4))
    assert clone.class_names is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("abc", r"class_names must be a list of different strings, numbers or booleans, got 'abc'"),
        (["a", "a", "b"], r"must be a list of different"),
        ([1, None, 2], r"must be a list of different"),
        ([1, float("nan"), 2], r"must be a list of different"),
        ([], r"must be a list of different"),
        (["a", "b"], r"the model has 3 classes, but 2 names are given in class_names: 'a', 'b'"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message):
    model = new_model()
    with pytest.raises(ValueError, match=message):
        model.class_names = names
    assert model.class_names == NAMES


def test_models_with_several_outputs_have_no_names_of_classes():
    x = layers.Input((2,))
    model = models.Model(x, [layers.Dense(2)(x), layers.Dense(2)(x)])
    with pytest.raises(ValueError, match="class_names are for models with one output, but this one has several"):
        model.class_names = ["a", "b"]


def test_a_file_whose_names_do_not_fit_is_refused(tmp_path, monkeypatch):
    model = new_model()
    monkeypatch.setattr(type(model), "class_names", ["a", "b"])
    model.save(tmp_path / "m.safetensors")
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="its list of class names"):
        models.load_model(tmp_path / "m.safetensors")
