"""What is done to samples before a network is trained on them. A saved model does it in its first layers; older files describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastmlp.models import Sequential

__all__ = ["AS_IS", "Preparation"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """Rows are flattened to vectors, if told so, and divided by a number."""

    flatten: bool = False
    divide_by: float = 1.0

    def apply(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The rows as the network takes them, float32."""
        rows = x.reshape(len(x), -1) if self.flatten else x
        prepared = rows.astype(np.float32)
        if self.divide_by != 1:
            prepared /= np.float32(self.divide_by)
        return prepared

    def as_layers_of(self, model: Sequential, row: tuple[int, ...]) -> Sequential:
        """The same trained model with this preparation as its first layers: it takes samples as they come, of this shape.

        Its training can be continued. While it trains, the preparation is better done once, before: a dense layer at the head of a network
        skips the zeros of its input.
        """
        if self == AS_IS:
            return model
        from fastmlp import layers, models
        from fastmlp._training.state import TrainingState
        from fastmlp.layers import registry

        first: list[layers.Layer] = [layers.InputLayer(row), layers.Rescaling(1 / self.divide_by)]
        first += [layers.Flatten()] if self.flatten else []
        config = model.get_config()
        config["layers"] = [*map(registry.serialize, first), *config["layers"][1:]]
        whole = models.Sequential.from_config(config)
        compiled = model.get_compile_config()
        if compiled is not None:
            whole.compile_from_config(compiled)
        TrainingState.capture(model).restore(whole)
        return whole

    def describe(self) -> dict[str, Any]:
        """JSON values, for the file of the model."""
        return asdict(self)

    @classmethod
    def from_description(cls, stored: Any) -> Preparation:
        """What :meth:`describe` gave; anything else is a ValueError."""
        if not isinstance(stored, Mapping) or set(stored) != {"flatten", "divide_by"}:
            raise ValueError(f"the model's file describes a preparation of the data that this fastmlp does not know: {stored!r:.200}")
        flatten, divide_by = stored["flatten"], stored["divide_by"]
        if not isinstance(flatten, bool) or not isinstance(divide_by, (int, float)) or not divide_by > 0:
            raise ValueError(f"the model's file describes a preparation of the data that is not valid: {stored!r:.200}")
        return cls(flatten, float(divide_by))


AS_IS = Preparation()
"""Nothing is done."""
