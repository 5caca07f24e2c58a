"""Lookups, bins and hashes on arrays. The numbers expected are those of Keras 3.15 with TensorFlow 2.21."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from fastmlp.errors import UnsupportedError
from fastmlp.layers import Discretization, Hashing, IntegerLookup, StringLookup

WORDS, TEXT = ["a", "b", "c", "d"], [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
NUMBERS, ROWS = [12, 36, 1138, 42], np.array([[12, 1138, 42, 42], [42, 7, 36, 7]])
IDF = [0.25, 0.75, 0.6, 0.4]
EYE = np.eye(6, dtype=int).tolist()


def adapted(layer, data):
    layer.adapt(data)
    return layer


def words(**options):
    return StringLookup(vocabulary=WORDS, **options)


def check(found, expected):
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


ENCODED = [
    ("int", [[1, 3, 4, 4], [4, 0, 2, 0]], [[3, 5, 6, 6], [6, 0, 4, 0]]),
    ("multi_hot", [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]], [[0, 0, 1, 0, 1, 1], [0, 0, 0, 1, 0, 1]]),
    ("count", [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]], [[0, 0, 1, 0, 1, 2], [0, 0, 0, 1, 0, 1]]),
    (
        "one_hot",
        [[row[:5] for row in (EYE[1], EYE[3], EYE[4], EYE[4])], [row[:5] for row in (EYE[4], EYE[0], EYE[2], EYE[0])]],
        [[EYE[2], EYE[4], EYE[5], EYE[5]], [EYE[5], [0] * 6, EYE[3], [0] * 6]],
    ),
]


@pytest.mark.parametrize(("mode", "expected", "masked"), ENCODED, ids=[mode for mode, *_ in ENCODED])
def test_a_lookup_gives_the_indices_and_columns_of_keras(mode, expected, masked):
    for found in (words(output_mode=mode)(TEXT), IntegerLookup(vocabulary=NUMBERS, output_mode=mode)(ROWS)):
        assert found.dtype == np.int64
        check(found, expected)
    check(words(output_mode=mode, mask_token="z", num_oov_indices=2)(TEXT), masked)


@pytest.mark.parametrize(
    ("mode", "vector", "column", "single", "deep"),
    [
        ("int", [1, 2, 2], [[1], [2]], 2, [[[1, 0], [1, 1]]]),
        ("one_hot", [EYE[1][:5], EYE[2][:5], EYE[2][:5]], [EYE[1][:5], EYE[2][:5]], [EYE[2][:5]], [[[[0, 1], [1, 0]], [[0, 1], [0, 1]]]]),
        ("multi_hot", [0, 1, 1, 0, 0], [EYE[1][:5], EYE[2][:5]], EYE[2][:5], [[[0, 1], [1, 1]]]),
        ("count", [0, 1, 2, 0, 0], [EYE[1][:5], EYE[2][:5]], EYE[2][:5], [[[0, 2], [1, 1]]]),
    ],
)
def test_data_of_any_number_of_axes_are_encoded_as_in_keras(mode, vector, column, single, deep):
    check(words(output_mode=mode)(["a", "b", "b"]), vector)
    check(words(output_mode=mode)([["a"], ["b"]]), column)
    check(words(output_mode=mode)("b"), single)
    check(StringLookup(vocabulary=["a"], output_mode=mode)([[["a", "b"], ["a", "a"]]]), deep)


def test_counts_are_weighted_by_document_frequencies():
    check(words(idf_weights=IDF, output_mode="tf_idf")(TEXT), [[0, 0.25, 0, 0.6, 0.8], [1, 0, 0.75, 0, 0.4]])
    own = StringLookup(vocabulary=["[UNK]", *WORDS], idf_weights=[0.9, *IDF], output_mode="tf_idf")
    check(own(TEXT), [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]])
    padded = words(idf_weights=IDF, output_mode="tf_idf", max_tokens=7, pad_to_max_tokens=True)
    check(padded(TEXT), [[0, 0.25, 0, 0.6, 0.8, 0, 0], [1, 0, 0.75, 0, 0.4, 0, 0]])
    learned = adapted(StringLookup(output_mode="tf_idf"), TEXT)
    assert learned(TEXT).dtype == np.float32
    check(learned(TEXT), [[0, 1.021651268, 0, 0.6931471825, 0, 0.6931471825], [0, 0.510825634, 1.3862943649, 0, 0.6931471825, 0]])


def test_adapt_learns_the_most_frequent_tokens_first():
    assert adapted(StringLookup(), TEXT).get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert adapted(StringLookup(max_tokens=4), ["b", "a", "b", "c", "é", "z", "é", "[UNK]"]).get_vocabulary() == ["[UNK]", "é", "b", "z"]
    assert adapted(StringLookup(mask_token=""), np.array(["b", "", "b", "c"])).get_vocabulary() == ["", "[UNK]", "b", "c"]
    assert adapted(StringLookup(mask_token="", output_mode="multi_hot"), ["b", "", "b", "c"]).get_vocabulary() == ["[UNK]", "b", "c"]
    numbers = adapted(IntegerLookup(mask_token=0), np.array([5, 5, 0, 7, 9, -1]))
    assert (numbers.get_vocabulary(), numbers.vocabulary_size()) == ([0, -1, 5, 9, 7], 5)
    assert numbers.get_vocabulary(include_special_tokens=False) == [5, 9, 7]
    batches = adapted(StringLookup(), iter([["b"], ["a", "a"]]))
    assert batches.get_vocabulary() == ["[UNK]", "a", "b"]
    batches.adapt(["q"])
    assert batches.get_vocabulary() == ["[UNK]", "q"]


def test_an_inverse_lookup_gives_the_tokens_back():
    assert words(invert=True)([[1, 3, 4], [4, 0, 9]]).tolist() == [["a", "c", "d"], ["d", "[UNK]", "[UNK]"]]
    assert words(invert=True, mask_token="")([[1, 2, 0]]).tolist() == [["[UNK]", "a", ""]]
    assert IntegerLookup(vocabulary=NUMBERS, invert=True, mask_token=0)([[0, 1, 2, 5]]).tolist() == [[0, -1, 12, 42]]


def test_unknown_values_are_spread_over_several_indices_as_in_keras():
    texts = ["x", "yy", "a", "a longer text of more than thirty-two letters", ""]
    assert words(num_oov_indices=3)(texts).tolist() == [2, 1, 3, 1, 2]
    assert words(num_oov_indices=3, salt=[1, 2])(["x", "yy", "a", "zzz"]).tolist() == [1, 2, 3, 0]
    assert IntegerLookup(vocabulary=NUMBERS, num_oov_indices=3)([-5, 7, 8, 12]).tolist() == [1, 1, 2, 3]
    farm = IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash")
    assert farm([100, 300, 700, 1100, 1700, 2000]).tolist() == [3, 3, 2, 2, 0, 1]


def test_a_vocabulary_can_be_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("a\nb\nc\nd\n")
    assert StringLookup(vocabulary=str(path))(TEXT).tolist() == words()(TEXT).tolist()
    path.write_text("12\n36\n")
    assert IntegerLookup(vocabulary=path)([36, 12, 1]).tolist() == [2, 1, 0]


def test_hashes_are_those_of_keras():
    assert Hashing(7)(["a", "b", "hello", ""]).tolist() == [5, 2, 5, 6]
    assert Hashing(7, salt=133)(["a", "b", "hello", ""]).tolist() == [4, 5, 0, 6]
    assert Hashing(5, mask_value=3)([[1, 2], [3, -4]]).tolist() == [[2, 4], [0, 3]]
    assert Hashing(5)(np.array([1.7, -2.2, 3.0])).tolist() == [4, 0, 1]
    assert Hashing(5)(np.array([True, False])).tolist() == [0, 2]
    assert Hashing(3, mask_value="")(np.array(["A", "", "B", "C"])).tolist() == [1, 0, 1, 2]
    pairs = [["A", "B"], ["C", "A"]]
    check(Hashing(4, output_mode="multi_hot")(pairs), [[1, 0, 0, 0], [1, 0, 0, 1]])
    check(Hashing(4, output_mode="count")(pairs), [[2, 0, 0, 0], [1, 0, 0, 1]])
    check(Hashing(4, output_mode="one_hot")(pairs), [[EYE[0][:4], EYE[0][:4]], [EYE[3][:4], EYE[0][:4]]])


FINGERPRINTS = {
    "": 0x9AE16A3B2F90404F,
    "a": 0xB3454265B6DF75E3,
    "hello": 0xB48BE5A931380CE8,
    "abcdefgh": 0xFEE9D22990C82909,
    "0123456789abcdef": 0x54B961E5DC834067,
    "0123456789abcdefg": 0xA6DDFF87A449D24A,
    "x" * 32: 0xB30B9BACCC74DC05,
    "x" * 33: 0xAA49185443E61637,
    "fastmlp" * 9 + "y": 0x68892F4F39ADFA61,
    "0123456789" * 6 + "abcde": 0x99D301F66DB2B434,
    "q" * 127: 0x996916E5AC10375C,
    "q" * 128: 0x6A51F79E171DC68A,
    "fastmlp" * 30: 0x2C060A9EC5A81D26,
}


@pytest.mark.parametrize("text", FINGERPRINTS, ids=len)
def test_a_text_of_any_length_is_hashed_by_farmhash(text):
    for bins in (7919, 2**30, 2**31 - 1):
        assert Hashing(bins)([text]) == FINGERPRINTS[text] % bins


def test_with_a_salt_texts_are_hashed_by_siphash():
    """The values are those of its authors."""
    salt = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    for bins in (7919, 2**30, 2**31 - 1):
        assert Hashing(bins, salt=salt)([bytes(range(15)).decode()]) == 0xA129CA6149BE45E5 % bins
        assert Hashing(bins, salt=salt)([""]) == 0x726FDB47DD0E0E31 % bins


def test_discretization_gives_the_bins_of_keras():
    x = [[-1.5, 1.0], [0.5, 3.4]]
    found = Discretization([0.0, 1.0])(x)
    assert (found.dtype, found.tolist()) == (np.int32, [[0, 2], [1, 2]])
    check(Discretization([0.0, 1.0], output_mode="multi_hot")(x), [[1, 0, 1], [0, 1, 1]])
    check(Discretization([0.0, 1.0], output_mode="count")(x), [[1, 0, 1], [0, 1, 1]])
    check(Discretization([0.0, 1.0], output_mode="one_hot")(x), [[EYE[0][:3], EYE[2][:3]], [EYE[1][:3], EYE[2][:3]]])


def test_discretization_learns_the_boundaries_of_keras():
    x = np.sin(np.arange(1000.0)) * 3

    def learned(data, **options):
        return adapted(Discretization(**options), data).bin_boundaries

    np.testing.assert_allclose(learned(x, num_bins=4), [-2.1259150505, -9.2327e-05, 2.1258492470], rtol=1e-5, atol=1e-6)
    wide = learned(x.reshape(4, 250), num_bins=5, epsilon=0.1)
    np.testing.assert_allclose(wide, [-2.4347043037, -0.9395141602, 0.9394292235, 2.4192554951], rtol=1e-5)
    np.testing.assert_allclose(learned([x[:300], x[300:]], num_bins=3), [-1.4882835150, 1.4959701300], rtol=1e-5)
    assert learned(np.array([3.0, 1.0, 2.0]), num_bins=3) == [1.0, 2.0]
    assert learned([3.0, 1.0, 2.0], num_bins=2) == [1.5]


MADE = {
    "given": lambda: words(num_oov_indices=2, mask_token=""),
    "learned": lambda: adapted(StringLookup(output_mode="count"), TEXT),
    "weighted": lambda: words(idf_weights=IDF, output_mode="tf_idf"),
    "padded": lambda: adapted(StringLookup(output_mode="tf_idf", max_tokens=9, pad_to_max_tokens=True), TEXT),
    "hashing": lambda: Hashing(7, salt=133, mask_value="a"),
}


@pytest.mark.parametrize("kind", MADE)
def test_configurations_pickles_and_copies_keep_what_was_learned(kind):
    layer = MADE[kind]()
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    for other in (again, pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert other.name == layer.name
        assert other.get_config() == layer.get_config()
        np.testing.assert_array_equal(other(TEXT), layer(TEXT))


def test_copies_of_other_lookups_keep_what_was_learned():
    for layer, x in (
        (adapted(Discretization(num_bins=3), np.arange(9.0)), [1.0, 4.0, 8.0]),
        (Discretization([0.0, 1.0], output_mode="one_hot"), [0.5]),
        (adapted(IntegerLookup(mask_token=0), [5, 5, 0, 7]), [7, 5, 0, 1]),
    ):
        for other in (type(layer).from_config(layer.get_config()), pickle.loads(pickle.dumps(layer))):
            np.testing.assert_array_equal(other(x), layer(x))
            assert other.get_config() == layer.get_config()
    pickle.loads(pickle.dumps(adapted(StringLookup(), ["a"]))).adapt(["b"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: words(num_oov_indices=0)(["x"]), ValueError, "'x' is not in the vocabulary"),
        (lambda: words()([1]), TypeError, "StringLookup needs strings, got 1"),
        (lambda: words()([["a"], ["b", "c"]]), (TypeError, ValueError), ""),
        (lambda: IntegerLookup(vocabulary=[1])([1.5]), TypeError, "needs integers, got 1.5"),
        (lambda: StringLookup(vocabulary=["a", "a"]), ValueError, "['a'] are repeated"),
        (lambda: StringLookup(vocabulary=[]), ValueError, "vocabulary must not be empty"),
        (lambda: StringLookup(vocabulary="nowhere.txt"), ValueError, "vocabulary file 'nowhere.txt' does not exist"),
        (lambda: StringLookup(vocabulary=["a", "m"], mask_token="m"), ValueError, "the mask_token 'm' can only be"),
        (lambda: StringLookup(vocabulary=["a", "[UNK]"], invert=True), ValueError, "the oov_token '[UNK]' can only be"),
        (lambda: words(num_oov_indices=1 << 40), ValueError, "num_oov_indices must be an integer ≥ 0 and ≤ 16777216"),
        (lambda: StringLookup.from_config({"vocabulary": "/dev/zero"}), ValueError, "must be a list of tokens, not a path"),
        (lambda: words(max_tokens=3), ValueError, "the vocabulary has 5 tokens, but max_tokens is 3"),
        (lambda: words(output_mode="tf_idf"), ValueError, "idf_weights must be passed with output_mode='tf_idf'"),
        (lambda: words(output_mode="tf_idf", idf_weights=[1]), ValueError, "one value per token of the vocabulary, 4, got shape (1,)"),
        (lambda: words(idf_weights=IDF), ValueError, "and only then; got output_mode='int'"),
        (lambda: words(output_mode="sum"), ValueError, "output_mode must be 'int', 'one_hot'"),
        (lambda: words(output_mode="count", sparse=True), UnsupportedError, "StringLookup(sparse=True) is not in fastmlp"),
        (lambda: words(invert=True, output_mode="count"), ValueError, "invert=True needs output_mode='int'"),
        (lambda: StringLookup(max_tokens=1), ValueError, "max_tokens must be an integer ≥ 2, got 1"),
        (lambda: StringLookup(pad_to_max_tokens=True), ValueError, "pad_to_max_tokens=True needs max_tokens="),
        (lambda: StringLookup(output_mode="count")(["a"]), RuntimeError, "has no vocabulary yet"),
        (lambda: words().adapt(["a"]), ValueError, "has a fixed vocabulary"),
        (lambda: words(output_mode="count").set_vocabulary(["a"]), RuntimeError, "can't change its size from 5 to 2"),
        (lambda: IntegerLookup(salt=3), ValueError, "salt needs oov_method='farmhash'"),
        (lambda: IntegerLookup(vocabulary_dtype="int32"), ValueError, "vocabulary_dtype must be 'int64'"),
        (lambda: IntegerLookup(oov_method="sum"), ValueError, "oov_method must be 'floormod' or 'farmhash'"),
        (lambda: Hashing(0), ValueError, "num_bins must be an integer ≥ 1, got 0"),
        (lambda: Hashing(3, salt=(1, 2, 3)), ValueError, "salt must be an integer or a tuple of two"),
        (lambda: Hashing(3)([None]), TypeError, "Hashing needs strings or integers, got None"),
        (lambda: Discretization(), ValueError, "pass either num_bins or bin_boundaries"),
        (lambda: Discretization([0.0], 3), ValueError, "pass either num_bins or bin_boundaries"),
        (lambda: Discretization([1.0, 0.0]), ValueError, "bin_boundaries must be a list of ascending numbers"),
        (lambda: Discretization(num_bins=3)([1.0]), ValueError, "has no bins yet: call adapt(data)"),
        (lambda: Discretization([0.0]).adapt([1.0]), ValueError, "has fixed bin_boundaries"),
        (lambda: Discretization(num_bins=3).adapt([]), ValueError, "adapt got no values"),
        (lambda: Discretization(num_bins=3).adapt(np.array([np.nan])), ValueError, "data has NaN"),
        (lambda: setattr(Hashing(3), "num_bins", 4), AttributeError, "num_bins of Hashing is fixed once it is made"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_why(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
