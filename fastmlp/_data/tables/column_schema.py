"""What is learned of one column of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fastmlp._base import checks
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._data.tables.bins import checked_edges

__all__ = ["ENCODINGS", "KINDS", "UNUSED", "ColumnSchema"]

KINDS = {"number": "numbers", "boolean": "booleans", "date": "dates", "duration": "durations", "category": "categories"}
"""What a column can hold: its kind, and the plural for messages."""
UNUSED = ("constant", "unique", "dropped")
"""Why a column becomes nothing: its values are equal, its categories are all different, or the user dropped it."""
ENCODINGS = ("numeric", "one_hot", "embedded", *UNUSED)
"""What becomes of a column."""


_LARGEST = 3.4e38
"""Numbers up to this are finite in float32."""


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    """What is learned of one column of a table."""

    name: str
    kind: str
    """A key of :data:`KINDS`."""
    encoding: str
    """One of :data:`ENCODINGS`."""
    missing: bool = False
    """Whether values were missing."""
    origin: float = 0.0
    """Subtracted from a number in float64, before it is converted to float32; of dates in days since 1970."""
    center: float = 0.0
    """What is subtracted before a number is scaled; in float32 and after the origin was subtracted."""
    scale: float = 0.0
    """The factor by which numbers are scaled; 0 if all that are not missing are equal."""
    edges: tuple[float, ...] = ()
    """The ascending edges of the bins of a number; none without bins."""
    categories: tuple[str | None, ...] = ()
    """The labels of categories in the order of their codes, None for missing values."""

    @property
    def codes(self) -> int:
        """The number of codes of a category: with that of unknown ones, if it is embedded."""
        return len(self.categories) + (self.encoding == "embedded")

    def get_config(self) -> Config:
        """The fields that do not have their default, as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = {name: value for name, value in values.items() if name in ("name", "kind", "encoding") or value not in (0, ())}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}

    @classmethod
    def from_config(cls, config: StoredConfig) -> ColumnSchema:
        """The schema that :meth:`get_config` described; a ValueError if it is malformed."""
        if not isinstance(config, Mapping) or not all(isinstance(config.get(name), str) for name in ("name", "kind", "encoding")):
            raise ValueError(f"a column of the schema must have a name, a kind and an encoding, got {config!r:.80}")
        values: dict[str, Any] = dict(config)
        what = f"of column {values['name']!r:.60} in the schema"
        if unknown := set(values) - {field.name for field in fields(cls)}:
            raise ValueError(f"the setting {min(unknown)!r:.60} {what} is unknown")
        if values["kind"] not in KINDS or values["encoding"] not in ENCODINGS:
            raise ValueError(f"the kind {values['kind']!r:.60} or the encoding {values['encoding']!r:.60} {what} is unknown")
        if values["encoding"] not in (*UNUSED, *(("one_hot", "embedded") if values["kind"] == "category" else ("numeric",))):
            raise ValueError(f"the encoding {values['encoding']!r} {what} is not one of a {values['kind']}")
        checks.check_bool(f"missing {what}", values.get("missing", False))
        for name, limit in (("origin", math.inf), ("center", _LARGEST), ("scale", _LARGEST)):
            values[name] = checks.check_float(f"{name} {what}", values.get(name, 0.0), -limit, limit)
        values["edges"] = checked_edges(f"edges {what}", values.get("edges", []))
        values["categories"] = _categories(f"categories {what}", values.get("categories", []))
        return cls(**values)


def _categories(name: str, given: Any) -> tuple[str | None, ...]:
    if not isinstance(given, list) or not all(label is None or isinstance(label, str) for label in given) or len(set(given)) < len(given):
        raise ValueError(f"{name} must be a list of different strings, got {given!r:.80}")
    return tuple(given)
