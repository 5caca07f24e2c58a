"""Validation of arguments, with messages of one form: what the argument must be, and what it was."""

from __future__ import annotations

import math
import operator
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastmlp._base import keywords
from fastmlp.errors import UnsupportedError


def check_int(name: str, value: Any, min: int = 1, max: int | None = None) -> int:
    """``value`` as an int with min ≤ value ≤ max; bools, fractions and strings are errors."""
    if not isinstance(value, bool):
        try:
            number = int(operator.index(value))
        except TypeError:
            pass
        else:
            if min <= number and (max is None or number <= max):
                return number
            raise ValueError(f"{name} must be an integer {_limits(('≥', min), ('≤', max))}, got {number}")
    raise TypeError(f"{name} must be an integer {_limits(('≥', min), ('≤', max))}, got {value!r}")


def check_float(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """``value`` as a finite float with low ≤ value ≤ high and above < value < below."""
    if isinstance(value, (bool, str, bytes)) or value is None:
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, got {result}")
    if not (low <= result <= high and above < result < below):
        limits = _limits(("≥", low), (">", above), ("≤", high), ("<", below))
        raise ValueError(f"{name} must be a number {limits}, got {result:g}")
    return result


def _limits(*limits: tuple[str, float | None]) -> str:
    """The limits that exist, for messages: ``≥ 0 and < 1``."""
    given = ((sign, limit) for sign, limit in limits if limit is not None and math.isfinite(limit))
    return " and ".join(f"{sign} {limit if isinstance(limit, int) else format(limit, 'g')}" for sign, limit in given)


MIN_NORMAL = 2.0**-126
"""The smallest float32 that the engines do not flush to zero."""


def divisor(name: str, value: Any) -> float:
    """``value`` as a float that the engines can add to something that may be 0 and then divide by."""
    result = check_float(name, value, 0.0)
    if result < MIN_NORMAL:
        raise ValueError(
            f"{name} must be a number ≥ {MIN_NORMAL:.2g}, the smallest normal float32, so that nothing is divided by 0, got {result:g}"
        )
    return result


def warn(message: str) -> None:
    """Issue a UserWarning that points at the line of the caller outside fastmlp."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastmlp":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def path(name: str, value: Any) -> str:
    """``value``, a str or a path object, as a non-empty str."""
    try:
        given = os.fspath(value)
    except TypeError:
        given = None
    if not isinstance(given, str):
        raise TypeError(f"{name} must be a str or a Path, got {value!r:.80}")
    if not given:
        raise ValueError(f"{name} is empty; pass the path of a file or folder")
    return given


def present(**values: Any) -> None:
    """Raise a TypeError if one of the values is None."""
    for name, value in values.items():
        if value is None:
            raise TypeError(f"{name} is missing (None); give an array of numbers")


def check_bool(name: str, value: Any) -> bool:
    """``value`` as a bool; anything but True, False and NumPy's bools is a TypeError."""
    if value is True or value is False or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}")


def reject_unknown(owner: str | Callable[..., Any], given: Mapping[str, Any], unsupported: Mapping[str, str]) -> None:
    """Raise an error for unknown keyword arguments of ``owner``: for those of Keras with advice, for others with the nearest name.

    Arguments of Keras are accepted with the values None, False and 0, which disable them.

    Args:
        owner: What was called, or its name. A callable's arguments are searched for the nearest name.
        given: The unknown arguments.
        unsupported: Arguments of Keras, with what to use instead.
    """
    called = owner if isinstance(owner, str) else owner.__name__
    for name, value in given.items():
        if name not in unsupported:
            raise keywords.refusal(called, name, () if isinstance(owner, str) else keywords.parameters(owner))
        if value is not None and not (isinstance(value, (bool, int, float)) and value == 0):
            raise UnsupportedError(f"{called}({name}=...) is not in fastmlp; {unsupported[name]}")


def float32_only(dtype: Any) -> None:
    """Raise an error for any ``dtype`` other than None and float32, or Keras' policy of that name."""
    if dtype is None:
        return
    if isinstance(dtype, Mapping) and isinstance(dtype.get("config"), Mapping):
        dtype = dtype["config"].get("name")
    if dtype is not None and dtype != "float32" and getattr(dtype, "__name__", "") != "float32":
        raise UnsupportedError(f"dtype={dtype!r} is not in fastmlp, which computes in float32; omit dtype")


def is_masked(value: Any) -> bool:
    """Whether an array has masked elements. Without ``numpy.ma``, which is slow to import, nothing can be masked."""
    return "numpy.ma" in sys.modules and bool(np.ma.is_masked(value))
