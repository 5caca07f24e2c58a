"""Memory maps of NumPy, whose files may be larger than memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np

from fastmlp._data.adapters.arrays import ArrayAdapter


class MemoryMapAdapter(ArrayAdapter):
    """``numpy.memmap``. Its values are not scanned for NaN and Inf: reading all of the file first would be the slowest part."""

    scans_values = False

    @classmethod
    def accepts(cls, value: object) -> bool:
        return isinstance(value, np.memmap)

    def reading(self, *, shuffled: bool) -> AbstractContextManager[None]:
        memory = getattr(self.value, "_mmap", None)
        if not shuffled or memory is None or not hasattr(mmap, "MADV_RANDOM") or self.value.nbytes <= available_memory():
            return nullcontext()
        return _without_read_ahead(memory)


@contextmanager
def _without_read_ahead(memory: mmap.mmap) -> Iterator[None]:
    """Keep the system from reading on behind each sample: it would read many times what is needed, and discard it. Undone afterwards."""
    memory.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        memory.madvise(mmap.MADV_NORMAL)


def available_memory() -> int:
    """The bytes of memory that can be used without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
