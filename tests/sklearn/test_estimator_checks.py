"""The estimators keep the rules of scikit-learn: its own checks pass, for the multilayer perceptrons all of them."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import layers, models
from fastmlp.sklearn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor


class Build:
    """Builds a model; its name in the names of tests is the same in every process."""

    def __call__(self, n_features, n_outputs):
        return models.Sequential([layers.Dense(32, activation="relu", input_shape=(n_features,)), layers.Dense(n_outputs)])

    def __repr__(self):
        return "build"


ESTIMATORS = [
    MLPClassifier(),
    MLPRegressor(),
    MLPClassifier(solver="lbfgs", alpha=1.0),
    MLPRegressor(solver="sgd"),
    SequentialClassifier(Build(), epochs=100, optimizer__learning_rate=0.01),
    SequentialRegressor(Build(), epochs=100, optimizer__learning_rate=0.01),
]
ROUNDING = "a sample of weight 2 and two samples differ by rounding to float32"
EXPECTED = {
    "check_do_not_raise_errors_in_init_or_set_params": "**routed stands for parameters such as optimizer__learning_rate",
    "check_sample_weight_equivalence_on_dense_data": ROUNDING,
    "check_sample_weight_equivalence_on_sparse_data": ROUNDING,
}


def expected_failures(estimator):
    return EXPECTED if isinstance(estimator, (SequentialClassifier, SequentialRegressor)) else {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)
