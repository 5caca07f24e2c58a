"""The interface of both engines' networks, ``_core.Network`` (C) and ``reference.Network`` (NumPy)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._engine.spec import Batches, Objective, Plan, SparseRows, Update

__all__ = ["Network", "Trainer"]


class Trainer(Protocol):
    """Trains a network: the network itself, or an object that takes steps from outside it."""

    def train(self, batches: Batches, first: int, stop: int, seconds: float, totals: NDArray[np.float64]) -> int:
        """Trains on minibatches ``first`` … ``stop - 1`` for about ``seconds``; returns the number of the next one."""


class Network(Trainer, Protocol):
    """A network with its parameters and, once configured, its optimizer state. :mod:`fastmlp._engine.spec` defines the arguments."""

    iterations: int
    """Batches trained since :meth:`configure`."""
    learning_rate: float
    seed: int

    @property
    def plan(self) -> Plan: ...
    @property
    def slot_names(self) -> tuple[str, ...]: ...
    @property
    def in_use_here(self) -> bool:
        """Whether the calling thread is inside a call to this network."""

    def configure(self, objective: Objective | tuple[Objective, ...], update: Update) -> None: ...
    def get_parameter(self, index: int) -> NDArray[np.float32]: ...
    def set_parameter(self, index: int, value: NDArray[np.float32]) -> None: ...
    def blend(self, source: Self, share: float) -> None: ...
    def slot_shape(self, name: str, index: int) -> tuple[int, ...]: ...
    def get_slot(self, name: str, index: int) -> NDArray[np.float32]: ...
    def set_slot(self, name: str, index: int, value: NDArray[np.float32]) -> None: ...
    def __call__(self, x: ArrayLike | SparseRows, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]: ...
    def predict(self, x: np.ndarray | SparseRows, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]: ...
    def apply(self, x: np.ndarray | SparseRows, training: bool | None, draw: int = 0) -> NDArray[np.float32]: ...
    def evaluate(self, batches: Batches, first: int, stop: int, seconds: float, totals: NDArray[np.float64]) -> int: ...
    def gradients(self, batches: Batches) -> tuple[float, list[NDArray[np.float32]]]: ...
    def apply_gradients(self, gradients: Sequence[NDArray[np.float32] | None]) -> None: ...
