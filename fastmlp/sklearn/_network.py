"""The network of a multilayer perceptron: its layers, loss and optimizer, from the parameters of the estimator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp import activations, layers, losses, models, optimizers, regularizers
from fastmlp.layers import Layer
from fastmlp.layers.normalization import NORMALIZATIONS
from fastmlp.losses import Loss
from fastmlp.models import Sequential
from fastmlp.optimizers import Optimizer

OUR_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}
"""Activations that scikit-learn calls otherwise than Keras."""


@dataclass(frozen=True)
class Output:
    """The output layer and the loss.

    Attributes:
        units: The number of outputs.
        name: scikit-learn's name of the activation between the scores of the output layer and the predictions.
        loss: The loss.
        activation: The activation of the output layer in the network; linear if the network returns scores.
        weight: The factor of the loss, by which its gradient becomes that of scikit-learn's loss.
        indices: Whether the loss reads indices of classes.
    """

    units: int
    name: str
    loss: Loss | Any
    activation: str = "linear"
    weight: float = 1.0
    indices: bool = False

    @property
    def scores(self) -> bool:
        """Whether the network returns scores, from which a logistic function or a softmax makes probabilities."""
        return self.activation == "linear" and self.name != "identity"


def classifier_output(loss: Any, classes: int, columns: int, multilabel: bool) -> Output:
    """The output of a classifier with so many classes, and columns as in :class:`~fastmlp.sklearn._data.ClassLabels`."""
    if isinstance(loss, str) and loss == "log_loss":
        if columns > 1 and not multilabel:
            return Output(columns, "softmax", losses.SparseCategoricalCrossentropy(from_logits=True), indices=True)
        return Output(columns, "logistic", losses.BinaryCrossentropy(from_logits=True), weight=columns)
    chosen = losses.get(loss)
    kind = getattr(chosen, "kind", "")
    one_of_all = not multilabel and (columns > 1 or "categorical" in kind)
    units = classes if one_of_all else columns
    name, activation = ("softmax", "softmax") if one_of_all else ("logistic", "sigmoid")
    return Output(units, name, chosen, activation, indices=kind.startswith("sparse_"))


def regressor_output(loss: Any, columns: int) -> Output:
    """The output of a regressor with so many targets."""
    if isinstance(loss, str) and loss == "squared_error":
        return Output(columns, "identity", losses.MeanSquaredError(), weight=columns / 2)
    if isinstance(loss, str) and loss == "poisson":
        return Output(columns, "exp", losses.Poisson(), "exponential", weight=columns)
    chosen = losses.get(loss)
    exponential = getattr(chosen, "kind", "") == "poisson"
    return Output(columns, "exp" if exponential else "identity", chosen, "exponential" if exponential else "linear")


def hidden_sizes(value: Any) -> list[int]:
    """``hidden_layer_sizes`` as a list."""
    sizes = [int(size) for size in value] if isinstance(value, Iterable) else [int(value)]
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return sizes


def for_each_layer(name: str, value: Any, count: int) -> list[Any]:
    """A parameter that is one value for all hidden layers, or a list with one for each."""
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} values, but there are {count} hidden layers; give one for each, or one for all")
    return list(value)


def build_network(
    first: Layer,
    hidden: Sequence[int],
    output: Output,
    activation: Any,
    dropout: Any,
    normalization: Any,
    penalty: float = 0.0,
    *,
    predicts: bool = False,
) -> Sequential:
    """A network whose weights are 0.

    Args:
        first: The first layer: an input, or the encoder of a table.
        hidden: The units of the hidden layers.
        output: The output layer.
        activation: The activation of the hidden layers, or a list.
        dropout: The dropout rate after them, or a list.
        normalization: ``"batch"``, ``"layer"``, ``"rms"`` or None, or a list.
        penalty: The factor of the sum of squared coefficients in the loss.
        predicts: Whether the output layer has the activation of predictions; else that of training, which may return scores.
    """
    count = len(hidden)
    options: dict[str, Any] = {"kernel_initializer": "zeros", "kernel_regularizer": regularizers.L2(penalty) if penalty else None}
    hidden_activations = [
        OUR_ACTIVATIONS.get(one, one) if isinstance(one, str) else one for one in for_each_layer("activation", activation, count)
    ]
    rates = for_each_layer("dropout", dropout, count)
    normalizations = for_each_layer("normalization", normalization, count)
    chain: list[Any] = [first]
    for units, function, rate, normalized in zip(hidden, hidden_activations, rates, normalizations, strict=True):
        if normalized is None:
            chain.append(layers.Dense(units, activation=function, **options))
        else:
            chain.append(layers.Dense(units, **options))
            chain += [NORMALIZATIONS[normalized](), layers.Activation(function)]
        if rate:
            chain.append(layers.Dropout(rate))
    last = output.activation
    if predicts:
        last = {"logistic": "sigmoid", "exp": "exponential", "identity": "linear"}.get(output.name, output.name)
    chain.append(layers.Dense(output.units, activation=last, **options))
    return models.Sequential(chain)


def dense_layers(model: Sequential) -> list[Layer]:
    """The dense layers: those that have coefficients and intercepts."""
    return [layer for layer in model.layers if isinstance(layer, layers.Dense)]


def initial_weights(sizes: Sequence[int], activation: Any, generator: np.random.RandomState) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Coefficients and intercepts drawn as scikit-learn draws them: the same numbers for the same ``random_state``.

    Uniform within ±√(6 / (inputs + outputs)) of the layer, ±√(2 / (inputs + outputs)) with logistic activations (Glorot & Bengio 2010,
    "Understanding the difficulty of training deep feedforward neural networks").
    """
    kinds = for_each_layer("activation", activation, len(sizes) - 2)
    kinds.append(kinds[-1] if kinds else "identity")
    coefs, intercepts = [], []
    for (inputs, outputs), kind in zip(pairwise(sizes), kinds, strict=True):
        factor = 2.0 if kind in ("logistic", "sigmoid") or kind is activations.sigmoid else 6.0
        bound = np.sqrt(factor / (inputs + outputs))
        coefs.append(generator.uniform(-bound, bound, (inputs, outputs)))
        intercepts.append(generator.uniform(-bound, bound, outputs))
    return coefs, intercepts


def set_penalty(model: Sequential, factor: float) -> None:
    """Add ``factor`` times the sum of squared coefficients to the loss."""
    for layer in dense_layers(model):
        before: Any = layer
        if getattr(before.kernel_regularizer, "l2", 0.0) != factor:
            before.kernel_regularizer = regularizers.L2(factor) if factor else None


def make_optimizer(estimator: Any) -> Optimizer:
    """The optimizer of an estimator."""
    given, rate = estimator.optimizer, estimator.learning_rate_init
    if not isinstance(estimator.learning_rate, str):
        rate = estimator.learning_rate
    if isinstance(given, str):
        found: Any = type(optimizers.get(given))
        return found(learning_rate=rate)
    if given is not None:  # a copy: the parameter stays as it is
        return type(given).from_config(given.get_config())
    if estimator.solver == "lbfgs":
        return optimizers.LBFGS()
    if estimator.solver == "sgd":
        return optimizers.SGD(rate, momentum=estimator.momentum, nesterov=estimator.nesterovs_momentum and estimator.momentum > 0)
    return optimizers.Adam(rate, beta_1=estimator.beta_1, beta_2=estimator.beta_2, epsilon=estimator.epsilon)
