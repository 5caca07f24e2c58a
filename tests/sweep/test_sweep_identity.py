"""A sweep that goes on knows whether data, functions and first weights are those it began with."""

from __future__ import annotations

import functools
import textwrap

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sweep_cases import TRAIN, build, run

from fastmlp import layers, metrics, models, ops
from fastmlp.sweep.identity import Unidentifiable, fingerprint, fingerprint_of_code

X = np.arange(6.0).reshape(3, 2)


def other(array, place=(2, 1)):
    changed = np.array(array)
    changed[place] += 1
    return changed


LARGE = np.zeros((2000, 3))


@pytest.mark.parametrize(
    ("data", "changed"),
    [
        (X, other(X)),
        (X, X.astype(np.float32)),
        (X, X.reshape(2, 3)),
        ({"a": LARGE}, {"a": other(LARGE, (1000, 1))}),
        ({"a": X, "b": X}, {"a": X, "b": other(X)}),
        ({"a": X}, {"b": X}),
        ([LARGE, X], [other(LARGE, (1000, 1)), X]),
        ([LARGE, X], [X, LARGE]),
        (X.tolist(), other(X).tolist()),
        (csr_matrix(X), csr_matrix(other(X))),
        ({"a": csr_matrix(LARGE)}, {"a": csr_matrix(other(LARGE, (1000, 1)))}),
    ],
)
def test_data_are_identified_by_all_they_hold(data, changed):
    assert fingerprint(data) == fingerprint(data) != fingerprint(changed)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_are_identified_by_their_values_types_and_names(library):
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    columns = {"a": np.arange(2000), "b": np.zeros(2000), "c": np.zeros(2000, bool)}
    own = fingerprint(make(columns))
    assert fingerprint(make(columns)) == own
    for changed in ({**columns, "b": other(columns["b"], 1000)}, {"x": columns["a"], "b": columns["b"], "c": columns["c"]}):
        assert fingerprint(make(changed)) != own


def test_data_that_can_not_be_compared_are_refused():
    with pytest.raises(Unidentifiable, match=r"the data contain .*object object.*, which can't be compared"):
        fingerprint(np.array([object()]))
    with pytest.raises(Unidentifiable, match="can't be compared"):
        fingerprint(iter([X]))


def defined(source, name="loss", **given):
    """What a program that is run anew defines."""
    namespace = {"__name__": "program", "np": np, **given}
    exec(compile(textwrap.dedent(source), "program", "exec"), namespace)
    return namespace[name]


LOSS = """
SCALE = {scale}
def error(a, b):
    return {error}
def make(power):
    def loss(y_true, y_pred, *, floor={floor}):
        return SCALE * error(y_true, y_pred) ** power, {gradient}
    return loss
loss = make({power})
"""
USUAL = {"scale": 1, "error": "a - b", "floor": 0, "gradient": "0 * y_pred", "power": 2}


def test_the_same_function_in_another_process_is_the_same():
    assert fingerprint_of_code(defined(LOSS.format(**USUAL))) == fingerprint_of_code(defined("\n\n# a comment\n" + LOSS.format(**USUAL)))


@pytest.mark.parametrize(
    "change",
    [{"scale": 2}, {"error": "b - a"}, {"floor": 1}, {"gradient": "np.sign(y_pred)"}, {"power": 4}, {"power": "np.float64(2)"}],
    ids=str,
)
def test_a_function_is_identified_by_its_code_and_all_it_refers_to(change):
    assert fingerprint_of_code(defined(LOSS.format(**USUAL))) != fingerprint_of_code(defined(LOSS.format(**USUAL | change)))


CLASS = """
from fastmlp.metrics import Mean
class Mine:
    factor = {factor}
    def __init__(self, weights):
        self.weights = weights
    def helper(self, error):
        return {helper}
    def __call__(self, y_true, y_pred):
        return self.helper(y_true - y_pred), y_pred
class Child(Mine):
    pass
loss = Child({weights})
"""
OF_CLASS = {"factor": 1, "helper": "self.factor * error", "weights": "np.ones(3)"}


@pytest.mark.parametrize("change", [{"factor": 2}, {"helper": "error"}, {"weights": "np.zeros(3)"}, {"weights": "[1]"}], ids=str)
def test_an_object_is_identified_by_its_attributes_and_the_code_of_its_classes(change):
    own = fingerprint_of_code(defined(CLASS.format(**OF_CLASS)))
    assert own == fingerprint_of_code(defined(CLASS.format(**OF_CLASS)))
    assert own != fingerprint_of_code(defined(CLASS.format(**OF_CLASS | change)))
    bound, other_bound = (defined(CLASS.format(**options)).helper for options in (OF_CLASS, OF_CLASS | change))
    assert fingerprint_of_code(bound) != fingerprint_of_code(other_bound)


def test_partial_functions_are_identified_by_what_they_are_given():
    function = defined(LOSS.format(**USUAL))
    digests = [fingerprint_of_code(functools.partial(function, floor=floor)) for floor in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_libraries_functions_and_objects_are_nobodys_own():
    model = models.Sequential([layers.Dense(2, activation="relu", input_shape=(3,))])
    model.compile("adam", "mse", metrics=["accuracy", metrics.AUC()])
    assert fingerprint_of_code(model.layers, model._compiled, np.exp, [X, {"a": len}]) is None


def test_functions_are_found_inside_of_layers_losses_and_metrics():
    function = defined("def loss(z):\n    return z")
    for holder in (metrics.MeanMetricWrapper(function, name="own"), {"a": [metrics.MeanMetricWrapper(function, name="own")]}):
        assert fingerprint_of_code(holder) is not None


def test_what_can_not_be_seen_into_is_refused():
    import threading

    with pytest.raises(Unidentifiable, match=r"a function of the model refers to .*lock.*, which can't be compared"):
        fingerprint_of_code(defined("def loss(a, b):\n    return LOCK", LOCK=threading.Lock()))


# Sweeps with a file


def losing(power):
    def loss(y_true, y_pred):
        error = y_pred - y_true
        return (error**power).sum(axis=1), power * error ** (power - 1)

    def build_it(units):
        model = models.Sequential([layers.Input((2,)), layers.Dense(units), layers.Dense(1)])
        model.compile("sgd", loss)
        return model

    return build_it


def test_a_loss_of_the_same_name_that_computes_something_else_is_not_taken_for_the_same(tmp_path):
    file, options = tmp_path / "sweep.csv", {"train": TRAIN, "seeds": 1, "grid": {"units": 2, "epochs": 1}}
    first = run(build=losing(2), out=file, **options)
    with pytest.raises(ValueError, match="trained with another model or other settings"):
        run(build=losing(4), out=file, **options)
    again = run(build=losing(2), out=file, **options)
    assert [r.numbers for r in again.runs] == [r.numbers for r in first.runs]


def computing(power, factor):
    def build_it(units):
        model = models.Sequential([layers.Input((2,)), layers.Dense(units, activation=lambda z: factor * ops.tanh(z)), layers.Dense(1)])
        model.compile("sgd", lambda y_true, y_pred: ops.mean(ops.abs(y_true - y_pred) ** power, axis=-1))
        return model

    return build_it


@pytest.mark.parametrize("other_numbers", [(4, 1.0), (2, 3.0)])
def test_recorded_functions_are_identified_by_what_they_compute(other_numbers, tmp_path):
    file, options = tmp_path / "sweep.csv", {"train": TRAIN, "seeds": 1, "grid": {"units": 2, "epochs": 1}}
    first = run(build=computing(2, 1.0), out=file, **options)
    with pytest.raises(ValueError, match="trained with another model or other settings"):
        run(build=computing(*other_numbers), out=file, **options)
    again = run(build=computing(2, 1.0), out=file, **options)
    assert [r.numbers for r in again.runs] == [r.numbers for r in first.runs]


def test_data_in_a_dict_that_are_others_are_not_taken_for_the_same(tmp_path):
    def of_dicts(units):
        a, b = layers.Input((1,), name="a"), layers.Input((1,), name="b")
        model = models.Model({"a": a, "b": b}, layers.Dense(2, activation="softmax")(layers.Dense(units)(layers.Concatenate()([a, b]))))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    def parts(scale=1.0):
        x = TRAIN[0].copy()
        x[len(x) // 2] *= scale
        return {"a": x[:, :1], "b": x[:, 1:]}, TRAIN[1]

    file, options = tmp_path / "sweep.csv", {"build": of_dicts, "grid": {"units": 2, "epochs": 1}, "seeds": 1, "test": None}
    run(train=parts(), validation=parts(), out=file, **options)
    run(train=parts(), validation=parts(), out=file, **options)
    with pytest.raises(ValueError, match="holds results for other data"):
        run(train=parts(2.0), validation=parts(), out=file, **options)


def test_first_weights_that_are_others_are_not_taken_for_the_same(tmp_path):
    def starting_at(value):
        def build_it(units):
            model = build(units)
            model.layers[0].set_weights([np.full((2, units), value), np.zeros(units)])
            return model

        return build_it

    file, options = tmp_path / "sweep.csv", {"seeds": 1, "grid": {"units": 2, "epochs": 1}}
    run(build=starting_at(0.1), out=file, **options)
    run(build=starting_at(0.1), out=file, **options)
    with pytest.raises(ValueError, match="trained with another model or other settings"):
        run(build=starting_at(0.2), out=file, **options)
