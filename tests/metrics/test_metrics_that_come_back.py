"""Metrics of the user's own that use the model they are a metric of."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import Sequential, layers, metrics

X, Y = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.ones((40, 1), np.float32)
COMES_BACK = "a metric can't evaluate or train the model that it is a metric of"


class Own(metrics.Metric):
    """Does something in one of its methods."""

    def __init__(self, method, do):
        super().__init__("own")
        self.method, self.do, self.count = method, do, 0

    def reset_state(self):
        self.count = 0
        self._reached("reset_state")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count += 1
        self._reached("update_state")

    def result(self):
        self._reached("result")
        return float(self.count)

    def _reached(self, method):
        if method == self.method and self.do is not None:
            self.do()


def made(metric):
    model = Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[metric, metrics.AUC(name="auc")])
    return model


@pytest.mark.parametrize("method", ["reset_state", "update_state", "result"])
@pytest.mark.parametrize("again", ["evaluate", "test_on_batch", "train_on_batch", "fit"])
@pytest.mark.parametrize("first", ["evaluate", "fit", "test_on_batch"])
def test_one_that_begins_another_pass_gets_an_error(engine, first, again, method):
    metric = Own(None, None)
    model = made(metric)
    quiet = {"verbose": 0} if first in ("evaluate", "fit") else {}
    expected = getattr(model, first)(X, Y, **quiet)
    metric.method, metric.do = method, lambda: getattr(model, again)(X, Y)
    with pytest.raises(RuntimeError, match=f"{COMES_BACK}|while the same model is being trained, from one of its callbacks"):
        getattr(model, first)(X, Y, **quiet)
    metric.method = None
    again_ = getattr(model, first)(X, Y, **quiet)
    if first != "fit":
        assert again_ == expected


def test_a_function_that_begins_another_pass_gets_an_error(engine):
    def comes_back(y_true, y_pred):
        return model.evaluate(X, Y, verbose=0)

    model = made(comes_back)
    with pytest.raises(RuntimeError, match=COMES_BACK):
        model.evaluate(X, Y, verbose=0)


def test_one_that_predicts_or_measures_another_model_is_fine(engine):
    other = made(metrics.MeanAbsoluteError())
    metric = Own("update_state", lambda: (model.predict(X, verbose=0), other.evaluate(X, Y, verbose=0)))
    model = made(metric)
    assert model.evaluate(X, Y, batch_size=20, verbose=0, return_dict=True)["own"] == 2


def test_one_that_begins_another_pass_with_an_object_of_both_models_gets_an_error(engine):
    metric = Own("update_state", lambda: other.evaluate(X, Y, verbose=0))
    model, other = made(metric), made(metric)
    with pytest.raises(RuntimeError, match=COMES_BACK):
        model.evaluate(X, Y, verbose=0)
