"""Layers become plans: which nodes there are, and which loss reads which buffer."""

from __future__ import annotations

import pytest

from fastmlp import layers, losses, models
from fastmlp._engine.spec import Node, Objective


def nodes(*items, loss=None):
    model = models.Sequential([layers.Input((3,)), *items])
    if loss is None:
        return model.plan.nodes
    model.compile(loss=loss)
    return model._current_objective().objectives[0]


def test_an_elementwise_activation_moves_into_the_dense_node():
    assert nodes(layers.Dense(4), layers.Activation("relu"), layers.Dense(2, activation="tanh")) == (
        Node("dense", (0,), 1, (0, 1), "relu"),
        Node("dense", (1,), 2, (2, 3), "tanh"),
    )


def test_softmax_and_a_closing_sigmoid_are_nodes_of_their_own():
    assert nodes(layers.Dense(4, "sigmoid"), layers.Dense(2, "softmax"))[:2] == (
        Node("dense", (0,), 1, (0, 1), "sigmoid"),
        Node("dense", (1,), 2, (2, 3)),
    )
    assert nodes(layers.Dense(2, "softmax"))[-1] == Node("activation", (1,), 2, activation="softmax")
    assert nodes(layers.Dense(1, "sigmoid"), layers.Flatten(), layers.Dropout(0)) == (
        Node("dense", (0,), 1, (0, 1)),
        Node("activation", (1,), 2, activation="sigmoid"),
    )


def test_layers_that_do_nothing_have_no_node():
    made = nodes(layers.Flatten(), layers.Dense(2, use_bias=False), layers.Activation("linear"), layers.Dropout(0.0), layers.Dropout(0.5))
    assert made == (Node("dense", (0,), 1, (0,)), Node("dropout", (1,), 2, rate=0.5))


def test_a_second_activation_stays_a_node():
    assert [node.op for node in nodes(layers.Dense(2, "relu"), layers.LeakyReLU(), layers.Activation("tanh"))] == [
        "dense",
        "activation",
        "activation",
    ]


@pytest.mark.parametrize(
    ("closing", "loss", "objective"),
    [
        (layers.Dense(2, "softmax"), "categorical_crossentropy", Objective("categorical_crossentropy", 1, True)),
        (layers.Dense(2, "softmax"), "sparse_categorical_crossentropy", Objective("sparse_categorical_crossentropy", 1, True)),
        (layers.Dense(1, "sigmoid"), "binary_crossentropy", Objective("binary_crossentropy", 1, True)),
        (layers.Dense(1, "sigmoid"), "mse", Objective("mean_squared_error", 2, False)),
        (layers.Dense(2, "softmax"), "mse", Objective("mean_squared_error", 2, False)),
        (layers.Dense(2), losses.CategoricalCrossentropy(from_logits=True), Objective("categorical_crossentropy", 1, True)),
    ],
)
def test_the_loss_absorbs_the_activation_that_belongs_to_it(closing, loss, objective):
    found = nodes(closing, loss=loss)
    assert (found.loss, found.source, found.from_logits) == (objective.loss, objective.source, objective.from_logits)
