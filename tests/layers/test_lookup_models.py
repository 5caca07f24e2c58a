"""Models that begin with lookups, bins and hashes: the numbers of Keras, both engines, files, and what is refused."""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from folders import GOLDEN
from golden import lookup_programs as programs
from networks import same_bits

import fastmlp
from fastmlp import layers, models
from fastmlp.errors import ModelFileError, UnsupportedError
from fastmlp.layers import CategoryEncoding, Dense, Discretization, Embedding, Flatten, Hashing, Input, IntegerLookup, StringLookup

ENGINES = ("native", "reference")
MADE = (*programs.STACKS, "graph")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "lookup.npz") as file:
        return dict(file)


def as_given(name):
    return [programs.numbers(), programs.measurements()] if name == "graph" else programs.inputs(name)


def joined(found):
    return np.concatenate([values.ravel() for values in found.values()])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", programs.STACKS)
def test_predictions_and_training_are_those_of_keras(golden, engine, name):
    found = joined(programs.trained(programs.make(fastmlp, name, engine=engine), name))
    np.testing.assert_allclose(found, golden[name], rtol=2e-5, atol=1e-5 * np.abs(golden[name]).max())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_may_be_shared_by_hashes_and_tokens_as_in_keras(golden, engine):
    found = joined(programs.fitted(programs.graph(fastmlp, engine=engine)))
    np.testing.assert_allclose(found, golden["graph"], rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("name", programs.STACKS)
def test_a_model_gives_what_the_layer_gives_for_arrays(name):
    x = programs.inputs(name)
    first = programs.STACKS[name](fastmlp)[0]
    model = models.Sequential([Input(x.shape[1:]), first])
    if not isinstance(first, layers.Rescaling):
        np.testing.assert_array_equal(model.predict(x, verbose=0), first(x).astype(np.float32))
        assert model.output_shape[1:] == first(x).shape[1:]
        assert model.count_params() == 0


def test_hashes_of_all_lengths_of_numbers_are_those_on_arrays():
    x = np.array([0, 7, -7, 42, 999, -999, 1234, -1234, 99999, 1234567, -1234567, 16777215, -16777215])[:, None]
    for layer in (Hashing(1000003), Hashing(1000003, salt=(1 << 63, -1)), Hashing(1)):
        model = models.Sequential([Input((1,)), layer])
        for engine in ENGINES:
            model.compile("sgd", "mse", engine=engine)
            np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))


def test_numbers_at_and_beyond_an_edge_are_in_the_bins_of_arrays():
    edges = [-2.5, 0.0, 0.1, 0.1, 7.0]
    x = np.array([[-np.float32(3e38), -2.5, np.nextafter(np.float32(-2.5), np.float32(-9)), -0.0, 0.1, 6.9999995, 7.0, 3e38]], np.float32).T
    layer = Discretization(edges)
    model = models.Sequential([Input((1,)), layer])
    for engine in ENGINES:
        model.compile("sgd", "mse", engine=engine)
        np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))


# Files and copies


def again(model, how, folder):
    if how.startswith("."):
        model.save(folder / f"model{how}")
        return fastmlp.load_model(folder / f"model{how}")
    made = {
        "json": lambda: models.model_from_json(model.to_json()),
        "config": lambda: type(model).from_config(json.loads(json.dumps(model.get_config()))),
        "clone": lambda: models.clone_model(model),
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "deepcopy": lambda: copy.deepcopy(model),
    }[how]()
    made.set_weights(model.get_weights())
    return made


@pytest.mark.parametrize("how", [".safetensors", ".keras", ".h5", "json", "config", "clone", "pickle", "deepcopy"])
@pytest.mark.parametrize("name", MADE)
def test_files_and_copies_of_a_model_give_its_predictions(tmp_path, name, how):
    model = programs.made(fastmlp, name)
    if name == "integers_tf_idf" and how in (".keras", ".h5", "json"):
        with pytest.raises(UnsupportedError, match="weights of tokens fastmlp does not read and write in Keras' files"):
            again(model, how, tmp_path)
        return
    other = again(model, how, tmp_path)
    assert same_bits([model.predict(as_given(name), verbose=0)], [other.predict(as_given(name), verbose=0)])
    for one, two in zip(model.layers, other.layers, strict=True):
        assert one.get_config() == two.get_config()


@pytest.mark.parametrize("name", programs.FILES)
def test_a_file_of_keras_gives_its_model(golden, tmp_path, name):
    (tmp_path / "model.keras").write_bytes(golden[f"files/{name}"].tobytes())
    loaded, model = fastmlp.load_model(tmp_path / "model.keras"), programs.made(fastmlp, name)
    np.testing.assert_allclose(loaded.predict(as_given(name), verbose=0), model.predict(as_given(name), verbose=0), rtol=1e-6, atol=1e-6)
    assert fastmlp.saving.describe(tmp_path / "model.keras")["kind"] == ("functional" if name == "graph" else "sequential")


def test_a_run_that_is_saved_and_resumed_is_the_uninterrupted_one(tmp_path):
    x, y = programs.numbers(), programs.targets()
    straight, stopped = (programs.make(fastmlp, "integers_learned") for _ in range(2))
    straight.fit(x, y, epochs=4, shuffle=False, verbose=0)
    stopped.fit(x, y, epochs=2, shuffle=False, verbose=0)
    stopped.save(tmp_path / "model.safetensors")
    resumed = fastmlp.load_model(tmp_path / "model.safetensors")
    resumed.fit(x, y, epochs=2, shuffle=False, verbose=0)
    assert same_bits(straight.get_weights(), resumed.get_weights())


def test_a_learned_vocabulary_can_be_learned_again_after_loading(tmp_path):
    model = programs.make(fastmlp, "integers_learned")
    model.save(tmp_path / "model.keras")
    lookup = fastmlp.load_model(tmp_path / "model.keras").layers[0]
    assert lookup.get_vocabulary() == model.layers[0].get_vocabulary()
    lookup.adapt(np.arange(5))
    assert lookup.get_vocabulary() == [-1, 4, 3, 2, 1, 0]


def learned_file(golden, folder, change):
    """A file of Keras with a vocabulary of its own, some members changed."""
    with zipfile.ZipFile(io.BytesIO(golden["files/integers_learned"].tobytes())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "model.keras"


VOCABULARY = "assets/layers/integer_lookup/vocabulary.txt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"-1\n12\nabc", "a vocabulary of its model is not valid: .* holds 'abc', which is no integer"),
        (b"-1\n12\n12", "the tokens of a vocabulary must be unique"),
        (b"-1\n\xff\xfe", "a vocabulary of its model is not valid"),
        (b"-1\n16777216", r"a token of layer 'integer_lookup\w*' is 16777216, but a model computes in float32"),
        (b"-1\n" + b"\n".join(b"%d" % i for i in range(40)), "tokens, but max_tokens is 9"),
        (b"9" * (17 << 20), "vocabulary.txt takes 17825792 bytes"),
        (None, "has no vocabulary yet"),
    ],
)
def test_a_damaged_vocabulary_is_refused_with_the_reason(golden, tmp_path, text, message):
    def change(members):
        assert VOCABULARY in members
        del members[VOCABULARY]
        if text is not None:
            members[VOCABULARY] = text

    with pytest.raises(ModelFileError, match=message):
        fastmlp.load_model(learned_file(golden, tmp_path, change))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("vocabulary", "/dev/zero", "must be a list of tokens, not a path"),
        ("vocabulary", [1, [2]], "TypeError|not valid"),
        ("vocabulary", ["a"], "needs integers"),
        ("num_oov_indices", 10**12, "num_oov_indices must be an integer ≥ 0 and ≤ 16777216"),
        ("num_oov_indices", 1 << 24, "numbers, but a model reads at most 16777216"),
        ("vocabulary_size", 3, "can't change its size from 3 to 9"),
        ("vocabulary_size", "many", "vocabulary_size must be an integer"),
        ("mask_token", 1 << 30, "mask_token of layer .* is 1073741824"),
        ("salt", [1.5, 2], "salt"),
        ("output_mode", "embed", "output_mode must be 'int'"),
    ],
)
def test_a_hostile_configuration_of_a_lookup_is_refused(tmp_path, setting, value, message):
    model = programs.make(fastmlp, "integers_multi_hot" if setting == "vocabulary_size" else "integers")
    config = model.get_config()
    next(layer for layer in config["layers"] if layer["class"] == "IntegerLookup")["config"][setting] = value
    with pytest.raises((ValueError, TypeError), match=message):
        models.Sequential.from_config(config)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(members["config.json"])
    next(layer for layer in described["config"]["layers"] if layer["class_name"] == "IntegerLookup")["config"][setting] = value
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, json.dumps(described) if name == "config.json" else data)
    with pytest.raises(ModelFileError):
        fastmlp.load_model(tmp_path / "model.keras")


# Learning anew


def test_a_vocabulary_learned_anew_takes_effect_in_the_models_that_have_it():
    lookup = IntegerLookup()
    lookup.adapt(np.array([5, 5, 9]))
    model = models.Sequential([Input((2,)), lookup, Embedding(6, 2), Flatten(), Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.array([[5, 9], [1, 2]]), np.zeros(2), epochs=3, verbose=0)
    before, iterations = model.get_weights(), model.optimizer.iterations
    first = model.predict(np.array([[5, 9]]), verbose=0)
    lookup.adapt(np.array([9, 9, 7, 5, 5, 5, 5]))
    assert lookup.get_vocabulary() == [-1, 5, 9, 7]
    assert same_bits(before, model.get_weights())
    assert model.optimizer.iterations == iterations
    np.testing.assert_array_equal(first, model.predict(np.array([[5, 9]]), verbose=0))
    lookup.adapt(np.array([9, 9, 5]))
    np.testing.assert_array_equal(first, model.predict(np.array([[9, 5]]), verbose=0))
    with pytest.raises(ValueError, match=r"reads integers from 0 to 5, but the layer before it returns 0 to 9; set input_dim=10"):
        lookup.adapt(np.arange(9))
    np.testing.assert_array_equal(first, model.predict(np.array([[9, 5]]), verbose=0))


def test_bins_learned_anew_take_effect_in_the_models_that_have_them():
    bins = Discretization(num_bins=3)
    bins.adapt(np.arange(9.0))
    model = models.Sequential([Input((1,)), bins])
    assert model.predict(np.array([[0.0], [8.0], [50.0]]), verbose=0).ravel().tolist() == [0, 2, 2]
    bins.adapt(np.arange(90.0))
    assert model.predict(np.array([[0.0], [8.0], [50.0]]), verbose=0).ravel().tolist() == [0, 0, 1]


def test_bins_with_columns_of_a_model_keep_their_number():
    bins = Discretization(num_bins=3, output_mode="one_hot")
    bins.adapt(np.arange(9.0))
    models.Sequential([Input((1,)), bins])
    before = bins.bin_boundaries
    with pytest.raises(RuntimeError, match="has 3 outputs, one for each bin, but this data has 1"):
        bins.adapt(np.zeros(1))
    assert bins.bin_boundaries == before


# What is refused


def sequential(*stack, width=2):
    return models.Sequential([Input((width,)), *stack])


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: sequential(StringLookup(vocabulary=["a"])), UnsupportedError, "call it on the data before fit"),
        (lambda: StringLookup(vocabulary=["a"])(Input((2,))), UnsupportedError, "call it on the data before fit"),
        (lambda: models.Sequential([StringLookup(vocabulary=["a"])]), UnsupportedError, "call it on the data before fit"),
        (lambda: StringLookup(vocabulary=["a"]).build((None, 2)), UnsupportedError, "call it on the data before fit"),
        (lambda: sequential(Hashing(4, mask_value="")), UnsupportedError, "masks the string ''"),
        (lambda: sequential(Hashing(1 << 25)), ValueError, "has 33554432 numbers, but a model reads at most 16777216"),
        (lambda: sequential(IntegerLookup()), ValueError, "has no vocabulary yet: call adapt(data), or pass vocabulary=, before"),
        (lambda: sequential(Discretization(num_bins=3)), ValueError, "has no bins yet: call adapt(data)"),
        (lambda: sequential(Discretization([-np.inf, 0.0])), ValueError, "must be finite in a model"),
        (lambda: sequential(IntegerLookup(vocabulary=[1 << 24])), ValueError, "is 16777216, but a model computes in float32"),
        (lambda: sequential(IntegerLookup(vocabulary=[1], mask_token=-(1 << 24))), ValueError, "mask_token of layer"),
        (lambda: sequential(IntegerLookup(vocabulary=[1], invert=True, oov_token=None)), ValueError, "oov_token of layer"),
        (lambda: sequential(Dense(3), Discretization([0.0])), ValueError, "so no layer before it may be trainable, but dense is"),
        (lambda: sequential(Dense(3), Hashing(4)), ValueError, "must be the first of the model, but dense is before it"),
        (lambda: sequential(layers.Rescaling(2.0), Hashing(4)), ValueError, "must be the first of the model, but rescaling is before it"),
        (
            lambda: sequential(Hashing(9), Embedding(8, 2)),
            ValueError,
            "from 0 to 7, but the layer before it returns 0 to 8; set",
        ),
        (lambda: sequential(Hashing(9), CategoryEncoding(8)), ValueError, "set num_tokens=9"),
        (lambda: models.Sequential([Input((2, 3)), Hashing(9, output_mode="count")]), ValueError, "needs samples that are vectors"),
    ],
)
def test_what_a_model_can_not_hold_is_an_error_that_says_what_to_do(build, error, message):
    with pytest.raises(error) as caught:
        build()
    assert message in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        (Hashing(4), [[1.0, 16777216.0]], "x[0, 1] is 16777216, but the first layer reads integers from -16777215 to 16777215 in a"),
        (Hashing(4), [[1 << 40, 1]], "x[0, 0] is 1099511627776, but"),
        (Hashing(4), [[0.5, 1.0]], "x[0, 0] is 0.5, but"),
        (IntegerLookup(vocabulary=[7, 9]), [[7, 9.5]], "x[0, 1] is 9.5, but"),
        (
            IntegerLookup(vocabulary=[7, 9], num_oov_indices=0),
            [[7, 9], [9, 8]],
            "x[1, 1] is 8, but it is not in the vocabulary of the",
        ),
        (Discretization([0.0]), [[np.nan, 0.0]], "x[0, 0] is NaN"),
        (Hashing(4), [["a", "b"]], "x must be numbers, but holds strings such as 'a'; turn them into numbers first"),
    ],
)
def test_data_that_a_model_can_not_tell_apart_are_an_error_that_says_where(engine, layer, x, message):
    model = models.Sequential([Input((2,)), type(layer).from_config(layer.get_config()), Flatten(), Dense(1)])
    model.compile("sgd", "mse", engine=engine)
    with pytest.raises((ValueError, TypeError)) as caught:
        model.fit(np.array(x), np.zeros(len(x)), verbose=0)
    assert message in str(caught.value)


def test_a_sparse_matrix_is_looked_up_with_its_zeros():
    sparse = pytest.importorskip("scipy.sparse")
    x = np.array([[7, 0], [0, 9]])
    model = sequential(IntegerLookup(vocabulary=[7, 9, 0], num_oov_indices=0), CategoryEncoding(3), Dense(2))
    np.testing.assert_array_equal(model.predict(sparse.csr_matrix(x), verbose=0), model.predict(x, verbose=0))
    lacking = sequential(IntegerLookup(vocabulary=[7, 9], num_oov_indices=0))
    with pytest.raises(ValueError, match="is 0, but it is not in the vocabulary of the first layer"):
        lacking.predict(sparse.csr_matrix(x), verbose=0)


def test_frozen_layers_may_stand_before_bins_until_they_are_released():
    dense = Dense(3, trainable=False)
    model = sequential(dense, Discretization([0.0]), Embedding(2, 2), Flatten(), Dense(1))
    x = np.random.default_rng(0).normal(size=(20, 2))
    kept = dense.get_weights()
    model.compile("sgd", "mse")
    model.fit(x, np.ones(20), verbose=0)
    assert same_bits(kept, dense.get_weights())
    other = sequential(Dense(3, trainable=False), Discretization([0.0]))
    with pytest.raises(ValueError, match="so no layer before it may be trainable, but dense is"):
        other.layers[0].trainable = True
    assert not other.layers[0].trainable


def test_the_summary_counts_no_weights_of_lookups():
    lines = []
    sequential(IntegerLookup(vocabulary=[1, 2]), Embedding(3, 4)).summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "integer_lookup" in text
    assert "Total params: 12" in text
