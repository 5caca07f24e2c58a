"""Automatic names, counted per class over the whole process as Keras does: ``dense``, ``dense_1``, ``sequential_2``."""

from __future__ import annotations

import functools
import re

from fastmlp._base import forks

_counts: dict[str, int] = {}
_lock = forks.Lock()


@functools.lru_cache(maxsize=1024)
def snake_case(name: str) -> str:
    """``LeakyReLU`` becomes ``leaky_re_lu``, ``InputLayer`` becomes ``input_layer``."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def automatic(class_name: str) -> str:
    """The next free name for an object of this class."""
    name = snake_case(class_name)
    with _lock.lock:
        count = _counts.get(name, 0)
        _counts[name] = count + 1
    return f"{name}_{count}" if count else name


def give_back(class_name: str, name: str) -> None:
    """Release ``name`` if it is the last one that :func:`automatic` returned for this class."""
    snake = snake_case(class_name)
    with _lock.lock:
        count = _counts.get(snake, 0) - 1
        if count >= 0 and name == (f"{snake}_{count}" if count else snake):
            _counts[snake] = count


def reset() -> None:
    """Reset all counters (``utils.clear_session``)."""
    with _lock.lock:
        _counts.clear()
