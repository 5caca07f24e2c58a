"""Variables: arrays that are read and assigned through an object, as ``keras.Variable``.

:class:`Variable` holds its array itself; weights of layers and slots of optimizers are variables whose values live elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from fastmlp import initializers
from fastmlp._base import naming
from fastmlp._base.numeric import as_native, quiet

__all__ = ["Variable"]


class Variable(NDArrayOperatorsMixin):
    """An array that changes by :meth:`assign`, for everything else used like an array.

    The weights of layers are variables: they show the current values at any time, during training and after it, and what is assigned
    takes effect in the network. What indexing and ``value`` return is read-only, so nothing can be written by mistake into a copy;
    ``numpy()`` returns an independent array.

    Args:
        initializer: The first value; or an initializer or its name, which draws an array of ``shape``.
        shape: The shape, where ``initializer`` is one.
        dtype: By default float32 for fractions, for integers and bools what NumPy makes of them.
        trainable: What the attribute of this name says; nothing depends on it.
        name: By default ``variable``, ``variable_1``, …

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    >>> kernel = model.layers[0].kernel
    >>> _ = kernel.assign(kernel * 2)
    >>> kernel.shape, kernel.name
    ((3, 2), 'kernel')
    """

    __slots__ = ("__weakref__", "_name", "_trainable", "_value")

    _value: Any

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
    ) -> None:
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(f"name must be a string without '/', got {name!r}")
        self._name, self._trainable = name or naming.automatic("Variable"), bool(trainable)
        if isinstance(initializer, str):
            initializer = initializers.get(initializer)
        if callable(initializer) and not isinstance(initializer, Variable):
            if shape is None:
                raise ValueError(f"a variable with the initializer {initializer!r} needs shape=")
            initializer = initializer(tuple(shape))
        value = np.array(initializer, dtype)
        if dtype is None and value.dtype.kind == "f":
            value = as_native(value, np.float32)
        if value.dtype.kind not in "biufc":
            raise TypeError(f"a variable holds numbers, got {initializer!r:.80}")
        self._value = value

    # What a subclass whose values live elsewhere replaces

    def read(self) -> np.ndarray:
        """A copy of the current value."""
        return np.array(self._value)

    def check(self, value: Any) -> np.ndarray:
        """``value`` as an array that can be stored here, or an error that says what is wrong with it."""
        with quiet():
            array = np.array(value, self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"variable {self.path!r} has shape {self.shape}, got {array.shape}")
        return array

    def store(self, value: np.ndarray) -> None:
        """Take over a value that passed :meth:`check`."""
        self._value = value

    @property
    def name(self) -> str:
        """The variable's own name: ``kernel``."""
        return self._name

    @property
    def path(self) -> str:
        """The name with that of the layer before it: ``dense/kernel``."""
        return self.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, which does not change."""
        shape: tuple[int, ...] = self._value.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers, which does not change; float32 for weights."""
        dtype: np.dtype[Any] = self._value.dtype
        return dtype

    @property
    def trainable(self) -> bool:
        """Whether training changes the variable by gradients."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    # What is the same for all

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def value(self) -> np.ndarray:
        """The current value, as a read-only array."""
        array = self.read()
        array.flags.writeable = False
        return array

    def numpy(self) -> np.ndarray:
        """A copy of the current value, independent of the variable."""
        return self.read()

    def assign(self, value: Any) -> Self:
        """Set the value, which must have the same shape; weights must be finite too. Returns the variable."""
        self.store(self.check(value))
        return self

    def assign_add(self, value: Any) -> Self:
        """Add ``value``."""
        with quiet():
            return self.assign(self.read() + np.asarray(value))

    def assign_sub(self, value: Any) -> Self:
        """Subtract ``value``."""
        with quiet():
            return self.assign(self.read() - np.asarray(value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(f"the values of variable {self.path!r} can't be seen without a copy; leave copy=False out")
        array = self.read() if copy else self.value
        return array if dtype is None else array.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        written = [*options.get("out", ()), *(inputs[:1] if method == "at" else ())]
        if any(isinstance(item, Variable) for item in written):
            raise TypeError(f"variable {self.path!r} can't be changed in place; use its assign, assign_add or assign_sub")
        values = [item.value if isinstance(item, Variable) else item for item in inputs]
        options = {name: item.value if isinstance(item, Variable) else item for name, item in options.items()}
        return getattr(ufunc, method)(*values, **options)

    def __getattr__(self, name: str) -> Any:
        # what only arrays have, such as T and mean
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a variable has no attribute {name!r}")
        return getattr(self.value, name)

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"elements of variable {self.path!r} can't be assigned one by one; change a copy and assign it: "
            "value = variable.numpy(); value[...] = ...; variable.assign(value)"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"variable {self.path!r} is a single number, which has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __float__(self) -> float:
        return float(self._scalar())

    def __int__(self) -> int:
        return int(self._scalar())

    def __index__(self) -> int:
        index: SupportsIndex = self._scalar()
        return index.__index__()

    def _scalar(self) -> Any:
        if self.size != 1:
            raise TypeError(f"only a variable of one element can be converted to a number; {self.path!r} has shape {self.shape}")
        return self.read().item()

    def __bool__(self) -> bool:
        return bool(self.value)

    def __round__(self, digits: int = 0) -> Any:
        return np.round(self.value, digits or 0)

    __hash__ = object.__hash__  # by identity: == compares elements

    def __format__(self, spec: str) -> str:
        return format(self._scalar(), spec) if spec and not self.shape else format(str(self), spec)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.value}>"

    def __reduce__(self) -> tuple[Callable[..., Variable], tuple[Any, ...]]:
        return _detached, (self.read(), self.trainable, self.name)

    def __copy__(self) -> Variable:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        make, arguments = self.__reduce__()
        return make(*arguments)


def _detached(value: np.ndarray, trainable: bool, name: str) -> Variable:
    """What copies of variables are: variables with the same value that belong to no layer."""
    return Variable(value, dtype=value.dtype, trainable=trainable, name=name)
