"""Models whose first layer is a TableEncoder take tables everywhere, and files, copies and clones keep what was learned."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from fastmlp import layers, models, saving, utils

generator = np.random.default_rng(0)
N = 240
COLUMNS = {
    "age": np.where(generator.random(N) < 0.1, np.nan, generator.normal(40, 10, N)),
    "city": generator.choice(["Bern", "Oslo", "Rome"], N),
    "job": generator.choice([f"job {number}" for number in range(12)], N),
    "member": generator.random(N) < 0.3,
}
Y = (COLUMNS["city"] == "Rome").astype(np.float32)
LIBRARIES = ["pandas", "polars", "pyarrow"]


def part(begin, end=None):
    return {name: values[begin:end] for name, values in COLUMNS.items()}


def frame(library, columns=COLUMNS):
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


def new_model(**options):
    utils.set_random_seed(1)
    encoder = layers.TableEncoder()
    encoder.adapt(COLUMNS)
    model = models.Sequential([encoder, layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], **options)
    return model


@pytest.fixture(scope="module")
def trained():
    model = new_model()
    model.fit(COLUMNS, Y, epochs=3, verbose=0)
    return model


def assert_same_predictions(model, other):
    np.testing.assert_array_equal(model.predict(COLUMNS, verbose=0), other.predict(COLUMNS, verbose=0))


@pytest.mark.parametrize("library", LIBRARIES)
def test_frames_train_as_dicts_of_columns_bit_for_bit(library, trained):
    model, whole = new_model(), frame(library)
    model.fit(whole, Y, epochs=3, verbose=0, validation_data=(frame(library, part(0, 40)), Y[:40]))
    assert_same_predictions(model, trained)
    np.testing.assert_array_equal(model.predict(whole, verbose=0), trained.predict(COLUMNS, verbose=0))
    assert model.evaluate(whole, Y, verbose=0) == trained.evaluate(COLUMNS, Y, verbose=0)
    np.testing.assert_array_equal(model.predict_on_batch(whole), trained.predict(COLUMNS, verbose=0))
    np.testing.assert_array_equal(model(frame(library, part(5, 8))), trained.predict(COLUMNS, verbose=0)[5:8])
    assert model.test_on_batch(whole, Y) == trained.test_on_batch(COLUMNS, Y)


def test_training_on_a_table_is_training_on_the_encoded_columns():
    model = new_model()
    x = model.layers[0](COLUMNS)
    plain = models.Sequential([layers.Input((x.shape[1],)), *models.clone_model(model).layers[1:]])
    plain.set_weights(model.get_weights()[1:])
    model.layers[0].trainable = False
    for one, data in ((model, COLUMNS), (plain, x)):
        one.seed = 5
        one.compile("adam", "binary_crossentropy")
        one.fit(data, Y, epochs=2, verbose=0)
    for left, right in zip(model.get_weights()[1:], plain.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_validation_split_and_train_on_batch_take_tables():
    model = new_model()
    history = model.fit(COLUMNS, Y, epochs=2, validation_split=0.25, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert len(model.train_on_batch(part(0, 32), Y[:32])) == 2


def test_a_warning_about_sorted_samples_names_the_column():
    order = np.argsort(COLUMNS["age"])[: int(np.isfinite(COLUMNS["age"]).sum())]
    with pytest.warns(UserWarning, match=r"in feature 'age' of x they have"):
        new_model().fit({name: values[order] for name, values in COLUMNS.items()}, Y[order], validation_split=0.2, verbose=0)


def test_batches_of_a_stream_are_tables():
    def batches():
        for begin in range(0, N, 32):
            yield frame("pandas", part(begin, begin + 32)), Y[begin : begin + 32]

    stream, whole = new_model(), new_model()
    stream.fit(batches(), steps_per_epoch=N // 32 + 1, verbose=0)
    whole.fit(COLUMNS, Y, shuffle=False, verbose=0)
    assert_same_predictions(stream, whole)
    np.testing.assert_array_equal(stream.predict((x for x, _ in batches()), verbose=0), whole.predict(COLUMNS, verbose=0))
    np.testing.assert_allclose(stream.evaluate(batches(), verbose=0), whole.evaluate(COLUMNS, Y, verbose=0), rtol=1e-6)


def test_rows_and_single_samples_are_read(trained):
    expected = trained.predict(COLUMNS, verbose=0)
    listed = [dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)]
    np.testing.assert_array_equal(trained.predict(listed, verbose=0), expected)
    np.testing.assert_array_equal(trained.predict([list(row.values()) for row in listed], verbose=0), expected)
    pandas = frame("pandas")
    for one in (
        listed[7],
        listed[7:8],
        list(listed[7].values()),
        pandas.iloc[7],
        pandas.iloc[[7]],
        {n: [v[7]] for n, v in COLUMNS.items()},
    ):
        np.testing.assert_array_equal(trained(one), expected[7:8])
    out = np.empty((1, 1), np.float32)
    assert trained(listed[7], out=out) is out
    np.testing.assert_array_equal(out, expected[7:8])


def test_an_array_of_numbers_is_a_table_whose_columns_are_in_order():
    x = np.where(generator.random((N, 3)) < 0.1, np.nan, generator.normal(size=(N, 3)))
    encoder = layers.TableEncoder()
    encoder.adapt(x)
    model = models.Sequential([encoder, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, Y, verbose=0)
    np.testing.assert_array_equal(model(x[0]), model.predict(x, verbose=0)[:1])
    np.testing.assert_array_equal(model.predict(frame("pandas", {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}), verbose=0), model(x))
    assert model.feature_names is None
    with pytest.raises(ValueError, match=r"column 1 of x is inf in row 2"):
        model.predict([[0, 0, 0], [1, 1, 1], [0, np.inf, 0]], verbose=0)


def test_a_model_without_layers_is_extended_by_an_encoder():
    model = models.Sequential()
    model.add(new_model().layers[0])
    model.add(layers.Dense(1))
    assert model.predict(COLUMNS, verbose=0).shape == (N, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": ["x"] * 240}, r"column 'age' of x holds the string 'x' in row 0, but it held numbers when the encoder was adapted"),
        ({"age": [1.0, np.inf] * 120}, r"column 'age' of x is inf in row 1"),
    ],
)
def test_values_that_do_not_fit_are_named_and_change_nothing(change, message, trained):
    before = trained.get_weights()
    for method in (trained.predict, trained, lambda x: trained.fit(x, Y), lambda x: trained.evaluate(x, Y)):
        with pytest.raises(ValueError, match=message):
            method({**COLUMNS, **change})
    for left, right in zip(trained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(left, right)
    with pytest.raises(ValueError, match=r"x lacks the column 'city' \(did you mean 'City'\?\)"):
        trained.predict(frame("pandas").rename(columns={"city": "City"}), verbose=0)
    with pytest.raises(ValueError, match=r"column 'age' of val_x holds the string"):
        trained.fit(COLUMNS, Y, validation_data=({**COLUMNS, "age": ["x"] * N}, Y), verbose=0)


def test_feature_names_are_those_of_the_table(trained):
    assert trained.feature_names == list(COLUMNS) == trained.feature_names_in_.tolist()
    with pytest.raises(ValueError, match=r"feature_names are those of the table that layer 'table_encoder.*' was adapted to"):
        trained.feature_names = ["a", "b", "c", "d"]
    lines = []
    trained.summary(print_fn=lines.append)
    assert "Features: age, city, job, member" in "".join(lines)


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        lambda model: (model.save("m.safetensors"), models.load_model("m.safetensors"))[1],
    ],
    ids=["deepcopy", "pickle", "file"],
)
def test_copies_and_files_predict_and_train_on_with_the_same_bits(copied, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = copy.deepcopy(trained)
    other = copied(trained)
    assert_same_predictions(other, trained)
    assert other.feature_names == list(COLUMNS)
    for model in (trained, other):
        model.fit(frame("pandas"), Y, verbose=0)
    assert_same_predictions(other, trained)


def test_a_file_describes_the_columns(trained, tmp_path):
    trained.save(tmp_path / "m.safetensors")
    described = saving.describe(tmp_path / "m.safetensors")
    assert described["columns"] == {"x": list(COLUMNS)}
    schema = described["model"]["layers"][1]["config"]["schema"]
    assert [(column["name"], column["kind"], column["encoding"]) for column in schema["columns"]] == [
        ("age", "number", "numeric"),
        ("city", "category", "one_hot"),
        ("job", "category", "embedded"),
        ("member", "boolean", "numeric"),
    ]


def test_clones_have_new_weights_for_the_same_table(trained):
    clone = models.clone_model(trained)
    clone.set_weights(trained.get_weights())
    assert_same_predictions(clone, trained)
    assert clone.layers[0] is not trained.layers[0]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_of_keras_have_no_place_for_a_table(suffix, trained, tmp_path):
    pytest.importorskip("h5py")
    with pytest.raises(ValueError, match=r"Keras has no layer like 'table_encoder.*', a TableEncoder; save the model as .safetensors"):
        trained.save(tmp_path / f"m{suffix}")


def functional(encoder, key="rows"):
    table, extra = layers.Input(encoder.input_shape[1:], name=key), layers.Input((2,), name="extra")
    joined = layers.Concatenate()([layers.Dense(4, "relu")(encoder(table)), extra])
    model = models.Model({key: table, "extra": extra}, layers.Dense(1)(joined))
    model.compile("adam", "mse")
    return model


def test_one_of_several_inputs_may_be_a_table(tmp_path):
    encoder, extra = new_model().layers[0], generator.normal(size=(N, 2)).astype(np.float32)
    model = functional(encoder)
    model.fit({"rows": COLUMNS, "extra": extra}, Y, validation_split=0.1, verbose=0)
    expected = model.predict({"rows": COLUMNS, "extra": extra}, verbose=0)
    for library in LIBRARIES:
        np.testing.assert_array_equal(model.predict({"rows": frame(library), "extra": extra}, verbose=0), expected)
    np.testing.assert_array_equal(model({"rows": part(0, 3), "extra": extra[:3]}), expected[:3])
    assert model.feature_names == {"rows": list(COLUMNS)}
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        models.load_model(tmp_path / "m.safetensors").predict({"rows": COLUMNS, "extra": extra}, verbose=0), expected
    )
    with pytest.raises(ValueError, match=r"column 'age' of x\['rows'\] holds the string 'x' in row 0"):
        model.predict({"rows": {**COLUMNS, "age": ["x"] * N}, "extra": extra}, verbose=0)
    with pytest.raises(ValueError, match=r"same number of samples|samples"):
        model.predict({"rows": part(0, 3), "extra": extra}, verbose=0)


def test_a_dict_for_a_model_whose_only_input_is_a_table_is_the_table():
    encoder = new_model().layers[0]
    table = layers.Input(encoder.input_shape[1:], name="rows")
    model = models.Model(table, layers.Dense(1)(encoder(table)))
    model.compile("sgd", "mse")
    model.fit(COLUMNS, Y, verbose=0)
    expected = model.predict(frame("pandas"), verbose=0)
    for x in (COLUMNS, {"rows": COLUMNS}, {"rows": frame("polars")}, [frame("pandas")]):
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
        np.testing.assert_array_equal(model(x), expected)


def test_a_model_that_begins_with_a_model_of_a_table_takes_tables(trained):
    outer = models.Sequential([trained, layers.Dense(2)])
    assert outer.predict(frame("pandas"), verbose=0).shape == (N, 2)
    assert outer.feature_names == list(COLUMNS)


def test_two_encoders_of_one_input_are_refused():
    encoders = [layers.TableEncoder(name=name) for name in "ab"]
    for encoder in encoders:
        encoder.adapt(COLUMNS)
    table = layers.Input(encoders[0].input_shape[1:])
    with pytest.raises(ValueError, match=r"the layers 'a' and 'b' read the same input, but a table is read by one TableEncoder"):
        models.Model(table, layers.Add()([encoder(table) for encoder in encoders]))


def test_models_without_an_encoder_are_called_directly():
    model = models.Sequential([layers.Input((3,)), layers.Dense(2)])
    model(np.zeros((1, 3), np.float32))
    assert model._forward is not None


def test_census_incomes_are_predicted_from_the_raw_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    folder = Path(os.environ.get("FASTMLP_DATA", "nowhere")) / "tabular"
    if not folder.is_dir():
        pytest.skip("real data are looked for in the folder that FASTMLP_DATA names")
    train, test = (
        pandas.read_csv(folder / f"adult-{part}.csv.gz", header=None, skipinitialspace=True, na_values="?").add_prefix("c")
        for part in ("train", "test")
    )
    y, y_test = (table.pop("c14").str.startswith(">50K") for table in (train, test))
    utils.set_random_seed(0)
    encoder = layers.TableEncoder()
    encoder.adapt(train)
    model = models.Sequential([encoder, layers.Dense(64, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", "auc"])
    model.fit(train, y, epochs=2, batch_size=128, validation_split=0.1, verbose=0)
    _, accuracy, auc = model.evaluate(test, y_test, verbose=0)
    assert accuracy > 0.855
    assert auc > 0.91
    model.save(tmp_path / "adult.safetensors")
    loaded = models.load_model(tmp_path / "adult.safetensors")
    np.testing.assert_array_equal(loaded.predict(test, verbose=0), model.predict(test, verbose=0))
    np.testing.assert_array_equal(loaded(test.iloc[:3]), model.predict(test, verbose=0)[:3])
