"""The estimators take tables with strings and missing values: an encoder, which ``fit`` adapts, is part of their networks."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler

from fastmlp import layers, models
from fastmlp.layers import TableEncoder
from fastmlp.sklearn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 400
generator = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": generator.uniform(18, 80, N),
        "city": generator.choice([f"city {number}" for number in range(20)], N),
        "plan": generator.choice(["basic", "plus", "family"], N),
    }
)
Y = np.where((FRAME["plan"] == "plus") | (FRAME["age"] < 30), "leaves", "stays")
PRICE = 200_000.0 + 3_000 * FRAME["age"].to_numpy() + 100_000 * (FRAME["plan"] == "plus").to_numpy()
FRAME.loc[generator.random(N) < 0.1, ["age", "city"]] = np.nan
NUMBERS = pd.DataFrame(generator.normal(size=(60, 3)), columns=list("abc"))
SETTINGS = {"learning_rate_init": 0.01, "max_iter": 30, "random_state": 0}


def classifier(**settings):
    return MLPClassifier((16,), **{**SETTINGS, **settings})


def frame_of(library):
    if library == "pandas":
        return FRAME
    return pytest.importorskip("polars").from_pandas(FRAME) if library == "polars" else pytest.importorskip("pyarrow").table(FRAME)


def build(table, n_outputs, max_one_hot=8):
    encoder = TableEncoder(max_one_hot=max_one_hot)
    encoder.adapt(table)
    return models.Sequential([encoder, layers.Dense(16, activation="relu"), layers.Dense(n_outputs)])


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(FRAME, Y)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_of_every_library_train_the_same_network(library, early_stopping):
    table = frame_of(library)
    trained = classifier(early_stopping=early_stopping).fit(table, Y)
    assert trained.score(table, Y) > 0.8
    assert trained.n_features_in_ == 3
    assert list(trained.feature_names_in_) == ["age", "city", "plan"]
    expected = classifier(early_stopping=early_stopping).fit(FRAME, Y).predict_proba(FRAME)
    np.testing.assert_array_equal(trained.predict_proba(table), expected)
    assert trained.encoder_.feature_names == ["age", "city", "plan"]


def test_predictions_agree_with_each_other_and_with_the_model_for_fastmlp(fitted, tmp_path):
    probabilities = fitted.predict_proba(FRAME)
    np.testing.assert_array_equal(fitted.predict(FRAME), fitted.classes_[probabilities.argmax(axis=1)])
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-fitted.decision_function(FRAME))), atol=1e-6)
    fitted.to_fastmlp().save(tmp_path / "model.safetensors")
    model = models.load_model(tmp_path / "model.safetensors")
    assert model.class_names == ["leaves", "stays"]
    assert model.feature_names == ["age", "city", "plan"]
    np.testing.assert_allclose(model.predict(FRAME, verbose=0)[:, 0], probabilities[:, 1], atol=1e-6)


def test_the_encoder_says_what_becomes_of_the_columns(fitted):
    columns = fitted.encoder_.describe()
    assert [(column["name"], column["kind"], column["missing"]) for column in columns] == [
        ("age", "number", True),
        ("city", "category", True),
        ("plan", "category", False),
    ]
    assert fitted.coefs_[0].shape == (sum(column["columns"] for column in columns), 16)


def test_columns_are_found_by_name_and_values_that_do_not_fit_are_named(fitted):
    np.testing.assert_array_equal(fitted.predict(FRAME[["plan", "age", "city"]].assign(more=1)), fitted.predict(FRAME))
    with pytest.raises(ValueError, match="X lacks the column 'plan'"):
        fitted.predict(FRAME[["age", "city"]])
    with pytest.raises(ValueError, match="column 'age' of X holds the string 'old'"):
        fitted.predict(FRAME.assign(age="old"))


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_frames_of_complete_numbers_are_read_as_without_an_encoder(estimator):
    y = (NUMBERS["a"] > 0).astype(int)
    for table in (NUMBERS, NUMBERS.astype(object), NUMBERS.assign(c=NUMBERS["c"] > 0)):
        trained = estimator(max_iter=5, random_state=0).fit(table, y)
        plain = estimator(max_iter=5, random_state=0, encoder=None).fit(table, y)
        assert trained.encoder_ is None
        np.testing.assert_array_equal(trained.predict(table), plain.predict(table))
        np.testing.assert_array_equal(trained.coefs_[0], plain.coefs_[0])


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.0, None] * 30),
        pd.Series([1, None] * 30, dtype="Int64"),
        pd.Series([1, 2] * 30, dtype="category"),
        pd.Series(pd.date_range("2024-01-01", periods=60)),
        pd.Series(["x", 1] * 30, dtype=object),
    ],
    ids=["NaN", "NA", "category", "date", "object"],
)
def test_one_column_that_is_not_complete_numbers_makes_a_frame_a_table(column):
    table = NUMBERS.assign(d=column)
    trained = classifier(max_iter=2).fit(table, [0, 1] * 30)
    assert trained.encoder_.describe()[3]["name"] == "d"
    assert np.isfinite(trained.predict_proba(table)).all()


def test_any_samples_may_be_a_table():
    objects, settings = FRAME.to_numpy(object), {"encoder": "table", "early_stopping": True}
    expected = classifier(**settings).fit(FRAME, Y).predict_proba(FRAME)
    for table in (objects, objects.tolist(), FRAME.to_dict("list"), FRAME.to_dict("records")):
        np.testing.assert_array_equal(classifier(**settings).fit(table, Y).predict_proba(table), expected)
    array = np.where(generator.random((60, 3)) < 0.1, np.nan, NUMBERS)
    assert classifier(encoder="table").fit(array, NUMBERS["a"] > 0).encoder_.feature_names is None


def test_strings_and_missing_values_of_arrays_are_errors_that_name_the_parameter(fitted):
    with pytest.raises(ValueError, match=r"(?s)could not convert string to float.*encoder=\"table\".*encoder='auto'"):
        classifier().fit(FRAME.to_numpy(object), Y)
    with pytest.raises(ValueError, match=r"(?s)contains NaN.*encoder=\"table\".*encoder=None"):
        classifier(encoder=None).fit(FRAME[["age"]], Y)
    with pytest.raises(ValueError, match=r"(?s)contains NaN.*encoder=\"table\".*was fitted on numbers"):
        classifier(max_iter=1).fit(FRAME[["age"]].fillna(0), Y).predict(FRAME[["age"]])
    with pytest.raises(ValueError, match="400 samples, but y has 5 targets"):
        classifier().fit(FRAME, Y[:5])
    with pytest.raises(ValueError, match="requires y"):
        classifier().fit(FRAME, None)


def test_settings_of_an_encoder_hold_and_it_is_not_changed():
    settings = TableEncoder(bins=4, kinds={"city": "drop"})
    trained = classifier(encoder=settings).fit(FRAME, Y)
    assert trained.encoder_.bins == 4
    assert trained.encoder_.describe()[1]["columns"] == 0
    assert settings.feature_names is None
    assert clone(trained).encoder.bins == 4


def test_settings_of_the_encoder_are_set_by_name():
    assert classifier().set_params(encoder__bins=4, alpha=1.0).get_params()["alpha"] == 1.0
    changed = classifier(encoder=TableEncoder(bins=4)).set_params(encoder__bin_dim=8)
    assert (changed.encoder.bins, changed.encoder.bin_dim) == (4, 8)
    with pytest.raises(TypeError, match="no argument 'bucket'"):
        classifier().set_params(encoder__bucket=4)


def test_the_encoder_learns_neither_the_validation_samples_nor_eval_set():
    cities = [f"town {number}" for number in range(N)]
    trained = classifier(early_stopping=True, validation_fraction=0.25, max_iter=2).fit(FRAME.assign(city=[*cities[:200]] * 2), Y)
    assert trained.encoder_.describe()[1]["categories"] < 150  # of those that two training samples have
    trained = classifier(early_stopping=True, max_iter=3).fit(FRAME[:300], Y[:300], eval_set=(FRAME[300:].assign(plan="new"), Y[300:]))
    assert len(trained.validation_scores_) == 3
    assert trained.encoder_.describe()[2]["categories"] == 3


def test_early_stopping_scores_tables_by_any_scorer():
    for scoring in ("neg_log_loss", "loss", lambda estimator, x, y: estimator.score(x, y)):
        trained = classifier(early_stopping=True, scoring=scoring, max_iter=5).fit(FRAME, Y)
        assert trained.validation_scores_[0] < trained.best_validation_score_


@pytest.mark.parametrize(
    "settings", [{"solver": "lbfgs"}, {"solver": "sgd"}, {"batch_size": N}, {"normalization": "batch", "dropout": 0.1}]
)
def test_every_solver_trains_on_tables(settings):
    trained = classifier(**{"max_iter": 200, **settings}).fit(FRAME, Y)
    assert trained.score(FRAME, Y) > 0.85
    np.testing.assert_array_equal(
        classifier(**{"max_iter": 200, **settings}).fit(FRAME, Y).predict_proba(FRAME), trained.predict_proba(FRAME)
    )


def test_partial_fit_adapts_the_encoder_in_its_first_call():
    trained = classifier().partial_fit(FRAME[:200], Y[:200], classes=["leaves", "stays"])
    before = trained.encoder_.get_config()
    for _ in range(30):
        trained.partial_fit(FRAME[200:], Y[200:])
    assert trained.encoder_.get_config() == before
    assert trained.score(FRAME, Y) > 0.85


def test_warm_start_keeps_the_encoder_and_trains_on():
    trained = classifier(warm_start=True, max_iter=3).fit(FRAME, Y)
    first, before = trained.loss_, trained.encoder_.get_config()
    assert trained.fit(FRAME, Y).loss_ < first
    assert trained.encoder_.get_config() == before
    with pytest.raises(ValueError, match="have changed"):
        trained.set_params(encoder=None).fit(FRAME, Y)
    assert trained.set_params(warm_start=False, encoder=None).fit(NUMBERS, [0, 1] * 30).encoder_ is None


def test_weights_of_samples_and_classes_count():
    balanced = classifier(class_weight="balanced").fit(FRAME, Y)
    by_hand = classifier().fit(FRAME, Y, [np.mean(label != Y) for label in Y])
    np.testing.assert_allclose(balanced.predict_proba(FRAME), by_hand.predict_proba(FRAME), atol=0.01)  # rounded otherwise
    assert np.abs(balanced.predict_proba(FRAME) - classifier().fit(FRAME, Y).predict_proba(FRAME)).max() > 0.05
    assert balanced.score(FRAME, Y, np.ones(N)) == balanced.score(FRAME, Y)


def test_a_pickle_predicts_the_same_and_trains_on(fitted):
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(FRAME), fitted.predict_proba(FRAME))
    assert copied.encoder_.describe() == fitted.encoder_.describe()
    copied.set_params(warm_start=True, max_iter=1).fit(FRAME, Y)
    assert (copied.predict_proba(FRAME) != fitted.predict_proba(FRAME)).any()


def test_the_tools_of_scikit_learn_take_tables(fitted):
    assert cross_val_score(classifier(), FRAME, Y, cv=3).mean() > 0.7
    grid = {"encoder__max_one_hot": [0, 40], "alpha": [0.0001, 0.01]}
    search = GridSearchCV(classifier(max_iter=10), grid, cv=2).fit(FRAME, Y)
    assert search.best_estimator_.encoder_.max_one_hot == search.best_params_["encoder__max_one_hot"]
    importance = permutation_importance(fitted, FRAME, Y, n_repeats=3, random_state=0).importances_mean
    assert importance.argmax() == 2
    assert importance[2] > 0.1


def test_a_regressor_of_tables_learns_large_targets_that_are_scaled():
    regressor = MLPRegressor(hidden_layer_sizes=(16,), **SETTINGS)
    scaled = TransformedTargetRegressor(regressor, transformer=StandardScaler()).fit(FRAME, PRICE)
    assert scaled.score(FRAME, PRICE) > 0.7
    assert regressor.fit(FRAME, np.stack([PRICE, -PRICE], axis=1) / 1e5).predict(FRAME).shape == (N, 2)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_function_adapts_an_encoder_to_the_table_that_it_takes(library):
    table = frame_of(library)
    trained = SequentialClassifier(build, epochs=30, optimizer__learning_rate=0.01, random_state=0).fit(table, Y)
    assert trained.score(table, Y) > 0.85
    assert (trained.n_features_in_, list(trained.feature_names_in_)) == (3, ["age", "city", "plan"])
    copied = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(copied.predict_proba(table), trained.predict_proba(table))


def test_a_function_makes_a_regressor_of_tables():
    regressor = SequentialRegressor(build, epochs=50, optimizer__learning_rate=0.01, random_state=0)
    assert TransformedTargetRegressor(regressor, transformer=StandardScaler()).fit(FRAME, PRICE).score(FRAME, PRICE) > 0.7


def test_a_model_with_an_adapted_encoder_keeps_what_it_learned():
    model = build(FRAME[:300], 1)
    trained = SequentialClassifier(model, epochs=2, random_state=0).fit(FRAME.assign(plan="new"), Y, np.ones(N), eval_set=(FRAME, Y))
    assert trained.model_.layers[0].describe() == model.layers[0].describe()
    assert len(trained.history_["val_loss"]) == 2
    trained.set_params(warm_start=True).fit(FRAME, Y).partial_fit(FRAME, Y)
    assert cross_val_score(SequentialClassifier(model, epochs=2), FRAME, Y, cv=2).shape == (2,)


@pytest.mark.filterwarnings("ignore:validation_split takes the last 100")
def test_the_function_gets_the_training_samples_only():
    trained = SequentialClassifier(build, epochs=1, validation_split=0.25).fit(FRAME.assign(plan=["a", "b", "c"] * 100 + ["d"] * 100), Y)
    assert trained.model_.layers[0].describe()[2]["categories"] == 3
    assert len(trained.history_["val_loss"]) == 1


def test_settings_of_an_encoder_in_a_function_are_searched():
    search = GridSearchCV(SequentialClassifier(build, epochs=3), {"model__max_one_hot": [0, 40]}, cv=2).fit(FRAME, Y)
    assert search.best_estimator_.model_.layers[0].max_one_hot == search.best_params_["model__max_one_hot"]


def test_a_function_without_an_encoder_is_advised():
    plain = SequentialClassifier(lambda: models.Sequential([layers.Dense(1)]), epochs=1)
    with pytest.raises(ValueError, match="must begin with a TableEncoder"):
        plain.fit(FRAME, Y)
    assert plain.fit(NUMBERS, [0, 1] * 30).n_features_in_ == 3


def test_the_raw_files_of_adult_become_a_good_classifier():
    folder = Path(os.environ.get("FASTMLP_DATA", "nowhere")) / "tabular"
    if not folder.exists():
        pytest.skip("real data are looked for in the folder that FASTMLP_DATA names")
    train, test = (pd.read_csv(folder / f"adult-{part}.csv.gz", header=None, na_values=" ?") for part in ("train", "test"))
    trained = MLPClassifier((64,), early_stopping=True, max_iter=8, random_state=0).fit(train.drop(columns=14), train[14])
    x, y = test.drop(columns=14), test[14].str.rstrip(".")
    probabilities = trained.predict_proba(x)
    assert trained.score(x, y) > 0.857
    assert log_loss(y, probabilities) < 0.31
    assert roc_auc_score(y, probabilities[:, 1]) > 0.912
