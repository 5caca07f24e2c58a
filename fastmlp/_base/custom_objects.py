"""Custom objects: the user's functions and classes that models refer to, such as losses, metrics, activations and initializers.

Files and configurations hold the name of such an object, never its code. Names are looked up among those registered for the whole process
and those of each :class:`CustomObjectScope`, such as ``load_model(path, custom_objects={"mine": mine})`` opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from fastmlp._base.configs import Config, StoredConfig

__all__ = [
    "CustomObjectScope",
    "collecting",
    "custom_object_scope",
    "describe_function",
    "find",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "loading",
    "missing",
    "named_function",
    "note",
    "register_keras_serializable",
]

F = TypeVar("F", bound=Callable[..., Any])

FUNCTION = "function"
"""The class of functions in configurations: ``{"class": "function", "config": {"name": "mine"}}``."""
_COMPILED = ("loss", "metric", "optimizer", "learning rate schedule")
"""Kinds of objects without which a model can be loaded, by ``compile=False``."""

_registered: dict[str, Any] = {}
_scopes: ContextVar[tuple[Mapping[str, Any], ...]] = ContextVar("scopes", default=())
_collected: ContextVar[dict[str, Any] | None] = ContextVar("collected", default=None)
_loading: ContextVar[bool] = ContextVar("loading", default=False)


class CustomObjectScope:
    """In its ``with`` block, names refer to these objects, in configurations, files and arguments such as ``loss="mine"``.

    Args:
        custom_objects: Objects by name: functions, classes, or for an activation the pair (value, derivative).

    Example:

    >>> from fastmlp import losses, utils
    >>> def mine(y_true, y_pred):
    ...     error = y_pred - y_true
    ...     return (error**2).sum(axis=1), 2 * error
    >>> with utils.CustomObjectScope({"mine": mine}):
    ...     loss = losses.get("mine")
    >>> loss.name
    'mine'
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        if not isinstance(custom_objects or {}, Mapping):
            raise TypeError(f"custom_objects must be a dict of objects by name, such as {{'mine': mine}}, got {custom_objects!r:.80}")
        self._objects = {} if custom_objects is None else custom_objects
        self._tokens: list[Any] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(_scopes.set((self._objects, *_scopes.get())))
        return self

    def __exit__(self, *error: object) -> None:
        _scopes.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


@contextmanager
def loading(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """A :class:`CustomObjectScope` for loading a file; the messages of :func:`missing` then advise how to load it."""
    token = _loading.set(True)
    try:
        with CustomObjectScope(custom_objects):
            yield
    finally:
        _loading.reset(token)


def get_custom_objects() -> dict[str, Any]:
    """The registered objects by name. Changes of the dict take effect."""
    return _registered


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[F], F]:
    """Register a function or class for the whole process, so that files that refer to it can be loaded without ``custom_objects``.

    Args:
        package: The prefix of its name in files: ``"Custom>mine"``.
        name: The rest of the name; by default the object's own name.

    Example:

    >>> from fastmlp import utils
    >>> @utils.register_keras_serializable(package="example")
    ... def mine(y_true, y_pred):
    ...     error = y_pred - y_true
    ...     return (error**2).sum(axis=1), 2 * error
    >>> utils.get_registered_name(mine)
    'example>mine'
    """

    def register(item: F) -> F:
        _registered[f"{package}>{name or _own_name(item)}"] = item
        return item

    return register


def get_registered_name(obj: object) -> str:
    """The name under which an object is registered, by default its own name."""
    return next((name for name, item in _registered.items() if item is obj), None) or _own_name(obj)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The object of this name in a scope, in ``custom_objects``, among registered ones or in ``module_objects``; None if there is none."""
    found = find(name)
    if found is None:
        found = (custom_objects or {}).get(name)
    return found if found is not None else (module_objects or {}).get(name)


def find(name: str) -> Any:
    """The custom object of this name; None if there is none."""
    for objects in _scopes.get():
        if name in objects:
            return objects[name]
    return _registered.get(name)


@contextmanager
def collecting() -> Iterator[dict[str, Any]]:
    """Yields a dict that collects, by name, the custom objects in the configurations that are made in the block."""
    found: dict[str, Any] = {}
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def note(item: object, own_name: str | None = None) -> str:
    """The name of ``item`` in configurations, which is recorded; in :func:`collecting`, different objects get different names."""
    name = candidate = own_name or get_registered_name(item)
    found = _collected.get()
    if found is None:
        return name
    count = 0
    while candidate in found and found[candidate] != item:
        count += 1
        candidate = f"{name}_{count}"
    found[candidate] = item
    return candidate


def describe_function(item: object, own_name: str | None = None) -> Config:
    """The configuration of a function."""
    return {"class": FUNCTION, "config": {"name": note(item, own_name)}}


def named_function(kind: str, config: StoredConfig) -> Any:
    """The function from its :func:`describe_function`; if its name refers to a class, an instance."""
    name = config.get("name")
    if not isinstance(name, str):
        raise ValueError(f"the configuration of a function must have its name, got {config!r:.80}")
    found = find(name)
    if found is None:
        raise ValueError(missing(kind, name) or f"the {kind} {name!r:.80} is an unknown function; define it in a CustomObjectScope")
    return found() if isinstance(found, type) else found


def missing(kind: str, name: str) -> str:
    """The message about an unknown name in a file; an empty string if no file is being loaded."""
    return f"unknown {kind} {name!r:.80}; if it is a custom object, {how_to_load(kind, name)}" if _loading.get() else ""


def how_to_load(kind: str, name: str) -> str:
    """Advice how to load a file with this custom object; an empty string if no file is being loaded."""
    if not _loading.get():
        return ""
    without = "; or load the model without it, with compile=False, and compile it again" if kind.removesuffix(" class") in _COMPILED else ""
    return f"pass it as custom_objects={{{name!r:.80}: ...}}{without}"


def to_warn_of(found: Mapping[str, Any]) -> list[str]:
    """The names of those objects that must be passed to load a file, because they are not registered."""
    return [name for name, item in found.items() if _registered.get(name) is not item]


def _own_name(item: object) -> str:
    return str(getattr(item, "__name__", type(item).__name__))
