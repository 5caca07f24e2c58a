"""scikit-learn's multilayer perceptrons and those of fastmlp.sklearn: processor time of fit, with one thread each.

    python benchmarks/estimators.py            minima of 5 interleaved rounds
    python benchmarks/estimators.py --quick    of one round

Processor time is less disturbed by other programs than elapsed time. Needs scikit-learn.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from typing import Any

from common import parser_of, show


def cases() -> dict[str, tuple[str, dict[str, Any], Any, Any]]:
    """By title: the estimator, its parameters, samples and targets."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
    from sklearn.preprocessing import scale

    digits, cancer, diabetes = (load(return_X_y=True) for load in (load_digits, load_breast_cancer, load_diabetes))
    cancer, diabetes = (scale(cancer[0]), cancer[1]), (scale(diabetes[0]), scale(diabetes[1]))
    endless = {"max_iter": 200, "n_iter_no_change": 1000}
    return {
        "digits, 1,797 × 64, default parameters": ("MLPClassifier", {}, *digits),
        "digits, early stopping": ("MLPClassifier", {"early_stopping": True}, *digits),
        "digits, L-BFGS": ("MLPClassifier", {"solver": "lbfgs"}, *digits),
        "breast cancer, 569 × 30, 200 epochs": ("MLPClassifier", endless, *cancer),
        "diabetes, 442 × 10, 200 epochs": ("MLPRegressor", endless, *diabetes),
        "breast cancer, grid search over 60": ("GridSearchCV", {"max_iter": 50}, *cancer),
    }


def make(module: Any, name: str, parameters: dict[str, Any]) -> Any:
    """The estimator of a case, of scikit-learn or of fastmlp."""
    if name != "GridSearchCV":
        return getattr(module, name)(random_state=0, **parameters)
    from sklearn.model_selection import GridSearchCV

    grid = {
        "hidden_layer_sizes": [(8,), (16,), (32,), (16, 16), (32, 16)],
        "alpha": [1e-4, 1e-2, 1.0],
        "learning_rate_init": [1e-3, 3e-3, 1e-2, 3e-2],
    }
    return GridSearchCV(module.MLPClassifier(random_state=0, **parameters), grid, cv=3)


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is imported
    try:
        import sklearn.neural_network as theirs
    except ImportError:
        sys.exit("this compares with scikit-learn: pip install scikit-learn")
    import fastmlp
    import fastmlp.sklearn as ours

    fastmlp.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for title, (name, parameters, x, y) in cases().items():
        taken: dict[Any, list[float]] = {theirs: [], ours: []}
        scores = {}
        for _ in range(1 if options.quick else 5):
            for module, seconds in taken.items():
                estimator = make(module, name, parameters)
                start = time.process_time()
                estimator.fit(x, y)
                seconds.append(time.process_time() - start)
                scores[module] = estimator.best_score_ if name == "GridSearchCV" else estimator.score(x, y)
        slow, fast = min(taken[theirs]), min(taken[ours])
        rows.append([title, f"{slow:.3f} s", f"{fast:.3f} s", f"{slow / fast:.1f}", f"{scores[theirs]:.4f}", f"{scores[ours]:.4f}"])
    show(
        "fit, one thread",
        ["", "scikit-learn", "fastmlp", "ratio", "score", "score"],
        rows,
        "Scores on the training samples; of grid searches, in cross-validation.",
    )


if __name__ == "__main__":
    main()
