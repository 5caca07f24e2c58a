"""SwapEMAWeights: validates, and optionally stores, the exponential moving average (EMA) of the weights instead of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp._base import checks
from fastmlp._engine import ema
from fastmlp.callbacks.base import Callback, Logs

__all__ = ["SwapEMAWeights"]


class SwapEMAWeights(Callback):
    """Swap the weights and their exponential moving average (EMA) for validation, ``evaluate`` and ``predict`` (Polyak & Juditsky 1992).

    The optimizer must keep the EMA: ``use_ema=True``.

    Args:
        swap_on_epoch: Whether the model also has the EMA from the end of an epoch to the start of the next, for callbacks after this one,
            such as one that saves the model.

    Example:

    >>> import numpy as np
    >>> from fastmlp import callbacks, layers, models, optimizers
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer=optimizers.Adam(use_ema=True), loss="mse")
    >>> history = model.fit(np.eye(2), np.ones(2), verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    """

    average_in_model = False
    """Whether EMA and weights are swapped now."""

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = checks.check_bool("swap_on_epoch", swap_on_epoch)

    def _swap(self, wanted: bool) -> None:
        """Swap them, unless they are already as wanted: the EMA in the model, or not."""
        if not self.model.optimizer.use_ema:
            raise ValueError(f"SwapEMAWeights needs an optimizer that keeps an EMA: {type(self.model.optimizer).__name__}(use_ema=True)")
        if self.average_in_model != wanted and self.model.network.iterations:
            ema.swap(self.model.network)
            self.average_in_model = wanted

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.average_in_model = False  # at the end of fit the weights are the EMA too

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def _fit_state(self) -> dict[str, Any]:
        return {"average_in_model": self.average_in_model}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self.average_in_model = state["average_in_model"]
