"""Splitting rows into parts and folds."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.utils import k_fold, split_dataset

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 0.8}, 8, 2),
        ({"right_size": 3}, 7, 3),
        ({"left_size": 0.5, "right_size": 0.2}, 5, 2),
        ({"left_size": 4}, 4, 6),
    ],
)
def test_the_first_rows_go_left(sizes, left, right):
    (x, y), (x_val, y_val) = split_dataset((X, Y), **sizes)
    np.testing.assert_array_equal(y, np.arange(left))
    np.testing.assert_array_equal(y_val, np.arange(left, left + right))
    np.testing.assert_array_equal(x[:, 0] // 2, y)
    assert np.shares_memory(x_val, X)


def test_shuffled_parts_keep_rows_together_and_repeat_with_the_seed():
    (x, y), (_, y_val) = split_dataset((X, Y), 0.6, shuffle=True, seed=1)
    np.testing.assert_array_equal(x[:, 0] // 2, y)
    assert sorted([*y, *y_val]) == list(range(10))
    assert list(y) != list(range(6))
    np.testing.assert_array_equal(split_dataset((X, Y), 0.6, shuffle=True, seed=1)[0][1], y)


def test_a_single_array_gives_two_arrays():
    left, right = split_dataset([1, 2, 3, 4], left_size=3)
    assert left.tolist() == [1, 2, 3]
    assert right.tolist() == [4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: split_dataset(X), "give left_size or right_size"),
        (lambda: split_dataset(X, 1.0), "10 samples can't be split into 10 and 0"),
        (lambda: split_dataset(X, 8, 5), "10 samples can't be split into 8 and 5"),
        (lambda: split_dataset(X, 1.5), "left_size must be a number ≥ 0 and ≤ 1"),
        (lambda: split_dataset((X, Y[:4]), 0.5), "the arrays must have the same number of samples, got 10, 4"),
        (lambda: k_fold(X, 11), "k must be at most the number of samples, 10, got 11"),
        (lambda: k_fold(X, 1), "k must be an integer ≥ 2"),
        (lambda: k_fold(X, 2, stratify=[1, 2]), r"stratify must have the shape \(10,\), one label per sample, got \(2,\)"),
    ],
)
def test_splits_that_can_not_be_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_is_held_out_once(k, shuffle):
    folds = list(k_fold(X, k, shuffle=shuffle, seed=3))
    assert len(folds) == k
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(10))
    for train, held in folds:
        assert sorted([*train, *held]) == list(range(10))
        assert len(held) in (10 // k, -(-10 // k))


def test_stratified_folds_have_their_share_of_each_class():
    classes = np.array([0] * 60 + [1] * 30 + [2] * 9)
    for _, held in k_fold(len(classes), 3, seed=0, stratify=classes):
        assert np.bincount(classes[held]).tolist() == [20, 10, 3]


def test_folds_repeat_with_the_seed():
    first, again, other = (np.concatenate([held for _, held in k_fold(50, 5, seed=seed)]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_sparse_matrices_are_split_like_their_dense_twins(form, kind, shuffle):
    scipy = pytest.importorskip("scipy.sparse")
    x = getattr(scipy, f"csr_{kind}")(X).asformat(form)
    assert type(x).__name__ == f"{form}_{kind}"
    parts = split_dataset((x, Y), left_size=0.7, shuffle=shuffle, seed=1)
    expected = split_dataset((X, Y), left_size=0.7, shuffle=shuffle, seed=1)
    for (sparse_x, y), (dense_x, dense_y) in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(sparse_x.toarray(), dense_x)
        np.testing.assert_array_equal(y, dense_y)
    left, _ = split_dataset(x, left_size=3)
    np.testing.assert_array_equal(left.toarray(), X[:3])
    folds, expected = k_fold(x, 3, seed=1), k_fold(X, 3, seed=1)
    assert [fold.tolist() for pair in folds for fold in pair] == [fold.tolist() for pair in expected for fold in pair]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_stay_frames_with_their_columns(library):
    frame = pytest.importorskip(library).DataFrame({"a": Y, "b": X[:, 1]})
    (left, a), (right, _) = split_dataset((frame, frame["a"]), left_size=0.7, shuffle=True, seed=1)
    assert type(left) is type(frame)
    assert list(left.columns) == ["a", "b"]
    assert (len(left), len(right)) == (7, 3)
    assert list(left["a"]) == list(a)
    assert len(list(k_fold(frame, 2))) == 2


def test_inputs_by_name_are_split_alike():
    (left, y), (right, _) = split_dataset(({"one": X, "two": Y}, Y), left_size=8)
    np.testing.assert_array_equal(left["two"], y)
    assert (left["one"].shape, right["one"].shape) == ((8, 2), (2, 2))
    with pytest.raises(ValueError, match="the arrays must have the same number of samples, got 10, 9"):
        split_dataset({"one": X, "two": Y[:9]}, left_size=8)
