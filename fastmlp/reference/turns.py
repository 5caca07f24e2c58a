"""Whose turn it is: one thread at a time trains or measures a network, and functions of the user's don't come back for more."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from fastmlp.errors import INSIDE_FUNCTION, OCCUPIED

__all__ = ["Turns"]

PATIENCE = 1.0
"""Seconds of one call of a user's function for which other threads wait."""
SLICE = 0.05

_all: weakref.WeakSet[Turns] = weakref.WeakSet()


class Turns:
    """A lock that knows its holder, and when the holder is in a function of the user's."""

    def __init__(self) -> None:
        self._renew()
        _all.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._holder = 0
        self._away_since: float | None = None

    @property
    def is_own(self) -> bool:
        """Whether this thread has the turn."""
        return self._holder == threading.get_ident()

    def refuse_inside(self) -> None:
        """An error if this thread has the turn, and so is in a function of the user's."""
        if self.is_own:
            raise RuntimeError(INSIDE_FUNCTION)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Waits for the turn; an error if it is this thread's, or if whoever has it does not come back from a function of the user's."""
        self.refuse_inside()
        begin = monotonic()
        lock = self._lock
        while not lock.acquire(timeout=SLICE):
            away_since = self._away_since
            if away_since is not None and monotonic() - max(away_since, begin) > PATIENCE:
                raise RuntimeError(OCCUPIED)
        self._holder = threading.get_ident()
        try:
            yield
        finally:
            self._holder = 0
            lock.release()

    def away(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The user's function, known as such while it runs."""

        def call(*arguments: Any) -> Any:
            if not self.is_own:
                return function(*arguments)
            self._away_since = monotonic()
            try:
                return function(*arguments)
            finally:
                self._away_since = None

        return call


def _renew_in_child() -> None:
    """After a fork only the thread that forked is there, and still has its turn."""
    for turns in list(_all):
        if not turns.is_own:
            turns._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
