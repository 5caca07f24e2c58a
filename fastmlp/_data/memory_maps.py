"""Reading files that are larger than memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


def available_memory() -> int:
    """Bytes that can be had without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def in_random_order(x: Any, shuffled: bool) -> Iterator[None]:
    """While rows of a memory map are read in random order and don't fit in memory: keep the system from reading on behind each of them.

    It would read many times what is wanted, and throw it away again. The map is as before afterwards.
    """
    memory = getattr(x, "_mmap", None) if isinstance(x, np.memmap) else None
    if not shuffled or memory is None or not hasattr(mmap, "MADV_RANDOM") or x.nbytes <= available_memory():
        yield
        return
    memory.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        memory.madvise(mmap.MADV_NORMAL)
