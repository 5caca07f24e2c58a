"""Housing prices: regression with little data, k-fold cross-validation, and curves of the mean absolute error.

python examples/housing.py --data FOLDER

Reads FOLDER/tabular/housing.csv (default: $FASTMLP_DATA). Draws housing-folds.png and housing-test.png.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import layers, models, utils

BLUE, RED = "#4477AA", "#EE6677"
COLUMNS = ["CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT", "MEDV"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Predict housing prices, with k-fold cross-validation.")
    parser.add_argument("--quick", action="store_true", help="a quick check with fewer epochs and folds")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    parser.add_argument("--data", default=os.environ.get("FASTMLP_DATA", ""), metavar="FOLDER", help="folder with tabular/housing.csv")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    epochs, folds = (60, 3) if options.quick else (500, 5)

    # Set aside 100 random samples as the test set (the file is ordered by town).
    x, y = read_prices(Path(options.data) / "tabular" / "housing.csv")
    (x_test, y_test), (x_known, y_known) = utils.split_dataset((x, y), left_size=100, shuffle=True, seed=0)

    # Each fold is the validation set once, for a network trained on the other folds.
    curves = []
    for number, (train, held_out) in enumerate(utils.k_fold(len(x_known), k=folds, shuffle=True, seed=0)):
        mean, deviation = scale(x_known[train])
        model = network(seed=number)
        history = model.fit(
            (x_known[train] - mean) / deviation,
            y_known[train],
            epochs=epochs,
            batch_size=16,
            validation_data=((x_known[held_out] - mean) / deviation, y_known[held_out]),
            verbose=0,
        ).history
        curves.append((history["mae"], history["val_mae"]))
        best = int(np.argmin(history["val_mae"]))
        print(
            f"fold {number + 1}: {len(train)} + {len(held_out)} rows, validation MAE {history['val_mae'][-1]:.2f} at the end,"
            f" {history['val_mae'][best]:.2f} at best (epoch {best + 1})"
        )
    training, validation = np.mean(curves, axis=0)
    best_epochs = int(np.argmin(smooth(validation))) + 1
    print(f"mean of the folds: {validation[-1]:.2f} at the end, {validation[best_epochs - 1]:.2f} after {best_epochs} epochs")

    # The final network: trained on all samples outside the test set, for the number of epochs found by cross-validation.
    mean, deviation = scale(x_known)
    model = network(seed=0)
    model.fit((x_known - mean) / deviation, y_known, epochs=best_epochs, batch_size=16, verbose=0)
    test_mae = model.evaluate((x_test - mean) / deviation, y_test, verbose=0)[1]
    guess = np.abs(y_test - np.median(y_known)).mean()
    line = np.linalg.lstsq(np.column_stack([x_known, np.ones(len(x_known))]), y_known, rcond=None)[0]
    straight = np.abs(np.column_stack([x_test, np.ones(len(x_test))]) @ line - y_test).mean()
    print(f"test MAE {test_mae:.2f} (thousand dollars); linear regression {straight:.2f}; always the median {guess:.2f}")

    draw_folds(curves, training, validation, best_epochs).savefig(options.plots / "housing-folds.png", dpi=100)
    predicted = model.predict((x_test - mean) / deviation, verbose=0)[:, 0]
    draw_test(y_test, predicted, test_mae).savefig(options.plots / "housing-test.png", dpi=100)


def read_prices(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Twelve features and the median price of each tract, in thousands of dollars of 1970."""
    if not file.is_file():
        sys.exit(
            f"{file} is missing: the Boston housing data as 506 lines of 14 numbers with commas between them, the price last. They are "
            "published at https://lib.stat.cmu.edu/datasets/boston; put the file into a folder tabular, and name the folder that has it "
            "with --data or in the environment variable FASTMLP_DATA"
        )
    table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    features = [column for column, name in enumerate(COLUMNS) if name not in ("B", "MEDV")]
    return table[:, features], table[:, COLUMNS.index("MEDV")]


def scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, for training samples only."""
    return x.mean(axis=0), x.std(axis=0)


def network(seed: int) -> models.Sequential:
    """Two hidden layers of 64 units and one linear output, because a price may be any number."""
    utils.set_random_seed(seed)
    model = models.Sequential()
    model.add(layers.Dense(64, activation="relu", input_shape=(12,)))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(1))
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


def smooth(curve: np.ndarray, share: float = 0.9) -> np.ndarray:
    """An exponential moving average, so that the best epoch does not depend on noise."""
    result = [curve[0]]
    for value in curve[1:]:
        result.append(share * result[-1] + (1 - share) * value)
    return np.array(result)


def draw_folds(curves: list, training: np.ndarray, validation: np.ndarray, best: int) -> plt.Figure:
    """MAE per epoch: thin lines for the folds, thick lines for their means."""
    figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
    for number, (_, fold) in enumerate(curves):
        ax.plot(fold, color=RED, linewidth=0.7, alpha=0.45, label="validation, each fold" if number == 0 else None)
    ax.plot(validation, color=RED, linewidth=2, label="validation, mean")
    ax.plot(training, color=BLUE, linewidth=2, linestyle="--", label="training, mean")
    ax.axvline(best, color="0.5", linestyle=":", label=f"epoch {best}")
    ax.set(xlabel="epoch", ylabel="mean absolute error, thousand dollars", ylim=(0, 6))
    ax.grid(alpha=0.3)
    ax.legend(ncols=2)
    return figure


def draw_test(prices: np.ndarray, predicted: np.ndarray, mae: float) -> plt.Figure:
    """Predicted prices against true prices for the test set."""
    figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
    ax.axline((0, 0), slope=1, color="0.4", linewidth=1, label="right")
    ax.scatter(prices, predicted, s=22, color=BLUE, edgecolor="white", linewidth=0.5, label="a tract of the test set")
    ax.set(xlabel="price, thousand dollars", ylabel="predicted price, thousand dollars", xlim=(0, 55), ylim=(0, 55))
    ax.set(title=f"off by {mae:.2f} thousand dollars on average", aspect="equal")
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    main()
