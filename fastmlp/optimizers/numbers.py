"""The numbers of an optimizer that programs read and assign: its learning rate and its iterations."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastmlp.variables import Variable


class _Number:
    """A number as it was when it was read; ``assign`` sets the optimizer's, ``numpy`` and ``value`` read that anew."""

    name: ClassVar[str]
    dtype: ClassVar[np.dtype[Any]]
    attribute: ClassVar[str]
    plain: ClassVar[type]
    shape: ClassVar[tuple[int, ...]] = ()
    ndim, size, trainable = 0, 1, False
    _optimizer: Any

    @classmethod
    def of(cls, optimizer: Any, value: float) -> Any:
        """The number ``value``, of this optimizer."""
        number: Any = cls(value)  # type: ignore[call-arg]
        number._optimizer = optimizer
        return number

    @property
    def path(self) -> str:
        """The name, behind that of the optimizer."""
        return f"{self._optimizer.name}/{self.name}"

    @property
    def value(self) -> np.ndarray:
        """The optimizer's number now, as an array without axes."""
        return self.numpy()

    def numpy(self) -> np.ndarray:
        """The optimizer's number now, as an array without axes."""
        return np.array(self.plain(getattr(self._optimizer, self.attribute)), self.dtype)

    def assign(self, value: Any) -> Any:
        """Set the optimizer's number, as setting its attribute does; returns it."""
        setattr(self._optimizer, self.attribute, self.plain(value))
        return getattr(self._optimizer, self.attribute)

    def assign_add(self, value: Any) -> Any:
        """Add to the optimizer's number."""
        return self.assign(self.plain(getattr(self._optimizer, self.attribute)) + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the optimizer's number."""
        return self.assign(self.plain(getattr(self._optimizer, self.attribute)) - value)

    def __reduce__(self) -> Any:
        return self.plain, (self.plain(self),)  # copies belong to no optimizer

    def __copy__(self) -> Any:
        return self.plain(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.plain(self)


class LearningRate(_Number, float):
    """An optimizer's learning rate: a float, and Keras' variable."""

    name, attribute, plain, dtype = "learning_rate", "learning_rate", float, np.dtype(np.float32)


class Iterations(_Number, int):
    """How many updates an optimizer has done: an int, and Keras' variable."""

    name, attribute, plain, dtype = "iteration", "iterations", int, np.dtype(np.int64)


class Slot(Variable):
    """One array of an optimizer's state: what a slot holds for a weight.

    Args:
        optimizer: The optimizer; the values are in the network of its model.
        slot: The slot's name, ``momentum``.
        index: The weight's place in the plan.
        weight: The weight.
    """

    __slots__ = ("_index", "_optimizer", "_slot", "_weight")

    def __init__(self, optimizer: Any, slot: str, index: int, weight: Variable) -> None:
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
        shape: tuple[int, ...] = self._optimizer.network().slot_shape(self._slot, self._index)
        return shape

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    def read(self) -> np.ndarray:
        return np.asarray(self._optimizer.network().get_slot(self._slot, self._index))

    def store(self, value: np.ndarray) -> None:
        self._optimizer.network().set_slot(self._slot, self._index, value)
