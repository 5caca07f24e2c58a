"""Arguments of constructors, declared in the body of a class: what each may be stands once, next to its name.

A class says ``momentum = Real(0, 1)``, its constructor ``self.momentum = momentum``: the assignment checks the value and keeps what it is
converted to. ``Configurable.get_config`` and the test that every bad argument is refused read the same declarations.

A declaration has ``__set__`` and no ``__get__``, so that reading the attribute costs what it costs without a declaration.
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
        default: What None is valid for and becomes.
        omit: A value that configurations leave out.
    """

    name: str

    def __init__(self, *, optional: bool = False, default: Any = None, omit: Any = _NOTHING) -> None:
        self.optional, self.default, self.omit = optional or default is not None, default, omit

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, item: Any, value: Any) -> None:
        item.__dict__[self.name] = self.default if value is None and self.optional else self.check(value)

    if TYPE_CHECKING:

        def __get__(self, item: Any, owner: Any = None) -> T: ...

    def check(self, value: Any) -> T:
        """What is kept of ``value``; a TypeError or ValueError that names the argument if it is not valid."""
        raise NotImplementedError

    def describe(self, value: Any) -> Any:
        """The JSON value that stands for a checked one in a configuration."""
        return value


class Real(Argument[T]):
    """A finite float with low ≤ value ≤ high.

    Args:
        low, high: The limits.
        above, below: Limits that the value may not reach.
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

    def check(self, value: Any) -> Any:
        return checks.check_float(self.name, value, self.low, self.high, above=self.above, below=self.below)


class Divisor(Real[float]):
    """A float that engines add to what may be 0 and then divide by.

    Args:
        default: See :class:`Argument`.
    """

    def __init__(self, default: float | None = None) -> None:
        super().__init__(checks.MIN_NORMAL, default=default)

    def check(self, value: Any) -> float:
        return checks.divisor(self.name, value)


class Integer(Argument[T]):
    """An int with low ≤ value ≤ high.

    Args:
        low, high: The limits.
        optional, omit: See :class:`Argument`.
    """

    @overload
    def __init__(self: Integer[int], low: int = ..., high: int | None = ..., *, omit: Any = ...) -> None: ...
    @overload
    def __init__(
        self: Integer[int | None], low: int = ..., high: int | None = ..., *, optional: Literal[True], omit: Any = ...
    ) -> None: ...
    def __init__(self, low: int = 1, high: int | None = None, *, optional: bool = False, omit: Any = _NOTHING) -> None:
        super().__init__(optional=optional, omit=omit)
        self.low, self.high = low, high

    def check(self, value: Any) -> Any:
        return checks.check_int(self.name, value, self.low, self.high)


class Boolean(Argument[bool]):
    """True or False."""

    def check(self, value: Any) -> bool:
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

    def check(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be a string, got {value!r:.80}")
        return value


class Choice(Argument[Any]):
    """One of a few values, None perhaps among them.

    Args:
        options: They.
    """

    def __init__(self, *options: str | None) -> None:
        super().__init__(optional=None in options)
        self.options = options

    def check(self, value: Any) -> Any:
        if isinstance(value, str) and value in self.options:
            return value
        listed = [repr(option) if option is not None else "None" for option in self.options]
        raise ValueError(f"{self.name} must be {', '.join(listed[:-1])} or {listed[-1]}, got {value!r:.80}")


class Converted(Argument[T]):
    """What a function makes of the value: a layer's initializer, an axis.

    Args:
        convert: From what was given to what is kept.
        describe: The way back, for configurations; by default the value is its own description.
        omit: See :class:`Argument`.
    """

    def __init__(self, convert: Callable[[Any], T], describe: Callable[[Any], Any] = lambda value: value, *, omit: Any = _NOTHING) -> None:
        super().__init__(omit=omit)
        self._convert, self._describe = convert, describe

    def check(self, value: Any) -> T:
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
    """The declared arguments that the constructor of a class takes, in its order.

    Of a class outside fastmlp, those of the class it is derived from: the configuration of that is what it adds to.
    """
    ours = next((base for base in cls.__mro__ if base.__module__.partition(".")[0] == "fastmlp"), cls)
    declared = {name: one for base in reversed(ours.__mro__) for name, one in vars(base).items() if isinstance(one, Argument)}
    return {name: declared[name] for name in keywords.parameters(ours) if name in declared}


def configuration(item: object) -> dict[str, Any]:
    """The declared arguments of an object, as JSON values."""
    values = ((one, getattr(item, name)) for name, one in arguments_of(type(item)).items())  # type: ignore[arg-type]
    return {one.name: one.describe(value) for one, value in values if not (type(value) is type(one.omit) and value == one.omit)}
