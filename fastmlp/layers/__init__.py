"""Layers: what a :class:`~fastmlp.models.Sequential` model is made of.

Example:

>>> from fastmlp import layers, models
>>> model = models.Sequential([layers.Dense(8, activation="relu", input_shape=(3,)), layers.Dense(1)])
>>> model.count_params()
41
"""

from __future__ import annotations

from typing import Any

import fastmlp.layers.activation as activation
import fastmlp.layers.activity as activity
import fastmlp.layers.binning as binning
import fastmlp.layers.categories as categories
import fastmlp.layers.dense as dense
import fastmlp.layers.inputs as inputs
import fastmlp.layers.lookup as lookup
import fastmlp.layers.merging as merging
import fastmlp.layers.normalization as normalization
import fastmlp.layers.pooling as pooling
import fastmlp.layers.preprocessing as preprocessing
import fastmlp.layers.regularization as regularization
import fastmlp.layers.reshaping as reshaping
from fastmlp._base import keras_names
from fastmlp._base.registry import Registry, classes_in
from fastmlp._graph.operation import Operation
from fastmlp.layers.activation import *
from fastmlp.layers.activity import *
from fastmlp.layers.base import Layer, assign_all
from fastmlp.layers.binning import *
from fastmlp.layers.categories import *
from fastmlp.layers.dense import *
from fastmlp.layers.inputs import *
from fastmlp.layers.lookup import *
from fastmlp.layers.merging import *
from fastmlp.layers.normalization import *
from fastmlp.layers.pooling import *
from fastmlp.layers.preprocessing import *
from fastmlp.layers.regularization import *
from fastmlp.layers.reshaping import *

__all__ = ["Layer", "Operation", "assign_all", "deserialize", "registry", "serialize"]
__all__ += activation.__all__
__all__ += activity.__all__
__all__ += binning.__all__
__all__ += categories.__all__
__all__ += dense.__all__
__all__ += inputs.__all__
__all__ += lookup.__all__
__all__ += merging.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
__all__ += preprocessing.__all__
__all__ += regularization.__all__
__all__ += reshaping.__all__

registry: Registry[Layer] = Registry(
    "layer",
    Layer,
    [
        cls
        for cls in classes_in(
            Layer,
            *(inputs, dense, activation, activity, regularization, normalization, preprocessing),
            *(categories, binning, lookup, merging, reshaping, pooling),
        )
        if cls is not StringLookup
    ],
    module="layers",
)
"""All but what turns strings into numbers, which is no part of a model."""

serialize, deserialize = registry.serialize, registry.deserialize


def __getattr__(name: str) -> Any:
    return keras_names.missing("layers", name)
