"""Declarations of constructor arguments in the body of a class, which define the valid values once.

A class has ``momentum = Real(0, 1)``, its constructor ``self.momentum = momentum``: the assignment validates the value and stores it
converted. ``Configurable.get_config`` and the generic test that every invalid argument raises an error read the same declarations.

A declaration has ``__set__`` and no ``__get__``, so reading the attribute is as fast as without a declaration.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from fastmlp._base import checks, keywords

T = TypeVar("T")


_NOTHING = object()


class Argument(Generic[T]):
    """One argument; the base of all declarations.

    Args:
        optional: Whether None is valid, and stays None.
        default: The value that replaces None.
        omit: A value that configurations omit.
    """

    name: str

    def __init__(self, *, optional: bool = False, default: Any = None, omit: object = _NOTHING) -> None:
        self.optional, self.default, self.omit = optional or default is not None, default, omit

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, item: object, value: object) -> None:
        item.__dict__[self.name] = self.default if value is None and self.optional else self.check(value)

    if TYPE_CHECKING:

        def __get__(self, item: object, owner: type | None = None) -> T: ...

    def check(self, value: object) -> T:
        """The value to store for ``value``; a TypeError or ValueError that names the argument if it is not valid."""
        raise NotImplementedError

    def describe(self, value: Any) -> Any:
        """The JSON value of a validated one, for configurations."""
        return value


class Real(Argument[T]):
    """A finite float with low ≤ value ≤ high.

    Args:
        low, high: Inclusive limits.
        above, below: Exclusive limits.
        optional, default: See :class:`Argument`.
    """

    @overload
    def __init__(
        self: Real[float], low: float = ..., high: float = ..., *, above: float = ..., below: float = ..., default: float | None = ...
    ) -> None: ...
    @overload
    def __init__(
        self: Real[float | None], low: float = ..., high: float = ..., *, above: float = ..., below: float = ..., optional: Literal[True]
    ) -> None: ...
    def __init__(
        self,
        low: float = -math.inf,
        high: float = math.inf,
        *,
        above: float = -math.inf,
        below: float = math.inf,
        optional: bool = False,
        default: float | None = None,
    ) -> None:
        super().__init__(optional=optional, default=default)
        self.low, self.high, self.above, self.below = low, high, above, below

    def check(self, value: object) -> Any:
        return checks.check_float(self.name, value, self.low, self.high, above=self.above, below=self.below)


class Divisor(Real[float]):
    """A float that engines add to a number ≥ 0 before they divide by it.

    Args:
        default: See :class:`Argument`.
    """

    def __init__(self, default: float | None = None) -> None:
        super().__init__(checks.MIN_NORMAL, default=default)

    def check(self, value: object) -> float:
        return checks.divisor(self.name, value)


class Integer(Argument[T]):
    """An int with low ≤ value ≤ high.

    Args:
        low, high: The limits.
        optional, omit: See :class:`Argument`.
    """

    @overload
    def __init__(self: Integer[int], low: int = ..., high: int | None = ..., *, omit: object = ...) -> None: ...
    @overload
    def __init__(
        self: Integer[int | None], low: int = ..., high: int | None = ..., *, optional: Literal[True], omit: object = ...
    ) -> None: ...
    def __init__(self, low: int = 1, high: int | None = None, *, optional: bool = False, omit: object = _NOTHING) -> None:
        super().__init__(optional=optional, omit=omit)
        self.low, self.high = low, high

    def check(self, value: object) -> Any:
        return checks.check_int(self.name, value, self.low, self.high)


class Boolean(Argument[bool]):
    """True or False."""

    def check(self, value: object) -> bool:
        return checks.check_bool(self.name, value)


class Text(Argument[T]):
    """A string.

    Args:
        optional: See :class:`Argument`.
    """

    @overload
    def __init__(self: Text[str]) -> None: ...
    @overload
    def __init__(self: Text[str | None], *, optional: Literal[True]) -> None: ...
    def __init__(self, *, optional: bool = False) -> None:
        super().__init__(optional=optional)

    def check(self, value: object) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be a string, got {value!r:.80}")
        return value


class Choice(Argument[Any]):
    """One of a few strings, or None if it is among the options.

    Args:
        options: The valid values.
    """

    def __init__(self, *options: str | None) -> None:
        super().__init__(optional=None in options)
        self.options = options

    def check(self, value: object) -> Any:
        if isinstance(value, str) and value in self.options:
            return value
        listed = [repr(option) if option is not None else "None" for option in self.options]
        raise ValueError(f"{self.name} must be {', '.join(listed[:-1])} or {listed[-1]}, got {value!r:.80}")


class Converted(Argument[T]):
    """A value that a function converts, such as a layer's initializer or an axis.

    Args:
        convert: Converts the value passed to the value stored, or raises a TypeError or ValueError.
        describe: Converts a stored value to a JSON value; by default it is one.
        optional, omit: See :class:`Argument`.
    """

    def __init__(
        self,
        convert: Callable[[Any], T],
        describe: Callable[[Any], Any] = lambda value: value,
        *,
        optional: bool = False,
        omit: object = _NOTHING,
    ) -> None:
        super().__init__(optional=optional, omit=omit)
        self._convert, self._describe = convert, describe

    def check(self, value: object) -> T:
        try:
            return self._convert(value)
        except (TypeError, ValueError) as error:
            if self.name in str(error):
                raise
            raise type(error)(f"{self.name}: {error}") from error

    def describe(self, value: Any) -> Any:
        return self._describe(value)


@functools.cache
def arguments_of(cls: type) -> dict[str, Argument[Any]]:
    """The declared arguments of a class's constructor, in order.

    For a class outside fastmlp, those of its base class in fastmlp, whose configuration it extends.
    """
    ours = next((base for base in cls.__mro__ if base.__module__.partition(".")[0] == "fastmlp"), cls)
    declared = {name: one for base in reversed(ours.__mro__) for name, one in vars(base).items() if isinstance(one, Argument)}
    return {name: declared[name] for name in keywords.parameters(ours) if name in declared}


def configuration(item: object) -> dict[str, Any]:
    """The declared arguments of an object, as JSON values."""
    values = ((one, getattr(item, name)) for name, one in arguments_of(type(item)).items())  # type: ignore[arg-type]
    return {one.name: one.describe(value) for one, value in values if not (type(value) is type(one.omit) and value == one.omit)}
