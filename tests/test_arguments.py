"""Every bad argument of every public class is refused, with a message that names it."""

from __future__ import annotations

import math

import pytest

from fastmlp import constraints, initializers, regularizers
from fastmlp._base.arguments import Argument, Boolean, Choice, Integer, Real, arguments_of, taken_by

CLASSES = [cls for registry in (initializers.registry, regularizers.registry, constraints.registry) for cls in registry.classes.values()]
REQUIRED = {}
"""Arguments that have no default, each with a valid value."""
NOT_REFUSED = {}
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
        case Choice():
            return [*nothing, "nonsense", 3]
    return [object()]


CASES = [
    (cls, name, value)
    for cls in CLASSES
    for name in taken_by(cls)
    if name not in NOT_REFUSED
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
