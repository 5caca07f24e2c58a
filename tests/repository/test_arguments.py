"""Every bad argument of every public class is refused, with a message that names it."""

from __future__ import annotations

import math

import pytest

from fastmlp import constraints, initializers, losses, optimizers, regularizers
from fastmlp._base.arguments import Argument, Boolean, Choice, Integer, Real, Text, arguments_of, taken_by
from fastmlp.optimizers import schedules

KINDS = (initializers, regularizers, constraints, losses, optimizers, schedules)
CLASSES = [cls for kind in KINDS for cls in kind.registry.classes.values()]
REQUIRED = {
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "OneCycle": {"max_learning_rate": 0.1, "total_steps": 10},
    "PiecewiseConstantDecay": {"boundaries": [10], "values": [0.2, 0.1]},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
}
"""Arguments that have no default, each with a valid value."""
NOT_REFUSED = dict.fromkeys(
    [("LBFGS", name) for name in ("use_ema", "ema_momentum", "ema_overwrite_frequency")],
    "not of this class: let through where they ask for nothing",
)
"""Arguments that anything may be given for, with the reason."""


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
    for name in taken_by(cls)
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
    assert set(config) <= set(taken_by(cls))
    assert cls.from_config(config).get_config() == config
