"""Layers: what a :class:`~fastmlp.models.Sequential` model is made of.

Example:

>>> from fastmlp import layers, models
>>> model = models.Sequential([layers.Dense(8, activation="relu", input_shape=(3,)), layers.Dense(1)])
>>> model.count_params()
41
"""

from __future__ import annotations

from fastmlp.layers.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from fastmlp.layers.base import Layer, Operation, assign_all
from fastmlp.layers.dense import Dense
from fastmlp.layers.inputs import Input, InputLayer
from fastmlp.layers.merging import Add, Average, Concatenate, Maximum, Multiply, Subtract
from fastmlp.layers.regularization import Dropout
from fastmlp.layers.reshaping import Flatten
from fastmlp.registry import Registry

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "Concatenate",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "Maximum",
    "Multiply",
    "Operation",
    "ReLU",
    "Softmax",
    "Subtract",
    "assign_all",
    "registry",
]

registry: Registry[Layer] = Registry(
    "layer",
    Layer,
    (
        InputLayer,
        Dense,
        Activation,
        Dropout,
        Flatten,
        ELU,
        ReLU,
        LeakyReLU,
        Softmax,
        Add,
        Subtract,
        Multiply,
        Maximum,
        Average,
        Concatenate,
    ),
    elsewhere=dict.fromkeys(("Conv2D", "LSTM", "BatchNormalization", "Embedding"), "networks are made of Dense layers"),
)
