"""The metrics and the data whose values are compared with Keras'; the same code makes the golden file and runs in the tests."""

from __future__ import annotations

import itertools

import numpy as np

ROWS = 60
CUTS = (0, 25, 60)
"""Rows are handed over in two calls of unequal size."""

THRESHOLDS = [0.2, 0.5, 0.7]
CASES = [
    ("BinaryAccuracy", {}, "yes-no"),
    ("BinaryAccuracy", {"threshold": 0.7}, "labels"),
    ("Accuracy", {}, "equal"),
    ("CategoricalAccuracy", {}, "classes"),
    ("SparseCategoricalAccuracy", {}, "numbers"),
    ("TopKCategoricalAccuracy", {}, "classes"),
    ("TopKCategoricalAccuracy", {"k": 2}, "classes"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "numbers"),
    *[
        ("AUC", {"curve": curve, "summation_method": method}, data)
        for curve in ("ROC", "PR")
        for method in ("interpolation", "minoring", "majoring")
        for data in ("yes-no", "classes")
    ],
    ("AUC", {"num_thresholds": 11}, "yes-no"),
    ("AUC", {"thresholds": [0.1, 0.35, 0.8]}, "yes-no"),
    ("AUC", {"from_logits": True}, "logits"),
    ("AUC", {"multi_label": True}, "labels"),
    ("AUC", {"multi_label": True, "num_labels": 3}, "labels"),
    ("AUC", {"multi_label": True, "curve": "PR", "label_weights": [1.0, 2.0, 0.5]}, "labels"),
    ("AUC", {"label_weights": [1.0, 2.0, 0.5]}, "labels"),
    *[
        (name, options, data)
        for name in ("Precision", "Recall")
        for options, data in (
            ({}, "yes-no"),
            ({"thresholds": 0.3}, "labels"),
            ({"thresholds": [0.7, 0.2]}, "yes-no"),
            ({"thresholds": [0.0, 0.5, 1.0]}, "yes-no"),
            ({"top_k": 2}, "classes"),
            ({"class_id": 1}, "classes"),
            ({"top_k": 3, "class_id": 2}, "classes"),
        )
    ],
    *[
        (name, options, "yes-no")
        for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")
        for options in ({}, {"thresholds": THRESHOLDS})
    ],
    *[
        (name, {"average": average, **extra}, "classes")
        for average in (None, "micro", "macro", "weighted")
        for name, extra in (("F1Score", {}), ("F1Score", {"threshold": 0.3}), ("FBetaScore", {"beta": 2.0, "threshold": 0.3}))
    ],
    ("RootMeanSquaredError", {}, "amounts"),
    ("R2Score", {}, "amounts"),
    ("R2Score", {"class_aggregation": None}, "amounts"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "amounts"),
    ("R2Score", {"num_regressors": 4}, "amounts"),
    ("MeanSquaredError", {}, "amounts"),
    ("MeanAbsoluteError", {}, "amounts"),
    ("BinaryCrossentropy", {}, "labels"),
    ("CategoricalCrossentropy", {}, "classes"),
    ("SparseCategoricalCrossentropy", {}, "numbers"),
    *[
        (name, {}, "amounts")
        for name in ("MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "LogCoshError", "CosineSimilarity", "Poisson")
    ],
    ("Hinge", {}, "labels"),
    ("SquaredHinge", {}, "labels"),
    ("CategoricalHinge", {}, "classes"),
    ("KLDivergence", {}, "classes"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logits"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "classes"),
    *[
        (name, options | extra, data)
        for name, options in (
            ("PrecisionAtRecall", {"recall": 0.6}),
            ("RecallAtPrecision", {"precision": 0.7}),
            ("SensitivityAtSpecificity", {"specificity": 0.6}),
            ("SpecificityAtSensitivity", {"sensitivity": 0.6}),
        )
        for extra, data in (
            ({}, "yes-no"),
            ({"num_thresholds": 1}, "yes-no"),
            ({"num_thresholds": 2}, "labels"),
            ({"class_id": 2}, "classes"),
        )
    ],
    *[(name, options, "labels") for name in ("PearsonCorrelation", "ConcordanceCorrelation") for options in ({}, {"axis": 0})],
    ("MeanMetricWrapper", {"fn": "squares"}, "amounts"),
    ("MeanMetricWrapper", {"fn": "of the batch"}, "amounts"),
]

BY_ELEMENT = [
    *[
        case
        for case in CASES
        if case[0] in ("AUC", "Precision", "Recall", "TruePositives") and case[2] == "labels" and "label_weights" not in case[1]
    ],
    ("BinaryAccuracy", {}, "labels"),
    ("RootMeanSquaredError", {}, "amounts"),
    ("R2Score", {}, "amounts"),
    ("MeanMetricWrapper", {"fn": "squares"}, "amounts"),
]
"""Metrics that take a weight for each element."""
OF_VALUES = [(name, shape) for name in ("Sum", "Mean") for shape in ("none", "rows", "column", "elements")]
"""Metrics of values that are given, by the shape of the weights."""
FUNCTIONS = [
    ("binary_accuracy", {}, "labels"),
    ("binary_accuracy", {"threshold": 0.7}, "yes-no"),
    ("categorical_accuracy", {}, "classes"),
    ("sparse_categorical_accuracy", {}, "numbers"),
    ("top_k_categorical_accuracy", {"k": 2}, "classes"),
    ("sparse_top_k_categorical_accuracy", {"k": 3}, "numbers"),
    *[(name, {"axis": axis}, "amounts") for name in ("pearson_correlation", "concordance_correlation") for axis in (0, -1)],
]

FIT_METRICS = ["AUC", "precision", "Recall", "auc", "f1_score", "acc", "root_mean_squared_error", "TruePositives"]
FIT_WEIGHTED = ["AUC", "Precision", "root_mean_squared_error"]


def weightings(case) -> tuple[bool, ...]:
    """Without and with weights; Keras has none for what gives one number for a batch or one for each column."""
    return (False,) if case[1].get("fn") == "of the batch" or case[1].get("axis") == 0 else (False, True)


def data(kind: str):
    """Targets and predictions."""
    rng = np.random.default_rng(7)
    if kind == "yes-no":
        y = rng.integers(0, 2, (ROWS, 1))
        p = np.clip(np.round(rng.random((ROWS, 1)) * 0.6 + 0.3 * y, 2), 0, 1)  # rounded: some are equal, some on a threshold
        p[:4] = [[0.0], [1.0], [0.5], [0.2]]
        return y.astype(np.float32), p.astype(np.float32)
    if kind == "logits":
        y = rng.integers(0, 2, (ROWS, 1))
        return y.astype(np.float32), (rng.normal(size=(ROWS, 1)) * 2 + y).astype(np.float32)
    if kind == "labels":
        y = rng.integers(0, 2, (ROWS, 3))
        return y.astype(np.float32), np.clip(rng.random((ROWS, 3)) * 0.8 + 0.2 * y, 0, 1).astype(np.float32)
    if kind in ("classes", "numbers"):
        labels = rng.integers(0, 7, ROWS)
        scores = np.exp(rng.normal(size=(ROWS, 7)) + 1.5 * np.eye(7)[labels])
        p = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        return (labels.astype(np.int32) if kind == "numbers" else np.eye(7, dtype=np.float32)[labels]), p
    if kind == "equal":
        return rng.integers(0, 3, (ROWS, 2)).astype(np.float32), rng.integers(0, 3, (ROWS, 2)).astype(np.float32)
    y = rng.normal(size=(ROWS, 2)) * [1, 5] + 3
    return y.astype(np.float32), (y + rng.normal(size=(ROWS, 2))).astype(np.float32)


def weights():
    """A weight for each row, some zero."""
    rng = np.random.default_rng(8)
    return (rng.random(ROWS) * 2 * (rng.random(ROWS) > 0.2)).astype(np.float32)


def functions(library_mean):
    """Metrics of a user's own; ``library_mean`` takes the mean of all elements."""
    return {"squares": lambda y, p: (y - p) ** 2, "of the batch": lambda y, p: library_mean((y - p) ** 2)}


def value(metrics, mean, name: str, options: dict, kind: str, weighted: bool):
    """The metric's value after two calls."""
    options = dict(options)
    if "fn" in options:
        options["fn"] = functions(mean)[options["fn"]]
    metric = getattr(metrics, name)(**options)
    y, p = data(kind)
    weight = weights() if weighted else None
    for start, stop in itertools.pairwise(CUTS):
        metric.update_state(y[start:stop], p[start:stop], sample_weight=None if weight is None else weight[start:stop])
    return np.asarray(metric.result(), dtype=np.float64)


def value_by_element(metrics, mean, name: str, options: dict, kind: str):
    """The metric's value with a weight for each element."""
    options = {key: functions(mean)[value] if key == "fn" else value for key, value in options.items()}
    metric = getattr(metrics, name)(**options)
    y, p = data(kind)
    metric.update_state(y, p, sample_weight=element_weights(y.shape))
    return np.asarray(metric.result(), dtype=np.float64)


def element_weights(shape):
    return np.random.default_rng(9).random(shape).astype(np.float32)


def value_of_values(metrics, name: str, weighting: str):
    """A metric of given values, in two calls."""
    metric = getattr(metrics, name)()
    values = data("amounts")[0]
    weight = {"none": None, "rows": weights(), "column": weights()[:, None], "elements": element_weights(values.shape)}[weighting]
    for start, stop in itertools.pairwise(CUTS):
        metric.update_state(values[start:stop], sample_weight=None if weight is None else weight[start:stop])
    return np.asarray(metric.result(), dtype=np.float64)


def value_of_function(metrics, name: str, options: dict, kind: str):
    return np.asarray(getattr(metrics, name)(*data(kind), **options), dtype=np.float64)


def fit(library):
    """Names and values of a run whose batches come in the order of the rows."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(70, 3)).astype(np.float32)
    y = (x[:, :1] - x[:, 1:2] + 0.5 * rng.normal(size=(70, 1)) > 0).astype(np.float32)
    model = library.models.Sequential([library.layers.Input(shape=(3,)), library.layers.Dense(1, activation="sigmoid")])
    model.set_weights([np.array([[0.3], [0.2], [-0.5]], np.float32), np.zeros(1, np.float32)])
    metrics = [library.metrics.get(name) if name == "f1_score" else name for name in FIT_METRICS]
    model.compile(optimizer=library.optimizers.SGD(0.1), loss="binary_crossentropy", metrics=metrics, weighted_metrics=FIT_WEIGHTED)
    weight = np.linspace(0, 2, 70).astype(np.float32)
    run = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0, sample_weight=weight, validation_data=(x[::2], y[::2]))
    return {name: [np.asarray(v, dtype=np.float64).tolist() for v in values] for name, values in run.history.items()}
