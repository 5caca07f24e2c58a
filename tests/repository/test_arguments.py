"""Every bad argument of every public class is refused, with a message that names it."""

from __future__ import annotations

import math

import pytest

from fastmlp import constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastmlp._base import keywords
from fastmlp._base.arguments import Argument, Boolean, Choice, Integer, Real, Text, arguments_of
from fastmlp.optimizers import schedules

KINDS = (initializers, regularizers, constraints, layers, losses, metrics, optimizers, schedules)
CLASSES = [cls for kind in KINDS for cls in kind.registry.classes.values()]
REQUIRED = {
    "Activation": {"activation": "tanh"},
    "CategoryEncoding": {"num_tokens": 7},
    "Dense": {"units": 3},
    "Discretization": {"bin_boundaries": [0.5]},
    "Dot": {"axes": 1},
    "Embedding": {"input_dim": 7, "output_dim": 2},
    "PiecewiseLinearEmbedding": {"dim": 3},
    "GaussianNoise": {"stddev": 0.1},
    "GetItem": {"key": [0]},
    "Hashing": {"num_bins": 5},
    "InputLayer": {"shape": (3,)},
    "Permute": {"dims": (1,)},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 2.0},
    "Reshape": {"target_shape": (3, 1)},
    "MeanMetricWrapper": {"fn": lambda y, p: abs(y - p)},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    **{name: {"rate": 0.1} for name in ("AlphaDropout", "Dropout", "GaussianDropout")},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "OneCycle": {"max_learning_rate": 0.1, "total_steps": 10},
    "PiecewiseConstantDecay": {"boundaries": [10], "values": [0.2, 0.1]},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
}
"""Arguments that have no default, each with a valid value."""
NOT_REFUSED = {
    **{("LBFGS", name): "let through where it asks for nothing" for name in ("use_ema", "ema_momentum", "ema_overwrite_frequency")},
    **{(name, "dtype"): "accepted as in Keras" for name in metrics.registry.classes if name not in losses.registry.classes},
    ("Embedding", "weights"): "the message names the weight, embeddings",
    ("Hashing", "mask_value"): "any value may be masked",
    ("InputLayer", "input_shape"): "another name of shape",
    ("IntegerLookup", "mask_token"): "the message says what tokens are",
    ("IntegerLookup", "oov_token"): "the message says what tokens are",
}
"""Arguments that are not refused with their name, with the reason."""


def bad_values(argument):
    """Values that an argument with this declaration must refuse."""
    nothing = [] if argument.optional else [None]
    match argument:
        case Real():
            ends = [argument.low - 1, argument.high + 1, argument.above, argument.below]
            return [*nothing, "1", True, [1.0], math.nan, math.inf, *(end for end in ends if math.isfinite(end))]
        case Integer():
            return [*nothing, "1", True, 1.5, argument.low - 1, *([] if argument.high is None else [argument.high + 1])]
        case Boolean():
            return [*nothing, "yes", 2, 0.5]
        case Text():
            return [3]
        case Choice():
            return [*nothing, "nonsense", 3]
    return [object()]


CASES = [
    (cls, name, value)
    for cls in CLASSES
    for name in keywords.parameters(cls)
    if (cls.__name__, name) not in NOT_REFUSED
    for value in bad_values(arguments_of(cls).get(name, Argument()))
]


@pytest.mark.parametrize(("cls", "name", "value"), CASES, ids=lambda value: getattr(value, "__name__", repr(value)[:20]))
def test_every_bad_argument_is_refused_with_its_name(cls, name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        cls(**{**REQUIRED.get(cls.__name__, {}), name: value})


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_configuration_makes_the_same_object_again(cls):
    made = cls(**REQUIRED.get(cls.__name__, {}))
    config = made.get_config()
    assert set(config) <= set(keywords.parameters(cls))
    assert cls.from_config(config).get_config() == config
