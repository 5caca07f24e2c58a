"""``SequentialClassifier`` and ``SequentialRegressor`` make any model an estimator of scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from fastmlp import layers, losses, models, optimizers
from fastmlp.callbacks import Callback
from fastmlp.sklearn import SequentialClassifier, SequentialRegressor

X, Y = load_iris(return_X_y=True)
X = scale(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
X_NUMBERS, Y_NUMBERS = load_diabetes(return_X_y=True)
X_NUMBERS, Y_NUMBERS = scale(X_NUMBERS), scale(Y_NUMBERS)


def build(n_features, n_outputs, units=16, activation="linear"):
    model = models.Sequential([layers.Input(shape=(n_features,)), layers.Dense(units, activation="tanh")])
    model.add(layers.Dense(n_outputs, activation=activation))
    return model


def compiled():
    model = models.Sequential([layers.Dense(16, activation="tanh"), layers.Dense(3, activation="softmax")])
    model.compile(optimizers.Adam(0.02), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def test_it_works_in_the_tools_of_scikit_learn():
    classifier = SequentialClassifier(build, epochs=20, optimizer__learning_rate=0.01, random_state=0)
    pipeline = make_pipeline(StandardScaler(), classifier)
    assert cross_val_score(pipeline, X, NAMES, cv=3).mean() > 0.9
    pipeline.fit(X, NAMES)
    assert permutation_importance(pipeline, X, NAMES, n_repeats=2, random_state=0).importances_mean.argmax() in (2, 3)
    calibrated = CalibratedClassifierCV(classifier, cv=3).fit(X, NAMES)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


def test_a_grid_search_reaches_the_model_the_optimizer_and_the_loss():
    grid = {"model__units": [2, 16], "optimizer__learning_rate": [1e-5, 0.02], "loss__label_smoothing": [0.0, 0.1]}
    classifier = SequentialClassifier(build, epochs=10, loss=losses.CategoricalCrossentropy(from_logits=True), random_state=0)
    search = GridSearchCV(classifier, grid, cv=2).fit(X, NAMES)
    assert search.best_params_["optimizer__learning_rate"] == 0.02
    assert search.best_estimator_.model_.layers[0].units == search.best_params_["model__units"]


def test_a_model_is_cloned_with_new_weights_and_keeps_how_it_was_compiled():
    model = compiled()
    classifier = SequentialClassifier(model, epochs=15, random_state=0)
    first, second = classifier.fit(X, NAMES).predict_proba(X), clone(classifier).fit(X, NAMES).predict_proba(X)
    np.testing.assert_array_equal(first, second)
    assert not model.built
    assert classifier.score(X, NAMES) > 0.9
    assert set(classifier.history_) == {"loss", "accuracy"}
    assert classifier.model_.optimizer.learning_rate == pytest.approx(0.02)
    slower = classifier.set_params(optimizer__learning_rate=0.001).fit(X, NAMES)
    assert slower.model_.optimizer.learning_rate == pytest.approx(0.001)


def test_a_functional_model_and_a_function_with_pretrained_weights_are_trained():
    inputs = layers.Input(shape=(4,))
    hidden = layers.Dense(8, activation="relu")(inputs)
    outputs = layers.Dense(3, activation="softmax")(layers.Concatenate()([inputs, hidden]))
    assert (
        SequentialClassifier(models.Model(inputs, outputs), epochs=30, optimizer__learning_rate=0.01, random_state=0).fit(X, Y).score(X, Y)
        > 0.85
    )
    trained = SequentialClassifier(compiled(), epochs=30, random_state=0).fit(X, Y).model_
    assert SequentialClassifier(lambda: trained, epochs=0).fit(X, Y).score(X, Y) > 0.9


@pytest.mark.parametrize(("outputs", "activation"), [(1, "sigmoid"), (1, "linear"), (2, "softmax"), (2, "linear")])
def test_two_classes_may_have_one_output_or_two_with_or_without_activation(outputs, activation):
    classifier = SequentialClassifier(lambda: build(4, outputs, activation=activation), epochs=40, random_state=0)
    y = np.where(Y == 0, "a", "b")
    assert classifier.fit(X, y).score(X, y) > 0.98
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1)


def test_multilabel_targets_and_several_targets():
    x, y = make_multilabel_classification(n_samples=100, random_state=0)
    classifier = SequentialClassifier(build, epochs=50, random_state=0, optimizer__learning_rate=0.01).fit(scale(x), y)
    assert classifier.predict(scale(x)).shape == y.shape
    assert classifier.score(scale(x), y) > 0.5
    targets = np.stack([Y_NUMBERS, -Y_NUMBERS], axis=1)
    regressor = SequentialRegressor(build, epochs=30, random_state=0, loss="huber").fit(X_NUMBERS, targets)
    assert regressor.predict(X_NUMBERS).shape == targets.shape
    assert regressor.score(X_NUMBERS, targets) > 0.4


def test_weights_of_samples_and_classes_and_partial_fit():
    classifier = SequentialClassifier(build, epochs=5, class_weight={"setosa": 50.0, "versicolor": 1.0, "virginica": 1.0}, random_state=0)
    assert (classifier.fit(X, NAMES).predict(X) == "setosa").sum() > 50
    steps = SequentialClassifier(build, random_state=0)
    for _ in range(5):
        steps.partial_fit(X, NAMES, classes=np.unique(NAMES))
    whole = SequentialClassifier(build, epochs=5, random_state=0).fit(X, NAMES)
    np.testing.assert_array_equal(steps.predict_proba(X), whole.predict_proba(X))


def test_callbacks_and_validation_samples_reach_fit():
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = "val_loss" in logs

    regressor = SequentialRegressor(build, callbacks=[Stop()]).fit(X_NUMBERS, Y_NUMBERS, eval_set=(X_NUMBERS, Y_NUMBERS))
    assert len(regressor.history_["val_loss"]) == 1


def test_a_pickle_predicts_the_same_and_trains_on():
    regressor = SequentialRegressor(build, random_state=0, warm_start=True).fit(X_NUMBERS, Y_NUMBERS)
    copy = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(copy.predict(X_NUMBERS), regressor.predict(X_NUMBERS))
    np.testing.assert_array_equal(copy.fit(X_NUMBERS, Y_NUMBERS).predict(X_NUMBERS), regressor.fit(X_NUMBERS, Y_NUMBERS).predict(X_NUMBERS))


def test_random_states_do_not_change_the_stream_of_the_process():
    first = SequentialRegressor(build, random_state=1).fit(X_NUMBERS, Y_NUMBERS).predict(X_NUMBERS)
    build(3, 1)
    np.testing.assert_array_equal(SequentialRegressor(build, random_state=1).fit(X_NUMBERS, Y_NUMBERS).predict(X_NUMBERS), first)
    assert not np.array_equal(SequentialRegressor(build, random_state=2).fit(X_NUMBERS, Y_NUMBERS).predict(X_NUMBERS), first)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        SequentialClassifier(build).set_params(epoch=3)
    with pytest.raises(ValueError, match="has 2 outputs, but y has 3 classes"):
        SequentialClassifier(lambda: build(4, 2)).fit(X, Y)
    with pytest.raises(TypeError, match="it returned int"):
        SequentialClassifier(lambda: 3).fit(X, Y)
    with pytest.raises(ValueError, match="needs a function"):
        SequentialClassifier(compiled(), model__units=3).fit(X, Y)
