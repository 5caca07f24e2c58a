"""Reliable handling of Ctrl-C while processes are started.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a hook called by ``os.fork`` or in a finalizer, the exception is
printed and ignored; and if another thread received the signal, a thread that waits for a lock does not notice it until it has the lock.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import FrameType
from typing import Self, TypeVar

__all__ = ["Interrupts"]

POLL = 0.5
"""Seconds between checks for signals while waiting."""

_Result = TypeVar("_Result")


class Interrupts:
    """A context in which an exception raised by the handler of Ctrl-C is stored, and raised again by the next wait."""

    def __init__(self) -> None:
        self._raised: BaseException | None = None
        self._before: Callable[[int, FrameType | None], object] | None = None

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        try:
            if self._before is not None:
                self._before(number, frame)
        except BaseException as error:
            self._raised = error
            raise

    def check(self) -> None:
        """Raises the stored exception, if any."""
        if self._raised is not None:
            raise self._raised

    def first(self, futures: Iterable[Future[_Result]]) -> set[Future[_Result]]:
        """Waits for the first completed futures and returns them."""
        waiting = set(futures)
        while True:
            self.check()
            done, _ = wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED)
            if done:
                return done

    def result(self, future: Future[_Result]) -> _Result:
        """Waits for a future and returns its result."""
        self.first([future])
        return future.result()
