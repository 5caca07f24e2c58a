"""Losses as users of Keras write them, and the fits whose histories were taken from Keras once, by ``make_custom_loss_golden.py``.

Written so that it runs on Keras and on fastmlp alike: ``api`` is the module to run on.
"""

from __future__ import annotations

import numpy as np

_random = np.random.RandomState(4)
X = _random.normal(size=(22, 3)).astype(np.float32)
Y = _random.normal(size=(22, 4)).astype(np.float32)
HOT = np.eye(4, dtype=np.float32)[_random.randint(0, 4, 22)]
WEIGHTS = _random.uniform(0, 2, 22).astype(np.float32)
INITIAL = [_random.normal(scale=0.5, size=shape).astype(np.float32) for shape in ((3, 5), (5,), (5, 4), (4,))]


def losses_of(api):
    """Name: (a loss, the targets, the activation of the last layer, whether Keras takes sample weights)."""
    ops = api.ops

    def mean_of_rows(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    def of_elements(y_true, y_pred):
        return ops.square(y_true - y_pred) * ops.exp(-y_true)

    def of_the_batch(y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred)) + 0.1 * ops.std(y_pred)

    def smooth(y_true, y_pred):
        error = y_true - y_pred
        small = ops.abs(error) <= 0.5
        return ops.mean(ops.where(small, 0.5 * ops.square(error), 0.5 * (ops.abs(error) - 0.25)), axis=-1)

    def focal(y_true, y_pred):
        p = ops.clip(y_pred, 1e-7, 1 - 1e-7)
        return ops.sum(-y_true * (1 - p) ** 2.0 * ops.log(p), axis=-1)

    def of_overlap(y_true, y_pred):
        y, p = ops.reshape(y_true, [-1]), ops.reshape(y_pred, [-1])
        return 1 - (2 * ops.sum(y * p) + 1) / (ops.sum(y) + ops.sum(p) + 1)

    def relative_to_the_batch(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred + ops.mean(y_pred, axis=0)), axis=-1)

    class Weighted(api.losses.Loss):
        def __init__(self, factor=2.0, name="weighted", **options):
            super().__init__(name=name, **options)
            self.factor = factor

        def call(self, y_true, y_pred):
            error = y_pred - y_true
            return ops.mean(ops.where(error > 0, self.factor * error, -error), axis=-1)

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    return {
        "mean of rows": (mean_of_rows, Y, None, True),
        "of elements": (of_elements, Y, None, False),
        "of the batch": (of_the_batch, Y, None, False),
        "smooth": (smooth, Y, None, True),
        "focal": (focal, HOT, "softmax", True),
        "of overlap": (of_overlap, HOT, "sigmoid", False),
        "relative to the batch": (relative_to_the_batch, Y, None, False),
        "subclass": (Weighted(3.0), Y, None, True),
        "lambda": (lambda y_true, y_pred: ops.logsumexp(y_pred, axis=1) - ops.sum(y_true * y_pred, axis=1), HOT, None, True),
        "numbers of a closure": (
            lambda y_true, y_pred: ops.mean((y_true - y_pred) ** 2 * np.array([0.1, 0.2, 0.3, 0.4]), axis=-1),
            Y,
            None,
            True,
        ),
    }


def fits() -> list[tuple[str, bool]]:
    """Every loss, without and with sample weights."""
    import types

    stand_in = types.SimpleNamespace(ops=None, losses=types.SimpleNamespace(Loss=type("Loss", (), {"__init__": lambda self, name: None})))
    return [(name, weighted) for name, (*_, weighable) in losses_of(stand_in).items() for weighted in (False, True)[: 1 + weighable]]


def model_with(api, name: str, **compile_options):
    """A small network, compiled with a loss of this name, and its targets."""
    loss, y, activation, _ = losses_of(api)[name]
    model = api.Sequential(
        [api.layers.Input(shape=(3,)), api.layers.Dense(5, activation="tanh"), api.layers.Dense(4, activation=activation)]
    )
    model.set_weights(INITIAL)
    model.compile(optimizer=api.optimizers.SGD(0.2), loss=loss, **compile_options)
    return model, y


def fitted(api, name: str, weighted: bool, **compile_options) -> dict[str, list[float]]:
    """The losses of three epochs of three batches, the last one smaller, the loss afterwards, and some of the weights."""
    model, y = model_with(api, name, **compile_options)
    weights = WEIGHTS if weighted else None
    history = model.fit(X, y, sample_weight=weights, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
    after = model.evaluate(X, y, sample_weight=weights, batch_size=8, verbose=0)
    return {"losses": [*map(float, history), float(after)], "weights": np.asarray(model.get_weights()[2]).ravel().tolist()}
