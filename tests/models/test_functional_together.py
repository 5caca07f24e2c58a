"""What the rest of the library offers, in models that are no chain: metrics, penalties, decay, averages, generators, files."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import constraints, layers, metrics, models, optimizers, utils

ROWS = 60
HOW = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0}


def data():
    random = np.random.default_rng(3)
    a, b = (random.standard_normal((ROWS, columns)).astype(np.float32) for columns in (4, 3))
    return [a, b], {"amount": a[:, :1] * b[:, :1], "sign": (a[:, 0] > b[:, 0]).astype(np.float32), "kind": np.argmax(b, axis=1)}


def two_in_three_out(**options):
    """A layer that is used twice, penalties of both kinds, a frozen layer, and a batch normalization."""
    utils.set_random_seed(5)
    left, right = layers.Input((4,)), layers.Input((3,))
    shared = layers.Dense(6, activation="tanh", kernel_regularizer="l2", kernel_constraint=constraints.MaxNorm(0.8))
    a = shared(layers.Dense(5, use_bias=False)(left))
    b = shared(layers.Dense(5, activation="relu", activity_regularizer="l2", trainable=options.pop("trainable", True))(right))
    h = layers.BatchNormalization()(layers.concatenate([a, layers.multiply([a, b]), b]))
    outputs = [
        layers.Dense(1, name="amount")(h),
        layers.Dense(1, activation="sigmoid", name="sign")(h),
        layers.Dense(3, activation="softmax", name="kind")(h),
    ]
    return models.Model([left, right], outputs)


LOSSES = {"amount": "mse", "sign": "binary_crossentropy", "kind": "sparse_categorical_crossentropy"}
OPTIMIZERS = {
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=0.5),
    "averaged": lambda: optimizers.SGD(0.05, momentum=0.9, use_ema=True, ema_momentum=0.8, gradient_accumulation_steps=2),
    "nadam with a schedule": lambda: optimizers.Nadam(optimizers.schedules.ExponentialDecay(0.01, 5, 0.9), clipvalue=0.01),
}


def compiled(engine, optimizer="adam", **options):
    model = two_in_three_out(**options)
    watched = {
        "amount": ["mae"],
        "sign": [metrics.AUC(name="auc")],
        "kind": ["accuracy", metrics.SparseTopKCategoricalAccuracy(2, name="top")],
    }
    model.compile(optimizer=optimizer, loss=LOSSES, loss_weights={"amount": 0.5, "sign": 1.0, "kind": 2.0}, metrics=watched, engine=engine)
    return model


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_both_engines_train_it_alike_with_every_metric(optimizer):
    x, y = data()
    native, reference = (compiled(engine, optimizer()) for engine in ("native", "reference"))
    ours, theirs = (model.fit(x, y, validation_data=(x, y), **HOW).history for model in (native, reference))
    assert list(ours) == list(theirs)
    assert {"sign_auc", "kind_top", "amount_mae", "val_sign_auc", "sign_loss", "loss"} <= set(ours)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=2e-4, atol=2e-5, err_msg=name)
    for one, other in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-5)


def test_metrics_of_predictions_are_of_their_output_alone(engine):
    x, y = data()
    model = compiled(engine)
    model.fit(x, y, **HOW)
    values = model.evaluate(x, y, verbose=0, return_dict=True)
    amount, sign, kind = model.predict(x, verbose=0)
    auc, top = metrics.AUC(), metrics.SparseTopKCategoricalAccuracy(2)
    auc.update_state(y["sign"], sign[:, 0])
    top.update_state(y["kind"], kind)
    assert values["sign_auc"] == pytest.approx(float(auc.result()), abs=1e-6)
    assert values["kind_top"] == pytest.approx(float(top.result()), abs=1e-6)
    assert values["amount_mae"] == pytest.approx(np.abs(amount - y["amount"]).mean(), rel=1e-5)


def test_the_loss_is_the_weighted_sum_and_the_penalties(engine):
    x, y = data()
    model = compiled(engine)
    values = model.evaluate(x, y, verbose=0, return_dict=True)
    kernel = next(layer for layer in model.layers if isinstance(layer, layers.Dense) and layer.kernel_regularizer).kernel
    penalized = next(layer for layer in model.layers if isinstance(layer, layers.Dense) and layer.activity_regularizer)
    given = np.maximum(x[1] @ penalized.kernel + penalized.bias, 0)
    penalties = 0.01 * (kernel**2).sum() + 0.01 * (given**2).sum() / ROWS
    of_outputs = 0.5 * values["amount_loss"] + values["sign_loss"] + 2 * values["kind_loss"]
    assert values["loss"] == pytest.approx(of_outputs + penalties, rel=1e-5)


def test_a_frozen_layer_stays_but_its_outputs_still_count(engine):
    x, y = data()
    model = compiled(engine, trainable=False)
    frozen = next(layer for layer in model.layers if not layer.trainable)
    before = frozen.get_weights()
    model.fit(x, y, **HOW)
    for now, then in zip(frozen.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_batches_of_several_inputs_and_outputs_come_from_a_generator(engine):
    x, y = data()

    def batches():
        while True:
            for at in range(0, ROWS, 16):
                part = slice(at, at + 16)
                yield [a[part] for a in x], {name: values[part] for name, values in y.items()}

    from_arrays, from_batches = compiled(engine), compiled(engine)
    wanted = from_arrays.fit(x, y, **HOW).history
    history = from_batches.fit(batches(), epochs=3, steps_per_epoch=4, verbose=0).history
    assert history == wanted
    predictions = from_batches.predict(iter([([a[:16] for a in x],), ([a[16:] for a in x],)]), steps=2, verbose=0)
    for ours, theirs in zip(predictions, from_arrays.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_was_trained_comes_back_from_a_file_and_goes_on(tmp_path, engine):
    x, y = data()
    model = compiled(engine, OPTIMIZERS["averaged"]())
    model.fit(x, y, **HOW)
    model.save(tmp_path / "model.safetensors")
    again = models.load_model(tmp_path / "model.safetensors")
    for one in (model, again):
        one.fit(x, y, **HOW)
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
