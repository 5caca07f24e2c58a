"""The pool of worker processes of a sweep.

On Linux, workers are forked: they start in milliseconds, share the data with their parent, and can call any build function, including one
defined in a notebook; fastmlp is safe after ``fork``. On other systems they are spawned and import the build function, if possible.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Self, TypeVar

import fastmlp.sweep.worker as worker
from fastmlp.sweep.worker import Job

__all__ = ["START_METHODS", "Workers"]

START_METHODS = ("fork", "forkserver", "spawn")

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class Workers:
    """A pool of worker processes.

    Leaving the context ends them, immediately after an error or Ctrl-C. They also end when this process is killed.

    Args:
        count: The number of processes.
        job: The job they work on.
        start_method: One of :data:`START_METHODS`; None for what suits the system.
    """

    def __init__(self, count: int, job: Job, start_method: str | None = None) -> None:
        # get_context() is typed by the literal names.
        context: Any = get_context(start_method or _suitable(job.build))
        self._theirs, self._ours = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(count, mp_context=context, initializer=worker.begin, initargs=(self._theirs, self._ours, job))

    def submit(self, function: Callable[[_Argument], _Result], argument: _Argument) -> Future[_Result]:
        """Queues a call."""
        # The call may start processes, which must not see Ctrl-C before they ignore it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._executor.submit(function, argument)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._ours.close()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._ours.close()
        self._theirs.close()


def _suitable(build: Callable[..., object]) -> str:
    if os.uname().sysname == "Linux":
        return "fork"
    try:
        pickled = pickle.dumps(build)
    except (pickle.PicklingError, AttributeError, TypeError):
        return "fork"
    in_a_notebook = b"__main__" in pickled and not hasattr(sys.modules["__main__"], "__file__")
    return "fork" if in_a_notebook else "spawn"
