"""``models.soft_update``: target networks."""

import numpy as np
import pytest

from fastmlp import layers, models


def network(engine="native", units=3):
    model = models.Sequential([layers.Dense(units, input_shape=(5,)), layers.BatchNormalization(), layers.Dense(2)])
    model.compile("adam", "mse", engine=engine)
    return model


@pytest.mark.parametrize(("of_target", "of_model"), [("native", "native"), ("reference", "reference"), ("native", "reference")])
@pytest.mark.parametrize("tau", [0.0, 0.005, 0.3, 1.0])
def test_all_weights_move_by_tau(of_target, of_model, tau):
    target, model = network(of_target), network(of_model)
    model.train_on_batch(np.random.default_rng(0).normal(size=(8, 5)), np.ones((8, 2)))
    before, others = target.get_weights(), model.get_weights()
    models.soft_update(target, model, tau)
    for old, new, other in zip(before, target.get_weights(), others, strict=True):
        np.testing.assert_allclose(new, (1 - tau) * old + tau * other, rtol=1e-6, atol=1e-7)
        if tau == 1:
            assert np.array_equal(new, other)
    assert all(map(np.array_equal, others, model.get_weights()))


def test_constants_of_layers_stay():
    x = np.arange(12.0).reshape(4, 3)
    norm = layers.Normalization(input_shape=(3,))
    norm.adapt(x)
    model = models.Sequential([norm, layers.Rescaling(1 / 3), layers.Dense(2)])
    target = models.clone_model(model)
    target.set_weights(model.get_weights())
    before = target.predict(x, verbose=0)
    models.soft_update(target, model, 1.0)
    assert np.array_equal(target.predict(x, verbose=0), before)


def test_shared_weights_and_the_model_itself():
    shared = layers.Dense(3, input_shape=(5,))
    one, two = models.Sequential([shared]), models.Sequential([shared, layers.Dense(1)])
    one.predict(np.zeros((1, 5)), verbose=0), two.predict(np.zeros((1, 5)), verbose=0)
    other = models.Sequential([layers.Dense(3, input_shape=(5,))])
    models.soft_update(one, other, 1.0)
    assert np.array_equal(two.get_weights()[0], other.get_weights()[0])
    before = other.get_weights()
    models.soft_update(other, other, 1.0)
    assert all(map(np.array_equal, before, other.get_weights()))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"kernel of the target has shape \(5, 4\), but .*kernel of the model has \(5, 3\)"):
        models.soft_update(network(units=4), network(), 0.1)
    with pytest.raises(ValueError, match="the target has 2 weights, but the model has 8"):
        models.soft_update(models.Sequential([layers.Dense(3, input_shape=(5,))]), network(), 0.1)
    with pytest.raises(ValueError, match="tau"):
        models.soft_update(network(), network(), 1.5)
    with pytest.raises(TypeError, match="target must be a fastmlp model"):
        models.soft_update([1], network(), 0.5)
    with pytest.raises(ValueError, match="not built"):
        models.soft_update(models.Sequential([layers.Dense(1)]), network(), 0.5)
