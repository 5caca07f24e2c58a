"""The combinations of a grid, and their text form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastmlp._base import checks

__all__ = ["FIT", "Combination", "Grid", "combinations", "describe", "name_seeds", "text", "varying"]

Combination: TypeAlias = dict[str, Any]
"""A value for each hyperparameter; what types they have is up to the user's build function."""
Grid: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]]
"""A value or a list of values for each hyperparameter, or several such grids."""

FIT = ("epochs", "batch_size")
"""Hyperparameters that are passed to ``fit``."""
_TAKEN = ("seed", "parameters", "seconds", "data", "run", "fastmlp")
_TAKEN_BEGINNINGS = ("validation_", "test_", "train_")
_MAX_SEEDS = 2**32


def combinations(grid: Grid) -> list[Combination]:
    """All combinations of a grid, or of several grids one after another; the first hyperparameter varies slowest.

    Raises:
        ValueError: A grid is empty, has a duplicate combination, no ``epochs``, or a reserved name, or grids have different names.
    """
    parts = [grid] if isinstance(grid, Mapping) else list(grid)
    if not parts:
        raise ValueError("the grid is empty; pass lists of values by name, such as {'hidden': [(16,), (64, 64)], 'epochs': [20, 100]}")
    names = list(parts[0])
    if "epochs" not in names:
        raise ValueError("the grid has no 'epochs'; add it, such as 'epochs': [20, 100], or 'epochs': 50 for all combinations")
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN or name.startswith(_TAKEN_BEGINNINGS):
            raise ValueError(f"{name!r} can't be a name in the grid; use another name for this argument of build")
    found: dict[tuple[str, ...], Combination] = {}
    for part in parts:
        if set(part) != set(names):
            raise ValueError(f"all grids must have the same names, got {', '.join(names)} and {', '.join(part)}")
        for values in itertools.product(*(_values(name, part[name]) for name in names)):
            combination = dict(zip(names, values, strict=True))
            combination["epochs"] = checks.check_int("epochs", combination["epochs"])
            key = tuple(map(text, values))
            if key in found:
                raise ValueError(f"the grid has {describe(combination)} twice")
            found[key] = combination
    return list(found.values())


def _values(name: str, given: object) -> list[object]:
    """The values of a list, a range or an array; anything else, including a tuple, is a single value."""
    values = given.tolist() if isinstance(given, np.ndarray) else list(given) if isinstance(given, (list, range)) else [given]
    if not values:
        raise ValueError(f"the grid has no value for {name!r}")
    return values


def name_seeds(seeds: int | Sequence[int]) -> list[int]:
    """The seeds 0, 1, … for a number, else the given ones."""
    if isinstance(seeds, Sequence):
        named = [checks.check_int("a seed", seed, 0) for seed in seeds]
        if not named or len(set(named)) < len(named) or max(named) >= _MAX_SEEDS:
            raise ValueError(f"seeds must be one or more distinct integers from 0 to 2**32 - 1, got {list(seeds)}")
        return named
    return list(range(checks.check_int("seeds", seeds)))


def text(value: object) -> str:
    """A value as text for a table: ``64,64``, ``relu``, ``0.001``; None is ``default``, an empty tuple ``none``."""
    if value is None:
        return "default"
    if isinstance(value, (tuple, list)):
        return ",".join(map(text, value)) or "none"
    if isinstance(value, np.generic):
        return text(value.item())
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return " ".join(str(value).split())


def describe(combination: Combination) -> str:
    """A combination as text: ``hidden 64,64, learning rate 0.001``."""
    return ", ".join(f"{name.replace('_', ' ')} {text(value)}" for name, value in combination.items())


def varying(chosen: Sequence[Combination]) -> Iterator[str]:
    """The hyperparameters whose value differs between combinations."""
    for name in chosen[0] if chosen else ():
        if len({text(combination[name]) for combination in chosen}) > 1:
            yield name
