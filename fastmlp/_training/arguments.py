"""Validation of the arguments of ``fit``, ``evaluate`` and ``predict`` other than data, and the format of their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._engine.spec import Batches
from fastmlp._training.compile_config import CompileConfig
from fastmlp.errors import NonFiniteLossError, NonFiniteWeightsError


def refuse_beside(method: str, **arguments: object) -> None:
    """Raises an error if an argument that is only for arrays is passed although x comes in batches."""
    given = [name for name, value in arguments.items() if value is not None and not (isinstance(value, float) and value == 0)]
    if given:
        raise ValueError(
            f"{method}: {given[0]} is only for arrays; here x comes in batches, which have their own targets, weights and size"
        )


def with_rates(batches: Batches, first: int, stop: int, rates: np.ndarray | None) -> Batches:
    """The batches, with the learning rates of batches ``first`` … ``stop - 1``."""
    if rates is None:
        return batches
    of_all = np.zeros(batches.count, np.float64)
    of_all[first:stop] = rates
    batches.rates = of_all
    return batches


def diverged(error: NonFiniteLossError, batch: int, epoch: int | None, compiled: CompileConfig) -> NonFiniteLossError:
    """The error to raise when the loss of a batch, or the weights after it, are not finite."""
    rate, advice = compiled.optimizer.learning_rate, compiled.advice
    where = f"in epoch {epoch + 1}, batch {batch + 1}" if epoch is not None else "in this batch"
    what = f"the loss became NaN or infinite {where}; the weights are those before that batch. "
    if isinstance(error, NonFiniteWeightsError):
        what = f"weights became NaN or infinite {where}, though its loss was finite; set weights again before you use the model. "
    return type(error)(
        batch,
        f"{what}Lower the learning rate (now {rate:g}), scale x to about -1 ... 1 and y to a similar range, and check the targets{advice}",
        epoch=epoch,
    )


def result(values: dict[str, float], return_dict: bool) -> Any:
    """The loss and metrics as a dict, a list, or a single number."""
    if return_dict:
        return {name: values[name] for name in sorted(values)}  # as Keras orders them
    listed = list(values.values())
    return listed if len(listed) > 1 else listed[0]


def optional_count(name: str, value: object) -> int | None:
    """A number of samples, batches or epochs, or None."""
    return None if value is None else checks.check_int(name, value)


def verbosity(value: object) -> int:
    """``verbose`` as 0, 1 or 2."""
    if isinstance(value, str) and value == "auto":
        return 1
    if isinstance(value, (bool, int, np.integer)) and value in (0, 1, 2):
        return int(value)
    raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {value!r}")


def validation_epochs(frequency: object) -> Callable[[int], bool]:
    """A function that returns whether to validate after an epoch, counted from 1."""
    if isinstance(frequency, (list, tuple, set, range)):
        epochs = {checks.check_int("an epoch in validation_freq", epoch) for epoch in frequency}
        return epochs.__contains__
    every = checks.check_int("validation_freq", frequency)
    return lambda epoch: epoch % every == 0
