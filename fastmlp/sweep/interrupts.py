"""Ctrl-C that is not lost while processes are started.

Python raises KeyboardInterrupt wherever the main thread happens to be. Where that is a hook that ``os.fork`` calls, or a finalizer, the
exception is printed and forgotten; and where another thread took the signal, one that waits for a lock notices nothing until it has it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Self, TypeVar

__all__ = ["Interrupts"]

POLL = 0.5
"""Seconds after which whoever waits looks for signals."""

_Result = TypeVar("_Result")


class Interrupts:
    """While it is entered, what the handler of Ctrl-C raises is remembered, and raised again by the next wait."""

    def __init__(self) -> None:
        self._raised: BaseException | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: Any) -> None:
        try:
            self._before(number, frame)
        except BaseException as error:
            self._raised = error
            raise

    def check(self) -> None:
        """Raise what the handler has raised."""
        if self._raised is not None:
            raise self._raised

    def first(self, futures: Iterable[Future[_Result]]) -> set[Future[_Result]]:
        """Those that are done, once there are any."""
        waiting = set(futures)
        while True:
            self.check()
            done, _ = wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED)
            if done:
                return done

    def result(self, future: Future[_Result]) -> _Result:
        """What a future gives, once it is done."""
        self.first([future])
        return future.result()
