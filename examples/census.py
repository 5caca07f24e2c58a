"""Incomes of the census: from a raw file with words, numbers and missing values to predictions that say how sure they are.

python examples/census.py --data FOLDER

Reads FOLDER/tabular/adult-train.csv.gz and adult-test.csv.gz (default: $FASTMLP_DATA). Draws census-sure.png and writes
census.safetensors.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import callbacks, layers, models, optimizers, utils

BLUE, RED = "#4477AA", "#EE6677"
NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
COLUMNS = ["age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex"]
COLUMNS += ["capital-gain", "capital-loss", "hours-per-week", "native-country", "income"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Predict from census data whether a person earns more than $50,000 a year.")
    parser.add_argument("--quick", action="store_true", help="a quick check with fewer epochs")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plot (default: current folder)")
    parser.add_argument("--data", default=os.environ.get("FASTMLP_DATA", ""), metavar="FOLDER", help="folder with tabular/adult-*.csv.gz")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)

    # The table as it is, as a dict of columns. A fifth of the training rows decides when to stop.
    known, y_known = read_people(Path(options.data) / "tabular" / "adult-train.csv.gz")
    x_test, y_test = read_people(Path(options.data) / "tabular" / "adult-test.csv.gz")
    (train, held_out), *_ = utils.k_fold(len(y_known), k=5, shuffle=True, seed=0)
    x_train, x_val = ({name: column[rows] for name, column in known.items()} for rows in (train, held_out))

    utils.set_random_seed(0)
    encoder = layers.TableEncoder()
    encoder.adapt(x_train)
    encoder.summary()
    model = models.Sequential([encoder])
    for _ in range(2):
        model.add(layers.Dense(256, activation="relu"))
        model.add(layers.Dropout(0.1))
    model.add(layers.Dense(1, activation="sigmoid"))
    steps = -(-len(train) // 256)
    optimizer = optimizers.AdamW(0.001, weight_decay=0.02, use_ema=True, ema_momentum=1 - 1 / (2 * steps))
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy", "auc"])
    history = model.fit(
        x_train,
        y_known[train],
        validation_data=(x_val, y_known[held_out]),
        batch_size=256,
        epochs=4 if options.quick else 100,
        callbacks=[callbacks.SwapEMAWeights(swap_on_epoch=True), callbacks.EarlyStopping(patience=8, restore_best_weights=True)],
        verbose=0,
    )
    loss, accuracy, auc = model.evaluate(x_test, y_test, verbose=0)
    print(f"test: accuracy {accuracy:.4f}, log-loss {loss:.4f}, AUC {auc:.4f} after {len(history.epoch)} epochs")
    print(f"accuracy of always no: {1 - y_test.mean():.4f}")

    # How sure is it? By the probability, and by how much it differs between networks with other units dropped.
    probability = model.predict(x_test, verbose=0)[:, 0]
    sure = np.abs(probability - 0.5)
    right = (probability > 0.5) == y_test
    for share in (1.0, 0.8, 0.5):
        surest = np.argsort(-sure)[: int(share * len(sure))]
        print(f"the {100 * share:3.0f}% it is most sure of: accuracy {right[surest].mean():.4f}")
    for title, row in (("sure", np.argmax(probability)), ("unsure", np.argmin(sure))):
        person = {name: column[row] for name, column in x_test.items()}
        low, high = np.quantile([model(person, training=True)[0, 0] for _ in range(200)], [0.05, 0.95])
        print(f"a person it is {title} of: {probability[row]:.3f}, with some units dropped {low:.3f} to {high:.3f}")
    someone = dict.fromkeys(known) | {"age": 45, "education": "Doctorate"}
    print(f"someone of 45 with a doctorate, nothing else known: {float(model(someone)[0, 0]):.3f}")

    model.class_names = ["<=50K", ">50K"]
    model.save(options.plots / "census.safetensors")
    draw(probability, y_test, right, sure).savefig(options.plots / "census-sure.png", dpi=100)


def read_people(file: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The columns of the file, with None where a value is missing, and whether each person earns more than $50,000."""
    if not file.is_file():
        sys.exit(
            f"{file} is missing: the Adult data set, lines of 15 values with commas between them, the income last, compressed by gzip. "
            "It is published at https://archive.ics.uci.edu/dataset/2/adult; put adult.data and adult.test as adult-train.csv.gz and "
            "adult-test.csv.gz into a folder tabular, and name the folder that has it with --data or in the environment variable "
            "FASTMLP_DATA"
        )
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.reader(lines, skipinitialspace=True) if len(row) == len(COLUMNS)]
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    income = columns.pop("income")
    people: dict[str, np.ndarray] = {}
    for name, column in columns.items():
        people[name] = (
            np.array(column, np.float64) if name in NUMBERS else np.array([None if value == "?" else value for value in column], object)
        )
    return people, np.array([value.startswith(">50K") for value in income], np.float32)


def draw(probability: np.ndarray, y: np.ndarray, right: np.ndarray, sure: np.ndarray) -> plt.Figure:
    """Whether probabilities are what they say, and the accuracy among those that the network is most sure of."""
    figure, (left, other) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    edges = np.linspace(0, 1, 11)
    place = np.clip(np.digitize(probability, edges) - 1, 0, 9)
    predicted = np.array([probability[place == k].mean() for k in range(10)])
    found = np.array([y[place == k].mean() for k in range(10)])
    left.axline((0, 0), slope=1, color="0.4", linewidth=1, label="right")
    left.plot(predicted, found, marker="o", color=BLUE, label="network")
    left.set(xlabel="predicted probability", ylabel="share that earns more than $50,000", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    share = np.arange(1, len(y) + 1) / len(y)
    accuracy = np.cumsum(right[np.argsort(-sure)]) / np.arange(1, len(y) + 1)
    start = len(y) // 50
    other.plot(100 * share[start:], 100 * accuracy[start:], color=RED)
    other.set(xlabel="people it is most sure of, %", ylabel="accuracy among them, %", xlim=(0, 100))
    left.legend(loc="upper left")
    for axes in (left, other):
        axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
