"""What is said about wrong arguments is true of what was given, and can be done."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import constraints, initializers, layers, models, optimizers, utils

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


def compiled():
    model = models.Sequential([layers.Input((3,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return model


def frame():
    return pytest.importorskip("pandas").DataFrame(X, columns=list("abc"))


@pytest.mark.parametrize(
    ("x", "advice"),
    [
        (lambda: X[0], r"for one sample, pass x\[None\]"),
        (lambda: X[0].tolist(), r"for one sample, pass \[x\]"),
        (lambda: frame().iloc[0], r"for one sample, pass x\.to_frame\(\)\.T, or frame\.iloc\[\[i\]\] instead of frame\.iloc\[i\]"),
        (lambda: X[:, None], r"reshape it: x\.reshape\(len\(x\), -1\)"),
        (lambda: X[:, None].tolist(), r"reshape it: np\.reshape\(x, len\(x\), -1\)"),
    ],
    ids=["array", "list", "series", "axes", "axes in lists"],
)
def test_how_to_pass_a_row_depends_on_what_it_is(x, advice):
    with pytest.raises(ValueError, match=advice):
        compiled().predict(x(), verbose=0)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([[1, 2, "3"]], "'3'"), (np.array([["a", "b", "c"]]), "'a'"), ([["x", 1, 2]], "'x'"), ([[b"y", b"z", b"z"]], "b'y'")],
)
def test_the_string_among_numbers_is_shown_as_it_was_written(values, shown):
    with pytest.raises(TypeError, match=f"x must be numbers, but holds strings such as {shown}; turn them into numbers first"):
        compiled().predict(values, verbose=0)


def test_objects_of_frame_libraries_that_are_no_frames_are_named():
    with pytest.raises(TypeError, match="x must be an array or a frame, got a DataFrameGroupBy"):
        compiled().predict(frame().groupby("a"), verbose=0)
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"x must be an array or a frame, got a LazyFrame; .*\.collect\(\)"):
        compiled().predict(polars.LazyFrame({"a": [1.0], "b": [1.0], "c": [1.0]}), verbose=0)


def test_a_dict_of_weights_is_told_of_class_weight():
    with pytest.raises(ValueError, match=r"sample_weight is a dict.*; weights of classes are class_weight"):
        compiled().fit(X, Y, sample_weight={0: 1.0}, verbose=0)


def test_a_data_set_of_single_samples_is_told_of_the_loader():
    dataset = type(
        "Dataset", (), {"__module__": "torch.utils.data.dataset", "__len__": lambda self: 20, "__getitem__": lambda self, i: X[i]}
    )
    with pytest.raises(ValueError, match=r"pass a loader of batches: torch\.utils\.data\.DataLoader\(dataset, batch_size=32\)"):
        compiled().fit(dataset(), verbose=0)


@pytest.mark.parametrize("value", [None, 3.5, object()], ids=["None", "number", "object"])
def test_what_is_no_array_is_shown(value):
    with pytest.raises(TypeError, match="the data must be arrays with one row per sample, got"):
        utils.split_dataset(value, 0.5)
    with pytest.raises((TypeError, ValueError), match=r"adapt takes|must be"):
        layers.Normalization().adapt(value)


@pytest.mark.parametrize("scale", [1e30, 1e39])
def test_moments_beyond_float32_are_blamed_on_the_size_of_the_data(scale):
    with pytest.raises(ValueError, match=r"the data have values as large as .*e\+\d\d, so their mean or variance is beyond float32"):
        layers.Normalization().adapt(scale * X.astype(np.float64))


def test_what_a_class_of_the_user_s_own_lacks_is_named():
    mine = type("Mine", (initializers.Initializer,), {})
    with pytest.raises(NotImplementedError, match="Mine must have a method draw"):
        mine()((2, 2))
    mine = type("Mine", (constraints.Constraint,), {})
    with pytest.raises(NotImplementedError, match="Mine must have a method __call__"):
        mine().bounds((2, 2))
    mine = type("Mine", (optimizers.Optimizer,), {})
    with pytest.raises(NotImplementedError, match="Mine is not an optimizer of fastmlp's engines"):
        mine.__new__(mine).rule()
