"""What a subclass of a model has beside its layers: attributes that the user's constructor set, for copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp._base import custom_objects
from fastmlp.layers import Layer

__all__ = ["of_subclass", "restore"]


@dataclass(frozen=True, slots=True)
class _Named:
    """A layer of the model, which the copy has under the same name."""

    name: str


def of_subclass(model: Any, config: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a model of a user's class has and one made from its configuration has not; layers of it by name."""
    if type(model).__module__.startswith("fastmlp."):
        return {}
    with custom_objects.CustomObjectScope(found):
        plain = vars(type(model).from_config(config))
    layers = {id(layer): layer.name for layer in model.layers}
    return {name: _pack(value, layers) for name, value in vars(model).items() if name not in plain}


def restore(model: Any, attributes: Mapping[str, Any]) -> None:
    """Give a copy what :func:`of_subclass` took."""
    layers = {layer.name: layer for layer in model.layers}
    for name, value in attributes.items():
        vars(model)[name] = _unpack(value, layers)


def _pack(value: Any, layers: Mapping[int, str]) -> Any:
    if id(value) in layers:
        return _Named(layers[id(value)])
    if type(value) in (list, tuple):
        return type(value)(_pack(item, layers) for item in value)
    return {key: _pack(item, layers) for key, item in value.items()} if type(value) is dict else value


def _unpack(value: Any, layers: Mapping[str, Layer]) -> Any:
    if isinstance(value, _Named):
        return layers[value.name]
    if type(value) in (list, tuple):
        return type(value)(_unpack(item, layers) for item in value)
    return {key: _unpack(item, layers) for key, item in value.items()} if type(value) is dict else value
