"""Registries, which turn a name, a class, an object or a configuration into a layer, a loss, an optimizer, …

Each kind of object has one fixed table of names. A file can only refer to the classes in that table and to custom objects that the program
has passed or registered; nothing is imported by name.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

from fastmlp._base import custom_objects as custom
from fastmlp._base import keras_names, keywords
from fastmlp._base.arguments import configuration
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.keras_names import plain
from fastmlp._base.settings import Guarded
from fastmlp.errors import UnsupportedError

T = TypeVar("T", bound="Configurable")
C = TypeVar("C")


class Configurable(Guarded):
    """An object whose configuration is the keyword arguments of its constructor.

    For the effect of setting them later, see :mod:`fastmlp._base.settings`.
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    """Further names of the class, such as ``mse``; subclasses do not inherit them."""
    in_keras: ClassVar[bool] = True
    """False for a class that Keras does not have, and that Keras files therefore can't hold."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keywords.constructors_answer(cls)

    def get_config(self) -> Config:
        """The constructor's arguments, as plain JSON values: those that the class declares (:mod:`fastmlp._base.arguments`)."""
        return configuration(self)

    @classmethod
    def from_config(cls: type[T], config: StoredConfig) -> T:
        """A new object from the configuration that :meth:`get_config` returned."""
        if not isinstance(config, Mapping):
            raise TypeError(f"config must be a dict, as get_config() of {cls.__name__} returns it, got {config!r:.80}")
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Registry(Generic[T]):
    """The classes of one kind of object, by name.

    Args:
        kind: The kind of object, for messages: ``"optimizer"``.
        base: The base class.
        classes: The classes, which can be referred to by their names and ``aliases``.
        module: The module of Keras that has them, whose names :mod:`fastmlp._base.keras_names` knows alternatives for.
        of_function: The class that wraps a user's function, and stores it as ``function``; None if functions are not accepted.
        immutable: Whether nothing can change in an object once it is made, so that a name always refers to the same one.
    """

    def __init__(
        self,
        kind: str,
        base: type[T],
        classes: Iterable[type[T]],
        module: str | None = None,
        of_function: Callable[[Any], T] | None = None,
        *,
        immutable: bool = False,
    ) -> None:
        self.kind = kind
        self.base = base
        self.classes = {cls.__name__: cls for cls in classes}
        self._by_name = {plain(name): cls for cls in self.classes.values() for name in (cls.__name__, *vars(cls).get("aliases", ()))}
        self._module = module
        self._of_function = of_function
        self._make: Callable[[type[T]], T] = functools.cache(_make) if immutable else _make

    def get(self, identifier: Any) -> T:
        """The object for a name, a class, an object, a function or a ``{"class": …, "config": …}`` mapping."""
        if isinstance(identifier, str):
            own = custom.find(identifier)
            return self._make(self.named(identifier)) if own is None else self.get(own)
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        if callable(identifier) and self._of_function is not None:
            return self._of_function(identifier() if isinstance(identifier, type) else identifier)
        raise TypeError(f"{identifier!r} is not {_article(self.kind)}; pass one of {', '.join(self.classes)}, as a name or an object")

    def named(self, name: str) -> type[T]:
        """The class of this name."""
        known = self._by_name.get(plain(name))
        if known is not None:
            return known
        advice = keras_names.advice(self._module, name) if self._module else None
        if advice:
            raise UnsupportedError(f"the {self.kind} {name!r} is not in fastmlp; {advice}")
        if of_file := custom.missing(self.kind, name):
            raise ValueError(of_file)
        close = difflib.get_close_matches(plain(name), self._by_name, n=1)
        hint = f"; did you mean {self._by_name[close[0]].__name__}?" if close else f"; there are {', '.join(self.classes)}"
        raise ValueError(f"unknown {self.kind} {name!r}{hint}")

    def serialize(self, item: T) -> Config:
        """The configuration ``{"class": name, "config": {...}}`` of an object; a user's function or class is referred to by name."""
        cls = type(item)
        if cls is self._of_function:
            return custom.describe_function(item.function)  # type: ignore[attr-defined]
        name = cls.__name__ if self.classes.get(cls.__name__) is cls else custom.note(cls)
        return {"class": name, "config": item.get_config()}

    def _from_keras(self, data: StoredConfig) -> Config:
        name, config = data["class_name"], data.get("config")
        known = self._by_name.get(plain(name))
        if isinstance(config, Mapping):  # initializers of Keras have these, and None has no effect
            config = {key: value for key, value in config.items() if value is not None or key not in ("input_axes", "output_axes")}
        elif config is None:
            config = {}
        return {"class": name if known is None else known.__name__, "config": config}

    def deserialize(self, config: StoredConfig, custom_objects: Mapping[str, Any] | None = None) -> T:
        """The object from its :meth:`serialize`, or from Keras' form with ``class_name``; a malformed one is a ValueError.

        Args:
            config: The configuration.
            custom_objects: Custom classes and functions, by name.
        """
        with custom.CustomObjectScope(custom_objects):
            return self._deserialize(config)

    def _deserialize(self, data: StoredConfig) -> T:
        if isinstance(data, Mapping) and "class" not in data and isinstance(data.get("class_name"), str):
            data = self._from_keras(data)
        if not isinstance(data, Mapping) or not isinstance(data.get("class"), str) or not isinstance(data.get("config"), Mapping):
            raise ValueError(f"the configuration of {_article(self.kind)} must be {{'class': name, 'config': {{...}}}}, got {data!r:.200}")
        name, config = data["class"], data["config"]
        if name == custom.FUNCTION and self._of_function is not None:
            return self.get(custom.named_function(self.kind, config))
        cls = custom.find(name) or self.classes.get(name)
        if cls is None:
            raise ValueError(
                custom.missing(f"{self.kind} class", name) or f"unknown {self.kind} class {name!r:.80}; there are {', '.join(self.classes)}"
            )
        if isinstance(cls, self.base):  # an object instead of its class
            return cls
        try:
            made: T = cls.from_config(config)
        except (AttributeError, TypeError, OverflowError) as error:
            raise ValueError(f"the configuration of {self.kind} {name} is not valid: {error}") from error
        return made


def names_from(package: str, namespace: Mapping[str, object]) -> list[str]:
    """The names in a package's namespace of objects that its modules define, in the order in which they were imported."""
    return [name for name, value in namespace.items() if str(getattr(value, "__module__", "")).startswith(f"{package}.")]


def classes_in(base: type[C], *modules: ModuleType) -> list[type[C]]:
    """The subclasses of ``base`` that modules export, in the order in which they are defined."""
    exported = [one for module in modules for name, one in vars(module).items() if name in module.__all__]
    return [one for one in exported if isinstance(one, type) and issubclass(one, base)]


def _make(cls: type[C]) -> C:
    return cls()


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
