"""Columns of frames are found by their names, whatever their order, or refused; the names are kept with the model."""

from __future__ import annotations

import copy
import pickle
import warnings

import forged_files
import numpy as np
import pytest

import fastmlp
from fastmlp import layers, models, saving

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = X @ np.array([1.0, 2.0, 3.0], np.float32)
NAMES = ["age", "height", "income"]
OTHER_ORDER = ["income", "age", "height"]
LIBRARIES = ["pandas", "polars", "pyarrow"]


def frame(library, names=NAMES, values=X):
    """A table of columns of X; of names that X does not have, of its first column."""
    module = pytest.importorskip(library)
    columns = {name: values[:, NAMES.index(name) if name in NAMES else 0] for name in names}
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


def trained(x, engine="native", **options):
    model = models.Sequential([layers.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    model.compile("sgd", "mse", engine=engine)
    model.fit(x, Y, verbose=0, **options)
    return model


@pytest.fixture(scope="module")
def model():
    return trained(frame("pandas"))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_columns_in_another_order_are_found_by_name(library, engine):
    own, other = frame(library), frame(library, OTHER_ORDER)
    model = trained(own, engine, validation_data=(other, Y))
    wanted = model.predict(X, verbose=0)
    for answer in (model.predict(other, verbose=0), model(other), model.predict_on_batch(other), model.predict(own, verbose=0)):
        np.testing.assert_array_equal(answer, wanted)
    assert model.evaluate(other, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert model.test_on_batch(other, Y) == model.test_on_batch(X, Y)
    assert model.feature_names == NAMES


def test_validation_and_further_training_find_columns_by_name():
    a, b = trained(frame("pandas")), trained(frame("pandas"))
    b.set_weights(a.get_weights())
    b.seed = a.seed
    first = a.fit(frame("pandas"), Y, validation_data=(frame("pandas"), Y), verbose=0, shuffle=False).history
    second = b.fit(frame("polars", OTHER_ORDER), Y, validation_data=(frame("pyarrow", OTHER_ORDER), Y), verbose=0, shuffle=False).history
    assert first == second
    assert a.train_on_batch(frame("pandas"), Y) == b.train_on_batch(frame("pandas", OTHER_ORDER), Y)


def test_batches_of_frames_find_columns_by_name():
    model = models.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(iter([(frame("pandas"), Y), (frame("pandas", OTHER_ORDER), Y)]), verbose=0)
    assert model.feature_names == NAMES
    batches = [frame("pandas", OTHER_ORDER), frame("polars")]
    np.testing.assert_array_equal(model.predict(iter(batches), verbose=0), np.tile(model.predict(X, verbose=0), (2, 1)))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["age", "height"], "it lacks 'income'; it must have 'age', 'height', 'income', in any order"),
        (["age", "height", "weight"], "x has other columns than the model was trained on: it lacks 'income' and has also 'weight'"),
        ([*NAMES, "weight"], "it has also 'weight'"),
    ],
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda m, x: m.predict(x, verbose=0),
        lambda m, x: m(x),
        lambda m, x: m.evaluate(x, Y, verbose=0),
        lambda m, x: m.test_on_batch(x, Y),
        lambda m, x: m.fit(x, Y, verbose=0),
        lambda m, x: m.train_on_batch(x, Y),
        lambda m, x: m.fit(X, Y, validation_data=(x, Y), verbose=0),
    ],
    ids=["predict", "call", "evaluate", "test_on_batch", "fit", "train_on_batch", "validation"],
)
def test_columns_with_other_names_are_refused(model, library, names, message, ask):
    with pytest.raises(ValueError, match=message):
        ask(model, frame(library, names))
    assert model.feature_names == NAMES


def test_arrays_have_no_names_and_are_taken_as_they_are(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.predict(X, verbose=0), model.predict(frame("pandas"), verbose=0))
        np.testing.assert_array_equal(model.predict(X.tolist(), verbose=0), model.predict(frame("pandas"), verbose=0))


def test_names_and_the_numbers_of_pandas_can_not_be_compared_which_warns(model):
    pandas = pytest.importorskip("pandas")
    with pytest.warns(UserWarning, match="x has the columns '0', '1', '2', but the model was trained on 'age', 'height', 'income'"):
        numbered = model.predict(pandas.DataFrame(X), verbose=0)
    np.testing.assert_array_equal(numbered, model.predict(X, verbose=0))
    by_number = trained(pandas.DataFrame(X))
    np.testing.assert_array_equal(by_number.predict(pandas.DataFrame(X)[[2, 0, 1]], verbose=0), by_number.predict(X, verbose=0))
    with pytest.warns(UserWarning, match="names can't be compared with numbers"):
        by_number.predict(frame("pandas"), verbose=0)


def test_a_row_of_a_frame_is_found_by_name(model):
    other = frame("pandas", OTHER_ORDER)
    np.testing.assert_array_equal(model(other.iloc[5]), model(X[5]))


def test_names_that_repeat_warn_and_are_not_learned():
    pandas = pytest.importorskip("pandas")
    with pytest.warns(UserWarning, match="x has several columns called 'a', so columns are taken in their order"):
        model = trained(pandas.DataFrame(X, columns=["a", "b", "a"]))
    assert model.feature_names is None


def test_names_are_learned_by_training_alone():
    model = trained(X)
    model.predict(frame("pandas"), verbose=0)
    model.evaluate(frame("pandas"), Y, verbose=0)
    assert model.feature_names is None
    assert not hasattr(model, "feature_names_in_")


def test_a_fit_that_fails_before_it_trains_learns_no_names():
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="y has 3 samples"):
        model.fit(frame("pandas", ["a", "b", "c"]), np.zeros(3), verbose=0)
    model.fit(frame("pandas"), Y, verbose=0)
    assert model.feature_names == NAMES


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_names_are_saved_and_loaded(model, suffix, tmp_path):
    if suffix != ".safetensors":
        pytest.importorskip("h5py")
    path = tmp_path / f"model{suffix}"
    model.save(path)
    loaded = fastmlp.load_model(path)
    assert loaded.feature_names == NAMES
    assert loaded.feature_names_in_.tolist() == NAMES
    assert saving.describe(path)["columns"] == {"x": NAMES}
    np.testing.assert_array_equal(loaded.predict(frame("pandas", OTHER_ORDER), verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), models.clone_model])
def test_copies_keep_the_names(model, copied):
    assert copied(model).feature_names == NAMES


def test_the_summary_and_info_show_the_names(model, tmp_path, capsys):
    from fastmlp.cli import main

    shown = []
    model.summary(print_fn=shown.append)
    assert "Features: age, height, income" in shown[0]
    model.save(tmp_path / "model.safetensors")
    assert main(["info", str(tmp_path / "model.safetensors")]) == 0
    assert "age, height, income" in capsys.readouterr().out


def test_names_can_be_given_and_forgotten():
    model = trained(X)
    model.feature_names = NAMES
    np.testing.assert_array_equal(model.predict(frame("pandas", OTHER_ORDER), verbose=0), model.predict(X, verbose=0))
    model.feature_names = None
    assert model.feature_names is None
    with pytest.raises(ValueError, match="the model takes 3 features in x, but 2 names are given: 'a', 'b'"):
        model.feature_names = ["a", "b"]
    with pytest.raises(ValueError, match="the names of the columns of x must be a list of different strings, got 'abc'"):
        model.feature_names = "abc"


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_each_input_and_output_of_a_functional_model_has_names(engine, tmp_path):
    a, b = layers.Input((3,), name="a"), layers.Input((2,), name="b")
    hidden = layers.Concatenate()([a, b])
    model = models.Model({"a": a, "b": b}, [layers.Dense(2, name="p")(hidden), layers.Dense(1, name="q")(hidden)])
    model.compile("sgd", "mse", engine=engine)
    y = frame("pandas", ["age", "income"])
    model.fit({"a": frame("pandas"), "b": frame("polars", ["u", "v"])}, [y, Y], verbose=0)
    assert model.feature_names == {"a": NAMES, "b": ["u", "v"]}
    wanted = model.evaluate({"a": X, "b": X[:, [0, 0]]}, [X[:, [0, 2]], Y], verbose=0)
    other = {"a": frame("pandas", OTHER_ORDER), "b": frame("polars", ["v", "u"])}
    assert model.evaluate(other, [y[["income", "age"]], Y], verbose=0) == wanted
    with pytest.raises(ValueError, match=r"x\['b'\] has other columns than the model was trained on: it lacks 'u', 'v'"):
        model.predict({"a": X, "b": frame("pandas", ["age", "income"])}, verbose=0)
    model.save(tmp_path / "model.safetensors")
    assert fastmlp.load_model(tmp_path / "model.safetensors").feature_names == model.feature_names


def test_targets_in_another_order_are_found_by_name():
    model = models.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    y = frame("pandas", ["age", "income"])
    model.fit(X, y, verbose=0)
    assert model.evaluate(X, y[["income", "age"]], verbose=0) == model.evaluate(X, y.to_numpy(), verbose=0)
    with pytest.raises(ValueError, match="y has other columns than the model was trained on: it lacks 'income' and has also 'height'"):
        model.evaluate(X, frame("pandas", ["age", "height"]), verbose=0)


def test_a_model_expects_the_columns_its_normalization_was_adapted_to():
    normalization = layers.Normalization()
    normalization.adapt(frame("pandas") * [1, 10, 100])
    model = models.Sequential([normalization, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(frame("pandas", OTHER_ORDER), Y, verbose=0)
    assert model.feature_names == NAMES


@pytest.mark.parametrize("columns", [{"x": ["a"]}, {"x": ["a", "b", 3]}, {"x": "abc"}, ["a", "b", "c"], {"x": ["a", "a", "b"]}])
def test_a_file_with_names_that_do_not_fit_is_refused(model, columns, tmp_path):
    from fastmlp.errors import ModelFileError

    model.save(tmp_path / "model.safetensors")
    forged_files.change(tmp_path / "model.safetensors", lambda document, tensors: document.update(columns=columns))
    with pytest.raises(ModelFileError, match="its list of column names"):
        fastmlp.load_model(tmp_path / "model.safetensors")
