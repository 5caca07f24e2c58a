"""``MLPClassifier`` and ``MLPRegressor`` do what scikit-learn's do, and more."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
import sklearn.neural_network as theirs
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import fastmlp
from fastmlp import callbacks, losses, optimizers
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NEEDS_1_7 = pytest.mark.skipif(
    "loss" not in theirs.MLPRegressor().get_params(), reason="compares with what scikit-learn's estimators have since 1.7"
)

X_DIGITS, Y_DIGITS = load_digits(return_X_y=True)
X_DIGITS = X_DIGITS / 16
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
X_DIABETES, Y_DIABETES = scale(X_DIABETES), scale(Y_DIABETES)
X_LABELS, Y_LABELS = make_multilabel_classification(n_samples=80, random_state=0)


def counts():
    return np.random.default_rng(0).poisson(np.exp(X_DIABETES[:, :2].sum(axis=1) / 2))


def test_parameters_have_the_names_order_and_defaults_of_scikit_learn():
    for ours, original in ((MLPClassifier, theirs.MLPClassifier), (MLPRegressor, theirs.MLPRegressor)):
        given = original().get_params()
        assert {name: ours().get_params()[name] for name in given} == given
    assert MLPClassifier((5,), "tanh").activation == "tanh"
    assert MLPRegressor("poisson", (5,), "tanh").loss == "poisson"


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_fitted_attributes_have_the_names_types_and_shapes_of_scikit_learn(solver):
    for early_stopping in (False, True):
        settings = {"solver": solver, "early_stopping": early_stopping, "max_iter": 5, "random_state": 0}
        original = theirs.MLPClassifier(**settings).fit(X_IRIS, Y_IRIS)
        ours = MLPClassifier(**settings).fit(X_IRIS, Y_IRIS)
        for name, value in vars(original).items():
            if name.endswith("_"):
                assert isinstance(value, type(getattr(ours, name))), name
        assert [coef.shape for coef in ours.coefs_] == [coef.shape for coef in original.coefs_]
        assert (ours.n_iter_, ours.n_layers_, ours.out_activation_) == (original.n_iter_, original.n_layers_, original.out_activation_)
        assert ours.t_ == original.t_


@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_initial_weights_are_those_of_scikit_learn(activation):
    settings = {"activation": activation, "random_state": 3, "max_iter": 1, "learning_rate_init": 1e-30, "solver": "sgd"}
    original, ours = theirs.MLPClassifier(**settings).fit(X_IRIS, Y_IRIS), MLPClassifier(**settings).fit(X_IRIS, Y_IRIS)
    for mine, its in zip(ours.coefs_ + ours.intercepts_, original.coefs_ + original.intercepts_, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "x", "y", "settings"),
    [
        ("MLPClassifier", X_DIGITS, Y_DIGITS, {}),
        ("MLPClassifier", X_DIGITS, Y_DIGITS, {"solver": "sgd", "learning_rate_init": 0.05, "learning_rate": "invscaling", "power_t": 0.1}),
        ("MLPClassifier", X_DIGITS, Y_DIGITS == 3, {"alpha": 0.1, "activation": "logistic"}),
        ("MLPClassifier", X_LABELS, Y_LABELS, {"activation": "tanh"}),
        ("MLPRegressor", X_DIABETES, Y_DIABETES, {"alpha": 1.0}),
        ("MLPRegressor", X_DIABETES, np.stack([Y_DIABETES, Y_DIABETES**2], axis=1), {}),
        pytest.param("MLPRegressor", X_DIABETES, counts(), {"loss": "poisson"}, marks=NEEDS_1_7),
    ],
)
def test_the_loss_follows_that_of_scikit_learn(name, x, y, settings):
    settings = {"max_iter": 30, "random_state": 0, **settings}
    original = getattr(theirs, name)(**settings).fit(x, y)
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](**settings).fit(x, y)
    np.testing.assert_allclose(ours.loss_curve_, original.loss_curve_, rtol=0.05, atol=0.01)


@NEEDS_1_7
def test_full_batches_give_the_losses_of_scikit_learn():
    settings = {"batch_size": len(X_DIABETES), "max_iter": 20, "random_state": 0, "alpha": 0.5}
    weight = np.random.default_rng(1).uniform(0.5, 2, len(X_DIABETES))
    original = theirs.MLPRegressor(**settings).fit(X_DIABETES, Y_DIABETES, sample_weight=weight)
    ours = MLPRegressor(**settings).fit(X_DIABETES, Y_DIABETES, sample_weight=weight)
    np.testing.assert_allclose(ours.loss_curve_, original.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(ours.predict(X_DIABETES), original.predict(X_DIABETES), atol=1e-3)


def test_lbfgs_finds_as_small_a_loss_as_scikit_learn():
    settings = {"solver": "lbfgs", "activation": "tanh", "hidden_layer_sizes": (8,), "alpha": 1.0, "max_iter": 2000, "random_state": 0}
    original = theirs.MLPClassifier(**settings).fit(scale(X_IRIS), Y_IRIS)
    assert MLPClassifier(**settings).fit(scale(X_IRIS), Y_IRIS).loss_ < 1.02 * original.loss_


def test_predictions_agree_with_each_other():
    for y in (Y_IRIS, np.array(["no", "yes"])[(Y_IRIS > 1).astype(int)]):
        classifier = MLPClassifier(random_state=0).fit(X_IRIS, y)
        probabilities, scores = classifier.predict_proba(X_IRIS), classifier.decision_function(X_IRIS)
        assert probabilities.shape == (150, len(classifier.classes_))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(classifier.predict_log_proba(X_IRIS), np.log(probabilities))
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        np.testing.assert_array_equal(classifier.predict(X_IRIS), classifier.classes_[best])
        np.testing.assert_array_equal(probabilities.argmax(axis=1), best)


def test_multilabel_targets_may_be_sparse():
    classifier = MLPClassifier(max_iter=20, random_state=0)
    dense = classifier.fit(X_LABELS, Y_LABELS).predict(X_LABELS)
    predicted = classifier.fit(X_LABELS, sparse.csr_array(Y_LABELS)).predict(X_LABELS)
    assert sparse.issparse(predicted)
    np.testing.assert_array_equal(predicted.toarray(), dense)
    assert set(np.unique(dense)) == {0, 1}


def test_targets_of_several_classes_in_several_columns_are_refused_with_advice():
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        MLPClassifier().fit(X_IRIS, np.stack([Y_IRIS, Y_IRIS], axis=1))


def test_weights_can_be_edited():
    classifier = MLPClassifier(max_iter=5, random_state=0).fit(X_IRIS, Y_IRIS)
    classifier.coefs_[-1][:] = 0
    classifier.intercepts_[-1] = np.array([0.0, 1.0, 0.0])
    np.testing.assert_array_equal(classifier.predict(X_IRIS), np.ones(150))
    restored = pickle.loads(pickle.dumps(classifier))
    restored.partial_fit(X_IRIS, Y_IRIS)
    assert np.abs(restored.coefs_[-1]).max() < 0.01


def test_a_copy_continues_training_with_the_same_bits():
    classifier = MLPClassifier(random_state=0, dropout=0.2)
    for _ in range(3):
        classifier.partial_fit(X_DIGITS, Y_DIGITS, classes=range(10))
    copy = pickle.loads(pickle.dumps(classifier))
    for one in (classifier, copy):
        one.partial_fit(X_DIGITS, Y_DIGITS)
    np.testing.assert_array_equal(classifier.coefs_[0], copy.coefs_[0])


def test_warm_start_continues_and_a_changed_network_is_refused():
    classifier = MLPClassifier(warm_start=True, max_iter=10, random_state=0).fit(X_DIGITS, Y_DIGITS)
    before = classifier.loss_
    assert classifier.fit(X_DIGITS, Y_DIGITS).loss_ < before
    assert len(classifier.loss_curve_) == 20
    with pytest.raises(ValueError, match="warm_start=False"):
        classifier.set_params(hidden_layer_sizes=(50,)).fit(X_DIGITS, Y_DIGITS)


def test_a_weight_of_two_is_the_same_as_two_samples():
    weight = np.random.default_rng(0).integers(0, 3, 150)  # the sum is below the batch size of 200
    repeated = MLPClassifier(random_state=0, max_iter=50)
    weighted = clone(repeated).fit(X_IRIS, Y_IRIS, sample_weight=weight)
    repeated.fit(np.repeat(X_IRIS, weight, axis=0), np.repeat(Y_IRIS, weight))
    np.testing.assert_array_equal(weighted.coefs_[0], repeated.coefs_[0])


def test_class_weights_count_as_sample_weights():
    y = np.where(Y_IRIS == 0, "rare", "common")
    x, y = X_IRIS[40:], y[40:]
    balanced = MLPClassifier(class_weight="balanced", random_state=0, max_iter=20).fit(x, y)
    by_sample = MLPClassifier(random_state=0, max_iter=20).fit(x, y, sample_weight=np.where(y == "rare", 5.5, 0.55))
    np.testing.assert_allclose(balanced.predict_proba(x), by_sample.predict_proba(x), rtol=1e-4)
    plain = MLPClassifier(random_state=0, max_iter=20).fit(x, y)
    assert (balanced.predict_proba(x) - plain.predict_proba(x))[:, list(plain.classes_).index("rare")].min() > 0
    with pytest.raises(ValueError, match="partial_fit has not"):
        balanced.partial_fit(x, y)


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": [0.1, 0.0], "hidden_layer_sizes": (32, 16), "activation": ["gelu", "tanh"]},
        {"normalization": "batch", "activation": "selu"},
        {"normalization": "layer", "optimizer": "adamw", "learning_rate_init": 0.003},
        {"optimizer": optimizers.Lion(3e-4)},
        {"loss": "categorical_focal_crossentropy"},
        {"loss": losses.SparseCategoricalCrossentropy()},
        {"learning_rate": optimizers.schedules.CosineDecay(0.003, 400)},
        {"hidden_layer_sizes": (), "learning_rate_init": 0.02},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_parameters_that_scikit_learn_lacks_train_well(settings):
    classifier = MLPClassifier(random_state=0, max_iter=40, **settings).fit(X_DIGITS[:1200], Y_DIGITS[:1200])
    assert classifier.score(X_DIGITS[1200:], Y_DIGITS[1200:]) > 0.85
    clone(classifier)
    np.testing.assert_allclose(classifier.to_fastmlp().predict(X_DIGITS, verbose=0), classifier.predict_proba(X_DIGITS), atol=1e-5)


def test_any_loss_trains_a_binary_classifier_and_a_regressor():
    for loss in ("binary_focal_crossentropy", "categorical_crossentropy", "mse"):
        classifier = MLPClassifier(loss=loss, random_state=0).fit(X_IRIS, Y_IRIS == 0)
        assert classifier.score(X_IRIS, Y_IRIS == 0) == 1
        assert classifier.decision_function(X_IRIS).shape == (150,)
    regressor = MLPRegressor(loss="huber", random_state=0, max_iter=300).fit(X_DIABETES, Y_DIABETES)
    assert regressor.score(X_DIABETES, Y_DIABETES) > 0.5


def test_eval_set_is_scored_and_stops_training():
    train, test = (X_DIGITS[:1200], Y_DIGITS[:1200]), (X_DIGITS[1200:], Y_DIGITS[1200:])
    recorded = MLPClassifier(random_state=0, max_iter=8).fit(*train, eval_set=test)
    assert len(recorded.validation_scores_) == 8
    assert recorded.validation_scores_[-1] == pytest.approx(recorded.score(*test))
    stopped = MLPClassifier(random_state=0, early_stopping=True, n_iter_no_change=3, tol=0.01).fit(*train, eval_set=[test])
    assert stopped.n_iter_ < 200
    assert stopped.score(*test) == pytest.approx(stopped.best_validation_score_) == pytest.approx(max(stopped.validation_scores_))


@pytest.mark.parametrize("scoring", ["neg_log_loss", "loss", lambda estimator, x, y: estimator.score(x, y) - 2])
def test_early_stopping_follows_the_chosen_score(scoring):
    classifier = MLPClassifier(random_state=0, early_stopping=True, scoring=scoring, max_iter=10).fit(X_DIGITS, Y_DIGITS)
    assert classifier.best_validation_score_ < 0
    assert len(classifier.validation_scores_) == 10


def test_scores_by_a_scorer_do_not_warn_of_feature_names():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame(X_IRIS, columns=["a", "b", "c", "d"])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "X does not have valid feature names")
        classifier = MLPClassifier(early_stopping=True, scoring="roc_auc_ovr", max_iter=3, random_state=0)
        classifier.fit(x, Y_IRIS, sample_weight=np.ones(150))
    assert list(classifier.feature_names_in_) == ["a", "b", "c", "d"]


def test_sample_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = MLPClassifier(max_iter=60, random_state=0).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        weight = np.where(Y_IRIS == 0, 1.0, 0.0)
        search = GridSearchCV(classifier, {"alpha": [0.1]}, cv=2).fit(X_IRIS, Y_IRIS, sample_weight=weight)
    assert set(search.predict(X_IRIS)) == {0}


def test_partial_fit_with_early_stopping_keeps_the_best_weights():
    test = X_DIGITS[1500:], Y_DIGITS[1500:]
    classifier = MLPClassifier(random_state=0, early_stopping=True, n_iter_no_change=3, tol=1e-3, learning_rate_init=0.01)
    for _ in range(60):
        classifier.partial_fit(X_DIGITS[:1500], Y_DIGITS[:1500], classes=range(10), eval_set=test)
    assert classifier.score(*test) == pytest.approx(classifier.best_validation_score_)


def test_callbacks_see_the_validation_samples():
    history = callbacks.History()
    MLPClassifier(max_iter=3, callbacks=history).fit(X_IRIS, Y_IRIS, eval_set=(X_IRIS, Y_IRIS))
    assert len(history.history["val_loss"]) == 3
    history = callbacks.History()
    MLPClassifier(max_iter=4, optimizer=optimizers.LBFGS(), callbacks=history).fit(X_DIGITS, Y_DIGITS)
    assert len(history.history["loss"]) == 4


def test_sparse_samples_train_the_same_network():
    x = np.where(X_DIGITS > 0.5, X_DIGITS, 0)
    dense = MLPClassifier(random_state=0, max_iter=5).fit(x, Y_DIGITS)
    for container in (sparse.csr_array, sparse.csc_matrix):
        fitted = MLPClassifier(random_state=0, max_iter=5).fit(container(x), Y_DIGITS)
        np.testing.assert_array_equal(fitted.coefs_[0], dense.coefs_[0])


def test_numbers_beyond_float32_and_diverging_losses_are_errors():
    with pytest.raises(ValueError, match="in the range of float32"):
        MLPRegressor().fit(X_DIABETES * 1e300, Y_DIABETES)
    with pytest.raises(ValueError, match=r"non-finite parameter weights.*smaller learning rate"):
        MLPRegressor(solver="sgd", learning_rate_init=1e6, activation="identity").fit(X_DIABETES, Y_DIABETES)


def test_wrong_parameters_are_refused():
    for wrong in ({"alpha": -1}, {"solver": "newton"}, {"dropout": 1.0}, {"hidden_layer_sizes": -5}, {"activation": ["relu", "tanh"]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MLPClassifier(**wrong).fit(X_IRIS, Y_IRIS)


def test_it_warns_where_training_has_not_converged():
    for solver in ("adam", "lbfgs"):
        with pytest.warns(ConvergenceWarning, match="2"):
            MLPClassifier(solver=solver, max_iter=2).fit(X_IRIS, Y_IRIS)


def test_grid_search_in_worker_processes_finds_the_same_as_here():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=20, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 10.0], "mlpclassifier__hidden_layer_sizes": [(4,), (16,)]}
    here, there = (GridSearchCV(pipeline, grid, cv=3, n_jobs=jobs).fit(X_IRIS, Y_IRIS) for jobs in (1, 2))
    np.testing.assert_array_equal(here.cv_results_["mean_test_score"], there.cv_results_["mean_test_score"])


def test_worker_processes_share_the_cores():
    for jobs in (2, 4):
        shares = joblib.Parallel(n_jobs=jobs)(joblib.delayed(fastmlp.get_num_threads)() for _ in range(jobs))
        assert max(shares) <= max(1, joblib.cpu_count() // jobs)


@pytest.mark.parametrize(
    ("module", "advice"), [("None", r"fastmlp\[sklearn\]"), ("types.SimpleNamespace(__version__='1.5.2')", "1.6 or later")]
)
def test_the_import_says_which_scikit_learn_it_needs(module, advice):
    code = f"import sys, types; sys.modules['sklearn'] = {module}; import fastmlp.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search(f"ImportError: fastmlp.sklearn needs scikit-learn.*{advice}", done.stderr)


def test_a_model_for_fastmlp_is_saved_and_loaded(tmp_path):
    regressor = MLPRegressor(random_state=0, max_iter=5).fit(X_DIABETES, Y_DIABETES)
    regressor.to_fastmlp().save(tmp_path / "model.safetensors")
    loaded = fastmlp.load_model(tmp_path / "model.safetensors")
    np.testing.assert_allclose(loaded.predict(X_DIABETES, verbose=0)[:, 0], regressor.predict(X_DIABETES), rtol=1e-6)
