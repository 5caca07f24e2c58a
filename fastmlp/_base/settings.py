"""Settings: constructor arguments of layers, losses and others that are kept as attributes.

An object may be in use when such an attribute is set: a layer in a model, a loss in a compiled one. The change then takes effect
everywhere, or raises an error that says what to do instead; a misspelled attribute raises an error too.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from abc import ABCMeta
from typing import Any

import numpy as np

from fastmlp._base.arguments import Argument

_BOOKKEEPING = {"_sealed", "_weights", "_owner", "calls", "models"}
"""Attributes that record where an object is used; they are not settings."""


class Sealing(ABCMeta):
    """A metaclass that marks objects when their constructor has finished. Derived from ABCMeta, so that abstract bases can be mixed in."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        item = super().__call__(*args, **options)
        if type(item) is cls or isinstance(item, Guarded):
            item.__dict__["_sealed"] = True
        return item

    @property
    def __signature__(cls) -> inspect.Signature:
        """The signature of the constructor, for ``help``."""
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])


class Guarded(metaclass=Sealing):
    """An object that is notified when a setting is changed."""

    def __setattr__(self, name: str, value: Any) -> None:
        if "_sealed" not in self.__dict__ or name.startswith("_"):
            object.__setattr__(self, name, value)
        elif isinstance(found := getattr(type(self), name, None), property) and found.fset is None:
            raise AttributeError(f"{name} of {type(self).__name__} can't be set")
        elif hasattr(found, "__set__") and not isinstance(found, Argument):
            object.__setattr__(self, name, value)
        elif name in settings_of(type(self)):
            if name in self.__dict__:
                self._change_setting(name, value)
            else:
                Guarded._change_setting(self, name, value)  # an argument that is only looked at when the object is made
        else:
            if name not in self.__dict__ and found is None:
                self._refuse_unknown(name)
            object.__setattr__(self, name, value)

    def _change_setting(self, name: str, value: Any) -> None:
        """Called when a setting is changed: raises an error, or lets the change take effect."""
        kind = type(self).__name__
        raise AttributeError(
            f"{name} of {kind} is fixed once it is made, because what uses it would not notice; make a new one, {kind}({name}=...), and "
            "use that (compile the model with it)"
        )

    def _refuse_unknown(self, name: str) -> None:
        """Called when an unknown attribute is set: raises an error if the name is close to a setting's."""
        refuse_misspelled(type(self).__name__, name, settings_of(type(self)))


def refuse_misspelled(owner: str, name: str, known: frozenset[str]) -> None:
    """Raise an AttributeError if a name is close to a known one, and so probably misspelled."""
    meant = _meant(name, known)
    if meant is not None and name not in known:
        raise AttributeError(f"{owner} has no attribute {name!r}; did you mean {meant!r}?")


@functools.lru_cache(maxsize=1024)  # every object of a class sets the same attributes
def _meant(name: str, known: frozenset[str]) -> str | None:
    """The known name that is closest to a name; None if none is close."""
    plain = {one.replace("_", ""): one for one in sorted(known)}
    close = difflib.get_close_matches(name.replace("_", ""), plain, 1, 0.8)
    return plain[close[0]] if close else None


@functools.cache
def settings_of(cls: type) -> frozenset[str]:
    """The names of the arguments that fastmlp's constructors of a class take."""
    names = {f"{weight}_{rule}" for weight in getattr(cls, "ruled", ()) for rule in ("regularizer", "constraint")}
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] == "fastmlp" and "__init__" in vars(base):
            names |= inspect.signature(vars(base)["__init__"]).parameters.keys()
    return frozenset(names - {"self", "options", "args", "kwargs"})


def changed_by(item: Guarded, name: str, value: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The effect of changing a setting: a new object like ``item``, one with the new value, and the attributes in which these differ."""
    cls: Any = next(base for base in type(item).__mro__ if base.__module__.partition(".")[0] == "fastmlp")
    current = {one: item.__dict__[one] for one in settings_of(cls) if one in item.__dict__}
    before, after = cls(**current), cls(**{**current, name: value})
    changed = {
        one: new for one, new in vars(after).items() if one not in _BOOKKEEPING and not _same(new, vars(before).get(one, _BOOKKEEPING))
    }
    return before, after, changed


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)
