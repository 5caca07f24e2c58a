"""The tables of Keras' names that fastmlp does otherwise name nothing that is there."""

from __future__ import annotations

from importlib import import_module

import pytest

from fastmlp import layers, models
from fastmlp._base import keras_names

MODULES = sorted(keras_names.TABLES.keys() - {"Model", "Layer"})


@pytest.mark.parametrize("path", MODULES)
def test_no_name_is_both_there_and_said_to_be_missing(path):
    there = {
        name
        for name, value in vars(import_module(f"fastmlp.{path}".rstrip("."))).items()
        if not isinstance(value, keras_names.AbsentModule)
    }
    assert sorted(there & set(keras_names.TABLES[path])) == []


def test_no_attribute_that_is_there_is_said_to_be_missing():
    for cls, table in ((models.Model, "Model"), (models.Sequential, "Model"), (models.Functional, "Model"), (layers.Layer, "Layer")):
        assert [
            name for name in keras_names.TABLES[table] for one in cls.__mro__[1:] if name in vars(one) and one is not models.Model
        ] == []
    for layer in layers.registry.classes.values():
        assert set(vars(layer)) & set(keras_names.TABLES["Layer"]) == set(), layer


def test_every_module_that_is_stood_in_for_has_an_answer():
    for path in keras_names.ABSENT_MODULES:
        module, _, name = path.rpartition(".")
        assert name in keras_names.TABLES[module]
