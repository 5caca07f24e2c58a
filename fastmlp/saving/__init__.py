"""Saves models to files and loads them again: one file with layers, weights, what was compiled, and where training stands.

The name's ending says which format is written: ``.safetensors`` is fastmlp's own, ``.keras``, ``.h5`` and ``.weights.h5`` are
Keras'. Whatever its format, a file cannot run code.
"""

from fastmlp._base.custom_objects import CustomObjectScope, custom_object_scope, get_custom_objects, register_keras_serializable
from fastmlp.saving.native import describe, load_model, load_weights, model_from_json, save_model, save_weights

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "describe",
    "get_custom_objects",
    "load_model",
    "load_weights",
    "model_from_json",
    "register_keras_serializable",
    "save_model",
    "save_weights",
]
