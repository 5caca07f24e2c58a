"""The running average of the weights that an optimizer with ``use_ema=True`` keeps: put into the model, or exchanged with its weights."""

from __future__ import annotations

from typing import Any


def finalize(network: Any) -> None:
    """The average takes the weights' place. Nothing happens before the first update."""
    if network.iterations:
        for index in range(len(network.plan.parameters)):
            network.set_parameter(index, network.get_slot("average", index))


def keep(network: Any) -> None:
    """The weights take the average's place."""
    for index in range(len(network.plan.parameters)):
        network.set_slot("average", index, network.get_parameter(index))


def swap(network: Any) -> None:
    """Average and weights change places."""
    for index in range(len(network.plan.parameters)):
        weight = network.get_parameter(index)
        network.set_parameter(index, network.get_slot("average", index))
        network.set_slot("average", index, weight)
