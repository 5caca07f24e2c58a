"""Is a movie review positive or negative? Binary classification of sentences as bags of words in a sparse matrix.

python examples/movie_reviews.py --data FOLDER

Reads FOLDER/text/rt-polarity.pos and .neg (default: $FASTMLP_DATA). Draws movie_reviews-curves.png and movie_reviews-words.png.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_matrix, identity

from fastmlp import layers, models, utils

BLUE, RED = "#4477AA", "#EE6677"


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify movie reviews as positive or negative.")
    parser.add_argument("--quick", action="store_true", help="a quick check with a third of the reviews")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    parser.add_argument("--data", default=os.environ.get("FASTMLP_DATA", ""), metavar="FOLDER", help="with text/rt-polarity.pos and .neg")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)

    # Shuffle the reviews and split them into training, validation and test sets.
    reviews, labels = read_reviews(Path(options.data) / "text")
    order = np.random.default_rng(0).permutation(len(reviews))[: 3_500 if options.quick else None]
    train, validation, test = np.split(order, [int(0.7 * len(order)), int(0.85 * len(order))])

    # The vocabulary comes from the training set only: words that occur only in the other sets must stay unknown.
    counts = Counter(word for row in train for word in set(reviews[row]))
    words = sorted(word for word, count in counts.items() if count >= 2)
    columns = {word: column for column, word in enumerate(words)}
    x = bags_of_words(reviews, columns)
    print(f"{len(train)} + {len(validation)} + {len(test)} reviews, {len(words)} words, {x.nnz / x.shape[0]:.1f} of them in a review")

    # Choose the number of epochs: the one with the lowest validation loss.
    model = network(len(words))
    fitted = model.fit(x[train], labels[train], epochs=12, batch_size=64, validation_data=(x[validation], labels[validation]), verbose=0)
    history = fitted.history
    epochs = int(np.argmin(history["val_loss"])) + 1
    for epoch in sorted({0, epochs - 1, len(history["loss"]) - 1}):
        print(
            f"after epoch {epoch + 1:2}: training loss {history['loss'][epoch]:.3f}, accuracy {history['accuracy'][epoch]:.3f};"
            f" validation loss {history['val_loss'][epoch]:.3f}, accuracy {history['val_accuracy'][epoch]:.3f}"
        )

    # Train a new network for that many epochs on the training and validation sets, and evaluate it once on the test set.
    known = np.concatenate([train, validation])
    model = network(len(words))
    model.fit(x[known], labels[known], epochs=epochs, batch_size=64, verbose=0)
    test_loss, test_accuracy = model.evaluate(x[test], labels[test], verbose=0)
    print(f"trained anew for {epochs} epochs: test loss {test_loss:.3f}, test accuracy {test_accuracy:.3f}")

    # What has it learned? A review of a single word is a row of the identity matrix.
    opinions = model.predict(identity(len(words), format="csr"), verbose=0)[:, 0]
    frequent = np.array([column for word, column in columns.items() if counts[word] >= 20 and len(word) > 2])
    ranked = frequent[np.argsort(opinions[frequent])]
    print("worst words:", ", ".join(words[column] for column in ranked[:10]))
    print("best words: ", ", ".join(words[column] for column in ranked[:-11:-1]))

    draw_curves(history, epochs).savefig(options.plots / "movie_reviews-curves.png", dpi=100)
    extremes = [*ranked[:15], *ranked[-15:]]
    draw_words([words[column] for column in extremes], opinions[extremes]).savefig(options.plots / "movie_reviews-words.png", dpi=100)


def read_reviews(folder: Path) -> tuple[list[list[str]], np.ndarray]:
    """The words of each review, and its label: 1 is positive, 0 negative."""
    files = [folder / "rt-polarity.neg", folder / "rt-polarity.pos"]
    if not all(file.is_file() for file in files):
        sys.exit(
            f"{folder} lacks rt-polarity.pos and rt-polarity.neg: Pang and Lee's sentences from movie reviews, one a line. They are "
            "published at https://www.cs.cornell.edu/people/pabo/movie-review-data/ (sentence polarity dataset); put them into a folder "
            "text, and name the folder that has it with --data or in the environment variable FASTMLP_DATA"
        )
    sentences = [file.read_text(encoding="latin-1").strip("\n").split("\n") for file in files]
    labels = np.repeat([0, 1], [len(part) for part in sentences])
    return [sentence.split() for part in sentences for sentence in part], labels


def bags_of_words(reviews: list[list[str]], columns: dict[str, int]) -> csr_matrix:
    """A matrix with a row for each review and a 1 for every word that it contains."""
    places = [(row, columns[word]) for row, review in enumerate(reviews) for word in set(review) if word in columns]
    return csr_matrix((np.ones(len(places), np.float32), np.transpose(places)), shape=(len(reviews), len(columns)))


def network(words: int) -> models.Sequential:
    """A hidden layer of 16 units; the output is the probability that the review is positive."""
    utils.set_random_seed(0)
    model = models.Sequential()
    model.add(layers.Dense(16, activation="relu", input_shape=(words,)))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def draw_curves(history: dict, best: int) -> plt.Figure:
    """Loss and accuracy per epoch, and the epoch with the lowest validation loss."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axes, name, label in ((left, "loss", "cross-entropy"), (right, "accuracy", "share judged correctly")):
        axes.plot(epochs, history[name], "o-", color=BLUE, markersize=4, label="training")
        axes.plot(epochs, history[f"val_{name}"], "s--", color=RED, markersize=4, label="validation")
        axes.axvline(best, color="0.5", linewidth=1, linestyle=":", label=f"epoch {best}")
        axes.set(xlabel="epoch", ylabel=label, title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw_words(words: list[str], opinions: np.ndarray) -> plt.Figure:
    """The probability that a review of each word alone is positive."""
    figure, axes = plt.subplots(figsize=(7, 6.4), layout="constrained")
    axes.barh(words, opinions - 0.5, left=0.5, color=[BLUE if opinion > 0.5 else RED for opinion in opinions])
    axes.axvline(0.5, color="0.3", linewidth=1)
    axes.set(xlim=(0, 1), xlabel="probability that a review of this word alone is favourable")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.01)
    return figure


if __name__ == "__main__":
    main()
