"""Regularizers and constraints: what they are made of, what they do to arrays and layers, how they are stored."""

import numpy as np
import pytest

import fastmlp
from fastmlp import constraints, layers, models, regularizers, utils

W = np.array([[3.0, -1.0, 0.0], [4.0, 1.0, 2.0]], np.float32)

PENALTIES = [
    (regularizers.L1(0.1), 1.1),
    (regularizers.L2(0.1), 3.1),
    (regularizers.L1L2(0.1, 0.1), 4.2),
    (regularizers.L1L2(), 0.0),
    (regularizers.OrthogonalRegularizer(0.5), 0.5 * 11 / np.sqrt(10 * 21)),
    (regularizers.OrthogonalRegularizer(0.3, "columns"), 0.1 * (1 / np.sqrt(50) + 8 / 10 + 2 / np.sqrt(8))),
]


@pytest.mark.parametrize(("regularizer", "value"), PENALTIES, ids=str)
def test_regularizers_give_the_penalty_of_an_array(regularizer, value):
    assert regularizer(W) == pytest.approx(value, rel=1e-6)


BOUNDED = [
    (constraints.NonNeg(), [[3, 0, 0], [4, 1, 2]]),
    (constraints.MaxNorm(2.5), [[1.5, -1, 0], [2, 1, 2]]),
    (constraints.UnitNorm(), [[0.6, -np.sqrt(0.5), 0], [0.8, np.sqrt(0.5), 1]]),
    (constraints.UnitNorm(axis=1), W / np.sqrt([[10], [21]])),
    (constraints.UnitNorm(axis=None), W / np.sqrt(31)),
    (constraints.UnitNorm(axis=[0, 1]), W / np.sqrt(31)),
    (constraints.MinMaxNorm(3.0, 4.0, rate=0.5), W * [4.5 / 5, (3 + np.sqrt(2)) / 2 / np.sqrt(2), 2.5 / 2]),
]


@pytest.mark.parametrize(("constraint", "expected"), BOUNDED, ids=str)
def test_constraints_give_the_array_that_is_kept(constraint, expected):
    np.testing.assert_allclose(constraint(W), expected, rtol=1e-5, atol=1e-7)


def test_norms_of_vectors_are_taken_of_all_numbers():
    np.testing.assert_allclose(constraints.UnitNorm()(np.array([3.0, 4.0])), [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(constraints.MaxNorm(2.5, axis=-1)(np.array([3.0, 4.0])), [1.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(constraints.MaxNorm(2.5, axis=-1)(np.array([[3.0, 4.0], [1, 0]])), [[1.5, 2.0], [1, 0]], rtol=1e-6)


@pytest.mark.parametrize("name", ["l1", "L1", "l2", "l1_l2", "L1L2", "orthogonal_regularizer"])
def test_regularizers_are_known_by_name(name):
    assert regularizers.get(name).get_config() == type(regularizers.get(name))().get_config()
    assert regularizers.get(regularizers.l2(0.5))(np.array([1.0, 2.0])) == 2.5
    assert regularizers.get(None) is None


@pytest.mark.parametrize("name", ["max_norm", "MinMaxNorm", "non_neg", "unit_norm"])
def test_constraints_are_known_by_name(name):
    assert constraints.get(name).get_config() == type(constraints.get(name))().get_config()
    assert constraints.get(None) is None


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: regularizers.L2(-1), ValueError, "l2 must be a number ≥ 0, got -1"),
        (lambda: regularizers.L1("a"), TypeError, "l1 must be a number, got 'a'"),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), ValueError, "mode must be 'rows' or 'columns', got 'row'"),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones(3)), ValueError, "is for matrices, not for weights of shape"),
        (lambda: regularizers.get(3), TypeError, "3 is not a regularizer; pass one of L1, L2"),
        (lambda: constraints.MaxNorm(-1), ValueError, "max_value must be a number ≥ 0, got -1"),
        (lambda: constraints.MaxNorm(axis="a"), TypeError, "axis must be an integer, a tuple of integers, or None, got 'a'"),
        (lambda: constraints.MaxNorm(axis=2)(W), ValueError, "MaxNorm(max_value=2.0, axis=2) can't be applied to weights of shape (2, 3)"),
        (lambda: constraints.MinMaxNorm(2, 1), ValueError, "max_value must be a number ≥ 2, got 1"),
        (lambda: constraints.MinMaxNorm(rate=2), ValueError, "rate must be a number ≥ 0 and ≤ 1, got 2"),
        (
            lambda: layers.Dense(2, bias_constraint=constraints.UnitNorm(axis=1), input_dim=3).build((3,)),
            ValueError,
            "UnitNorm(axis=1) can't be applied to weights of shape (2,), which have 1 axes",
        ),
        (
            lambda: layers.Dense(2, bias_regularizer="orthogonal_regularizer").build((3,)),
            ValueError,
            "OrthogonalRegularizer is for matrices, not for weights of shape (2,)",
        ),
    ],
)
def test_bad_arguments_are_told(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


def make():
    utils.set_random_seed(1)
    first = layers.Dense(
        6,
        activation="tanh",
        kernel_regularizer=regularizers.L1L2(0.01, 0.02),
        bias_regularizer="l2",
        kernel_constraint=constraints.MinMaxNorm(0.5, 0.8, 0.5, axis=[0, 1]),
        bias_constraint="non_neg",
    )
    model = models.Sequential([layers.Input((3,)), first, layers.Dense(2, kernel_regularizer="orthogonal_regularizer")])
    model.compile("adam", "mse")
    return model


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 3)), rng.normal(size=(50, 2))


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_loss_holds_the_penalties(engine, data):
    model = make()
    model.compile("adam", "mse", engine=engine)
    expected = np.mean((model.predict(data[0], verbose=0) - data[1]) ** 2)
    for layer in model.layers:
        expected += layer.kernel_regularizer(layer.kernel)
        expected += layer.bias_regularizer(layer.bias) if layer.bias_regularizer else 0
    assert model.evaluate(*data, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(*data, batch_size=7, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(*data) == pytest.approx(expected, rel=1e-5)


def test_a_stopped_saved_and_resumed_run_is_the_uninterrupted_one_bit_for_bit(data, tmp_path):
    straight, stopped = make(), make()
    straight.fit(*data, epochs=4, verbose=0)
    stopped.fit(*data, epochs=2, verbose=0)
    stopped.save(tmp_path / "model.safetensors")
    resumed = fastmlp.load_model(tmp_path / "model.safetensors")
    assert resumed.get_config() == stopped.get_config()
    resumed.fit(*data, epochs=2, verbose=0)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True))
    assert (resumed.layers[0].bias >= 0).all()
    assert 0.5 <= np.linalg.norm(resumed.layers[0].kernel) <= 0.9


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_a_single_vector_is_orthogonal_to_all_others(engine, mode):
    one = regularizers.OrthogonalRegularizer(0.5, mode)
    assert one(np.ones((1, 3) if mode == "rows" else (3, 1))) == 0

    def trained(regularizer):
        utils.set_random_seed(3)
        inputs, units = (1, 3) if mode == "rows" else (3, 1)
        model = models.Sequential([layers.Dense(units, kernel_regularizer=regularizer, input_shape=(inputs,))])
        model.compile("sgd", "mse", engine=engine)
        history = model.fit(np.ones((4, inputs)), np.ones((4, units)), epochs=2, verbose=0)
        return model.get_weights()[0], history.history["loss"]

    for with_it, without in zip(trained(one), trained(None), strict=True):
        assert np.array_equal(with_it, without)
