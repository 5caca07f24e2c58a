"""Finding a name in one of the engine's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

__all__ = ["lookup"]

T = TypeVar("T")


def lookup(kind: str, table: Mapping[str, T], name: str) -> T:
    """Returns ``table[name]``.

    Raises:
        ValueError: The name is not in the table; the message lists those that are.
    """
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}: known are {', '.join(table) or 'none'}")
    return table[name]
