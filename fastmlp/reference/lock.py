"""The lock of a network: one thread at a time trains or evaluates it, and user-defined functions cannot call back into it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from fastmlp.errors import INSIDE_FUNCTION, OCCUPIED

__all__ = ["NetworkLock"]

PATIENCE = 1.0
"""Seconds that other threads wait for one call of a user-defined function."""
SLICE = 0.05

_all: weakref.WeakSet[NetworkLock] = weakref.WeakSet()


class NetworkLock:
    """A lock that knows its owner, and whether the owner is running a user-defined function."""

    def __init__(self) -> None:
        self._renew()
        _all.add(self)

    def _renew(self) -> None:
        self._mutex = threading.Lock()
        self._holder = 0
        self._lent_since: float | None = None

    @property
    def is_own(self) -> bool:
        """Whether this thread holds the lock."""
        return self._holder == threading.get_ident()

    def check_not_inside(self) -> None:
        """Raises RuntimeError if this thread holds the lock, which means that a user-defined function is calling."""
        if self.is_own:
            raise RuntimeError(INSIDE_FUNCTION)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the lock; RuntimeError if this thread holds it already, or if the owner's user-defined function does not return."""
        self.check_not_inside()
        begin = monotonic()
        mutex = self._mutex
        while not mutex.acquire(timeout=SLICE):
            lent_since = self._lent_since
            if lent_since is not None and monotonic() - max(lent_since, begin) > PATIENCE:
                raise RuntimeError(OCCUPIED)
        self._holder = threading.get_ident()
        try:
            yield
        finally:
            self._holder = 0
            mutex.release()

    def lent(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The user-defined function, during which the lock counts as lent."""

        def call(*arguments: Any) -> Any:
            if not self.is_own:
                return function(*arguments)
            self._lent_since = monotonic()
            try:
                return function(*arguments)
            finally:
                self._lent_since = None

        return call


def _renew_in_child() -> None:
    """After a fork only the thread that forked exists, and it keeps the locks it holds."""
    for lock in list(_all):
        if not lock.is_own:
            lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
