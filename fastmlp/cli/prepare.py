"""What is done to rows before a network sees them: the same for training and, stored with the model, for predicting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
