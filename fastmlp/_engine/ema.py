"""The exponential moving average (EMA) of the weights, kept by optimizers with ``use_ema=True``: moved into the weights or swapped."""

from __future__ import annotations

from collections.abc import Iterable

from fastmlp._engine.network import Network


def finish(network: Network, callbacks: Iterable[object]) -> None:
    """At the end of training, overwrites the weights with their EMA, unless a callback has done so. No effect before the first update."""
    in_model = any(getattr(callback, "average_in_model", False) for callback in callbacks)
    for index in _averaged(network) if network.iterations else ():
        if in_model:
            network.set_slot("average", index, network.get_parameter(index))
        else:
            network.set_parameter(index, network.get_slot("average", index))


def swap(network: Network) -> None:
    """Swaps the weights and their EMA."""
    for index in _averaged(network):
        weight = network.get_parameter(index)
        network.set_parameter(index, network.get_slot("average", index))
        network.set_slot("average", index, weight)


def _averaged(network: Network) -> list[int]:
    return [index for index, parameter in enumerate(network.plan.parameters) if parameter.trainable]
