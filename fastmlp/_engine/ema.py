"""The running average of the weights that an optimizer with ``use_ema=True`` keeps: put into the model, or exchanged with its weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def finish(network: Any, callbacks: Iterable[Any]) -> None:
    """At the end of training: the average takes the weights' place, unless a callback has put it there. Nothing before the first update."""
    in_model = any(getattr(callback, "average_in_model", False) for callback in callbacks)
    for index in _averaged(network) if network.iterations else ():
        if in_model:
            network.set_slot("average", index, network.get_parameter(index))
        else:
            network.set_parameter(index, network.get_slot("average", index))


def swap(network: Any) -> None:
    """Average and weights change places."""
    for index in _averaged(network):
        weight = network.get_parameter(index)
        network.set_parameter(index, network.get_slot("average", index))
        network.set_slot("average", index, weight)


def _averaged(network: Any) -> list[int]:
    return [index for index, parameter in enumerate(network.plan.parameters) if parameter.trainable]
