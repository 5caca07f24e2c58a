"""The structure in which users pass and get a model's inputs or outputs: one alone, a list or a dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import fastmlp._graph.symbolic as symbolic
from fastmlp._graph.symbolic import Tensor

__all__ = ["Nest"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Nest:
    """The structure of a model's inputs, or of its outputs."""

    what: str
    """``input`` or ``output``."""
    form: str
    """``single``, ``list`` or ``dict``."""
    names: tuple[str, ...]
    """The layers' names."""
    keys: tuple[str, ...]
    """The keys of the dict; without one, the names."""

    @classmethod
    def of(cls, what: str, given: Any) -> tuple[Nest, tuple[Tensor, ...]]:
        """The structure of the tensors passed to a model, and the tensors in order.

        As in Keras, a dict is sorted by its keys, and a list of one tensor is the same as that tensor.
        """
        if isinstance(given, Mapping):
            given = {str(key): given[key] for key in sorted(given, key=str)}
        tensors = symbolic.as_tensors(f"Model({what}s=...)", given)
        if not tensors:
            raise ValueError(f"a model needs at least one {what}")
        form = "dict" if isinstance(given, Mapping) else "list" if isinstance(given, (list, tuple)) and len(given) > 1 else "single"
        names = tuple(_unique([tensor.name for tensor in tensors]))
        keys = tuple(given) if isinstance(given, Mapping) else names
        return cls(what, form, names, keys), tuple(tensors)

    @classmethod
    def of_one(cls, what: str) -> Nest:
        """The structure of a single input or output without a name."""
        return cls(what, "single", ("",), ("",))

    @property
    def count(self) -> int:
        """The number of inputs or outputs."""
        return len(self.names)

    def arrange(self, values: Sequence[V]) -> V | list[V] | dict[str, V]:
        """The values in this structure."""
        if self.form == "dict":
            return dict(zip(self.keys, values, strict=True))
        return list(values) if self.form == "list" else values[0]

    def names_all(self, values: Mapping[str, Any]) -> bool:
        """Whether the keys of a dict are those of inputs or outputs, by which it is taken apart."""
        return set(values) <= set(self.keys) or set(values) <= set(self.names)

    def flatten(self, name: str, values: Any, *, optional: bool = False) -> list[Any]:
        """The values as a list, from a list or a dict; a single value may be passed alone.

        Args:
            name: The name of the argument, for messages.
            values: The value that the user passed.
            optional: Whether keys of a dict may be missing; their values are None.
        """
        if isinstance(values, Mapping):
            return self._from_dict(name, values, optional)
        if self.count == 1:
            alone = isinstance(values, (list, tuple)) and len(values) == 1 and getattr(values[0], "ndim", 0) > 1
            return [values[0] if alone else values]
        if not isinstance(values, (list, tuple)):
            given = f"an array of shape {values.shape}" if hasattr(values, "shape") else f"{values!r:.80}"
            raise ValueError(f"the model has {self._counted()}; pass {name} as a list or a dict of {self.count}, got {given}")
        if len(values) != self.count:
            raise ValueError(f"the model has {self._counted()}, but {name} has {len(values)}")
        return list(values)

    def _from_dict(self, name: str, values: Mapping[str, Any], optional: bool) -> list[Any]:
        names = self.keys if set(values) & set(self.keys) else self.names
        unknown = [key for key in values if key not in names]
        missing = [key for key in names if key not in values]
        if unknown or (missing and not optional):
            raise ValueError(
                f"the model has {self._counted(names)}, but {name} "
                + (f"lacks {', '.join(missing)}" if missing and not unknown else f"has {', '.join(map(repr, unknown))}")
            )
        return [values.get(key) for key in names]

    def _counted(self, names: Sequence[str] | None = None) -> str:
        plural = "" if self.count == 1 else "s"
        return f"{self.count} {self.what}{plural} ({', '.join(names or self.keys)})"


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with a number appended to those that occur again."""
    result: dict[str, None] = {}
    for name in names:
        candidate, count = name, 0
        while candidate in result:
            count += 1
            candidate = f"{name}_{count}"
        result[candidate] = None
    return list(result)
