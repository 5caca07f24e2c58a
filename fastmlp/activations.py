"""Activation functions, by name or as a value: ``Dense(8, activation="relu")`` and ``Dense(8, activation=activations.relu)`` are the same.

An :class:`Activation` only says which function is meant; the engines compute it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp import checks
from fastmlp.errors import UnsupportedError

__all__ = ["Activation", "deserialize", "get", "leaky_relu", "linear", "relu", "serialize", "sigmoid", "softmax", "tanh"]


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation function.

    Args:
        kind: ``linear``, ``relu``, ``leaky_relu``, ``sigmoid``, ``tanh`` or ``softmax``.
        alpha: Slope of ``leaky_relu`` for negative input.
    """

    kind: str
    alpha: float = 0.0

    @property
    def elementwise(self) -> bool:
        """False for softmax, which looks at all columns of a row."""
        return self.kind != "softmax"


linear = Activation("linear")
relu = Activation("relu")
leaky_relu = Activation("leaky_relu", 0.2)
sigmoid = Activation("sigmoid")
tanh = Activation("tanh")
softmax = Activation("softmax")

_BY_NAME = {activation.kind: activation for activation in (linear, relu, leaky_relu, sigmoid, tanh, softmax)}
_ELSEWHERE = {
    **dict.fromkeys(("elu", "selu", "celu", "gelu", "silu", "swish", "mish", "relu6", "prelu", "softplus"), "use 'relu' or 'leaky_relu'"),
    **dict.fromkeys(("hard_sigmoid", "log_sigmoid"), "use 'sigmoid'"),
    **dict.fromkeys(("softsign", "hard_tanh", "tanh_shrink"), "use 'tanh'"),
    "log_softmax": "use 'softmax' with a cross-entropy loss; the two are computed together, from the logarithms",
    "exponential": "use 'linear' and model the logarithm of the target",
}


def get(identifier: Any) -> Activation:
    """The activation meant by a name, None (linear), an :class:`Activation`, an activation layer or a stored configuration.

    Example:

    >>> from fastmlp import activations
    >>> activations.get("leaky_relu")
    Activation(kind='leaky_relu', alpha=0.2)
    """
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, str):
        if identifier in _BY_NAME:
            return _BY_NAME[identifier]
        if identifier in _ELSEWHERE:
            raise UnsupportedError(f"the activation {identifier!r} is not in fastmlp yet; {_ELSEWHERE[identifier]}")
        raise ValueError(f"unknown activation {identifier!r}; there are {', '.join(_BY_NAME)}")
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    of_layer = getattr(identifier, "activation", None)  # Dense(8, activation=LeakyReLU(0.1))
    if isinstance(of_layer, Activation):
        return of_layer
    raise TypeError(f"activation must be one of {', '.join(_BY_NAME)}, got {identifier!r}; functions of your own can't run in the engine")


def serialize(activation: Activation) -> str | dict[str, Any]:
    """A name, or name and slope where the slope is not the usual one."""
    if _BY_NAME[activation.kind] == activation:
        return activation.kind
    return {"class": activation.kind, "config": {"negative_slope": activation.alpha}}


def deserialize(data: Any) -> Activation:
    """The activation that :func:`serialize` described."""
    if isinstance(data, Mapping):
        config = data.get("config")
        if data.get("class") != "leaky_relu" or not isinstance(config, Mapping) or set(config) != {"negative_slope"}:
            raise ValueError(f"the configuration of an activation is not valid: {data!r:.200}")
        return Activation("leaky_relu", checks.number("negative_slope", config["negative_slope"], 0.0))
    return get(data)
