"""Layers become plans: which nodes there are, and which loss reads which buffer."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import activations, initializers, layers, losses, models
from fastmlp._engine.spec import Node, Objective
from fastmlp._graph.operation import Operation, parallel
from fastmlp._graph.weights import Weight


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


def columns(*which):
    return Operation("gather", settings={"gathered": np.array(which)})


def dense(units, *weights):
    return Operation("dense", weights=weights, columns=units)


class Branches(layers.Layer):
    """A layer of parallel chains of operations, with the weights ``a`` (2, 4) and ``b`` (3, 1)."""

    def __init__(self, units, *branches, **options):
        super().__init__(**options)
        self._units, self._branches = units, branches

    def make_weights(self, row):
        return [Weight(self.name, name, shape, initializers.get("ones")) for name, shape in (("a", (2, 4)), ("b", (3, 1)))]

    def row_after(self, row):
        return (self._units,)

    def operations(self, row):
        return (parallel(*self._branches), Operation("activation", activations.get("tanh")))


def test_branches_of_a_layer_have_their_own_columns_weights_and_widths():
    made = nodes(Branches(8, (columns(1, 2), dense(4, "a")), (), (dense(1, "b"),)))
    assert made == (
        Node("slice", (0,), 1, column=1, width=2),
        Node("dense", (1,), 2, (0,)),
        Node("branch", (0,), 3),
        Node("dense", (3,), 4, (1,)),
        Node("branch", (0,), 5),
        Node("concatenate", (2, 5), 6),
        Node("concatenate", (6, 4), 7),
        Node("activation", (7,), 8, activation="tanh"),
    )


def test_branches_behind_another_layer_read_its_output_and_may_hold_branches():
    inner = parallel((dense(1, "b"),), (columns(2, 0), dense(4, "a")))
    start, x = [np.array([[1.0, 2, 3], [0, 0, 0]]), np.zeros(3), np.full((2, 4), 0.1), np.full((3, 1), 0.2)], np.array([[0.1, 9]])

    def trained(engine):
        model = models.Sequential([layers.Input((2,)), layers.Dense(3), Branches(8, (inner,), ())])
        model.set_weights(start)
        model.compile("sgd", "mse", engine=engine)
        np.testing.assert_allclose(model.predict(x, verbose=0), np.tanh([[0.12, *[0.04] * 4, 0.1, 0.2, 0.3]]), rtol=1e-6)
        model.fit(x, np.arange(8.0)[None], epochs=3, verbose=0)
        return model.get_weights()

    for native, reference, before in zip(trained("native"), trained("reference"), start, strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-5)
        assert not np.allclose(native, before)


def test_a_single_branch_needs_no_concatenation():
    assert [node.op for node in nodes(Branches(4, (columns(0, 1), dense(4, "a"))))] == ["slice", "dense"]
