"""Handwritten digits with a network of 784-512-10: the first program of many courses, and a look at what it gets wrong.

python examples/digits.py

Reads MNIST from $FASTMLP_DATA/mnist, or downloads it once (11 MB). Draws digits-curves.png and digits-wrong.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import layers, models, utils
from fastmlp.datasets import mnist
from fastmlp.utils import to_categorical

BLUE, RED = "#4477AA", "#EE6677"


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn MNIST's handwritten digits.")
    parser.add_argument("--quick", action="store_true", help="a quick check with 4 epochs on 6,000 digits")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    parser.add_argument("--data", metavar="FOLDER", help="folder with the four IDX files (default: $FASTMLP_DATA/mnist, or a download)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    rows, epochs = (6_000, 4) if options.quick else (60_000, 10)

    # Data: images of 28 × 28 bytes are reshaped to vectors of 784 numbers from 0 to 1, and labels are one-hot encoded.
    (x_train, y_train), (x_test, y_test) = mnist.load_data(options.data)
    x_train = x_train[:rows].reshape((rows, 28 * 28)).astype("float32") / 255
    x_test = x_test.reshape((10_000, 28 * 28)).astype("float32") / 255

    # The network: one hidden layer, and a softmax over the ten digits.
    utils.set_random_seed(0)
    model = models.Sequential()
    model.add(layers.Dense(512, activation="relu", input_shape=(28 * 28,)))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    model.summary()

    # Training. The last sixth of the training digits is used for validation.
    history = model.fit(x_train, to_categorical(y_train[:rows]), epochs=epochs, batch_size=128, validation_split=1 / 6, verbose=2)

    test_loss, test_accuracy = model.evaluate(x_test, to_categorical(y_test), verbose=0)
    probabilities = model.predict(x_test, verbose=0)
    answers = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answers != y_test)
    print(f"test loss {test_loss:.4f}")
    print(f"test accuracy {test_accuracy:.4f} ({len(wrong)} of {len(y_test)} digits wrong)")

    draw_curves(history.history).savefig(options.plots / "digits-curves.png", dpi=100)
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1))][:18]
    draw_digits(x_test[surest], y_test[surest], probabilities[surest]).savefig(options.plots / "digits-wrong.png", dpi=100)


def draw_curves(history: dict) -> plt.Figure:
    """Training and validation loss and accuracy per epoch."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axes, name, label in ((left, "loss", "cross-entropy"), (right, "accuracy", "share of digits read correctly")):
        axes.plot(epochs, history[name], "o-", color=BLUE, markersize=4, label="training")
        axes.plot(epochs, history[f"val_{name}"], "s--", color=RED, markersize=4, label="validation")
        axes.set(xlabel="epoch", ylabel=label, title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw_digits(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> plt.Figure:
    """Digits with their labels, the predicted classes and their probabilities."""
    figure, axes = plt.subplots(3, 6, figsize=(9, 5.6), layout="constrained")
    for ax, image, label, shares in zip(axes.flat, images, labels, probabilities, strict=True):
        ax.imshow(image.reshape(28, 28), cmap="gray_r")
        ax.set_title(f"a {label}, read as {shares.argmax()}\n({shares.max():.1%})", fontsize=9)
        ax.axis("off")
    return figure


if __name__ == "__main__":
    main()
