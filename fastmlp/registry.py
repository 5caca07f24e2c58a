"""How a string, a class, an object or a stored configuration becomes a layer, a loss, an optimizer, …

Each kind of object has one table of names, fixed in the code: a file or a JSON document can only ever name what stands there, and nothing
is imported by name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from fastmlp import elsewhere
from fastmlp.elsewhere import plain
from fastmlp.errors import UnsupportedError

T = TypeVar("T", bound="Configurable")


class Configurable:
    """An object that is fully described by the keyword arguments of its constructor."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain JSON values."""
        return {}

    @classmethod
    def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
        """An object made from what :meth:`get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Registry(Generic[T]):
    """The table of one kind of object.

    Args:
        kind: What the objects are called in messages: ``"optimizer"``.
        base: The class they share.
        classes: The classes that may be named.
        aliases: Further names, such as ``mse``.
        module: Where Keras has them, to know the names that :mod:`fastmlp.elsewhere` has an answer for.
    """

    def __init__(
        self,
        kind: str,
        base: type[T],
        classes: Iterable[type[T]],
        aliases: Mapping[str, type[T]] | None = None,
        module: str | None = None,
    ) -> None:
        self.kind = kind
        self.base = base
        self.classes = {cls.__name__: cls for cls in classes}
        self._by_name = {plain(name): cls for name, cls in [*self.classes.items(), *(aliases or {}).items()]}
        self._module = module

    def get(self, identifier: Any) -> T:
        """The object meant by a name, a class, an object or a ``{"class": …, "config": …}`` mapping."""
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self.named(identifier)()
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        raise TypeError(f"{identifier!r} is not {_article(self.kind)}; give one of {', '.join(self.classes)}, as a name or an object")

    def named(self, name: str) -> type[T]:
        """The class of this name."""
        known = self._by_name.get(plain(name))
        if known is not None:
            return known
        advice = elsewhere.advice(self._module, name) if self._module else None
        if advice:
            raise UnsupportedError(f"the {self.kind} {name!r} is not in fastmlp; {advice}")
        close = difflib.get_close_matches(plain(name), self._by_name, n=1)
        hint = f"; did you mean {self._by_name[close[0]].__name__}?" if close else f"; there are {', '.join(self.classes)}"
        raise ValueError(f"unknown {self.kind} {name!r}{hint}")

    def serialize(self, item: T) -> dict[str, Any]:
        """``{"class": name, "config": {...}}`` of an object; its class has to be one of the table's."""
        name = type(item).__name__
        if self.classes.get(name) is not type(item):
            raise TypeError(f"{name} is not one of fastmlp's own {self.kind} classes, so it can't be stored as a configuration")
        return {"class": name, "config": item.get_config()}

    def deserialize(self, data: Mapping[str, Any]) -> T:
        """The object that :meth:`serialize` described; anything malformed is a ValueError."""
        if not isinstance(data, Mapping) or not isinstance(data.get("class"), str) or not isinstance(data.get("config"), Mapping):
            raise ValueError(f"the configuration of {_article(self.kind)} must be {{'class': name, 'config': {{...}}}}, got {data!r:.200}")
        name, config = data["class"], data["config"]
        if name not in self.classes:
            raise ValueError(f"unknown {self.kind} class {name!r:.80}; there are {', '.join(self.classes)}")
        try:
            return self.classes[name].from_config(config)
        except (TypeError, OverflowError) as error:
            raise ValueError(f"the configuration of {self.kind} {name} is not valid: {error}") from error


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
