"""Losses as functions of arrays: one number a row. For training, ``compile(loss=losses.huber)`` means the same as ``Huber()``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base import naming
from fastmlp.losses.base import Loss

CLASSES: dict[Any, type[Loss]] = {}
"""The class that each function stands for."""

_OF_OBJECTS = ("reduction", "name", "dtype")
_ARRAYS = tuple(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="Any") for name in ("y_true", "y_pred"))


def function_of(cls: type[Loss], doc: str = "of each row") -> Callable[..., np.ndarray]:
    """The function that stands for a loss: ``y_true``, ``y_pred``, then the arguments of the class that say what is computed.

    It is called as the class is, in snake case, and is to be known under this name in :mod:`fastmlp.losses`.
    """
    taken = inspect.signature(cls).parameters.values()
    own = [one for one in taken if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and one.name not in _OF_OBJECTS]
    names = [one.name for one in own]

    def function(y_true: Any, y_pred: Any, *arguments: Any, **options: Any) -> np.ndarray:
        if len(arguments) > len(names):
            raise TypeError(f"{name} takes at most {2 + len(names)} positional arguments, got {2 + len(arguments)}")
        for given in names[: len(arguments)]:
            if given in options:
                raise TypeError(f"{name} got two values for the argument {given!r}")
        return cls(**dict(zip(names, arguments, strict=False)), **options).call(y_true, y_pred)

    name = naming.snake_case(cls.__name__)
    function.__name__ = function.__qualname__ = name
    function.__module__ = "fastmlp.losses"
    function.__doc__ = f":class:`{cls.__name__}` {doc}."
    function.__signature__ = inspect.Signature([*_ARRAYS, *own], return_annotation="np.ndarray")  # type: ignore[attr-defined]
    CLASSES[function] = cls
    return function
