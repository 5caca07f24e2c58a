"""Images that a Rescaling layer scales: the first dense layer skips their zeros, as it does without that layer, and no bit changes."""

import numpy as np
import pytest

from fastmlp import layers, models, utils

SIDE, CLASSES, UNITS, DARK = 10, 5, 48, 7
rng = np.random.default_rng(0)
IMAGES = np.where(rng.random((200, SIDE, SIDE)) < 0.05, rng.integers(1, 256, (200, SIDE, SIDE)), 0).astype(np.uint8)
IMAGES[:, 0, DARK] = 0  # a pixel of the background of all images
LABELS = rng.integers(0, CLASSES, len(IMAGES))
PIXELS = np.linspace(-0.01, 0.01, SIDE * SIDE).reshape(SIDE, SIDE)


def made(skip_zeros, rescaling, optimizer="adam"):
    utils.set_random_seed(1)
    hidden = layers.Dense(UNITS, activation="tanh", name="hidden")
    model = models.Sequential(
        [layers.Input((SIDE, SIDE)), rescaling(), layers.Flatten(), hidden, layers.Dense(CLASSES, activation="softmax")]
    )
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], skip_zeros=skip_zeros)
    return model


def everything(model, x):
    losses = model.fit(x, LABELS, epochs=3, batch_size=16, verbose=0).history["loss"]
    return [
        *model.get_weights(),
        np.array(losses),
        np.array(model.evaluate(x, LABELS, verbose=0)),
        model.predict(x, verbose=0),
        model(x[:1]),
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize(
    "rescaling",
    [
        lambda: layers.Rescaling(1 / 255),
        lambda: layers.Rescaling(PIXELS),
        lambda: layers.Rescaling(1 / 127.5, -1),
        lambda: layers.Rescaling(0),
    ],
)
def test_skipping_the_zeros_of_rescaled_images_changes_no_bit(threads, rescaling, optimizer, dtype):
    x = IMAGES.astype(dtype)
    threads(1)
    expected = everything(made(False, rescaling, optimizer), x)
    for count in (1, 2, 3):
        threads(count)
        for skip_zeros in (True, "auto"):
            found = everything(made(skip_zeros, rescaling, optimizer), x)
            assert [a.tobytes() for a in found] == [b.tobytes() for b in expected], (count, skip_zeros)


def is_skipped(rescaling, skip_zeros=True):
    """Whether an infinite weight of a pixel that is zero in all images has no effect, because 0·∞ is not computed."""
    model = made(skip_zeros, rescaling)
    model.predict(IMAGES, verbose=0)
    network = model._network
    index = next(i for i in range(9) if network.get_parameter(i).shape == (SIDE * SIDE, UNITS))
    kernel = network.get_parameter(index).copy()
    kernel[DARK] = np.inf
    network.set_parameter(index, kernel)
    return bool(np.isfinite(model.predict(IMAGES, verbose=0)).all())


def test_zeros_are_skipped_after_a_rescaling_that_keeps_them_zero():
    assert is_skipped(lambda: layers.Rescaling(1 / 255))
    assert is_skipped(lambda: layers.Rescaling(1 / 255), skip_zeros="auto")
    assert is_skipped(lambda: layers.Rescaling(PIXELS))
    assert not is_skipped(lambda: layers.Rescaling(1 / 255), skip_zeros=False)


def test_a_sparse_matrix_is_rescaled():
    sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    dense = IMAGES.reshape(len(IMAGES), -1).astype(np.float32)

    def results(x):
        utils.set_random_seed(1)
        model = models.Sequential([layers.Input((SIDE * SIDE,)), layers.Rescaling(1 / 255), layers.Dense(CLASSES, activation="softmax")])
        model.compile("adam", loss="sparse_categorical_crossentropy", skip_zeros=True)
        model.fit(x, LABELS, epochs=2, verbose=0)
        return [*model.get_weights(), model.predict(x, verbose=0)]

    assert [a.tobytes() for a in results(sp.csr_matrix(dense))] == [b.tobytes() for b in results(dense)]
