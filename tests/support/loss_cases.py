"""What tests of losses share: constants for those that take some, and predictions and targets that suit each."""

from __future__ import annotations

import numpy as np

PARAMETERS: dict[str, tuple[float, ...]] = {
    "huber": (0.75,),
    "quantile": (0.8,),
    "gaussian_nll": (1e-6, 0.9189385),
    "cosine_similarity": (-1.0,),
    "binary_focal_crossentropy": (2.0, 0.25, 0.75),
    "categorical_focal_crossentropy": (2.0, 0.25),
    "sparse_categorical_generalized_cross_entropy": (0.7,),
    "dice": (0.0, 0.0, 1.0),
    "tversky": (0.3, 0.7, 1.0),
    "sparse_circle": (4.0, 0.25, 1.0),
}
"""Of the losses that have some, by the engines' names."""

LOGITS = "_from_logits"


def constants_of(name: str) -> tuple[float, ...]:
    """Constants to try a loss with; the name may end as those of kernels do."""
    return PARAMETERS.get(name.removesuffix(LOGITS), ())


def draw_predictions(name: str, rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Predictions, or logits, that the loss has a meaning for."""
    if "crossentropy" in name and not name.endswith(LOGITS):
        return rng.uniform(0.01, 0.99, (rows, columns))
    if name in ("kl_divergence", "binary_accuracy", "dice", "tversky", "sparse_categorical_generalized_cross_entropy"):
        return rng.uniform(0.01, 0.99, (rows, columns))
    if name in ("poisson", "mean_squared_logarithmic_error", "gaussian_nll"):
        return rng.uniform(0.1, 3, (rows, columns))
    if name == "sparse_circle":
        p = rng.normal(size=(rows, columns))
        return p / np.linalg.norm(p, axis=1, keepdims=True) * rng.uniform(0.5, 0.95, (rows, 1))
    if name == "cosine_similarity":
        return rng.uniform(0.5, 3, (rows, columns)) * rng.choice([-1, 1], (rows, columns))  # short vectors have steep slopes
    return rng.normal(0, 3, (rows, columns))


def draw_targets(name: str, rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Targets that suit the loss, for that many columns of predictions."""
    if name == "sparse_circle":
        return rng.integers(-1, 2, rows).astype(np.int32)
    if name.startswith("sparse"):
        return rng.integers(0, columns, rows).astype(np.int32)
    if name.startswith("binary") or name in ("dice", "tversky"):
        return rng.integers(0, 2, (rows, columns)).astype(float)
    if name in ("hinge", "squared_hinge"):
        return rng.choice([-1.0, 1.0], (rows, columns))
    if name == "categorical_hinge":
        return np.eye(columns)[rng.integers(0, columns, rows)]
    if name.startswith("categorical") or name == "kl_divergence":
        return rng.dirichlet(np.ones(columns), rows)
    if name == "poisson":
        return rng.integers(0, 5, (rows, columns)).astype(float)
    if name == "mean_squared_logarithmic_error":
        return rng.uniform(0, 3, (rows, columns))
    if name == "mean_absolute_percentage_error":
        return rng.uniform(20, 40, (rows, columns))  # slopes go with 100/y
    return rng.normal(0, 3, (rows, columns // 2 if name == "gaussian_nll" else columns))


def fitting_columns(name: str, columns: int) -> int:
    """The next number of columns of predictions that the loss can read: means and variances come in pairs."""
    return columns + columns % 2 if name == "gaussian_nll" else columns
