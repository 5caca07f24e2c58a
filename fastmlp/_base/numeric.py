"""Arrays in the layout that C reads, and arithmetic without warnings, whatever ``numpy.seterr`` says.

``numpy.seterr`` is for the user's own arithmetic. fastmlp checks its results for NaN and Inf instead, so its arithmetic runs in
:func:`quiet`, and user-defined functions inside of it run in :func:`as_caller`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_R = TypeVar("_R")

_callers: ContextVar[dict[str, Any] | None] = ContextVar("numpy.seterr of the caller", default=None)
"""None outside of :func:`quiet`."""


@contextmanager
def quiet() -> Iterator[None]:
    """A context in which NumPy reports no overflow, underflow, division by zero or invalid value."""
    outermost = _callers.get() is None
    if outermost:
        _callers.set(dict(np.geterr()))
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        if outermost:
            _callers.set(None)


@contextmanager
def as_caller() -> Iterator[None]:
    """A context inside of :func:`quiet` with the caller's ``numpy.seterr``, for user-defined functions."""
    settings = _callers.get()
    if settings is None:
        yield
        return
    _callers.set(None)
    try:
        with np.errstate(**settings):
            yield
    finally:
        _callers.set(settings)


def quietly(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A decorator: the function runs in :func:`quiet`."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with quiet():
            return function(*args, **kwargs)

    return wrapper


@quietly
def mean(values: Any) -> float:
    """The mean of all numbers of an array."""
    return float(np.mean(values))


def is_native(array: np.ndarray, dtype: Any) -> bool:
    """True if C can read the array where it lies: of this dtype in the machine's byte order, C-contiguous and aligned."""
    return bool(array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned)


def as_native(array: Any, dtype: Any) -> np.ndarray:
    """The array itself if C can read it in place, otherwise a copy. Values too large for ``dtype`` become Inf."""
    if isinstance(array, np.ndarray) and is_native(array, dtype):
        return array  # without the microseconds of np.errstate, more than a small network takes
    with np.errstate(all="ignore"):
        return np.array(array, dtype, order="C", copy=True)
