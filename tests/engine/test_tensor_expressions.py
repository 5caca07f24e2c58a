"""Gradients through what is computed with symbolic tensors."""

from __future__ import annotations

import numpy as np
import pytest
from tensor_expressions import EXPRESSIONS

from fastmlp import Model, _core, layers
from fastmlp._engine.spec import Batches
from fastmlp.reference import Network


def test_gradients_of_all_expressions_are_those_of_finite_differences():
    rng = np.random.default_rng(5)
    x = layers.Input((5,))
    grid = layers.Reshape((4, 3))(layers.Dense(12)(x))
    row = layers.Dense(3, bias_initializer="ones")(x)
    ends = [
        layers.Flatten()(make(grid, row)) if len(value.shape) > 2 else make(grid, row)
        for make, value in EXPRESSIONS.values()
        if value.ndim > 1
    ]
    model = Model(x, layers.Dense(2)(layers.Concatenate()(ends)))
    model.compile("sgd", "mse", engine="reference")
    rows, y = 0.3 * rng.normal(size=(7, 5)) + 0.5, rng.normal(size=(7, 2))
    plan, values = model.plan, [weight + 0.1 for weight in model.get_weights()]
    network = Network(plan, dtype=np.float64)
    network.configure(model._current_objective().objectives, model.optimizer.update(plan.parameters))
    batches = Batches(rows.astype(np.float32), y.astype(np.float32), None, None, 7)

    def loss(step):
        for index, (value, way) in enumerate(zip(values, ways, strict=True)):
            network.set_parameter(index, value + step * way)
        return network.gradients(batches)

    ways = [rng.normal(size=value.shape) for value in values]
    slope = (loss(1e-6)[0] - loss(-1e-6)[0]) / 2e-6
    assert sum((way * gradient).sum() for way, gradient in zip(ways, loss(0.0)[1], strict=True)) == pytest.approx(slope, rel=1e-4)
    native = _core.Network(plan)
    native.configure(model._current_objective().objectives, model.optimizer.update(plan.parameters))
    for index, value in enumerate(values):
        native.set_parameter(index, value.astype(np.float32))
    for one, other in zip(native.gradients(batches)[1], network.gradients(batches)[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4 * np.abs(other).max())
