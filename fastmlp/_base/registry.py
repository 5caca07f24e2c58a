"""How a string, a class, an object or a stored configuration becomes a layer, a loss, an optimizer, …

Each kind of object has one table of names, fixed in the code: a file or a JSON document can only ever name what stands there or what the
program itself hands over as a custom object, and nothing is imported by name.
"""

from __future__ import annotations

import difflib
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


class Configurable(Guarded):
    """An object that is fully described by the keyword arguments of its constructor.

    What setting them later does: :mod:`fastmlp._base.settings`.
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    """Further names of the class itself, such as ``mse``; classes derived from it do not have them."""
    in_keras: ClassVar[bool] = True
    """False for a class that Keras has not, so that Keras' files have no place for it."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keywords.constructors_answer(cls)

    def get_config(self) -> Config:
        """The constructor's arguments, as plain JSON values: those that the class declares (:mod:`fastmlp._base.arguments`)."""
        return configuration(self)

    @classmethod
    def from_config(cls: type[T], config: StoredConfig) -> T:
        """An object made from what :meth:`get_config` returned."""
        if not isinstance(config, Mapping):
            raise TypeError(f"config must be a dict, as get_config() of {cls.__name__} returns it, got {config!r:.80}")
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Registry(Generic[T]):
    """The table of one kind of object.

    Args:
        kind: What the objects are called in messages: ``"optimizer"``.
        base: The class they share.
        classes: The classes that may be named, by their own names and by their ``aliases``.
        module: Where Keras has them, to know the names that :mod:`fastmlp._base.keras_names` has an answer for.
        of_function: The class that makes such an object of a user's function, which it keeps as ``function``; None where functions are not
            taken.
    """

    def __init__(
        self,
        kind: str,
        base: type[T],
        classes: Iterable[type[T]],
        module: str | None = None,
        of_function: Callable[[Any], T] | None = None,
    ) -> None:
        self.kind = kind
        self.base = base
        self.classes = {cls.__name__: cls for cls in classes}
        self._by_name = {plain(name): cls for cls in self.classes.values() for name in (cls.__name__, *vars(cls).get("aliases", ()))}
        self._module = module
        self._of_function = of_function

    def get(self, identifier: Any) -> T:
        """The object meant by a name, a class, an object, a function or a ``{"class": …, "config": …}`` mapping."""
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            own = custom.find(identifier)
            return self.named(identifier)() if own is None else self.get(own)
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        if callable(identifier) and self._of_function is not None:
            return self._of_function(identifier() if isinstance(identifier, type) else identifier)
        raise TypeError(f"{identifier!r} is not {_article(self.kind)}; give one of {', '.join(self.classes)}, as a name or an object")

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
        """``{"class": name, "config": {...}}`` of an object; of a user's function or class, the name alone says which it is."""
        cls = type(item)
        if cls is self._of_function:
            return custom.describe_function(item.function)  # type: ignore[attr-defined]
        name = cls.__name__ if self.classes.get(cls.__name__) is cls else custom.note(cls)
        return {"class": name, "config": item.get_config()}

    def _from_keras(self, data: StoredConfig) -> Config:
        name, config = data["class_name"], data.get("config")
        known = self._by_name.get(plain(name))
        if isinstance(config, Mapping):  # initializers of Keras have these, which ask for nothing
            config = {key: value for key, value in config.items() if value is not None or key not in ("input_axes", "output_axes")}
        elif config is None:
            config = {}
        return {"class": name if known is None else known.__name__, "config": config}

    def deserialize(self, config: StoredConfig, custom_objects: Mapping[str, Any] | None = None) -> T:
        """The object that :meth:`serialize` described, or Keras, with ``class_name``; anything malformed is a ValueError.

        Args:
            config: What it returned.
            custom_objects: The user's own classes and functions, by name.
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
        if isinstance(cls, self.base):  # an object in the place of its class
            return cls
        try:
            made: T = cls.from_config(config)
        except (AttributeError, TypeError, OverflowError) as error:
            raise ValueError(f"the configuration of {self.kind} {name} is not valid: {error}") from error
        return made


def names_from(package: str, namespace: Mapping[str, object]) -> list[str]:
    """The names in a package's namespace that stand for what its files define, in the order in which they were imported."""
    return [name for name, value in namespace.items() if str(getattr(value, "__module__", "")).startswith(f"{package}.")]


def classes_in(base: type[Any], *modules: ModuleType) -> list[type[Any]]:
    """The classes derived from ``base`` that modules export, in the order in which they are defined."""
    exported = [one for module in modules for name, one in vars(module).items() if name in module.__all__]
    return [one for one in exported if isinstance(one, type) and issubclass(one, base)]


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
