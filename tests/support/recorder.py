"""Notes what the golden programs are made of: a stand-in for ``fastmlp`` that writes down every class and argument on the way."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any


class Recorder:
    """``fastmlp``, or a module of it, as the golden programs see it.

    Args:
        real: The module.
        seen: For each class that was made, by its name with its module's, the arguments that were given another value than the default.
    """

    def __init__(self, real: ModuleType, seen: dict[str, set[str]]) -> None:
        self._real, self._seen = real, seen

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if isinstance(value, ModuleType):
            return Recorder(value, self._seen)
        if not callable(value):
            return value

        def make(*args: Any, **options: Any) -> Any:
            self.note(name, *args, **options)
            return value(*args, **options)

        return make

    def note(self, name: str, /, *args: Any, **options: Any) -> None:
        """One call of the class or function of this name."""
        value = getattr(self._real, name)
        signature = inspect.signature(value)
        given = signature.bind_partial(*args, **options).arguments
        given |= given.pop("options", {})
        defaults = {key: parameter.default for key, parameter in signature.parameters.items()}
        new = {key for key, one in given.items() if not (key in defaults and type(one) is type(defaults[key]) and one == defaults[key])}
        kind = self._real.__name__.removeprefix("fastmlp.").removeprefix("optimizers.")
        self._seen.setdefault(f"{kind}.{getattr(value, '__name__', name)}", set()).update(new)
