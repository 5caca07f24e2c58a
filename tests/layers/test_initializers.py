"""Initial weights: their distributions, seeds and names."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fastmlp import initializers, layers, models, utils

SHAPE = (200, 300)
VARIANCES = {
    "glorot": 2 / (200 + 300),
    "he": 2 / 200,
    "lecun": 1 / 200,
}


@pytest.mark.parametrize("family", VARIANCES)
@pytest.mark.parametrize("form", ["uniform", "normal"])
def test_the_variance_follows_the_fans(family, form):
    values = initializers.get(f"{family}_{form}")(SHAPE)
    assert values.dtype == np.float32
    assert abs(values.mean()) < 5 * math.sqrt(VARIANCES[family] / values.size)
    assert values.var() == pytest.approx(VARIANCES[family], rel=0.03)


@pytest.mark.parametrize("family", VARIANCES)
def test_uniform_and_normal_forms_are_bounded(family):
    variance = VARIANCES[family]
    assert np.abs(initializers.get(f"{family}_uniform")(SHAPE)).max() <= math.sqrt(3 * variance) * (1 + 1e-6)
    # Cut at two standard deviations of the normal before the cut, whose standard deviation after it is 0.8796 of that.
    assert np.abs(initializers.get(f"{family}_normal")(SHAPE)).max() <= 2 * math.sqrt(variance) / 0.87962566 * (1 + 1e-6)


def test_constants_are_constant():
    assert (initializers.Zeros()((2, 2)) == 0).all()
    assert (initializers.Ones()(3) == 1).all()
    assert (initializers.Constant(-2.5)((2,)) == -2.5).all()


def test_an_initializer_with_a_seed_repeats_itself_and_one_without_does_not():
    seeded = initializers.HeNormal(seed=3)
    np.testing.assert_array_equal(seeded((4, 5)), seeded((4, 5)))
    np.testing.assert_array_equal(seeded((4, 5)), initializers.HeNormal(seed=3)((4, 5)))
    free = initializers.HeNormal()
    assert (free((4, 5)) != free((4, 5))).any()


def test_set_random_seed_repeats_everything():
    def weights():
        utils.set_random_seed(5)
        model = models.Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(2)])
        return model.seed, model.get_weights(), np.random.default_rng, np.random.rand()

    first, second = weights(), weights()
    assert first[0] == second[0]
    assert first[3] == second[3]
    for a, b in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_values_that_overflow_float32_are_told():
    layer = layers.Dense(2, kernel_initializer=initializers.RandomNormal(stddev=1e300), name="d", input_shape=(3,))
    layer.build((3,))
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="the kernel of layer 'd' can't hold NaN or Inf"):
        layer.get_weights()


def test_two_layers_of_one_model_differ():
    utils.set_random_seed(5)
    a, b = models.Sequential([layers.Dense(3, input_shape=(3,), use_bias=False), layers.Dense(3, use_bias=False)]).get_weights()
    assert (a != b).any()


def test_the_order_of_looking_at_weights_changes_nothing():
    def model():
        utils.set_random_seed(5)
        return models.Sequential([layers.Dense(3, input_shape=(3,)), layers.Dense(2)])

    forward, backward = model(), model()
    forward_values = [layer.kernel for layer in forward.layers]
    backward_values = [layer.kernel for layer in reversed(backward.layers)][::-1]
    for a, b in zip(forward_values, backward_values, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", list(initializers.registry.classes))
def test_every_initializer_has_a_name_and_comes_back_from_its_configuration(name):
    made = initializers.get(name)
    again = initializers.registry.deserialize(json.loads(json.dumps(initializers.registry.serialize(made))))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize(
    ("name", "cls"), [("zero", "Zeros"), ("normal", "RandomNormal"), ("uniform", "RandomUniform"), ("he_normal", "HeNormal")]
)
def test_keras_spellings_are_known(name, cls):
    assert type(initializers.get(name)).__name__ == cls


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: initializers.get("glorot_unifrom"), ValueError, "unknown initializer 'glorot_unifrom'; did you mean GlorotUniform?"),
        (lambda: initializers.get("stft"), ValueError, "'stft' is not in fastmlp; it is for short-time Fourier transforms"),
        (
            lambda: initializers.Orthogonal()((3,)),
            ValueError,
            "Orthogonal needs a shape with at least two axes, such as (784, 10), got (3,)",
        ),
        (lambda: initializers.Identity()((3, 2, 1)), ValueError, "Identity needs a shape with two axes, such as (784, 10), got (3, 2, 1)"),
        (
            lambda: initializers.get(lambda shape: np.zeros(2))((3,)),
            ValueError,
            "returned an array of shape (2,) for weights of shape (3,)",
        ),
        (lambda: initializers.get(3), TypeError, "3 is not an initializer; pass one of Zeros"),
        (lambda: initializers.HeNormal(seed=-1), ValueError, "seed must be an integer ≥ 0, got -1"),
        (lambda: initializers.HeNormal(seed="a"), TypeError, "seed must be an integer ≥ 0, got 'a'"),
        (lambda: initializers.Constant(float("inf")), ValueError, "value must be finite, got inf"),
        (lambda: initializers.RandomNormal(stddev=-1), ValueError, "stddev must be a number ≥ 0, got -1"),
        (lambda: initializers.VarianceScaling(mode="fan"), ValueError, "mode must be 'fan_in', 'fan_out' or 'fan_avg', got 'fan'"),
        (lambda: initializers.Ones()((2, -1)), ValueError, "a size in shape must be an integer ≥ 0, got -1"),
    ],
)
def test_bad_arguments_are_told(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)
