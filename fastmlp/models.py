"""Models: :class:`Sequential`, a chain of layers, :class:`Functional`, any graph of them, and what copies and loads them."""

from __future__ import annotations

from typing import Any

from fastmlp._base import keras_names
from fastmlp._models.cloning import clone_model
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model
from fastmlp._models.sequential import Sequential
from fastmlp.saving import load_model, model_from_json

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json"]


def __getattr__(name: str) -> Any:
    return keras_names.missing("models", name)
