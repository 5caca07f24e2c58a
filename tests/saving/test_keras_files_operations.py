"""Quotients and slices of tensors in Keras' files, where they are operations beside the layers."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from folders import GOLDEN
from golden import make_keras_operations as programs

import fastmlp
from fastmlp import Model, Sequential, layers, models
from fastmlp.errors import UnsupportedError

SLICE = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}


@pytest.fixture(scope="module")
def golden():
    return json.loads((GOLDEN / "keras_operations.json").read_text())


def test_operations_of_keras_compute_what_they_do_there(golden, engine):
    model = models.model_from_json(json.dumps(golden["model"]))
    model.set_weights([np.ones((6, 5)), np.zeros(5)])
    for found, wanted in zip(model.predict(programs.rows(), verbose=0), golden["predictions"], strict=True):
        np.testing.assert_allclose(np.ravel(found), wanted, rtol=2e-6, atol=1e-6)


def test_a_model_with_operations_comes_back_from_a_file_of_keras(tmp_path, engine):
    model = programs.operations(fastmlp)
    model.save(tmp_path / "model.keras")
    loaded = fastmlp.load_model(tmp_path / "model.keras")
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    for found, wanted in zip(loaded.predict(programs.rows(), verbose=0), model.predict(programs.rows(), verbose=0), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_quotients_and_slices_are_written_as_keras_writes_them(golden):
    def entries(described):
        return {
            entry["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] + json.dumps(entry["inbound_nodes"][0]["args"][1]): entry
            for entry in described["config"]["layers"]
            if entry["class_name"] == "GetItem"
        }

    ours, theirs = entries(json.loads(programs.operations(fastmlp).to_json())), entries(golden["model"])
    ellipsis = next(key for key in theirs if "__ellipsis__" in key)
    assert set(theirs) - {ellipsis} < set(ours)
    for key in set(theirs) - {ellipsis}:
        assert {field: ours[key][field] for field in ("module", "class_name", "registered_name", "inbound_nodes")} == {
            field: theirs[key][field] for field in ("module", "class_name", "registered_name", "inbound_nodes")
        }
    x, y = layers.Input((3,), name="x"), layers.Input((3,), name="y")
    quotient = json.loads(Model([x, y], x / y).to_json())["config"]["layers"][-1]
    assert (quotient["class_name"], quotient["module"]) == ("TrueDivide", "keras.src.ops.numpy")
    assert [tensor["config"]["keras_history"][0] for tensor in quotient["inbound_nodes"][0]["args"]] == ["x", "y"]


def test_what_keras_can_not_load_is_not_written(tmp_path):
    x = layers.Input((3,))
    for tensor in (x / (x * x), x[:, 1:]):
        with pytest.raises(UnsupportedError, match=r"Keras can't read a quotient or a slice of tensors, '.*', from .h5; save the model as"):
            Model(x, tensor).save(tmp_path / "model.h5")
    with pytest.raises(UnsupportedError, match="in a Sequential no slices of tensors; make a functional model"):
        Sequential([layers.Input((3,)), layers.GetItem([0])]).save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("operation", "args", "reason"),
    [
        ("get_item", ["tensor", [1]], "leaves out rows; only columns can be taken"),
        ("get_item", ["tensor", [SLICE, "a"]], "'a' in the brackets of a tensor is not in fastmlp"),
        ("get_item", ["tensor", [SLICE, True]], "True in the brackets of a tensor is not in fastmlp"),
        ("get_item", ["tensor", [SLICE, {"class_name": "__slice__", "config": {}}]], "in the brackets of a tensor is not in fastmlp"),
        ("get_item", [3, [SLICE]], "a slice must be of a tensor with a shape, got 3"),
        ("get_item", ["tensor"], "its operation GetItem is called on"),
        ("true_divide", [1.0, "tensor"], "its operation TrueDivide is called on"),
        ("true_divide", ["tensor", 10**400], "its operation TrueDivide is called on"),
        ("true_divide", ["tensor", 0], "its operation TrueDivide is called on"),
        ("true_divide", ["tensor", "tensor", "tensor"], "its operation TrueDivide is called on"),
        ("true_divide", None, "its operation TrueDivide is called on"),
    ],
)
def test_operations_that_fastmlp_has_not_are_refused(golden, operation, args, reason):
    described = copy.deepcopy(golden["model"])
    named = {entry["name"]: entry for entry in described["config"]["layers"]}
    node = named[operation]["inbound_nodes"][0]
    tensor = node["args"][0]
    node["args"] = args and [tensor if arg == "tensor" else arg for arg in args]
    with pytest.raises((UnsupportedError, ValueError), match=reason):
        models.model_from_json(json.dumps(described))
