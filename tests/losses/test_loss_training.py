"""Training with every loss: weights, parameters, layouts, functions of the user's own, and what is refused."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, layers, losses, models, optimizers
from fastmlp.errors import UnsupportedError


def model_for(loss, units=2, engine="native", activation=None, **options):
    model = models.Sequential([layers.Dense(units, activation=activation, input_shape=(3,))])
    model.compile(optimizer=optimizers.SGD(0.1), loss=loss, engine=engine, **options)
    model.set_weights([np.linspace(-1, 1, 3 * units).reshape(3, units), np.zeros(units)])
    return model


X = np.random.RandomState(0).normal(size=(40, 3)).astype(np.float32)
Y = np.random.RandomState(1).normal(size=(40, 2)).astype(np.float32)


def squares(y_true, y_pred):
    error = y_pred - y_true
    return np.square(error).mean(axis=1), 2 * error / error.shape[1]


def absolutes(y_true, y_pred):
    return np.abs(y_pred - y_true).sum(axis=1), np.sign(y_pred - y_true)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_function_trains_as_the_loss_it_computes(engine, weighted):
    weight = np.linspace(0, 2, 40) if weighted else None
    built_in, own = (model_for(loss, engine=engine, metrics=["mae"]) for loss in ("mse", squares))
    for model in (built_in, own):
        model.seed = 3
        model.fit(X, Y, epochs=3, batch_size=16, sample_weight=weight, verbose=0)
    assert own.history.history["loss"] == pytest.approx(built_in.history.history["loss"], rel=1e-5)
    assert own.history.history["mae"] == pytest.approx(built_in.history.history["mae"], rel=1e-5)
    for left, right in zip(own.get_weights(), built_in.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    assert own.evaluate(X, Y, verbose=0) == pytest.approx(built_in.evaluate(X, Y, verbose=0), rel=1e-5)


def test_a_function_may_have_kinks(engine):
    model_for(absolutes, engine=engine).fit(X, Y, verbose=0)
    model_for(absolutes, engine=engine).train_on_batch(np.zeros((4, 3)), np.zeros((4, 2)))  # every prediction on the kink


def wrong_by_two(y_true, y_pred):
    return np.square(y_pred - y_true).mean(axis=1), 2 * (y_pred - y_true)


def of_the_whole_batch(y_true, y_pred):
    return np.full(len(y_pred), np.square(y_pred - y_true).mean()), 2 * (y_pred - y_true) / y_pred.size


def of_value_alone(y_true, y_pred):
    return np.linalg.norm(np.linalg.pinv(y_pred), axis=0)


def of_columns(y_true, y_pred):
    return np.square(y_pred - y_true), 2 * (y_pred - y_true)


def with_a_flat_gradient(y_true, y_pred):
    return np.square(y_pred - y_true).mean(axis=1), (y_pred - y_true).sum(axis=1)


def failing(y_true, y_pred):
    raise KeyError("no such thing")


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (wrong_by_two, ValueError, "the loss function wrong_by_two returned a wrong gradient: for y_pred["),
        (wrong_by_two, ValueError, "(the largest deviation)"),
        (of_the_whole_batch, ValueError, "the loss of a sample must depend on that sample alone"),
        (
            of_value_alone,
            TypeError,
            "np.pinv of a symbolic value is not supported; use the functions of fastmlp.ops (test_loss_training.py, line",
        ),
        (of_columns, ValueError, "returned losses of shape (40, 2), but must return one per sample, (40,)"),
        (with_a_flat_gradient, ValueError, "returned a gradient of shape (40,), but y_pred has shape (40, 2)"),
        (failing, KeyError, "no such thing"),
    ],
)
def test_a_function_that_is_wrong_is_told_so_and_moves_nothing(engine, function, error, message):
    model = model_for(function, engine=engine)
    before = model.get_weights()
    with pytest.raises(error) as caught:
        model.fit(X, Y, batch_size=40, verbose=0)
    assert message in str(caught.value)
    assert all(np.array_equal(left, right) for left, right in zip(before, model.get_weights(), strict=True))


def test_a_function_is_checked_once():
    calls = []

    def counting(y_true, y_pred):
        calls.append(y_pred.dtype)
        return squares(y_true, y_pred)

    model = model_for(counting)
    model.fit(X, Y, batch_size=20, verbose=0)
    checked = len(calls)
    model.fit(X, Y, batch_size=20, epochs=3, verbose=0)
    assert len(calls) - checked == 6
    assert calls[-1] == np.float32


def test_the_number_of_threads_does_not_matter_to_a_function(monkeypatch):
    import fastmlp

    results = []
    seen = set()

    def noting(y_true, y_pred):
        seen.add(threading.get_ident())
        return squares(y_true, y_pred)

    before = fastmlp.get_num_threads()
    x = np.random.RandomState(0).normal(size=(512, 300)).astype(np.float32)
    for threads in (1, 3):
        fastmlp.set_num_threads(threads)
        model = models.Sequential([layers.Dense(300, activation="relu", input_shape=(300,)), layers.Dense(4)])
        model.compile(optimizer="sgd", loss=noting, metrics=["mae"])
        model.set_weights([np.random.RandomState(i).normal(0, 0.05, w.shape) for i, w in enumerate(model.get_weights())])
        model.fit(x, x[:, :4], batch_size=256, shuffle=False, verbose=0)
        results.append(model.get_weights())
    fastmlp.set_num_threads(before)
    assert all(left.tobytes() == right.tobytes() for left, right in zip(*results, strict=True))
    assert seen == {threading.get_ident()}


def test_a_function_can_not_ask_the_model_it_trains():
    def asking(y_true, y_pred):
        model.predict(X, verbose=0)
        return squares(y_true, y_pred)

    model = model_for(asking)
    with pytest.raises(RuntimeError, match="a loss function can't use the model that is being trained with it"):
        model.fit(X, Y, verbose=0)


def test_losses_keep_their_arguments_through_a_file(tmp_path):
    from fastmlp import load_model

    for loss in (losses.Huber(0.25), losses.Quantile(0.9), losses.GaussianNLL(full=True)):
        model = model_for(loss)
        y = Y[:, :1] if isinstance(loss, losses.GaussianNLL) else Y
        model.save(tmp_path / "model.safetensors")
        again = load_model(tmp_path / "model.safetensors")
        assert again.loss.get_config() == loss.get_config()
        assert again.evaluate(X, y, verbose=0) == model.evaluate(X, y, verbose=0)


def test_gaussian_nll_reads_means_and_then_variances(engine):
    model = model_for(losses.GaussianNLL(full=True), units=4, engine=engine, metrics=[losses.GaussianNLL()])
    mean, variance = np.array([1.0, -1.0]), np.array([0.5, 2.0])
    model.set_weights([np.zeros((3, 4)), np.concatenate([mean, variance])])
    expected = (0.5 * (np.log(variance) + (mean - Y) ** 2 / variance)).mean()
    loss, metric = model.evaluate(X, Y, verbose=0)
    assert metric == pytest.approx(expected, rel=1e-5)
    assert loss == pytest.approx(expected + 0.5 * np.log(2 * np.pi), rel=1e-5)


def test_a_quantile_is_learned(engine):
    x, y = np.zeros((1000, 1)), np.linspace(0, 1, 1000)
    model = models.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile(optimizer=optimizers.SGD(0.05), loss=losses.Quantile(0.9), engine=engine)
    model.fit(x, y, batch_size=1000, epochs=100, verbose=0)
    assert model.predict(x[:1], verbose=0)[0, 0] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("loss", [losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy])
def test_accuracy_is_that_of_targets_before_smoothing(engine, loss):
    labels = np.arange(40) % 2
    y = labels if loss is losses.SparseCategoricalCrossentropy else np.eye(2)[labels]
    model = model_for(loss(label_smoothing=0.4), engine=engine, activation="softmax", metrics=["accuracy"])
    plain = model_for(loss(), engine=engine, activation="softmax", metrics=["accuracy"])
    assert model.evaluate(X, y, verbose=0)[1] == plain.evaluate(X, y, verbose=0)[1]
    assert model.evaluate(X, y, verbose=0)[0] != plain.evaluate(X, y, verbose=0)[0]


@pytest.mark.parametrize(
    ("loss", "units", "y", "message"),
    [
        ("hinge", 1, [0, 1, -1], "y holds 0 and also -1 (at [2, 0]), but hinge takes -1 and 1, or 0 and 1"),
        ("gaussian_nll", 3, [1, 2, 3], "gaussian_nll reads means and as many variances, but the last layer has 3 units"),
        ("gaussian_nll", 4, [1, 2, 3], "the last layer has 4 units, so gaussian_nll takes (samples, 2): it reads a mean and a variance"),
        ("categorical_focal_crossentropy", 3, [0, 1, 2], "one-hot targets; pass utils.to_categorical(y, 3)"),
        ("binary_focal_crossentropy", 1, [0, 1, 2], "y[2, 0] is 2, but binary_focal_crossentropy takes values from 0 to 1"),
        (squares, 2, [0, 1, 2], "so squares() takes (samples, 2)"),
    ],
)
@pytest.mark.filterwarnings("ignore:.* reads the output as probabilities:UserWarning")
def test_targets_that_do_not_suit_the_loss_are_explained(loss, units, y, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        model_for(loss, units).fit(X[:3], y, verbose=0)


def test_a_rate_that_is_not_positive_is_explained_when_the_loss_breaks():
    with pytest.raises(FloatingPointError, match="poisson needs positive predictions"):
        model_for("poisson").fit(X, np.ones((40, 2)), verbose=0)


@pytest.mark.parametrize(("loss", "metric"), [("gaussian_nll", "mae"), ("mse", "gaussian_nll")])
def test_means_and_variances_go_with_their_own_loss_and_metric_only(loss, metric):
    with pytest.raises(ValueError, match=r"the metric '(mae|gaussian_nll)'"):
        model_for(loss, metrics=[metric]).evaluate(X, Y[:, :1] if loss == "gaussian_nll" else Y, verbose=0)


def test_training_with_another_reduction_is_refused():
    with pytest.raises(UnsupportedError, match="training with reduction='sum' is not in fastmlp"):
        model_for(losses.Huber(reduction="sum"))


LABELS = np.random.RandomState(2).randint(0, 3, 40)
ONE_HOT = np.eye(3)[LABELS]


@pytest.mark.parametrize("loss", [losses.Dice(), losses.Tversky(0.3, 0.7), losses.Circle(gamma=4.0), losses.Dice(axis=1)], ids=repr)
def test_the_loss_of_an_evaluation_is_the_mean_over_its_batches(engine, loss):
    model = model_for(loss, 3, engine, None if loss.name == "circle" else "sigmoid")
    y = LABELS if loss.name == "circle" else ONE_HOT
    p = model.predict(X, verbose=0)
    sizes = [16, 16, 8]
    wanted = [loss(y[start : start + size], p[start : start + size]) for start, size in zip((0, 16, 32), sizes, strict=True)]
    assert model.evaluate(X, y, batch_size=16, verbose=0) == pytest.approx(np.average(wanted, weights=sizes), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "y"), [(losses.Tversky(0.3, 0.7), ONE_HOT), (losses.Circle(gamma=4.0), LABELS)], ids=["tversky", "circle"]
)
def test_a_loss_of_whole_batches_gives_the_same_bits_for_any_number_of_threads(loss, y):
    weights = []
    x, y = np.tile(X, (50, 1)), np.concatenate([y] * 50)
    before = fastmlp.get_num_threads()
    try:
        for threads in (1, 2, 3):
            fastmlp.set_num_threads(threads)
            model = model_for(loss, 3, activation="softmax")
            model.seed = 3
            model.fit(x, y, epochs=2, batch_size=500, verbose=0)
            weights.append(model.get_weights()[0].tobytes())
    finally:
        fastmlp.set_num_threads(before)
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.parametrize("ignored", [-1, 255, 1])
def test_rows_of_an_ignored_class_do_not_count(engine, ignored):
    labels = LABELS.copy()
    labels[::3] = ignored
    kept = labels != ignored
    model = model_for(losses.SparseCategoricalCrossentropy(ignore_class=ignored), 3, engine, "softmax", metrics=["accuracy"])
    plain = model_for("sparse_categorical_crossentropy", 3, engine, "softmax", metrics=["accuracy"])
    value, accuracy = model.evaluate(X, labels, batch_size=40, verbose=0)
    assert value == pytest.approx(plain.evaluate(X[kept], labels[kept], verbose=0)[0], rel=1e-6)
    assert accuracy == pytest.approx((model.predict(X, verbose=0).argmax(axis=1) == labels).mean())
    model.train_on_batch(X, labels)
    plain.train_on_batch(X[kept], labels[kept])
    for left, right in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match=r"y\[1\] is 7, but integer class labels go from 0 to 2"):
        model.evaluate(X[:2], [0, 7], verbose=0)


def test_ignored_rows_may_have_any_predictions(engine):
    model = model_for(losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), 3, engine)
    x = X.copy()
    x[0] = 3e38  # logits that are not finite
    with np.errstate(all="ignore"):
        value = model.evaluate(x, [-1, *LABELS[1:]], verbose=0, batch_size=40)
    assert value == pytest.approx(model.evaluate(X[1:], LABELS[1:], verbose=0, batch_size=40), rel=1e-5)


def test_batches_without_any_row_that_counts_have_loss_zero(engine):
    model = model_for(losses.SparseCategoricalCrossentropy(ignore_class=-1), 3, engine, "softmax")
    before = model.get_weights()[0]
    assert model.train_on_batch(X[:4], [-1] * 4) == 0
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_an_output_among_several_may_ignore_a_class(engine):
    x = layers.Input((3,))
    model = Model(x, {"a": layers.Dense(3, activation="softmax")(x), "b": layers.Dense(2)(x)})
    model.compile("sgd", {"a": losses.SparseCategoricalCrossentropy(ignore_class=-1), "b": "mse"}, engine=engine)
    labels = np.where(np.arange(40) % 2, LABELS, -1)
    values = model.evaluate(X, {"a": labels, "b": Y}, batch_size=40, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)["a"]
    assert values["a_loss"] == pytest.approx(losses.SparseCategoricalCrossentropy()(labels[1::2], p[1::2]), rel=1e-5)


def test_the_circle_loss_pulls_classes_together(engine):
    model = model_for(losses.Circle(gamma=4.0), 2, engine)
    x = np.eye(3)[LABELS] + 0.05 * X
    history = model.fit(x, LABELS + 1000, epochs=30, batch_size=40, verbose=0).history["loss"]
    assert history[-1] < 0.9 * history[0]


WEIGHTS = np.random.RandomState(3).uniform(0, 2, 40).astype(np.float32)
FAR_LABELS = np.array([-5, 40, 16_000_000])[LABELS]


def test_weights_multiply_what_rows_lose_in_the_circle_loss(engine):
    loss = losses.Circle(gamma=4.0)
    model = model_for(loss, 3, engine)
    p = model.predict(X, verbose=0)
    wanted = loss(LABELS, p, sample_weight=WEIGHTS)
    assert model.evaluate(X, FAR_LABELS, batch_size=40, sample_weight=WEIGHTS, verbose=0) == pytest.approx(wanted, rel=1e-5)
    by_class = {40: 0.5, 16_000_000: 3.0}
    wanted = loss(LABELS, p, sample_weight=np.array([1.0, 0.5, 3.0])[LABELS])
    history = model.fit(X, FAR_LABELS, batch_size=40, class_weight=by_class, verbose=0).history["loss"]
    assert history == pytest.approx([wanted], rel=1e-5)


def nearest_is_of_the_class(labels, p):
    nearness = p @ p.T - 9 * np.eye(len(p))
    return (labels[nearness.argmax(axis=1)] == labels).astype(np.float32)


def test_metrics_beside_the_circle_loss_get_labels_and_embeddings(engine):
    model = model_for("circle", 3, engine, metrics=["accuracy", nearest_is_of_the_class], weighted_metrics=["accuracy"])
    p = model.predict(X, verbose=0)
    values = model.evaluate(X, FAR_LABELS, batch_size=40, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert values["accuracy"] == 0
    assert values["nearest_is_of_the_class"] == pytest.approx(nearest_is_of_the_class(FAR_LABELS, p).mean())
    values = model.evaluate(X, LABELS, batch_size=40, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    right = p.argmax(axis=1) == LABELS
    assert values["accuracy"] == pytest.approx(right.mean(), rel=1e-6)
    assert values["weighted_accuracy"] == pytest.approx(np.average(right, weights=WEIGHTS), rel=1e-6)


def test_the_circle_loss_may_be_one_of_several(engine):
    x = layers.Input(shape=(3,))
    vector, number = layers.Dense(4, name="vector")(x), layers.Dense(1, name="number")(x)
    model = models.Model(x, [vector, number])
    model.compile("sgd", [losses.Circle(gamma=4.0), "mse"], loss_weights=[2.0, 1.0], engine=engine)
    p, q = model.predict(X, verbose=0)
    values = model.evaluate(X, [FAR_LABELS, Y[:, :1]], batch_size=40, sample_weight=[WEIGHTS, None], verbose=0, return_dict=True)
    circle = losses.Circle(gamma=4.0)(LABELS, p, sample_weight=WEIGHTS)
    assert values["vector_loss"] == pytest.approx(circle, rel=1e-5)
    assert values["loss"] == pytest.approx(2 * circle + np.square(q - Y[:, :1]).mean(), rel=1e-5)
    before = model.get_weights()
    model.fit(X, [FAR_LABELS, Y[:, :1]], batch_size=40, verbose=0)
    assert all((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))


def test_a_split_names_the_labels_that_training_lacks_whatever_they_are():
    labels = np.sort(FAR_LABELS)
    with pytest.warns(UserWarning, match=r"have classes the training samples lack: 1.6e\+07"):
        model_for("circle", 3).fit(X, labels, validation_split=np.mean(labels == 16_000_000), verbose=0)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda m: m.fit(X, ONE_HOT), ValueError, "y has shape (40, 3), but circle takes one integer class label per sample"),
        (lambda m: m.fit(X, Y[:, 0]), ValueError, "but circle takes integer class labels"),
        (
            lambda m: m.fit(X, LABELS - (1 << 24)),
            ValueError,
            "y[0] is -16777216, but circle takes integer class labels from -16777215 to",
        ),
        (lambda m: (m.compile("sgd", "circle", metrics=["mae"]), m.fit(X, LABELS)), ValueError, "use a custom metric, which receives both"),
        (lambda m: (m.compile("sgd", "circle", metrics=["ce"]), m.fit(X, LABELS)), ValueError, "use a custom metric, which receives both"),
        (lambda m: (m.compile("sgd", losses.Dice(axis=0)), m.fit(X, ONE_HOT)), UnsupportedError, "dice(axis=0) on an output of 2 axes"),
    ],
)
def test_losses_of_whole_batches_refuse_what_they_can_not_do(use, error, message):
    with pytest.raises(error) as caught:
        use(model_for("circle", 3))
    assert message in str(caught.value)


@pytest.mark.parametrize("ending", ["safetensors", "keras"])
@pytest.mark.parametrize(
    "loss",
    [
        losses.Dice(),
        losses.Tversky(0.3, 0.7, axis=(1,)),
        losses.Circle(gamma=5.0, margin=0.3, remove_diagonal=False),
        losses.CategoricalGeneralizedCrossEntropy(q=0.7),
        losses.SparseCategoricalCrossentropy(ignore_class=-1),
        losses.CategoricalCrossentropy(axis=1),
    ],
    ids=lambda loss: loss.name,
)
def test_losses_come_back_from_files_with_their_arguments(loss, ending, tmp_path):
    model = model_for(loss, 3, activation="softmax")
    model.save(tmp_path / f"model.{ending}")
    again = models.load_model(tmp_path / f"model.{ending}")
    assert type(again.loss) is type(loss)
    assert again.loss.get_config() == loss.get_config()
