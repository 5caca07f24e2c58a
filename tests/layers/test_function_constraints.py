"""Constraints that are functions or classes of the user's own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import Sequential, callbacks, constraints, layers, models, optimizers, utils

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
Y = (X[:, :1] - 2 * X[:, 1:2]).astype(np.float32)
HOW = {"batch_size": 8, "shuffle": False, "verbose": 0}


def clipped(w):
    return np.clip(w, -0.1, 0.1)


class Rounded(constraints.Constraint):
    """Keeps multiples of a step."""

    def __init__(self, step=0.25):
        self.step = step

    def __call__(self, w):
        return np.round(w / self.step) * self.step

    def get_config(self):
        return {"step": self.step}


def made(constraint, optimizer="sgd", **options):
    utils.set_random_seed(1)
    model = Sequential([layers.Input((6,)), layers.Dense(4, kernel_constraint=constraint, name="first"), layers.Dense(1)])
    model.compile(optimizer, "mse", **options)
    return model


@pytest.mark.parametrize(
    ("function", "builtin"),
    [
        (lambda w: np.maximum(w, 0), "non_neg"),
        (lambda w: w * (np.minimum(n := np.sqrt(np.square(w).sum(axis=0)), 0.5) / (1e-7 + n)), constraints.MaxNorm(0.5)),
    ],
)
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(0.1, momentum=0.9),
        lambda: optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
        lambda: optimizers.RMSprop(0.01, gradient_accumulation_steps=2, clipnorm=0.5),
    ],
)
def test_a_function_does_what_the_builtin_that_computes_the_same_does(engine, function, builtin, optimizer):
    own, known = made(function, optimizer()), made(builtin, optimizer())
    for model in (own, known):
        model.history_ = model.fit(X, Y, epochs=3, **HOW).history
    np.testing.assert_allclose(own.history_["loss"], known.history_["loss"], rtol=1e-5)
    for mine, theirs in zip(own.get_weights(), known.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_engines_agree():
    native, reference = made(clipped, "adam", engine="native"), made(clipped, "adam", engine="reference")
    for model in (native, reference):
        model.fit(X, Y, epochs=3, **HOW)
    for mine, theirs in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_it_is_called_once_a_batch_with_a_copy_that_may_be_changed(engine):
    seen = []

    def halved(w):
        seen.append(w.copy())
        w *= 0.5
        return w

    model = made(halved)
    model.fit(X, Y, epochs=2, **HOW)
    assert len(seen) == 10
    np.testing.assert_array_equal(model.layers[0].kernel, seen[-1] * np.float32(0.5))
    model.train_on_batch(X, Y)
    assert len(seen) == 11
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert len(seen) == 11


def test_metrics_schedules_and_callbacks_see_every_batch(engine):
    schedule = optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)

    def trained(constraint):
        batches = []
        listener = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
        utils.set_random_seed(1)
        model = Sequential([layers.Input((6,)), layers.Dense(4, kernel_constraint=constraint), layers.Dense(1, "sigmoid")])
        model.compile(optimizers.SGD(schedule), "binary_crossentropy", metrics=["accuracy", "auc"])
        history = model.fit(X, (Y > 0).astype(int), epochs=2, callbacks=[listener], **HOW).history
        return history, batches, model.optimizer.learning_rate

    (own, batches, rate), (known, expected, wanted) = trained(lambda w: np.maximum(w, 0)), trained("non_neg")
    assert batches == expected
    assert float(rate) == float(wanted)
    for name, values in known.items():
        np.testing.assert_allclose(own[name], values, rtol=1e-5)


def test_frozen_layers_are_left_alone(engine):
    model = made(lambda w: 1 / 0)
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    model.fit(X, Y, **HOW)


@pytest.mark.filterwarnings("ignore:.*files hold no Python code")
def test_a_class_of_ones_own_and_a_function_are_saved_by_name(tmp_path):
    scope = {"clipped": clipped, "Rounded": Rounded}
    for constraint in (Rounded(0.5), clipped):
        model = made(constraint)
        model.fit(X, Y, **HOW)
        for ending in ("safetensors", "keras", "h5"):
            model.save(tmp_path / f"model.{ending}")
            loaded = fastmlp.load_model(tmp_path / f"model.{ending}", custom_objects=scope)
            for one in (model, loaded):
                one.fit(X, Y, **HOW)
            np.testing.assert_array_equal(loaded.layers[0].kernel, model.layers[0].kernel)
        assert models.clone_model(model).layers[0].get_config() == model.layers[0].get_config()
        again = pickle.loads(pickle.dumps(model))
        again.fit(X, Y, **HOW)
        if constraint is clipped:
            assert np.abs(again.layers[0].kernel).max() <= np.float32(0.1)
        else:
            assert set(np.unique(again.layers[0].kernel * 2 % 1)) == {0}


@pytest.mark.parametrize(
    ("function", "error", "reason"),
    [
        (lambda w: w[:1], ValueError, r"the constraint <lambda> returned an array of shape \(1, 4\) for first/kernel of shape \(6, 4\)"),
        (lambda w: None, TypeError, "the constraint <lambda> must return an array of numbers for first/kernel, got None"),
        (lambda w: "no", TypeError, "the constraint <lambda> must return an array of numbers for first/kernel, got 'no'"),
        (lambda w: w * np.nan, ValueError, "the constraint <lambda> returned NaN or infinite numbers for first/kernel"),
        (lambda w: 1 / 0, ZeroDivisionError, "division by zero"),
    ],
)
def test_what_a_function_does_wrong_is_told(engine, function, error, reason):
    model = made(function)
    with pytest.raises(error, match=reason):
        model.fit(X, Y, **HOW)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_function_of_shared_weights_is_for_all_models_that_train_them(engine):
    x = layers.Input((6,))
    shared = layers.Dense(4, kernel_constraint=clipped)
    first, second = (fastmlp.Model(x, layers.Dense(1)(shared(x))) for _ in range(2))
    for model in (first, second):
        model.compile("sgd", "mse")
        model.fit(X, Y, **HOW)
        assert np.abs(shared.kernel).max() <= np.float32(0.1)


def test_columns_that_are_mostly_empty_take_part(engine):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    x = (X * (np.random.default_rng(1).random(X.shape) < 0.1)).astype(np.float32)
    dense, sparse = made(clipped, "adam"), made(clipped, "adam")
    dense.fit(x, Y, **HOW)
    sparse.fit(scipy_sparse.csr_matrix(x), Y, **HOW)
    for mine, theirs in zip(dense.get_weights(), sparse.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_lbfgs_refuses_functions_as_it_does_other_constraints():
    model = made(clipped, optimizers.LBFGS())
    with pytest.raises(ValueError, match="LBFGS knows no constraints, but first/kernel has one"):
        model.fit(X, Y, verbose=0)


def test_a_class_without_a_call_says_what_it_needs():
    class Empty(constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty must have a method __call__\(w\)"):
        made(Empty())


def test_l1_leaves_weights_that_are_exactly_zero(engine):
    model = Sequential([layers.Input((3,)), layers.Dense(1, kernel_initializer="zeros", kernel_regularizer=fastmlp.regularizers.L1(0.1))])
    model.compile(optimizers.Ftrl(0.1, l1_regularization_strength=0.01), "mse")
    x = np.zeros((8, 3), np.float32)
    model.fit(x, np.ones(8), epochs=3, verbose=0)
    np.testing.assert_array_equal(model.layers[0].kernel, np.zeros((3, 1)))
