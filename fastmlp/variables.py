"""Variables: arrays that are read and assigned through an object, like ``keras.Variable``.

:class:`Variable` holds its own array; the weights of layers and the slots of optimizers are variables whose values live in a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, SupportsIndex, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastmlp import initializers
from fastmlp._base import naming
from fastmlp._base.numeric import as_native, quiet

__all__ = ["Variable"]

InitialValue: TypeAlias = "ArrayLike | Variable | initializers.InitializerLike"
Index: TypeAlias = Any
"""What NumPy's arrays can be indexed by; NumPy has no public type for it."""


class Variable(NDArrayOperatorsMixin):
    """An array whose values are changed with :meth:`assign`; otherwise it is used like a NumPy array.

    The weights of layers are variables: they show the current values at any time, also during training, and assigned values take effect in
    the network. Indexing and ``value`` return read-only arrays, so that a copy is not modified by mistake; ``numpy()`` returns an
    independent array.

    Args:
        initializer: The initial value, an array; or an initializer or its name, which draws an array of ``shape``.
        shape: The shape; required with an initializer.
        dtype: By default float32 for floating-point values, NumPy's choice for integers and bools.
        trainable: The attribute of this name; nothing depends on it.
        autocast: Accepted for compatibility with Keras, like ``aggregation`` and ``synchronization``.
        aggregation: Ignored.
        synchronization: Ignored.
        name: By default ``variable``, ``variable_1``, …

    Raises:
        ValueError: The name is empty or contains ``/``, or an initializer comes without ``shape``.
        TypeError: The initial value does not hold numbers.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    >>> kernel = model.layers[0].kernel
    >>> _ = kernel.assign(kernel * 2)
    >>> kernel.shape, kernel.name
    ((3, 2), 'kernel')
    """

    __slots__ = ("__weakref__", "_name", "_trainable", "_value")

    _value: NDArray[Any] | None

    def __init__(
        self,
        initializer: InitialValue,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
    ) -> None:
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(f"name must be a string without '/', got {name!r}")
        self._name, self._trainable = name or naming.automatic("Variable"), bool(trainable)
        if isinstance(initializer, (str, type)):
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

    # Overridden by subclasses whose values live elsewhere

    def read(self) -> NDArray[Any]:
        """A copy of the current value."""
        return np.array(self._value)

    def check(self, value: ArrayLike) -> NDArray[Any]:
        """``value`` as an array of the variable's dtype.

        Raises:
            ValueError: It has another shape.
        """
        with quiet():
            array = np.array(value, self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"variable {self.path!r} has shape {self.shape}, got {array.shape}")
        return array

    def store(self, value: NDArray[Any]) -> None:
        """Set the value to an array that :meth:`check` returned."""
        self._value = value

    @property
    def name(self) -> str:
        """The variable's own name: ``kernel``."""
        return self._name

    @property
    def path(self) -> str:
        """The name, with the layer's name in front: ``dense/kernel``."""
        return self.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, which is fixed."""
        assert self._value is not None
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, which is fixed; float32 for weights."""
        assert self._value is not None
        return self._value.dtype

    @property
    def trainable(self) -> bool:
        """Whether training changes the variable by gradients."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    # The same for all variables

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def value(self) -> NDArray[Any]:
        """The current value, as a read-only array."""
        array = self.read()
        array.flags.writeable = False
        return array

    def numpy(self) -> NDArray[Any]:
        """A copy of the current value, independent of the variable."""
        return self.read()

    def assign(self, value: ArrayLike) -> Self:
        """Set the value.

        Args:
            value: An array of the same shape, in which there is neither NaN nor Inf if the variable is a weight.

        Returns:
            The variable.

        Raises:
            ValueError: It has another shape, or a weight would not be finite.
        """
        self.store(self.check(value))
        return self

    def assign_add(self, value: ArrayLike) -> Self:
        """Add ``value`` to the variable, which is returned; see :meth:`assign`."""
        with quiet():
            return self.assign(self.read() + np.asarray(value))

    def assign_sub(self, value: ArrayLike) -> Self:
        """Subtract ``value`` from the variable, which is returned; see :meth:`assign`."""
        with quiet():
            return self.assign(self.read() - np.asarray(value))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(f"variable {self.path!r} can't be converted without a copy; omit copy=False")
        array = self.read() if copy else self.value
        return array if dtype is None else array.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        written = [*options.get("out", ()), *(inputs[:1] if method == "at" else ())]
        if any(isinstance(item, Variable) for item in written):
            raise TypeError(f"variable {self.path!r} can't be changed in place; use assign, assign_add or assign_sub")
        values = [item.value if isinstance(item, Variable) else item for item in inputs]
        options = {name: item.value if isinstance(item, Variable) else item for name, item in options.items()}
        return getattr(ufunc, method)(*values, **options)

    def __getattr__(self, name: str) -> Any:
        # attributes of arrays, such as T and mean
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a variable has no attribute {name!r}")
        return getattr(self.value, name)

    def __getitem__(self, index: Index) -> Any:
        return self.value[index]

    def __setitem__(self, index: Index, value: ArrayLike) -> None:
        raise TypeError(
            f"elements of variable {self.path!r} can't be assigned one by one; change a copy and assign it: "
            "value = variable.numpy(); value[i] = …; variable.assign(value)"
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

    def __round__(self, digits: int = 0) -> NDArray[Any]:
        return np.asarray(np.round(self.value, digits or 0))

    __hash__ = object.__hash__  # by identity: == compares elements

    def __format__(self, spec: str) -> str:
        return format(self._scalar(), spec) if spec and not self.shape else format(str(self), spec)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.value}>"

    def __reduce__(self) -> tuple[Callable[..., Variable], tuple[Any, ...]]:
        return _detached, (self.read(), self.trainable, self.name)

    def __copy__(self) -> Variable:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, object]) -> Variable:
        make, arguments = self.__reduce__()
        return make(*arguments)


def _detached(value: NDArray[Any], trainable: bool, name: str) -> Variable:
    """The copy of a variable: one with the same value that belongs to no layer."""
    return Variable(value, dtype=value.dtype, trainable=trainable, name=name)
