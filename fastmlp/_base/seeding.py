"""The process's random stream, from which models, initializers and others without a seed of their own draw one.

By default it is the operating system's entropy. After :func:`set_seed`, objects that are created in the same order get the same seeds.
:func:`seeded` does that for a block of code, without changing the stream for others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fastmlp._base import forks

if TYPE_CHECKING:
    import numpy as np

_lock = forks.Lock()
_stream: np.random.Generator | None = None
_own: ContextVar[np.random.Generator | None] = ContextVar("_own", default=None)
"""The stream of the block of :func:`seeded` that is running."""


def set_seed(seed: int) -> None:
    """Restart the stream from ``seed``."""
    global _stream
    import numpy as np

    with _lock.lock:
        _stream = np.random.Generator(np.random.PCG64(seed))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the seeds of objects that this thread creates in the block from a stream that starts from ``seed``."""
    import numpy as np

    token = _own.set(np.random.Generator(np.random.PCG64(seed)))
    try:
        yield
    finally:
        _own.reset(token)


def position() -> Mapping[str, Any] | None:
    """The state of the stream, for :func:`rewind`; None if it is the operating system's."""
    with _lock.lock:
        return None if _stream is None else _stream.bit_generator.state


def rewind(to: Mapping[str, Any] | None) -> None:
    """Restore the state that :func:`position` returned."""
    with _lock.lock:
        if _stream is not None and to is not None:
            _stream.bit_generator.state = to


class Counter:
    """Counts 0, 1, 2, …; no two threads get the same number."""

    def __init__(self) -> None:
        self._lock = forks.Lock()
        self._count = 0

    def next(self) -> int:
        """The next number."""
        with self._lock.lock:
            self._count += 1
            return self._count - 1


def draw_seed() -> int:
    """The next unsigned 64-bit seed of the stream."""
    own = _own.get()
    if own is not None:
        return int(own.integers(0, 2**64, dtype="uint64"))
    with _lock.lock:
        if _stream is None:
            return int.from_bytes(os.urandom(8), "little")
        return int(_stream.integers(0, 2**64, dtype="uint64"))
