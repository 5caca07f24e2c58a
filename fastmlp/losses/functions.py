"""Losses as functions of arrays, which return one value per sample. ``compile(loss=losses.huber)`` is the same as ``Huber()``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp._base import naming
from fastmlp.losses.base import Loss

CLASSES: dict[Callable[..., np.ndarray], type[Loss]] = {}
"""The class of each function."""

_OF_OBJECTS = ("reduction", "name", "dtype")
_ARRAYS = tuple(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="ArrayLike") for name in ("y_true", "y_pred"))


def function_of(cls: type[Loss], doc: str = "of each sample") -> Callable[..., np.ndarray]:
    """Returns the function for a loss class. Its arguments are ``y_true``, ``y_pred`` and those of the class that change the result.

    Its name is the class name in snake case, under which :mod:`fastmlp.losses` must export it.
    """
    taken = inspect.signature(cls).parameters.values()
    own = [one for one in taken if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and one.name not in _OF_OBJECTS]
    names = [one.name for one in own]

    def function(y_true: ArrayLike, y_pred: ArrayLike, *arguments: Any, **options: Any) -> np.ndarray:
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
