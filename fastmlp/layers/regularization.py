"""Layers that disturb what passes them while training, so that the network does not learn the data by heart."""

from __future__ import annotations

from typing import Any

from fastmlp import checks
from fastmlp.layers.base import Layer, Operation


class Dropout(Layer):
    """While training, set a random fraction of the inputs to 0 and scale the others up, so that their sum stays the same on average.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    Args:
        rate: The fraction to set to 0, from 0 up to but not including 1.
        seed: Not used: the model's seed decides, so that a resumed run drops the same elements.
    """

    weightless = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(noise_shape=noise_shape, **options)
        self.rate = checks.number("rate", rate, 0.0, 1.0, open_high=True)
        self.seed = None if seed is None else checks.whole_number("seed", seed, 0)

    def operations(self) -> tuple[Operation, ...]:
        return (Operation("dropout", rate=self.rate),) if self.rate else ()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "rate": self.rate, "seed": self.seed}
