"""Locks that are free in a forked child, which lacks the thread that may have held them in the parent."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

_all: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """Holds a lock of ``threading`` in ``lock``, which a forked child replaces: ``with _lock.lock:``.

    It is not a lock itself, because only locks written in C are released reliably when a signal arrives.

    Args:
        make: ``threading.Lock`` or ``threading.RLock``.
    """

    def __init__(self, make: Callable[[], Any] = threading.Lock) -> None:
        self._make = make
        self.lock = make()
        self.holder = 0
        """The thread that holds it, if it has said so; it keeps the lock when it is the one that forks."""
        _all.add(self)

    @property
    def is_held(self) -> bool:
        """Whether a thread has said that it holds the lock."""
        return bool(self.holder)

    @property
    def is_own(self) -> bool:
        """Whether this thread has said that it holds the lock."""
        return self.holder == threading.get_ident()

    def renew(self) -> None:
        """Make the lock anew, in a child, unless this thread has it."""
        if not self.is_own:
            self.lock, self.holder = self._make(), 0


def _renew_in_child() -> None:
    for lock in list(_all):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
