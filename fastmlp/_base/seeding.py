"""The one stream every unseeded random choice draws its seed from: a model's seed, an initializer's.

Without :func:`set_seed` the stream is the operating system's entropy. After it, everything made in the same order is the same again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fastmlp._base import forks

if TYPE_CHECKING:
    import numpy as np

_lock = forks.Lock()
_stream: np.random.Generator | None = None


def set_seed(seed: int) -> None:
    """Restart the stream from ``seed``."""
    global _stream
    import numpy as np

    with _lock.lock:
        _stream = np.random.Generator(np.random.PCG64(seed))


def position() -> Any:
    """Where the stream is, for :func:`rewind`; None where it can't be repeated."""
    with _lock.lock:
        return None if _stream is None else _stream.bit_generator.state


def rewind(to: Any) -> None:
    """Bring the stream back to where :func:`position` was called."""
    with _lock.lock:
        if _stream is not None and to is not None:
            _stream.bit_generator.state = to


class Counter:
    """0, 1, 2, …: each number to one thread only."""

    def __init__(self) -> None:
        self._lock = forks.Lock()
        self._count = 0

    def next(self) -> int:
        """The next number."""
        with self._lock.lock:
            self._count += 1
            return self._count - 1


def draw_seed() -> int:
    """An unsigned 64-bit seed, the next of the stream."""
    with _lock.lock:
        if _stream is None:
            return int.from_bytes(os.urandom(8), "little")
        return int(_stream.integers(0, 2**64, dtype="uint64"))
