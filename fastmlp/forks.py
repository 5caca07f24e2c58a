"""Locks that a forked child finds free: the thread that held one in the parent is not there to release it."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType

_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """A lock of Python's that knows which thread holds it.

    Args:
        reentrant: Whether that thread may acquire it again.
    """

    def __init__(self, *, reentrant: bool = False) -> None:
        self._reentrant = reentrant
        self._renew()
        _locks.add(self)

    def _renew(self) -> None:
        self._lock = threading.RLock() if self._reentrant else threading.Lock()
        self._depth = 0
        self._holder = 0

    @property
    def is_held(self) -> bool:
        """Whether any thread holds it."""
        return bool(self._holder)

    @property
    def is_own(self) -> bool:
        """Whether this thread holds it."""
        return self._holder == threading.get_ident()

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; False if another thread has it and ``blocking`` is False."""
        if not self._lock.acquire(blocking):
            return False
        self._holder = threading.get_ident()
        self._depth += 1
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._depth -= 1
        if not self._depth:
            self._holder = 0
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def _renew_in_child() -> None:
    for lock in list(_locks):
        if lock._holder and not lock.is_own:
            lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
