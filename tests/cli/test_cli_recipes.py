"""``fastmlp train mnist --to-accuracy``: which recipe it chooses, how it ends, and the deformed images of a recipe."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from fastmlp import saving
from fastmlp._data.deformations import DeformedImages
from fastmlp.cli import main
from fastmlp.cli.tasks import RECIPES
from fastmlp.datasets import mnist

BATCH = 32


def bars(samples, seed):
    """Images of a bright bar, whose place is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, samples)
    images = np.zeros((samples, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4:24, 2 * label + 4] = rng.integers(150, 256)
    return images, labels.astype(np.uint8)


@pytest.fixture
def train(monkeypatch, capsys):
    """Runs the command on a few images in place of MNIST; returns the exit code, the standard output and the standard error."""
    monkeypatch.setattr(mnist, "load_data", lambda: (bars(500, 1), bars(200, 2)))

    def call(*arguments):
        try:
            code = main(["train", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("given", "network", "rate"),
    [
        ((), "784-512-512-10", 0.003),
        ((0.99,), "784-512-512-10", 0.003),
        ((0.983,), "784-512-512-10", 0.003),
        ((0.982,), "784-256-128-10", 0.005),
    ],
)
def test_the_fastest_recipe_for_an_accuracy_is_chosen(train, given, network, rate):
    _, out, err = train("mnist", "--to-accuracy", *given, "--epochs", 1, "--batch-size", BATCH)
    assert network in out
    assert f"1 epoch, batch size {BATCH}, adam in one cycle up to {rate}, seed 0" in out
    assert re.search(r"1/1 .*accuracy", err)


def test_the_accuracy_that_was_reached_decides_the_exit_code(train):
    code, out, err = train("mnist", "--to-accuracy", 0.5, "--epochs", 30, "--batch-size", BATCH)
    assert code == 0
    assert float(re.search(r"test accuracy\W+([\d.]+)", out).group(1)) > 0.5
    code, out, err = train("mnist", "--to-accuracy", 0.5, "--epochs", 1, "--learning-rate", 0)
    assert code == 1
    reached = re.search(r"test accuracy\W+([\d.]+)", out).group(1)
    assert f"fastmlp: the test accuracy is {reached}, less than the 0.5 of --to-accuracy" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist", "--to-accuracy", 0.995], "argument --to-accuracy: must be a number ≤ 0.99, which the best recipe reaches, got 0.995"),
        (["mnist", "--to-accuracy", 1], "argument --to-accuracy: must be a number ≥ 0 and < 1, got 1"),
        (["mnist", "--to-accuracy", "high"], "argument --to-accuracy: expected a number, got 'high'"),
        (["moons", "--to-accuracy"], "--to-accuracy does not apply to moons: there are recipes for mnist"),
    ],
)
def test_an_accuracy_without_a_recipe_is_refused(train, arguments, message):
    code, out, err = train(*arguments)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_other_options_change_the_recipe_and_the_model_is_saved(train, tmp_path):
    path = tmp_path / "digits.safetensors"
    train(
        "mnist",
        "--to-accuracy",
        "--hidden",
        16,
        "--epochs",
        2,
        "--dropout",
        0.1,
        "--optimizer",
        "sgd",
        "--learning-rate",
        0.5,
        "--save",
        path,
    )
    document = saving.describe(path)
    assert [layer["class"] for layer in document["model"]["layers"]] == ["InputLayer", "Rescaling", "Flatten", "Dense", "Dropout", "Dense"]
    assert document["compile"]["optimizer"]["class"] == "SGD"
    schedule = document["compile"]["optimizer"]["config"]["learning_rate"]
    assert schedule["config"]["max_learning_rate"] == 0.5
    assert schedule["config"]["total_steps"] == document["training"]["iterations"] == 2 * 4  # 500 images in batches of 128


@pytest.mark.slow
@pytest.mark.skipif("FASTMLP_DATA" not in os.environ, reason="FASTMLP_DATA does not name a folder with the real MNIST files")
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("accuracy", RECIPES["mnist"])
def test_recipes_reach_their_accuracy(accuracy, seed):
    assert main(["train", "mnist", "--to-accuracy", str(accuracy), "--seed", str(seed)]) == 0


# Deformed images


def dots(count=100):
    """Images of one bright pixel in the middle, each of another brightness, which is also the label."""
    images = np.zeros((count, 28, 28), np.uint8)
    labels = np.arange(1, count + 1)
    images[:, 13:15, 13:15] = labels[:, None, None]
    return images, labels


def epoch(batches):
    images, labels = zip(*(batches[i] for i in range(len(batches))), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_an_epoch_has_every_image_once_with_its_label():
    images, labels = epoch(DeformedImages(*dots(), BATCH, seed=0))
    assert sorted(labels) == list(range(1, 101))
    assert images.shape == (100, 28, 28)
    assert (images.max(axis=(1, 2)) == labels).all()


def test_each_epoch_has_new_deformations_and_a_new_order_determined_by_the_seed():
    first, same, other = (DeformedImages(*dots(), BATCH, seed) for seed in (0, 0, 1))
    before = epoch(first)
    assert all(np.array_equal(a, b) for a, b in zip(before, epoch(same), strict=True))
    assert not np.array_equal(before[1], epoch(other)[1])
    first.on_epoch_end()
    after = epoch(first)
    assert not np.array_equal(before[1], after[1])
    assert not np.array_equal(before[0][before[1].argsort()], after[0][after[1].argsort()])


def test_without_deformation_images_stay_as_they_are():
    images, labels = bars(50, 0)
    still = DeformedImages(images, np.arange(50), BATCH, 0, rotation=0, scaling=0, shear=0, shift=0)
    deformed, order = epoch(still)
    assert np.array_equal(deformed, images[order])
    assert len(labels) == 50


def test_pixels_that_come_from_outside_are_background():
    images = np.full((64, 28, 28), 255, np.uint8)
    shifted, _ = epoch(DeformedImages(images, np.arange(64), BATCH, 0, rotation=0, scaling=0, shear=0, shift=3))
    background = shifted == 0
    assert background.any(axis=(1, 2)).mean() > 0.9
    assert not background[:, 3:-3, 3:-3].any()
