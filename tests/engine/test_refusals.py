"""What the engines refuse, whoever calls them: plans, objectives and arrays that make no sense."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from networks import ENDLESS, configured, data_for, objective_for, perceptron

from fastmlp import _core
from fastmlp._engine.spec import Metric, Node, Objective, Parameter, Plan, Table, Update


@pytest.mark.parametrize(
    ("op", "table"),
    [
        ("lookup", Table((2.0, 1.0), (0.0, 1.0))),
        ("lookup", Table((1.0, 1.0), (0.0, 1.0))),
        ("lookup", Table((1.0, np.nan), (0.0, 1.0))),
        ("lookup", Table((1.0, 2.0))),
        ("lookup", Table((1.0, 2.0), (0.0,))),
        ("lookup", Table((), (), 1 << 25, 1)),
        ("lookup", Table((), (), 0, -1)),
        ("lookup", Table((), (), 0, 2, "sum")),
        ("lookup", Table((), (), 0, 2, "siphash", (-1, 0))),
        ("discretization", Table((2.0, 1.0))),
        ("discretization", Table((np.inf,))),
    ],
)
def test_the_native_engine_refuses_tables_that_make_no_sense(op, table):
    with pytest.raises((ValueError, OverflowError)):
        _core.Network(Plan((3, 3), (Node(op, (0,), 1, table=table),), (), 1))


def test_the_native_engine_refuses_losses_of_columns_beside_labels_that_stand_for_none():
    plan = Plan((3, 2), (Node("dense", (0,), 1, (0,)),), (Parameter("kernel", (3, 2)),), 1)
    network = _core.Network(plan)
    for kind, refused in (("sparse_categorical_accuracy", False), ("sparse_categorical_crossentropy", True), ("sparse_circle", True)):
        objective = Objective("sparse_circle", 1, metrics=(Metric(kind),), parameters=(4.0, 0.25, 1.0))
        with pytest.raises(ValueError, match="does not fit") if refused else nullcontext():
            network.configure(objective, Update("sgd"))


def test_an_engine_reads_integers_from_the_input_alone():
    nodes = (Node("dense", (0,), 1, (0,)), Node("embedding", (1,), 2, (1,), roles=("embeddings",)))
    plan = Plan((2, 2, 6), nodes, (Parameter("kernel", (2, 2)), Parameter("table", (5, 3))), 2)
    with pytest.raises(ValueError, match="the plan, objective or index does not fit"):
        _core.Network(plan)
    nodes = (
        Node("branch", (0,), 1),
        Node("branch", (0,), 2),
        *(Node("embedding", (i,), i + 2, (0,), roles=("embeddings",)) for i in (1, 2)),
    )
    plan = Plan((2, 2, 2, 6, 6, 6), (*nodes, Node("add", (3, 4), 5)), (Parameter("table", (5, 3)),), 5)
    network = _core.Network(plan)
    network.configure(Objective("mean_squared_error", 5), Update("sgd"))
    assert not network.predict(np.ones((3, 2), np.float32)).any()


def test_arrays_that_c_can_not_read_are_refused():
    misaligned = np.zeros(49, np.uint8)[1:].view(np.float32).reshape(3, 4)
    for array in (misaligned, np.ones((3, 4), ">f4"), np.asfortranarray(np.ones((3, 4), np.float32))):
        with pytest.raises((TypeError, ValueError), match="values"):
            _core.first_nonfinite(array)


def test_an_array_that_the_predictions_of_its_batches_do_not_fit_is_refused():
    plan = perceptron((3, 4, 1))
    network = configured(_core, plan, objective_for(plan, "mse"))
    batches = replace(data_for(plan, "mse", 20, 10), predictions=np.empty((5, 1), np.float32))
    with pytest.raises(ValueError, match=r"predictions has shape \(5, 1\), but these batches fill \(20, 1\)"):
        network.evaluate(batches, 0, 2, ENDLESS, np.zeros(2))
