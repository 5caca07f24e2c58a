"""Penalties, constraints, decay and averages meet every layer that has weights, and leave frozen ones alone."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import layers, models, optimizers, utils

HOW = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0}
STACKS = {
    "batch normalization": lambda: [layers.BatchNormalization(gamma_regularizer="l2", beta_constraint="non_neg")],
    "layer normalization": lambda: [layers.LayerNormalization(beta_regularizer="l1", gamma_constraint="max_norm")],
    "prelu": lambda: [layers.PReLU(alpha_initializer="ones", alpha_regularizer="l1_l2", alpha_constraint="non_neg")],
}
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=0.5),
    "averaged": lambda: optimizers.RMSprop(0.01, use_ema=True, ema_momentum=0.8, gradient_accumulation_steps=2),
}


def data(columns=6):
    rows = np.random.default_rng(5).standard_normal((30, columns)).astype(np.float32)
    return rows, rows[:, :1] - rows[:, 1:2]


def trained(make, optimizer, engine, x, y):
    utils.set_random_seed(3)
    model = models.Sequential(make())
    model.compile(optimizer=optimizer(), loss="mse", engine=engine)
    history = model.fit(x, y, **HOW)
    return model, history.history["loss"]


def agree(make, optimizer, x, y):
    (native, losses), (reference, wanted) = (trained(make, optimizer, engine, x, y) for engine in ("native", "reference"))
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)
    for ours, theirs in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    return native


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_the_weights_of_every_layer_take_penalties_constraints_decay_and_averages(stack, optimizer):
    def make():
        # Without a bias, whose gradient before a batch normalization is nothing but rounding.
        return [layers.Dense(5, input_shape=(6,), use_bias=False, kernel_regularizer="l2"), *stack(), layers.Dense(1)]

    agree(make, optimizer, *data())


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_penalized_table_moves_in_the_rows_nobody_looked_up_too(optimizer):
    codes = np.random.default_rng(1).integers(0, 20, (30, 2)).astype(np.float32)

    def make():
        table = layers.Embedding(50, 4, embeddings_regularizer="l2", embeddings_constraint="max_norm")
        return [layers.Input((2,)), table, layers.Flatten(), layers.Dense(1)]

    utils.set_random_seed(3)
    before = models.Sequential(make()).get_weights()[0]
    after = agree(make, optimizer, codes, codes[:, :1]).get_weights()[0]
    assert np.all(after[20:] != before[20:])


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_nothing_is_asked_of_frozen_layers(optimizer):
    def make(rule=None):
        frozen = layers.Dense(5, input_shape=(6,), kernel_regularizer=rule, kernel_constraint="unit_norm", trainable=False)
        return [frozen, layers.ReLU(), layers.Dense(1, kernel_regularizer="l2")]

    x, y = data()
    utils.set_random_seed(3)
    before = models.Sequential(make()).get_weights()[:2]
    after = agree(lambda: make("l2"), optimizer, x, y)
    for ours, first in zip(after.get_weights(), before, strict=False):
        np.testing.assert_array_equal(ours, first)
    penalized, free = (trained(lambda rule=rule: make(rule), optimizer, "native", x, y)[1] for rule in ("l2", None))
    assert penalized == free  # as in Keras, the loss has the penalties of what is trained


def test_the_rules_of_weights_are_part_of_the_configuration():
    for stack in STACKS.values():
        model = models.Sequential([layers.Input((4,)), *stack()])
        again = models.Sequential.from_config(model.get_config())
        assert again.get_config() == model.get_config()
        (layer,) = again.layers
        assert any(value for name, value in layer.get_config().items() if name.endswith(("_regularizer", "_constraint")))
