"""validation_split takes the last samples, and warns when these are unlike the others, but never of samples in random order."""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from fastmlp import layers, models, utils

RANDOM = np.random.default_rng(0)


@functools.cache
def model_for(inputs, outputs):
    """A model for integer class labels (no ``outputs``), or for so many targets."""
    last = layers.Dense(outputs) if outputs else layers.Dense(4, "softmax")
    model = models.Sequential([layers.Input((inputs,)), last])
    model.compile("sgd", "mse" if outputs else "sparse_categorical_crossentropy")
    return model


def told(x, y, share=0.2):
    """What ``fit`` says about its validation samples; "" for nothing."""
    y = np.asarray(y)
    model = model_for(x.shape[1], 0 if y.ndim == 1 else y.shape[1])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with contextlib.suppress(FloatingPointError):
            model.fit(x, y, validation_split=share, batch_size=len(x), verbose=0)
    return str(seen[0].message) if seen else ""


def noise(rows, features=3):
    return RANDOM.normal(size=(rows, features))


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("rows", [30, 100, 1000])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n: np.arange(n) * 3 // n, "class"),
        (lambda n: (np.arange(n) < n // 2)[:, None], "class"),
        (lambda n: (np.arange(n) > 0.85 * n)[:, None], "class"),
        (lambda n: np.eye(4)[np.arange(n) * 4 // n], "class"),
        (lambda n: np.sort(RANDOM.normal(size=(n, 1)), axis=0), r"their targets are .* those of the training samples"),
        (lambda n: -np.sort(RANDOM.exponential(size=(n, 1)), axis=0), r"their targets are .* those of the training samples"),
        (lambda n: np.stack([RANDOM.normal(size=n), np.arange(n)], axis=1), "in column 1 of y their targets are"),
    ],
    ids=["labels", "no after yes", "rare yes at the end", "one-hot", "numbers", "skewed numbers", "one of two targets"],
)
def test_sorted_targets_warn(make, message, rows, share):
    assert re.search(message, told(noise(rows), make(rows), share))


def test_the_warning_names_what_differs_and_what_to_do():
    message = told(noise(300), np.repeat([0, 1, 2], 100))
    assert "validation_split takes the last 60 of 300 samples, and these have no class 0, 1, as 83% of the training samples do" in message
    assert "shuffle x and y together before fit (utils.split_dataset(..., shuffle=True))" in message
    assert "validation_data" in message


def test_a_share_of_a_class_that_is_far_from_the_others_warns():
    y = np.concatenate([RANDOM.random(4000) < 0.1, RANDOM.random(1000) < 0.5])[:, None]
    assert re.search(r"class [01] is \d+% of them, but \d+% of the training samples", told(noise(5000), y))


def test_samples_in_the_order_of_a_feature_warn():
    x = np.linspace(0, 10, 200)[:, None]
    message = told(x, np.sin(x))
    assert "in feature 0 of x they have 8.04 ... 10 (median 9.045), the training samples 0 ... 7.99 (median 4.02)" in message


def test_targets_that_spread_out_warn():
    y = RANDOM.normal(size=(500, 1)) * np.where(np.arange(500) < 400, 0.1, 10)[:, None]
    assert "their targets are" in told(noise(500), y)


@pytest.mark.parametrize(
    "draw",
    [
        lambda n: RANDOM.integers(0, 2, n),
        lambda n: RANDOM.integers(0, 2, (n, 1)),
        lambda n: RANDOM.random((n, 1)) < 0.3,
        lambda n: np.eye(3)[RANDOM.integers(0, 3, n)],
        lambda n: RANDOM.integers(0, 2, (n, 5)),
        lambda n: RANDOM.normal(size=(n, 1)),
        lambda n: RANDOM.standard_cauchy((n, 2)),
        lambda n: RANDOM.poisson(1, (n, 1)),
        lambda n: np.ones((n, 1)),
    ],
    ids=["labels", "yes or no", "rare yes", "one-hot", "several yes or no", "numbers", "heavy tails", "counts", "constant"],
)
def test_samples_in_random_order_never_warn(draw):
    for rows, share in [(20, 0.3), (40, 0.2), (100, 0.1), (100, 0.2), (300, 0.5), (1000, 0.2)] * 40:
        y = draw(rows)
        split_at = int(rows * (1 - share))
        columns = y[:, None] if y.ndim == 1 else y if len(np.unique(y)) <= 2 else y[:, :0]  # of classes: by chance, one may be unseen
        unseen = any(set(column[split_at:]) - set(column[:split_at]) for column in columns.T)
        assert unseen or not told(noise(rows, 20), y, share)


def test_a_trend_that_is_not_gross_does_not_warn():
    drift = np.linspace(0, 0.5, 2000)[:, None]
    assert not told(noise(2000) + drift, RANDOM.normal(size=(2000, 1)) + drift)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_every_output_is_looked_at(engine):
    x = layers.Input((3,))
    model = models.Model(x, [layers.Dense(2, name="a")(x), layers.Dense(3, activation="softmax", name="b")(x)])
    model.compile("sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"}, engine=engine)
    with pytest.warns(UserWarning, match="these have no class 0, 1, as 83% of the training samples do"):
        model.fit(noise(300), [noise(300, 2), np.repeat([0, 1, 2], 100)], validation_split=0.2, verbose=0)


def test_validation_data_never_warn():
    x, y = noise(200), np.sort(RANDOM.normal(size=200))
    (x_train, y_train), held_out = utils.split_dataset((x, y), left_size=0.8)
    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(x_train, y_train, validation_data=held_out, verbose=0)


def table(name, separator=","):
    """The columns of numbers of a file of real data; of others the numbers of their values."""
    folder = Path(os.environ.get("FASTMLP_DATA", "nowhere")) / "tabular"
    if not folder.is_dir():
        pytest.skip("real data are looked for in the folder that FASTMLP_DATA names")
    opened = gzip.open if name.endswith(".gz") else open
    with opened(folder / name, "rt", encoding="utf-8", errors="replace", newline="") as file:
        lines = [line for line in csv.reader(file, delimiter=separator) if line]
    columns = []
    for column in zip(*(line for line in lines[1:] if len(line) == len(lines[1])), strict=True):
        try:
            columns.append(np.nan_to_num(np.array([float(cell or 0) for cell in column])))
        except ValueError:
            columns.append(np.unique(column, return_inverse=True)[1].astype(float))
    return np.stack(columns, axis=1)


FILES = [
    "abalone.csv",
    "adult-train.csv.gz",
    "california.csv.gz",
    "housing.csv",
    "phoneme.csv",
    "pima-indians-diabetes.csv",
    "telco-churn.csv.gz",
]


@pytest.mark.parametrize("name", FILES)
def test_real_data_warn_when_they_are_sorted_and_not_when_they_are_shuffled(name):
    data = table(name)
    x, y = data[:, :-1], data[:, -1:]
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(x))
        assert not told(x[order], y[order])
    order = np.argsort(y[:, 0], kind="stable")
    assert told(x[order], y[order])
