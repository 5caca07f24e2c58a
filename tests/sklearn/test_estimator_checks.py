"""The estimators keep every rule of scikit-learn: its own checks pass, without exceptions."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.sklearn import MLPClassifier, MLPRegressor

ESTIMATORS = [MLPClassifier(), MLPRegressor(), MLPClassifier(solver="lbfgs", alpha=1.0), MLPRegressor(solver="sgd")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)
