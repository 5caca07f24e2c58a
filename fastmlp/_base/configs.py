"""The types of configurations: what ``get_config`` returns, what files hold, what ``from_config`` and ``deserialize`` take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["Config", "StoredConfig"]

Config: TypeAlias = dict[str, Any]
"""JSON values by name: the arguments of a constructor, or ``{"class": name, "config": {...}}``."""

StoredConfig: TypeAlias = Mapping[str, Any]
"""The same where it is only read. It may come from a file, so nothing about it is certain before it is checked."""
