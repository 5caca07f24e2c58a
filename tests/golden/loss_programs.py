"""Losses, their arguments and data, whose numbers were taken from Keras once; written to run on Keras and on fastmlp alike."""

from __future__ import annotations

from functools import partial

import numpy as np

ROWS, COLUMNS = 12, 5

# name: (function, class, arguments)
CASES = {
    "mse": ("mean_squared_error", "MeanSquaredError", {}),
    "mae": ("mean_absolute_error", "MeanAbsoluteError", {}),
    "mape": ("mean_absolute_percentage_error", "MeanAbsolutePercentageError", {}),
    "msle": ("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", {}),
    "huber": ("huber", "Huber", {}),
    "huber_delta": ("huber", "Huber", {"delta": 0.3}),
    "log_cosh": ("log_cosh", "LogCosh", {}),
    "poisson": ("poisson", "Poisson", {}),
    "cosine": ("cosine_similarity", "CosineSimilarity", {}),
    "hinge": ("hinge", "Hinge", {}),
    "hinge_binary": ("hinge", "Hinge", {}),
    "squared_hinge": ("squared_hinge", "SquaredHinge", {}),
    "squared_hinge_binary": ("squared_hinge", "SquaredHinge", {}),
    "categorical_hinge": ("categorical_hinge", "CategoricalHinge", {}),
    "kld": ("kl_divergence", "KLDivergence", {}),
    "bce": ("binary_crossentropy", "BinaryCrossentropy", {}),
    "bce_smooth": ("binary_crossentropy", "BinaryCrossentropy", {"label_smoothing": 0.2}),
    "bce_logits_smooth": ("binary_crossentropy", "BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    "bfce": ("binary_focal_crossentropy", "BinaryFocalCrossentropy", {}),
    "bfce_balanced": ("binary_focal_crossentropy", "BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3}),
    "bfce_logits": ("binary_focal_crossentropy", "BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.5}),
    "bfce_smooth": ("binary_focal_crossentropy", "BinaryFocalCrossentropy", {"label_smoothing": 0.1, "gamma": 3.0}),
    "cce": ("categorical_crossentropy", "CategoricalCrossentropy", {}),
    "cce_smooth": ("categorical_crossentropy", "CategoricalCrossentropy", {"label_smoothing": 0.1}),
    "cce_logits_smooth": ("categorical_crossentropy", "CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    "cfce": ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", {}),
    "cfce_logits": ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 1.5, "alpha": 0.7}),
    "cfce_smooth": ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", {"label_smoothing": 0.2, "gamma": 0.5}),
    "scce": ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {}),
    "scgce": ("categorical_generalized_cross_entropy", "CategoricalGeneralizedCrossEntropy", {"q": 0.5}),
    "scgce_q": ("categorical_generalized_cross_entropy", "CategoricalGeneralizedCrossEntropy", {"q": 0.13}),
    "dice_rows": ("dice", "Dice", {"axis": 1}),
    "tversky_rows": ("tversky", "Tversky", {"alpha": 0.3, "beta": 0.8, "axis": (1,)}),
    "scce_logits": ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {"from_logits": True}),
}

# losses of whole batches: the value and the gradient of a batch, and the value with other arguments of arrays
BATCH_CASES = {
    "dice": ("dice", "Dice", {}),
    "tversky": ("tversky", "Tversky", {}),
    "tversky_weights": ("tversky", "Tversky", {"alpha": 0.3, "beta": 0.8}),
    "dice_columns": ("dice", "Dice", {"axis": 0}),
    "circle": ("circle", "Circle", {"gamma": 8.0}),
    "circle_margin": ("circle", "Circle", {"gamma": 3.0, "margin": 0.25}),
    "circle_diagonal": ("circle", "Circle", {"gamma": 3.0, "remove_diagonal": False}),
    "ignore_outside": ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {"ignore_class": -1}),
    "ignore_outside_logits": (
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        {"ignore_class": 255, "from_logits": True},
    ),
    "ignore_class": ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {"ignore_class": 2}),
}

# losses along another axis than the last
AXIS_CASES = {
    "bce": ("binary_crossentropy", "BinaryCrossentropy"),
    "bfce": ("binary_focal_crossentropy", "BinaryFocalCrossentropy"),
    "cce": ("categorical_crossentropy", "CategoricalCrossentropy"),
    "cfce": ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy"),
    "cosine": ("cosine_similarity", "CosineSimilarity"),
}

REDUCTIONS = ("none", "sum", "mean_with_sample_weight")

METRICS = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "log_cosh": "LogCoshError",
    "poisson": "Poisson",
    "cosine": "CosineSimilarity",
    "hinge_binary": "Hinge",
    "squared_hinge": "SquaredHinge",
    "categorical_hinge": "CategoricalHinge",
    "kld": "KLDivergence",
    "bce": "BinaryCrossentropy",
    "bce_logits_smooth": "BinaryCrossentropy",
    "cce_smooth": "CategoricalCrossentropy",
    "scce_logits": "SparseCategoricalCrossentropy",
}


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions, some of them where a loss clips or bends."""
    random = np.random.RandomState(6)
    p = random.normal(0, 2, (ROWS, COLUMNS))
    y = random.normal(0, 2, (ROWS, COLUMNS))
    labels = random.randint(0, COLUMNS, ROWS)
    signs = random.choice([-1.0, 1.0], (ROWS, COLUMNS))
    kind = name.split("_")[0]
    if kind in ("dice", "tversky", "scgce"):
        p = random.uniform(0.02, 0.98, (ROWS, COLUMNS))
    if kind in ("dice", "tversky"):
        y = (signs + 1) / 2
    if kind in ("kld", "bce", "bfce", "cce", "cfce", "scce") and "logits" not in name:
        p = random.uniform(0.02, 0.98, (ROWS, COLUMNS))
        p[0, 0], p[1, 1], p[2, 2] = 0.0, 1e-9, 1.5
    if kind in ("msle", "poisson"):
        p, y = random.uniform(0.05, 4, (ROWS, COLUMNS)), random.randint(0, 4, (ROWS, COLUMNS)).astype(float)
        p[0, 0], y[1, 1] = 1e-8, 0.0
    if name == "msle":
        p[2, 2], y[3, 3] = -0.5, -0.2
    if name in ("mape",):
        y[0, 0] = 0.0
    if "hinge" in name:
        y = signs
        p[0, 0], p[1, 1] = y[0, 0], -y[1, 1]  # at the edge of the margin, and on the wrong side
    if name.endswith("hinge_binary"):
        y = (y + 1) / 2
    if kind == "bce" or kind == "bfce":
        y = (signs + 1) / 2
    if kind in ("cce", "cfce", "kld") or name == "categorical_hinge":
        y = np.eye(COLUMNS)[labels]
    if name == "kld":
        y = 0.7 * y + 0.3 * random.dirichlet(np.ones(COLUMNS), ROWS)
        p[3, 3], y[4, 4] = 1.0, 0.0
    if name == "categorical_hinge":
        p[0] = 0.5  # all alike
        p[1] = 3 * y[1]  # far ahead
    return labels.astype(np.int32) if kind in ("scce", "scgce") else y.astype(np.float32), p.astype(np.float32)


def batch_data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions for a loss of whole batches."""
    random = np.random.RandomState(8)
    labels = random.randint(0, COLUMNS, ROWS).astype(np.int32)
    if name.startswith("circle"):
        p = random.normal(size=(ROWS, COLUMNS))
        return labels % 3, (p / np.linalg.norm(p, axis=1, keepdims=True)).astype(np.float32)
    p = random.uniform(0.02, 0.98, (ROWS, COLUMNS)).astype(np.float32)
    if name.startswith("ignore"):
        labels[[1, 4, 5]] = BATCH_CASES[name][2]["ignore_class"]
        return labels, np.log(p) if "logits" in name else p
    return np.eye(COLUMNS, dtype=np.float32)[labels], p


def make_batch(api, name: str):
    """The function with its arguments, the loss object, targets and predictions."""
    function, cls, arguments = BATCH_CASES[name]
    return partial(getattr(api.losses, function), **arguments), getattr(api.losses, cls)(**arguments), *batch_data(name)


def make_axis(api, name: str):
    """The function and the loss object along axis 1 of arrays, targets and predictions (rows, classes, positions)."""
    function, cls = AXIS_CASES[name]
    random = np.random.RandomState(9)
    p = random.dirichlet(np.ones(4), (6, 3)).transpose(0, 2, 1).astype(np.float32)
    labels = random.randint(0, 4, (6, 3))
    y = np.eye(4, dtype=np.float32)[labels].transpose(0, 2, 1)
    return partial(getattr(api.losses, function), axis=1), getattr(api.losses, cls)(axis=1), y, p


def reduced_batch(api, name: str) -> np.ndarray:
    """What :func:`reduced` gives, for a loss of whole batches."""
    _, cls, arguments = BATCH_CASES[name]
    given = (*batch_data(name), weights())
    return np.concatenate([np.ravel(getattr(api.losses, cls)(**arguments, reduction=kind)(*given)) for kind in REDUCTIONS])


def weights() -> np.ndarray:
    return np.random.RandomState(7).uniform(0, 2, ROWS).astype(np.float32)


def make(api, name: str):
    """The function with its arguments, the loss object, targets and predictions."""
    function, cls, arguments = CASES[name]
    return partial(getattr(api.losses, function), **arguments), getattr(api.losses, cls)(**arguments), *data(name)


def reduced(api, name: str) -> np.ndarray:
    """With sample weights, and each ``reduction`` that is not the mean over the rows: a number for each row, the sum, the weighted mean."""
    _, cls, arguments = CASES[name]
    given = (*data(name), weights())
    return np.concatenate([np.ravel(getattr(api.losses, cls)(**arguments, reduction=kind)(*given)) for kind in REDUCTIONS])


def metric(api, name: str):
    arguments = {key: value for key, value in CASES[name][2].items() if key in ("from_logits", "label_smoothing")}
    return getattr(api.metrics, METRICS[name])(**arguments)
