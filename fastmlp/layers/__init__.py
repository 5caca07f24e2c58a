"""Layers: what a :class:`~fastmlp.models.Sequential` model is made of.

Example:

>>> from fastmlp import layers, models
>>> model = models.Sequential([layers.Dense(8, activation="relu", input_shape=(3,)), layers.Dense(1)])
>>> model.count_params()
41
"""

from __future__ import annotations

from typing import Any

from fastmlp._base import keras_names
from fastmlp._base.registry import Registry
from fastmlp._graph.operation import Operation
from fastmlp.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from fastmlp.layers.activity import ActivityRegularization
from fastmlp.layers.base import Layer, assign_all
from fastmlp.layers.binning import Discretization, Hashing
from fastmlp.layers.categories import CategoryEncoding, Embedding
from fastmlp.layers.dense import Dense
from fastmlp.layers.inputs import Input, InputLayer
from fastmlp.layers.lookup import IntegerLookup, StringLookup
from fastmlp.layers.merging import (
    Add,
    Average,
    Concatenate,
    Divide,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from fastmlp.layers.normalization import BatchNormalization, LayerNormalization, RMSNormalization
from fastmlp.layers.pooling import GlobalAveragePooling1D, GlobalMaxPooling1D
from fastmlp.layers.preprocessing import Normalization, Rescaling
from fastmlp.layers.regularization import AlphaDropout, Dropout, GaussianDropout, GaussianNoise
from fastmlp.layers.reshaping import Flatten, GetItem, Identity, Permute, RepeatVector, Reshape

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Divide",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GetItem",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "IntegerLookup",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "Operation",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "StringLookup",
    "Subtract",
    "add",
    "assign_all",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "registry",
    "serialize",
    "subtract",
]

registry: Registry[Layer] = Registry(
    "layer",
    Layer,
    (
        InputLayer,
        Dense,
        Activation,
        ActivityRegularization,
        Dropout,
        Flatten,
        ELU,
        ReLU,
        LeakyReLU,
        Softmax,
        PReLU,
        AlphaDropout,
        GaussianDropout,
        GaussianNoise,
        Reshape,
        BatchNormalization,
        LayerNormalization,
        RMSNormalization,
        Rescaling,
        Normalization,
        CategoryEncoding,
        Discretization,
        Hashing,
        IntegerLookup,
        Embedding,
        Add,
        Subtract,
        Multiply,
        Maximum,
        Average,
        Concatenate,
        Minimum,
        Divide,
        Dot,
        Permute,
        RepeatVector,
        Identity,
        GetItem,
        GlobalAveragePooling1D,
        GlobalMaxPooling1D,
    ),
    module="layers",
)

serialize, deserialize = registry.serialize, registry.deserialize


def __getattr__(name: str) -> Any:
    return keras_names.missing("layers", name)
