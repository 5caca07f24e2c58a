"""Scores on real tables: a network with a TableEncoder, a network on columns prepared by hand, and other libraries.

    python benchmarks/tables.py                                    all tables and models that are found, one seed
    python benchmarks/tables.py --sets adult california --models encoder plain --seeds 0 1 2
    python benchmarks/tables.py --splits DIR                       rows of DIR/<set>-<split>.npz instead of random ones

The data are the files of ``$FASTMLP_DATA/tabular``, and three sets of scikit-learn. 60 % of the rows are for training, 20 % choose the best
epoch (of the networks of fastmlp and of CatBoost), 20 % are the test; of adult, the test is the official one. Each model trains on the
training rows only, on one thread. The loss is the logarithmic loss, or the root of the mean squared error of a regression.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import fastmlp
from fastmlp import callbacks, layers, models, optimizers, utils

Scores = dict[str, float]
Fit = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray, int], Callable[[pd.DataFrame], np.ndarray]]
"""From training and validation rows and a seed to a function that predicts probabilities ``(rows, classes)``, or values ``(rows,)``."""

ADULT = ["age", "workclass", "fnlwgt", "education", "education-num", "marital", "occupation", "relationship"]
ADULT += ["race", "sex", "gain", "loss", "hours", "country", "income"]


def _csv(
    name: str, target: Any, positive: str | None = None, drop: tuple[Any, ...] = (), **options: Any
) -> tuple[pd.DataFrame, np.ndarray]:
    """A table and its targets: numbers, or whether the target begins with ``positive``."""
    frame = pd.read_csv(Path(os.environ["FASTMLP_DATA"], "tabular", name), **options).drop(columns=list(drop))
    y = frame.pop(target)
    return frame, (y.str.strip().str.startswith(positive).to_numpy() if positive else y.to_numpy())


def _last(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A table without header, whose last column is the target."""
    frame = pd.read_csv(Path(os.environ["FASTMLP_DATA"], "tabular", name), header=None)
    y = frame.pop(frame.columns[-1]).to_numpy()
    return frame.rename(columns=str), y


def _adult() -> tuple[pd.DataFrame, np.ndarray]:
    parts = [_csv(f"adult-{part}.csv.gz", "income", ">50K", header=None, names=ADULT, na_values=" ?") for part in ("train", "test")]
    return pd.concat([frame for frame, _ in parts], ignore_index=True), np.concatenate([y for _, y in parts])


def _bank() -> tuple[pd.DataFrame, np.ndarray]:
    frame, y = _csv("bank-additional-full.csv.gz", "y", "yes", ("duration",), sep=";")  # the duration of a call is known only after it
    return frame.assign(pdays=frame["pdays"].where(frame["pdays"] != 999)), y  # 999: never called before


def _credit() -> tuple[pd.DataFrame, np.ndarray]:
    frame, y = _csv("credit-default.csv.gz", "default.payment.next.month", drop=("ID",), lineterminator="\r", skipinitialspace=True)
    return frame.astype(dict.fromkeys(("SEX", "EDUCATION", "MARRIAGE"), str)), y


def _telco() -> tuple[pd.DataFrame, np.ndarray]:
    frame, y = _csv("telco-churn.csv.gz", "Churn", "Yes", ("customerID",))
    return frame.assign(TotalCharges=pd.to_numeric(frame["TotalCharges"], errors="coerce")), y


def _bike() -> tuple[pd.DataFrame, np.ndarray]:
    frame, y = _csv("bike-hour.csv.gz", "count", drop=("instant", "dateday", "casual", "registered"))
    return frame.astype(dict.fromkeys(("season", "weekday", "weathersit"), str)), y


def _california() -> tuple[pd.DataFrame, np.ndarray]:
    frame, y = _csv("california.csv.gz", "median_house_value")
    return frame, y / 1e5


def _of_scikit_learn(name: str) -> Callable[[], tuple[pd.DataFrame, np.ndarray]]:
    def load() -> tuple[pd.DataFrame, np.ndarray]:
        from sklearn import datasets

        data = getattr(datasets, f"load_{name}")()
        return pd.DataFrame(data.data).rename(columns=str), data.target

    return load


REGRESSIONS = ("boston", "diabetes", "abalone", "wine_white", "bike", "california")
SETS: Mapping[str, Callable[[], tuple[pd.DataFrame, np.ndarray]]] = {
    "boston": lambda: _last("housing.csv"),
    "diabetes": _of_scikit_learn("diabetes"),
    "breast_cancer": _of_scikit_learn("breast_cancer"),
    "pima": lambda: _last("pima-indians-diabetes.csv"),
    "digits": _of_scikit_learn("digits"),
    "abalone": lambda: _last("abalone.csv"),
    "wine_white": lambda: _last("winequality-white.csv"),
    "phoneme": lambda: _last("phoneme.csv"),
    "telco": _telco,
    "bike": _bike,
    "california": _california,
    "credit": _credit,
    "bank": _bank,
    "adult": _adult,
}


# -- models ---------------------------------------------------------------------------------------------------------------------------


def _batch_size(rows: int) -> int:
    return 32 if rows < 2_000 else 128 if rows < 10_000 else 256


def _hidden(*units: int) -> list[layers.Layer]:
    return [layer for size in units for layer in (layers.Dense(size, activation="relu"), layers.Dropout(0.1))]


def _trained(
    first: list[layers.Layer],
    hidden: list[layers.Layer],
    x: Any,
    y: np.ndarray,
    x_val: Any,
    y_val: np.ndarray,
    optimizer: Any,
    patience: int,
) -> Callable[[Any], np.ndarray]:
    """A network for these targets, with the weights of its best epoch."""
    classes = 0 if y.dtype.kind == "f" else int(y.max()) + 1
    center, spread = (float(y.mean()), float(y.std())) if not classes else (0.0, 1.0)
    last = {0: layers.Dense(1), 2: layers.Dense(1, activation="sigmoid")}.get(classes, layers.Dense(max(classes, 1), activation="softmax"))
    model = models.Sequential([*first, *hidden, last])
    model.compile(optimizer, {0: "mse", 2: "binary_crossentropy"}.get(classes, "sparse_categorical_crossentropy"))
    watchers: list[Any] = [callbacks.EarlyStopping(patience=patience, restore_best_weights=True)]
    if optimizer.use_ema:
        watchers.insert(0, callbacks.SwapEMAWeights(swap_on_epoch=True))
    targets = [(values - center) / spread if not classes else values for values in (y, y_val)]
    model.fit(x, targets[0], validation_data=(x_val, targets[1]), epochs=256, batch_size=_batch_size(len(y)), verbose=0, callbacks=watchers)

    def predict(rows: Any) -> np.ndarray:
        p = model.predict(rows, verbose=0).astype(np.float64)
        if not classes:
            return p[:, 0] * spread + center
        return np.column_stack([1 - p, p]) if classes == 2 else p

    return predict


def encoder(x: pd.DataFrame, y: np.ndarray, x_val: pd.DataFrame, y_val: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
    """The settings that docs/tables.md recommends."""
    first = layers.TableEncoder()
    first.adapt(x)
    steps = math.ceil(len(y) / _batch_size(len(y)))
    optimizer = optimizers.AdamW(0.001, weight_decay=0.02, use_ema=True, ema_momentum=1 - 1 / (2 * steps))
    return _trained([first], _hidden(256, 256), x, y, x_val, y_val, optimizer, patience=16 if len(y) < 2_000 else 8)


def _prepared(x: pd.DataFrame) -> Any:
    """Numbers standardized, with the median and an indicator for missing ones, and one-hot categories."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in x if x[name].dtype.kind in "iufb"]
    categories = [name for name in x if name not in numbers]
    numeric = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    columns = [("numbers", numeric, numbers), ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories)]
    return ColumnTransformer(columns).fit(x)


def plain(x: pd.DataFrame, y: np.ndarray, x_val: pd.DataFrame, y_val: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
    """The same network on columns that are prepared by hand."""
    prepare = _prepared(x)
    a, b = (np.ascontiguousarray(prepare.transform(rows), np.float32) for rows in (x, x_val))
    predict = _trained([layers.Input((a.shape[1],))], _hidden(256, 256), a, y, b, y_val, optimizers.Adam(0.001), patience=16)
    return lambda rows: predict(np.ascontiguousarray(prepare.transform(rows), np.float32))


def scikit_learn_mlp(x: pd.DataFrame, y: np.ndarray, x_val: pd.DataFrame, y_val: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    prepare = _prepared(x)
    if y.dtype.kind == "f":
        center, spread = y.mean(), y.std()
        regressor = MLPRegressor(random_state=seed).fit(prepare.transform(x), (y - center) / spread)
        return lambda rows: regressor.predict(prepare.transform(rows)) * spread + center
    classifier = MLPClassifier(random_state=seed).fit(prepare.transform(x), y)
    return lambda rows: classifier.predict_proba(prepare.transform(rows))


def _categorical(x: pd.DataFrame) -> pd.DataFrame:
    return x.astype({name: "category" for name in x if x[name].dtype.kind not in "iufb"})


def _of(model: Any, y: np.ndarray, prepare: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Any], np.ndarray]:
    return lambda rows: model.predict(prepare(rows)) if y.dtype.kind == "f" else model.predict_proba(prepare(rows))


def hist_gradient_boosting(
    x: pd.DataFrame, y: np.ndarray, x_val: pd.DataFrame, y_val: np.ndarray, seed: int
) -> Callable[[Any], np.ndarray]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = HistGradientBoostingRegressor if y.dtype.kind == "f" else HistGradientBoostingClassifier
    return _of(make(random_state=seed, categorical_features="from_dtype").fit(_categorical(x), y), y, _categorical)


def lightgbm(x: pd.DataFrame, y: np.ndarray, x_val: pd.DataFrame, y_val: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
    from lightgbm import LGBMClassifier, LGBMRegressor

    make = LGBMRegressor if y.dtype.kind == "f" else LGBMClassifier
    return _of(make(random_state=seed, n_jobs=1, verbose=-1).fit(_categorical(x), y), y, _categorical)


def catboost(x: pd.DataFrame, y: np.ndarray, x_val: pd.DataFrame, y_val: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
    from catboost import CatBoostClassifier, CatBoostRegressor

    categories = [name for name in x if x[name].dtype.kind not in "iufb"]

    def prepare(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{name: rows[name].astype(str) for name in categories})

    make = CatBoostRegressor if y.dtype.kind == "f" else CatBoostClassifier
    model = make(random_seed=seed, thread_count=1, verbose=0, allow_writing_files=False, cat_features=categories)
    return _of(model.fit(prepare(x), y, eval_set=(prepare(x_val), y_val)), y, prepare)


MODELS: Mapping[str, Fit] = {
    "encoder": encoder,
    "plain": plain,
    "scikit-learn MLP": scikit_learn_mlp,
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": lightgbm,
    "CatBoost": catboost,
}


# -- runs -----------------------------------------------------------------------------------------------------------------------------


def _scores(y: np.ndarray, p: np.ndarray) -> Scores:
    if y.dtype.kind == "f":
        return {"loss": float(np.sqrt(np.mean((y - p) ** 2)))}
    scores = {"loss": float(-np.mean(np.log(np.clip(p[np.arange(len(y)), y], 1e-7, 1)))), "accuracy": float(np.mean(p.argmax(1) == y))}
    if p.shape[1] == 2:
        from sklearn.metrics import roc_auc_score

        scores["AUC"] = float(roc_auc_score(y, p[:, 1]))
    return scores


def _parts(name: str, split: int, folder: Path | None, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The rows for training, validation and the test; None if there is no such split."""
    if folder is not None:
        path = folder / f"{name}-{split}.npz"
        if not path.exists():
            return None
        rows = np.load(path)
        return rows["train"], rows["val"], rows["test"]
    order = np.random.default_rng(split).permutation(32_561 if name == "adult" else len(y))
    test = np.arange(32_561, len(y)) if name == "adult" else order[: len(y) // 5]
    rest = order if name == "adult" else order[len(y) // 5 :]
    return rest[len(rest) // 5 :], rest[: len(rest) // 5], test


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, str, Scores, float]]:
    """The set, the model, its scores on the test, and the processor time of its training in seconds."""
    for name in options.sets:
        x, y = SETS[name]()
        y = y.astype(np.float64 if name in REGRESSIONS else np.int64)
        for split in options.split_numbers:
            parts = _parts(name, split, options.splits, y)
            if parts is None:
                continue
            train, validation, test = parts
            tables = [x.iloc[rows].reset_index(drop=True) for rows in parts]
            for model in options.models:
                for seed in options.seeds:
                    utils.set_random_seed(seed)
                    begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime
                    try:
                        predict = MODELS[model](tables[0], y[train], tables[1], y[validation], seed)
                    except ImportError as error:
                        warnings.warn(f"{model} is left out: {error}", stacklevel=1)
                        break
                    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - begin
                    yield name, model, _scores(y[test], predict(tables[2])), seconds


def _table(found: Mapping[tuple[str, str], list[tuple[Scores, float]]], sets: list[str], names: list[str]) -> Table:
    table = Table(title="mean scores on the test, and seconds of processor time")
    for heading in ("set", "score", *names):
        table.add_column(heading, justify="left" if heading in ("set", "score") else "right", no_wrap=True)
    for name in sets:
        scores = next((list(runs[0][0]) for (one, _), runs in found.items() if one == name), [])
        for score in (*scores, "seconds"):
            cells = []
            for model in names:
                runs = found.get((name, model), [])
                values = [seconds if score == "seconds" else run[score] for run, seconds in runs]
                cells.append(f"{np.mean(values):.4g}" if values else "–")
            table.add_row(name if score == "loss" else "", score, *cells)
    losses = {key: np.mean([run["loss"] for run, _ in runs]) for key, runs in found.items()}
    if "plain" in names:
        ratios = [[np.log(losses[name, model] / losses[name, "plain"]) for name in sets if (name, model) in losses] for model in names]
        table.add_row("all", "loss / plain", *(f"{np.exp(np.mean(ratio)):.3f}" if ratio else "–" for ratio in ratios))
    return table


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET", help=", ".join(SETS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--splits", type=Path, metavar="DIR", help="a folder with the rows of each split")
    parser.add_argument("--split-numbers", nargs="+", type=int, default=[0], metavar="N")
    options = parser.parse_args()
    fastmlp.set_num_threads(1)
    found: dict[tuple[str, str], list[tuple[Scores, float]]] = {}
    with threadpool_limits(1):
        for name, model, scores, seconds in _runs(options):
            found.setdefault((name, model), []).append((scores, seconds))
            print(name, model, {score: round(value, 4) for score, value in scores.items()}, f"{seconds:.2f} s", flush=True)
    Console().print(_table(found, options.sets, options.models))


if __name__ == "__main__":
    main()
