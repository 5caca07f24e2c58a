"""Models: :class:`Sequential`, a chain of layers, :class:`Functional`, any graph of them, and what copies and loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._base import keras_names
from fastmlp._models.cloning import clone_model
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model
from fastmlp._models.sequential import Sequential
from fastmlp._models.soft_update import soft_update
from fastmlp._models.storage import Storage, provide

if TYPE_CHECKING:
    from fastmlp.saving import load_model, model_from_json

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "soft_update"]


def _files() -> Storage:
    from fastmlp.saving.native import Files

    return Files()


provide(_files)


def __getattr__(name: str) -> Any:
    if name in ("load_model", "model_from_json"):
        from fastmlp import saving

        return getattr(saving, name)
    return keras_names.missing("models", name)
