"""Three spiral arms: plots of loss, accuracy and learning rate during training, and the size of the test set.

python examples/spiral.py

Draws spiral-live.png while it trains (in a notebook or on a desktop: on the screen), then spiral-plane.png and spiral-ratios.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import callbacks, layers, models, utils
from fastmlp.datasets import spiral
from fastmlp.optimizers import Adam
from fastmlp.optimizers.schedules import CosineDecay
from fastmlp.plotting import plot_decision_boundary

BLUE, RED = "#4477AA", "#EE6677"
BATCH = 32
NOISE = 0.45


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify points of a spiral, plot the training live, and compare sizes of the test set.")
    parser.add_argument("--quick", action="store_true", help="a quick check with fewer epochs, ratios and repetitions")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)

    # Live plot: the learning rate rises for the first tenth of the steps, then decays to 0 along a cosine.
    (x_train, y_train), (x_test, y_test) = spiral.load_data(noise=NOISE, test_fraction=0.2)
    epochs = 40 if options.quick else 200
    steps = epochs * -(-len(x_train) // BATCH)
    schedule = CosineDecay(0.0, decay_steps=0.9 * steps, warmup_target=0.02, warmup_steps=0.1 * steps)
    model = network(schedule)
    live = callbacks.LivePlot(options.plots / "spiral-live.png")
    live.figure.set_size_inches(9, 3.2)
    model.fit(x_train, y_train, epochs=epochs, batch_size=BATCH, validation_data=(x_test, y_test), verbose=0, callbacks=[live])
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"{epochs} epochs with a cosine: test loss {loss:.3f}, test accuracy {accuracy:.3f}")
    plot_decision_boundary(model, x_train, y_train, (x_test, y_test)).savefig(options.plots / "spiral-plane.png", dpi=100)

    # How large should the test set of 300 points be? Each size is repeated with different points and initial weights, for the same number
    # of training steps. The accuracy on another 30,000 points is the true accuracy that a test set estimates.
    x_far, y_far = spiral.generate(points_per_class=10_000, noise=NOISE, seed=1_000)
    repetitions = 3 if options.quick else 30
    shares = (0.1, 0.5, 0.9) if options.quick else (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    results = []
    print("test set   points to train on / to test on   true accuracy   test accuracy (mean ± standard deviation)   off by")
    for share in shares:
        pairs = []
        for seed in range(repetitions):
            train, test = spiral.load_data(points_per_class=100, noise=NOISE, test_fraction=share, seed=seed)
            model = network(0.01, seed)
            model.fit(*train, epochs=max(1, 1_500 // -(-len(train[0]) // BATCH)), batch_size=BATCH, verbose=0)
            pairs.append((model.evaluate(x_far, y_far, verbose=0)[1], model.evaluate(*test, verbose=0)[1]))
        true, said = np.transpose(pairs)
        off = np.sqrt(np.mean((said - true) ** 2))
        results.append((share, true, said))
        print(
            f"{share:8.0%}   {len(train[0]):18} / {len(test[0]):<11}   {true.mean():13.3f}"
            f"   {said.mean():17.3f} ± {said.std():.3f}   {off:24.3f}"
        )
    draw_ratios(results).savefig(options.plots / "spiral-ratios.png", dpi=100)


def network(learning_rate: object, seed: int = 0) -> models.Sequential:
    """2-64-64-3 with Adam."""
    utils.set_random_seed(seed)
    model = models.Sequential()
    model.add(layers.Dense(64, activation="relu", input_shape=(2,)))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(optimizer=Adam(learning_rate=learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def draw_ratios(results: list) -> plt.Figure:
    """The test accuracy, one dot per repetition, and the true accuracy."""
    figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
    rng = np.random.default_rng(0)
    for share, _, said in results:
        places = 100 * share + rng.uniform(-1.2, 1.2, len(said))
        ax.scatter(places, said, s=14, color=RED, alpha=0.6, label="test accuracy" if share == results[0][0] else None)
    ax.plot(
        [100 * share for share, _, _ in results], [true.mean() for _, true, _ in results], "s-", color=BLUE, label="true accuracy (mean)"
    )
    ax.set(
        xlabel="size of the test set, % of 300 points",
        ylabel="accuracy",
        title="a large test set measures well what a small training set made bad",
    )
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left")
    return figure


if __name__ == "__main__":
    main()
