"""Variables of an optimizer: the learning rate, the iterations, and the slots of each weight."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastmlp._engine.network import Network
from fastmlp.variables import Variable


class _Owner(Protocol):
    """The optimizer that a variable belongs to."""

    name: str

    def network(self) -> Network: ...


class _Number:
    """A number with the value it had when read; ``assign`` sets the optimizer's value, ``numpy`` and ``value`` read the current one."""

    name: ClassVar[str]
    dtype: ClassVar[np.dtype[np.float32] | np.dtype[np.int64]]
    attribute: ClassVar[str]
    plain: ClassVar[type[float]]
    shape: ClassVar[tuple[int, ...]] = ()
    ndim, size, trainable = 0, 1, False
    _optimizer: _Owner

    @classmethod
    def of(cls, optimizer: _Owner, value: float) -> Self:
        """The number ``value`` of this optimizer."""
        number = cls(value)  # type: ignore[call-arg] # the subclasses are numbers
        number._optimizer = optimizer
        return number

    @property
    def path(self) -> str:
        """The name of the optimizer, then that of the number."""
        return f"{self._optimizer.name}/{self.name}"

    @property
    def value(self) -> np.ndarray:
        """The current value, as an array of shape ()."""
        return self.numpy()

    def numpy(self) -> np.ndarray:
        """Returns the current value, as an array of shape ()."""
        return np.array(self.plain(getattr(self._optimizer, self.attribute)), self.dtype)

    def assign(self, value: float) -> Self:
        """Sets the optimizer's value, as assigning to its attribute does; returns the new number."""
        setattr(self._optimizer, self.attribute, self.plain(value))
        number: Self = getattr(self._optimizer, self.attribute)
        return number

    def assign_add(self, value: float) -> Self:
        """Adds to the optimizer's value."""
        return self.assign(self.plain(getattr(self._optimizer, self.attribute)) + value)

    def assign_sub(self, value: float) -> Self:
        """Subtracts from the optimizer's value."""
        return self.assign(self.plain(getattr(self._optimizer, self.attribute)) - value)

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return self.plain, (self.__copy__(),)  # copies belong to no optimizer

    def __copy__(self) -> float:
        return self.plain(self)  # type: ignore[arg-type] # the subclasses are numbers

    def __deepcopy__(self, memo: dict[int, object]) -> float:
        return self.__copy__()


class LearningRate(_Number, float):
    """An optimizer's learning rate: a float with the methods of Keras' variable."""

    name, attribute, plain, dtype = "learning_rate", "learning_rate", float, np.dtype(np.float32)


class Iterations(_Number, int):
    """The number of updates an optimizer has done: an int with the methods of Keras' variable."""

    name, attribute, plain, dtype = "iteration", "iterations", int, np.dtype(np.int64)


class Slot(Variable):
    """One array of an optimizer's state: the values of a slot for one weight.

    Args:
        optimizer: The optimizer; its model's network holds the values.
        slot: The name of the slot, such as ``"momentum"``.
        index: The index of the weight in the plan.
        weight: The weight.
    """

    __slots__ = ("_index", "_optimizer", "_slot", "_weight")

    def __init__(self, optimizer: _Owner, slot: str, index: int, weight: Variable) -> None:
        self._optimizer, self._slot, self._index, self._weight = optimizer, slot, index, weight
        self._trainable = False

    @property
    def name(self) -> str:
        return f"{self._weight.path.replace('/', '_')}_{self._slot}"

    @property
    def path(self) -> str:
        return f"{self._optimizer.name}/{self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        return self._optimizer.network().slot_shape(self._slot, self._index)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    def read(self) -> NDArray[np.float32]:
        return self._optimizer.network().get_slot(self._slot, self._index)

    def store(self, value: np.ndarray) -> None:
        self._optimizer.network().set_slot(self._slot, self._index, value)
