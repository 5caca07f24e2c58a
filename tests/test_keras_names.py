"""Every public name of Keras is here, or says what to use instead."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

import fastmlp
from fastmlp import elsewhere, layers, models
from fastmlp.errors import UnsupportedError

NAMES = json.loads((Path(__file__).parent / "golden" / "keras_names.json").read_text())
MODULES = sorted(set(NAMES) - {"keras", "Model", "Layer"})


def module_of(path):
    return import_module(f"fastmlp.{path}".rstrip("."))


def without_an_answer(owner, names):
    lost = []
    for name in names:
        try:
            getattr(owner, name)
        except UnsupportedError as error:
            if "not in fastmlp; " not in str(error):
                lost.append(name)
        except AttributeError:
            lost.append(name)
    return lost


@pytest.mark.parametrize("path", MODULES)
def test_every_name_of_keras_modules_works_or_names_the_nearest_alternative(path):
    assert without_an_answer(module_of(path), NAMES[path]) == []


@pytest.mark.parametrize("path", MODULES)
def test_no_name_is_both_there_and_said_to_be_missing(path):
    module = module_of(path)
    assert sorted(set(vars(module)) & set(elsewhere.TABLES[path])) == []


def test_every_attribute_of_keras_models_and_layers_works_or_names_the_nearest_alternative():
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile(loss="mse")
    assert without_an_answer(model, NAMES["Model"]) == []
    assert without_an_answer(model.layers[0], NAMES["Layer"]) == []


def test_no_attribute_that_is_there_is_said_to_be_missing():
    for cls, table in ((models.Model, "Model"), (models.Sequential, "Model"), (models.Functional, "Model"), (layers.Layer, "Layer")):
        assert [name for name in elsewhere.TABLES[table] for one in cls.__mro__[1:] if name in vars(one) and one is not models.Model] == []
    for layer in layers.registry.classes.values():
        assert set(vars(layer)) & set(elsewhere.TABLES["Layer"]) == set(), layer


def test_the_message_says_what_to_do():
    with pytest.raises(UnsupportedError, match=r"layers\.Conv2D is not in fastmlp; networks are made of Dense layers; put a Flatten\(\)"):
        from fastmlp.layers import Conv2D  # noqa: F401 - the import is what fails
    with pytest.raises(UnsupportedError, match=r"ops is not in fastmlp; .* compute with NumPy"):
        fastmlp.ops.add(1, 2)
    with pytest.raises(UnsupportedError, match=r"Sequential\.to_json is not in fastmlp; use json\.dumps"):
        models.Sequential([layers.Dense(2, input_shape=(3,))]).to_json()


def test_programs_that_ask_with_hasattr_are_told_the_truth():
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    assert not hasattr(model, "to_json")
    assert not hasattr(model.layers[0], "add_loss")
    assert hasattr(model, "fit")


@pytest.mark.parametrize("path", MODULES)
def test_names_nobody_has_are_plain_attribute_errors(path):
    with pytest.raises(AttributeError, match="has no attribute 'convolve_everything'"):
        _ = module_of(path).convolve_everything
