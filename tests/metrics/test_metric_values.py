"""Metrics give Keras' values: on their own, and in fit and evaluate on either engine."""

from __future__ import annotations

import importlib.util
import json
import warnings

import numpy as np
import pytest
from folders import GOLDEN

import fastmlp
from fastmlp import callbacks, layers, metrics, models

KERAS = json.loads((GOLDEN / "metrics.json").read_text(encoding="utf-8"))


def _programs():
    spec = importlib.util.spec_from_file_location("metric_programs", GOLDEN / "metric_programs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


programs = _programs()


@pytest.mark.parametrize("number", range(len(programs.CASES)), ids=lambda i: f"{programs.CASES[i][0]}-{i}")
def test_a_metric_on_its_own_gives_kerass_value(number):
    case = programs.CASES[number]
    for weighted, wanted in zip(programs.weightings(case), KERAS["values"][number], strict=True):
        value = programs.value(metrics, np.mean, *case, weighted)
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("number", range(len(programs.BY_ELEMENT)), ids=lambda i: f"{programs.BY_ELEMENT[i][0]}-{i}")
def test_weights_of_elements_give_kerass_value(number):
    value = programs.value_by_element(metrics, np.mean, *programs.BY_ELEMENT[number])
    np.testing.assert_allclose(value, KERAS["by element"][number], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("number", range(len(programs.OF_VALUES)), ids=lambda i: "-".join(programs.OF_VALUES[i]))
def test_metrics_of_given_values_give_kerass_value(number):
    np.testing.assert_allclose(programs.value_of_values(metrics, *programs.OF_VALUES[number]), KERAS["of values"][number], rtol=1e-5)


@pytest.mark.parametrize("number", range(len(programs.FUNCTIONS)), ids=lambda i: f"{programs.FUNCTIONS[i][0]}-{i}")
def test_functions_of_metrics_give_kerass_values(number):
    name, *case = programs.FUNCTIONS[number]
    value = programs.value_of_function(metrics, name, *case)
    np.testing.assert_allclose(value, KERAS["functions"][number], rtol=1e-5, atol=1e-6)


def test_a_run_has_kerass_names_and_values():
    history = programs.fit(fastmlp)
    assert list(history) == list(KERAS["fit"])
    for name, wanted in KERAS["fit"].items():
        np.testing.assert_allclose(history[name], wanted, rtol=1e-5, atol=1e-7, err_msg=name)


def compiled(engine="native", units=1, activation="sigmoid", loss="binary_crossentropy", **arguments):
    fastmlp.utils.set_random_seed(4)
    model = models.Sequential([layers.Dense(units, activation=activation, input_shape=(3,))])
    model.compile(optimizer="sgd", loss=loss, engine=engine, **arguments)
    return model


def rows(n=500):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return x, (x.sum(axis=1) > 0).astype(np.float32)


@pytest.mark.parametrize("batch_size", [7, 32, 1000])
@pytest.mark.parametrize("metric", [metrics.AUC, metrics.Precision, metrics.RootMeanSquaredError, metrics.R2Score])
def test_evaluate_measures_what_the_metric_gives_for_the_predictions(engine, metric, batch_size):
    x, y = rows()
    model = compiled(engine, metrics=[metric()])
    apart = metric()
    apart.update_state(y, model.predict(x, verbose=0))
    assert model.evaluate(x, y, batch_size=batch_size, verbose=0)[1] == pytest.approx(apart.result(), rel=1e-6)


def test_both_engines_hand_out_the_same_predictions_while_they_train():
    x, y = rows()
    histories = []
    for engine in ("native", "reference"):
        model = compiled(engine, metrics=["AUC", "recall"])
        histories.append(model.fit(x, y, epochs=2, batch_size=24, verbose=0).history)
    assert histories[0].keys() == {"AUC", "recall", "loss"}
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)


def test_training_predictions_are_those_before_each_update_with_dropout_on():
    x, y = rows(40)
    seen = []

    def watch(y_true, y_pred):
        seen.append(y_pred.copy())
        return np.zeros(len(y_pred))

    model = models.Sequential([layers.Dense(4, input_shape=(3,)), layers.Dropout(0.5), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=[watch])
    with_dropout = np.asarray(model(x[:20], training=True))
    model.fit(x, y, batch_size=20, shuffle=False, verbose=0)
    np.testing.assert_array_equal(seen[0], with_dropout)
    assert [len(part) for part in seen] == [20, 20]


def test_watching_predictions_changes_no_bit_of_the_weights(engine):
    x, y = rows()
    trained = []
    for watched in ([], ["AUC"]):
        model = compiled(engine, metrics=watched)
        model.fit(x, y, epochs=2, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained, strict=True):
        np.testing.assert_array_equal(a, b)


def test_many_predictions_are_measured_whole_though_they_are_kept_in_parts():
    x, y = rows(150_000)
    model = compiled(metrics=["AUC", metrics.TruePositives(thresholds=[0.0, 0.5])])
    apart = metrics.TruePositives(thresholds=[0.0, 0.5])
    apart.update_state(y, model.predict(x, verbose=0))
    np.testing.assert_array_equal(model.evaluate(x, y, batch_size=30, verbose=0)[2], apart.result())
    model.fit(x, y, batch_size=30, verbose=0)


def largest_error(y_true, y_pred):
    return np.abs(y_true - y_pred).max()


def test_a_function_of_yours_is_a_metric_under_its_name_and_is_called_for_each_batch(engine):
    x, y = rows(50)
    model = compiled(engine, metrics=[largest_error, "mae"])
    p = model.predict(x, verbose=0)[:, 0]
    batches = [np.abs(y[i : i + 20] - p[i : i + 20]).max() for i in (0, 20, 40)]
    result = model.evaluate(x, y, batch_size=20, verbose=0, return_dict=True)
    assert list(result) == ["largest_error", "loss", "mae"]
    assert result["largest_error"] == pytest.approx(np.mean(batches), rel=1e-6)
    assert result["mae"] == pytest.approx(np.abs(y - p).mean(), rel=1e-6)


def test_a_function_of_yours_may_give_a_value_for_each_row():
    x, y = rows(50)
    model = compiled(metrics=[lambda y_true, y_pred: (y_true - y_pred) ** 2, "mse"])
    history = model.fit(x, y, batch_size=20, verbose=0).history
    assert history["<lambda>"] == pytest.approx(history["mse"], rel=1e-6)


def test_a_function_that_gives_the_wrong_number_of_values_is_told():
    x, y = rows(50)
    model = compiled(metrics=[lambda y_true, y_pred: np.zeros(3)])
    with pytest.raises(ValueError, match=r"the metric <lambda> returned values of shape \(3,\) for 32 samples; return one value"):
        model.fit(x, y, verbose=0)


class Spread(metrics.Metric):
    """The largest prediction less the smallest."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.low, self.high = min(self.low, y_pred.min()), max(self.high, y_pred.max())

    def result(self):
        return self.high - self.low

    def reset_state(self):
        self.low, self.high = np.inf, -np.inf


def test_a_metric_class_of_yours_is_measured(engine):
    x, y = rows(50)
    model = compiled(engine, metrics=[Spread(name="spread")])
    p = model.predict(x, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(np.ptp(p))


class SquaresAndTargets(metrics.Metric):
    """Written as for Keras: variables of its own, and no reset_state."""

    def __init__(self, name="squares", **options):
        super().__init__(name=name, **options)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight("count", "zeros")
        self.of_columns = self.add_variable(shape=(1,), initializer="zeros", name="of_columns")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(np.sum((y_true - y_pred) ** 2))
        self.count.assign(self.count + len(y_pred))
        self.of_columns.assign_add(y_true.sum(axis=0))

    def result(self):
        return self.total / self.count + 0 * self.of_columns[0]


class SquaresWithReset(SquaresAndTargets):
    def reset_state(self):
        self.total.assign(0.0)
        self.count.assign(0)
        self.of_columns.assign(np.zeros(1))


@pytest.mark.parametrize("kind", [SquaresAndTargets, SquaresWithReset])
def test_a_metric_of_yours_may_keep_variables_as_in_keras(engine, kind):
    x, y = rows(50)
    metric = kind()
    model = compiled(engine, metrics=["mse", metric])
    assert [variable.name for variable in metric.variables] == ["total", "count", "of_columns"]
    for _ in range(2):
        _, mse, value = model.evaluate(x, y, verbose=0)
        assert value == pytest.approx(mse, rel=1e-5)
        assert float(metric.result()) == value
        assert metric.of_columns.numpy() == pytest.approx([y.sum()])
    history = model.fit(x, y, epochs=2, validation_split=0.2, verbose=0).history
    assert history["val_squares"] == pytest.approx(history["val_mse"], rel=1e-5)
    metric.reset_state()
    assert float(metric.total) == 0


def test_a_metric_of_yours_need_not_know_of_weights():
    class Counting(metrics.Metric):
        def reset_state(self):
            self.rows = 0

        def update_state(self, y_true, y_pred):
            self.rows += len(y_true)

        def result(self):
            return self.rows

    x, y = rows(50)
    assert compiled(metrics=[Counting(name="rows")]).evaluate(x, y, sample_weight=np.ones(50), verbose=0)[1] == 50


def test_a_metric_that_extends_one_of_fastmlps_is_asked_itself(engine):
    class Halved(metrics.MeanSquaredError):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true / 2, y_pred / 2, sample_weight)

    class Percent(metrics.BinaryAccuracy):
        def result(self):
            return 100 * super().result()

    class Largest(metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            return super().update_state(np.abs(y_true - y_pred), sample_weight)

    x, y = rows(50)
    model = compiled(engine, metrics=["mse", "accuracy", "mae", Halved(), Percent(), Largest()])
    _, mse, accuracy, mae, *own = model.evaluate(x, y, verbose=0)
    assert own == pytest.approx([mse / 4, 100 * accuracy, mae], rel=1e-6)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (metrics.binary_accuracy, metrics.BinaryAccuracy),
        (metrics.categorical_accuracy, metrics.CategoricalAccuracy),
        (metrics.sparse_categorical_accuracy, metrics.SparseCategoricalAccuracy),
        (metrics.top_k_categorical_accuracy, metrics.TopKCategoricalAccuracy),
        (metrics.sparse_top_k_categorical_accuracy, metrics.SparseTopKCategoricalAccuracy),
        (metrics.pearson_correlation, metrics.PearsonCorrelation),
        (metrics.concordance_correlation, metrics.ConcordanceCorrelation),
    ],
)
def test_a_function_of_fastmlp_means_the_metric_of_its_name(function, kind):
    metric = metrics.get(function)
    assert type(metric) is kind
    assert metric.name == function.__name__


def test_a_correlation_of_single_columns_warns_and_takes_the_rows_of_a_batch(engine):
    x, y = rows(64)
    model = compiled(engine, activation=None, loss="mse", metrics=[metrics.PearsonCorrelation(axis=0)])
    p = model.predict(x, verbose=0)[:, 0]
    wanted = np.mean([np.corrcoef(y[part], p[part])[0, 1] for part in (slice(0, 32), slice(32, 64))])
    assert model.evaluate(x, y, batch_size=32, verbose=0)[1] == pytest.approx(wanted, rel=1e-5)
    with pytest.warns(UserWarning, match="correlates the outputs of a sample, but there is only one output; use axis=0"):
        metrics.PearsonCorrelation()([1, 2], [1, 3])


def test_weights_that_fit_neither_rows_nor_elements_are_told():
    with pytest.raises(ValueError, match=r"one weight per sample, \(2,\), or per element, \(2, 3\)"):
        metrics.AUC()(np.zeros((2, 3)), np.zeros((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"has one value per sample, so sample_weight must have shape \(2,\)"):
        metrics.MeanSquaredError()(np.zeros((2, 3)), np.zeros((2, 3)), np.ones((2, 3)))


def test_weighted_metrics_use_the_weights_and_metrics_do_not():
    x, y = rows(50)
    weight = np.linspace(0, 2, 50)
    model = compiled(metrics=["AUC"], weighted_metrics=["AUC", largest_error])
    p = model.predict(x, verbose=0)
    result = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    assert list(result) == ["AUC", "largest_error", "loss", "weighted_AUC"]
    assert result["AUC"] == pytest.approx(metrics.AUC()(y, p))
    assert result["weighted_AUC"] == pytest.approx(metrics.AUC()(y, p, weight))
    assert result["AUC"] != result["weighted_AUC"]


def test_top_k_accuracies_read_the_targets_of_their_loss(engine):
    x, labels = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32), np.arange(60) % 6
    results = []
    for loss, y, name in (
        ("categorical_crossentropy", np.eye(6)[labels], "top_k_categorical_accuracy"),
        ("sparse_categorical_crossentropy", labels, "sparse_top_k_categorical_accuracy"),
    ):
        model = compiled(engine, 6, "softmax", loss, metrics=[name])
        p = model.predict(x, verbose=0)
        results.append(model.evaluate(x, y, verbose=0)[1])
    assert results[0] == results[1] == pytest.approx(np.mean(np.argsort(-p, axis=1)[:, 5] != labels))


def test_a_score_per_output_is_an_array_and_its_mean_is_shown(capsys):
    x, labels = rows(60)
    model = compiled(units=2, activation="softmax", loss="categorical_crossentropy", metrics=[metrics.F1Score()])
    history = model.fit(x, np.eye(2)[labels.astype(int)], verbose=2).history
    assert history["f1_score"][0].shape == (2,)
    assert f"f1_score: {history['f1_score'][0].mean():.4f}" in capsys.readouterr().out


def test_a_monitored_metric_knows_which_way_is_better():
    model = compiled(metrics=["AUC", "root_mean_squared_error", "true_positives", largest_error])
    assert [model.metric_direction(name) for name in ("AUC", "root_mean_squared_error")] == [True, False]
    assert [model.metric_direction(name) for name in ("true_positives", "largest_error", "other")] == [None, None, None]
    x, y = rows()
    model.fit(x, y, epochs=3, verbose=0, validation_split=0.2, callbacks=[callbacks.EarlyStopping("val_AUC", patience=5)])


def test_the_metrics_of_a_pass_are_its_own():
    x, y = rows()
    seen = []
    model = compiled(metrics=["true_positives"])
    hook = callbacks.Callback()
    hook.on_train_batch_end = lambda batch, logs=None: seen.append(model.evaluate(x, y, verbose=0)[1])
    counted = model.fit(x, y, batch_size=100, verbose=0, callbacks=[hook]).history["true_positives"][0]
    assert len(seen) == 5
    assert counted <= y.sum()


@pytest.mark.parametrize(
    "metric",
    [
        metrics.BinaryAccuracy(threshold=0.6),
        metrics.MeanSquaredError(),
        metrics.AUC(),
        metrics.Precision(),
        metrics.MeanMetricWrapper(largest_error),
    ],
    ids=lambda metric: metric.name,
)
def test_the_object_given_to_compile_is_the_one_that_measures(engine, metric):
    x, y = rows()
    model = compiled(engine, metrics=["mae", metric])
    assert model.evaluate(x, y, verbose=0)[2] == pytest.approx(metric.result())
    history = model.fit(x, y, epochs=2, verbose=0).history
    assert history[metric.name][-1] == pytest.approx(metric.result())
    history = model.fit(x, y, validation_split=0.25, verbose=0).history
    assert history[f"val_{metric.name}"][-1] == pytest.approx(metric.result())


def test_a_pass_inside_another_has_the_object_and_the_outer_one_goes_on_with_a_copy():
    x, y = rows()
    metric = metrics.TruePositives(name="true_positives")
    model = compiled(metrics=[metric])
    alone = model.fit(x, y, batch_size=100, verbose=0).history["true_positives"]
    other = compiled(metrics=[metric])
    hook = callbacks.Callback()
    hook.on_train_batch_end = lambda batch, logs=None: other.evaluate(x[:7], y[:7], verbose=0)
    model = compiled(metrics=[metric])
    assert model.fit(x, y, batch_size=100, verbose=0, callbacks=[hook]).history["true_positives"] == alone
    assert metric.result() == other.evaluate(x[:7], y[:7], verbose=0)[1]


def rare(n=20000):
    rng = np.random.default_rng(0)
    score = rng.normal(size=n)
    p = (0.002 * np.exp(score)).astype(np.float32)
    return (rng.random(n) < p).astype(np.float32), p


def test_an_auc_whose_thresholds_see_nothing_of_a_rare_class_warns_and_says_what_to_change():
    y, p = rare()
    metric = metrics.AUC()
    with pytest.warns(UserWarning, match=r"about 0\.\d+ with more thresholds: .* use AUC\(num_thresholds=(\d+)\)") as caught:
        coarse = metric(y, p)
    told = str(caught[0].message)
    finer = metrics.AUC(num_thresholds=int(told.split("num_thresholds=")[1].rstrip(")")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = finer(y, p)
    assert abs(coarse - exact) > 0.02
    assert float(told.split("about ")[1].split()[0]) == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize("options", [{}, {"curve": "PR"}, {"multi_label": True}])
def test_an_auc_of_predictions_that_thresholds_part_does_not_warn(options):
    rng = np.random.default_rng(3)
    p = rng.random((2000, 2)).astype(np.float32)
    y = (rng.random((2000, 2)) < p).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.AUC(**options)(y, p)
        metrics.AUC(**options)((p > 0.5).astype(np.float32), np.where(p > 0.5, 1 - 1e-6, 1e-6))  # all is told apart
        metrics.AUC(**options)(y, np.full_like(p, 0.001))  # nothing is


def test_fit_and_evaluate_warn_of_a_coarse_auc_once_at_the_end_of_a_pass():
    y, p = rare()
    model = models.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(1,), kernel_initializer="ones")])
    model.compile("sgd", "binary_crossentropy", metrics=["AUC"])
    model.optimizer.learning_rate = 0
    x = np.log(p / (1 - p))
    with pytest.warns(UserWarning, match="the metric 'AUC' is") as caught:
        model.evaluate(x, y, verbose=0, batch_size=100)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="the metric 'AUC' is") as caught:
        model.fit(x, y, verbose=0, epochs=3)
    assert len(caught) == 1


def test_a_reset_metric_begins_again():
    metric = metrics.AUC()
    first = metric([0, 1, 1], [0.2, 0.1, 0.9])
    metric.update_state([0, 1], [0.9, 0.1])
    assert metric.result() != first
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric([0, 1, 1], [0.2, 0.1, 0.9]) == first


def test_a_value_does_not_depend_on_how_the_rows_are_cut():
    for name, options, kind in programs.CASES:
        if options.get("fn") == "of the batch" or options.get("axis") == 0:
            continue
        y, p = programs.data(kind)
        weight = programs.weights()
        values = []
        for step in (60, 7, 1):
            options = {**options, "fn": largest_of_row} if "fn" in options else options
            metric = getattr(metrics, name)(**options)
            for at in range(0, 60, step):
                metric.update_state(y[at : at + step], p[at : at + step], weight[at : at + step])
            values.append(np.asarray(metric.result()))
        np.testing.assert_array_equal(values[0], values[1], err_msg=name)
        np.testing.assert_array_equal(values[0], values[2], err_msg=name)


def largest_of_row(y_true, y_pred):
    return np.abs(y_true - y_pred).max(axis=1)


def test_automatic_names_count_as_in_keras():
    fastmlp.utils.clear_session()
    assert [metrics.AUC().name, metrics.AUC().name, metrics.Precision().name] == ["auc", "auc_1", "precision"]
    assert [metrics.F1Score().name, metrics.F1Score().name] == ["f1_score", "f1_score"]


def test_a_mean_of_given_values():
    mean = metrics.Mean()
    mean.update_state([1.0, 3.0])
    mean.update_state(8.0)
    assert mean.result() == 4.0
    mean.reset_state()
    mean.update_state([1.0, 3.0], sample_weight=[1.0, 3.0])
    assert mean.result() == 2.5


def test_a_stored_model_keeps_its_metrics_and_warns_of_functions(tmp_path):
    x, y = rows(50)
    model = compiled(metrics=["AUC", metrics.Precision(thresholds=0.3, name="p"), largest_error])
    model.fit(x, y, verbose=0)
    with pytest.warns(UserWarning, match="does not hold largest_error, because files hold no Python code"):
        model.save(tmp_path / "model.safetensors")
    again = models.load_model(tmp_path / "model.safetensors", custom_objects={"largest_error": largest_error})
    assert again.metrics_names == ["loss", "AUC", "p", "largest_error"]
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize("name", metrics.registry.classes)
def test_every_metric_is_described_by_its_configuration(name):
    required = {
        "PrecisionAtRecall": (0.3,),
        "RecallAtPrecision": (0.4,),
        "SensitivityAtSpecificity": (0,),
        "SpecificityAtSensitivity": (1,),
    }
    metric = metrics.registry.classes[name](*required.get(name, ()), name="mine")
    again = metrics.registry.deserialize(json.loads(json.dumps(metrics.registry.serialize(metric))))
    assert again.get_config() == metric.get_config()
    assert again.name == "mine"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.AUC(curve="lift"), "curve must be 'ROC' or 'PR', got 'lift'"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds must be an integer ≥ 2, got 1"),
        (lambda: metrics.AUC(num_labels=3), "num_labels is only for multi_label=True"),
        (lambda: metrics.AUC(label_weights=[1, 2])([1], [0.5]), "label_weights has 2 values, but the model has 1 outputs"),
        (lambda: metrics.Precision(thresholds=[]), "thresholds is empty"),
        (lambda: metrics.Precision(thresholds=1.5), "each of thresholds must be a number ≥ 0 and ≤ 1, got 1.5"),
        (lambda: metrics.Precision(top_k=3)([[1, 0]], [[0.5, 0.1]]), "top_k is 3, but the model has 2 outputs"),
        (lambda: metrics.Recall(class_id=2)([[1, 0]], [[0.5, 0.1]]), "class_id must be from 0 to 1, the last output, got 2"),
        (lambda: metrics.F1Score(average="mean"), "average must be 'micro', 'macro', 'weighted' or None, got 'mean'"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta must be a number > 0"),
        (
            lambda: metrics.R2Score(class_aggregation="sum"),
            "class_aggregation must be 'uniform_average', 'variance",
        ),
        (lambda: metrics.AUC(name="a")([1, 0], [[0.1, 0.9]]), r"a: y_true has shape \(2,\) and y_pred \(1, 2\)"),
        (
            lambda: metrics.AUC(name="a")([1, 0], [0.1, 0.9], [1, 2, 3]),
            r"a: sample_weight has shape \(3,\), but must have one weight",
        ),
        (
            lambda: metrics.SparseTopKCategoricalAccuracy(k=1, name="k")([2], [[0.1, 0.9]]),
            "k: y_true holds the class label 2, but y_pred has 2 col",
        ),
    ],
)
def test_wrong_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_mean_is_no_metric_of_a_model():
    with pytest.raises(TypeError, match="Mean averages or adds up values"):
        compiled(metrics=[metrics.Mean()])


def test_a_callback_that_watches_several_values_says_how_to_make_them_one():
    x, y = rows(20)
    model = models.Sequential([layers.Dense(2, activation="softmax", input_shape=(x.shape[1],))])
    model.compile(loss="categorical_crossentropy", metrics=[metrics.F1Score()])
    with pytest.raises(ValueError, match=r"EarlyStopping monitors 'f1_score', which has 2 values; make it one, for example with F1Score\("):
        model.fit(x, np.eye(2)[y.astype(int)], verbose=0, callbacks=[callbacks.EarlyStopping("f1_score")])


def test_gaussian_likelihood_goes_with_functions_of_ones_own():
    def spread(y_true, y_pred):
        return y_pred[:, y_true.shape[1] :].mean(axis=1)

    x, y = rows(20)
    model = models.Sequential([layers.Dense(2, activation="softplus", input_shape=(x.shape[1],))])
    model.compile(loss="gaussian_nll", metrics=[spread, "gaussian_nll"])
    values = model.evaluate(x, y, verbose=0, return_dict=True)
    assert values["spread"] == pytest.approx(model.predict(x, verbose=0)[:, 1].mean())
    metric = metrics.GaussianNLL()
    assert metric(y, model.predict(x, verbose=0)) == pytest.approx(values["gaussian_nll"]) == pytest.approx(values["loss"])
