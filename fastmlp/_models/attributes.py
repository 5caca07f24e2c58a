"""Attributes that the constructor of a user's model class set, for copies and pickles of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp._base import custom_objects
from fastmlp._base.configs import StoredConfig
from fastmlp.layers import Layer

__all__ = ["of_subclass", "restore"]


@dataclass(frozen=True, slots=True)
class _Named:
    """Stands for a layer of the model; the copy has a layer of the same name."""

    name: str


def of_subclass(model: Any, config: StoredConfig, found: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a model of a user's class that a model made from its configuration lacks.

    Args:
        model: The model. For fastmlp's own classes, the result is empty.
        config: Its configuration.
        found: The custom objects that the configuration names.

    Returns:
        Attributes by name; in them, layers of the model are replaced by their names.
    """
    if type(model).__module__.startswith("fastmlp."):
        return {}
    with custom_objects.CustomObjectScope(found):
        plain = vars(type(model).from_config(config))
    layers = {id(layer): layer.name for layer in model.layers}
    return {name: _pack(value, layers) for name, value in vars(model).items() if name not in plain}


def restore(model: Any, attributes: Mapping[str, Any]) -> None:
    """Set the attributes that :func:`of_subclass` returned on a copy of the model."""
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
