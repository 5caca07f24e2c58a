"""Models: :class:`Sequential`, a chain of layers, :class:`Functional`, any graph of them, and what copies and loads them."""

from __future__ import annotations

from typing import Any

from fastmlp import elsewhere
from fastmlp.cloning import clone_model
from fastmlp.functional import Functional
from fastmlp.model import Model
from fastmlp.saving import load_model, model_from_json
from fastmlp.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json"]


def __getattr__(name: str) -> Any:
    return elsewhere.missing("models", name)
