"""Checks of arguments that ``fit``, ``evaluate`` and ``predict`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp import checks


def optional_count(name: str, value: Any) -> int | None:
    """A whole number from 1 on, or None."""
    return None if value is None else checks.whole_number(name, value)


def verbosity(value: Any) -> int:
    """``verbose`` as 0, 1 or 2."""
    if isinstance(value, str) and value == "auto":
        return 1
    if isinstance(value, (bool, int, np.integer)) and value in (0, 1, 2):
        return int(value)
    raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {value!r}")


def validation_epochs(frequency: Any) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(frequency, (list, tuple, set, range)):
        epochs = {checks.whole_number("an epoch in validation_freq", epoch) for epoch in frequency}
        return epochs.__contains__
    every = checks.whole_number("validation_freq", frequency)
    return lambda epoch: epoch % every == 0


def one_kind_of_weight(class_weight: Any, sample_weight: Any) -> None:
    """Weights by class and by row at once are an error."""
    if class_weight is not None and sample_weight is not None:
        raise ValueError("give class_weight or sample_weight, not both")
