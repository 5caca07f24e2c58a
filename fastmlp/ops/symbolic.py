"""Recording of functions: values that record what Python's operators, NumPy's functions and those of :mod:`fastmlp.ops` do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

import fastmlp.ops.activations as activations
import fastmlp.ops.arranging as arranging
import fastmlp.ops.elementwise as elementwise
import fastmlp.ops.products as products
import fastmlp.ops.reductions as reductions
from fastmlp._program.program import Program, finished
from fastmlp._program.recording import Recorder, TraceError, Value, where_called
from fastmlp._program.simplification import simplified
from fastmlp._program.types import Type

__all__ = ["SymbolicArray", "trace"]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(module, name) for module in (elementwise, reductions, arranging, activations, products) for name in module.__all__
}
"""All functions that can be recorded, by name."""

_OF_NUMPY = {
    **{"fabs": "abs", "rint": "round", "around": "round", "remainder": "mod", "fmod": "mod", "fmax": "maximum", "fmin": "minimum"},
    **{"bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor", "invert": "logical_not", "conjugate": None},
    **{"float_power": "power", "concat": "concatenate", "permute_dims": "transpose", "nansum": None, "pow": "power", "acos": "arccos"},
}
"""Functions of NumPy that have another name here."""
_ARGUMENTS = {"a_min": "x_min", "a_max": "x_max", "a": "x", "arrays": "xs", "ary": "x"}


class SymbolicArray(Value):
    """An array without numbers, in a function that is being recorded. It has the operators and the usual methods of arrays."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return _of_numpy(name, inputs, options)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return _of_numpy(func.__name__, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        return arranging.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TraceError(f"elements of a symbolic value can't be assigned; use ops.where{where_called()}")

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise TraceError(f"a symbolic number can't be gone through in Python{where_called()}")
        return iter(arranging.unstack(self))

    def __pow__(self, other: Any) -> Any:
        return elementwise.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return elementwise.power(other, self)

    def __abs__(self) -> Any:
        return elementwise.abs(self)

    def __round__(self, decimals: int | None = None) -> Any:
        return elementwise.round(self, decimals or 0)

    def __mod__(self, other: Any) -> Any:
        return elementwise.mod(self, other)

    def __rmod__(self, other: Any) -> Any:
        return elementwise.mod(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return elementwise.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return elementwise.floor_divide(other, self)

    def __matmul__(self, other: Any) -> Any:
        return products.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return products.matmul(other, self)

    def __and__(self, other: Any) -> Any:
        return elementwise.logical_and(self, other)

    def __or__(self, other: Any) -> Any:
        return elementwise.logical_or(self, other)

    def __xor__(self, other: Any) -> Any:
        return elementwise.logical_xor(self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Any:
        return elementwise.logical_not(self)

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return arranging.transpose(self)

    def astype(self, dtype: Any) -> Any:
        """The values in another dtype; see :func:`fastmlp.ops.cast`."""
        return elementwise.cast(self, dtype)

    def reshape(self, *shape: Any) -> Any:
        """The values in another shape."""
        return arranging.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order."""
        return arranging.transpose(self, (axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes) or None)

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            function = FUNCTIONS[name]
            return lambda *args, **kwargs: function(self, *args, **kwargs)
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a symbolic value has no attribute {name!r}")
        raise TraceError(f"a symbolic value has no method {name!r}; use the functions of fastmlp.ops{where_called()}")


_METHODS = frozenset(
    ("all", "any", "argmax", "argmin", "clip", "cumsum", "dot", "max", "mean", "min", "prod", "ravel", "repeat", "round", "squeeze", "std")
) | {"sum", "swapaxes", "take", "var"}
"""Methods of arrays that are functions here."""


def _of_numpy(name: str, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """What a function of NumPy returns for symbolic values."""
    function = FUNCTIONS.get(_OF_NUMPY.get(name, name) or "")
    if function is None:
        raise TraceError(f"np.{name} of a symbolic value is not supported; use the functions of fastmlp.ops{where_called()}")
    given = {_ARGUMENTS.get(key, key): value for key, value in options.items() if value is not None and value is not np._NoValue}
    try:
        return function(*args, **given)
    except TraceError:
        raise
    except TypeError as error:
        raise TraceError(f"np.{name} of a symbolic value is not supported with these arguments: {error}{where_called()}") from None


def trace(function: Callable[..., Any], inputs: Sequence[Type]) -> Program:
    """Call a function once with symbolic values, and return the program that computes what it returned.

    Args:
        function: A function of as many arrays as there are ``inputs``.
        inputs: Their types.

    Raises:
        TraceError: It can't be recorded; the message names the line.
    """
    recorder = Recorder(inputs, SymbolicArray)
    result = function(*(recorder.value(number) for number in range(len(inputs))))
    if isinstance(result, (tuple, list)) or result is None:
        raise TraceError(f"the function {getattr(function, '__name__', function)!r} must return one array, got {type(result).__name__}")
    if isinstance(result, Value) and result.recorder is not recorder:
        raise TraceError(f"the function {getattr(function, '__name__', function)!r} returned a symbolic value of another recording")
    value = result if isinstance(result, Value) else recorder.constant(np.asarray(result))
    return simplified(finished(recorder, [value]), keep_stops=True)
