"""Layers, the building blocks of models.

Example:

>>> from fastmlp import layers, models
>>> model = models.Sequential([layers.Dense(8, activation="relu", input_shape=(3,)), layers.Dense(1)])
>>> model.count_params()
41
"""

from __future__ import annotations

from fastmlp._base import keras_names
from fastmlp._base.registry import Registry, names_from
from fastmlp._graph.operation import Operation as Operation
from fastmlp.layers.activation import *
from fastmlp.layers.activity import *
from fastmlp.layers.base import *
from fastmlp.layers.binning import *
from fastmlp.layers.categories import *
from fastmlp.layers.dense import *
from fastmlp.layers.inputs import *
from fastmlp.layers.lookup import *
from fastmlp.layers.merging import *
from fastmlp.layers.normalization import *
from fastmlp.layers.numeric import *
from fastmlp.layers.pooling import *
from fastmlp.layers.preprocessing import *
from fastmlp.layers.regularization import *
from fastmlp.layers.reshaping import *
from fastmlp.layers.table import *

_names = names_from(__name__, globals())

registry: Registry[Layer] = Registry(
    "layer",
    Layer,
    [cls for cls in map(globals().get, _names) if isinstance(cls, type) and issubclass(cls, Layer) and cls not in (Layer, StringLookup)],
    module="layers",
)
"""All layers except StringLookup, which can't be part of a model."""

serialize, deserialize = registry.serialize, registry.deserialize

# For ``from fastmlp.layers import *``. Type checkers follow the star imports above. A computed list they would take for an empty one, so
# it is hidden from them.
globals()["__all__"] = ["Operation", "deserialize", "registry", "serialize", *_names]


def __getattr__(name: str) -> object:
    return keras_names.missing("layers", name)
