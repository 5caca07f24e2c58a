"""What identifies data and a model's settings: digests of all that decides about the numbers of a run.

Arrays count with their contents, types and shapes, functions and classes of the user's own with their compiled code and all that this
refers to. What can't be told apart for certain is refused: then a file of results must not be continued.
"""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np

from fastmlp._data.adapters import choose_adapter
from fastmlp._graph.symbolic import Call, Tensor
from fastmlp._graph.weights import Weight
from fastmlp._models.model import Model

__all__ = ["ID_BYTES", "Unidentifiable", "fingerprint", "fingerprint_of_code"]

ID_BYTES = 8
_KNOWN = {"fastmlp", "numpy", *sys.stdlib_module_names} - {"__main__"}
"""What these modules define is known by its name; what other installed ones define, by its name and their version."""
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_OF_EVERY_CLASS = {
    "__module__",
    "__dict__",
    "__weakref__",
    "__doc__",
    "__firstlineno__",
    "__static_attributes__",
    "__annotations__",
    "_abc_impl",
}
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType, types.MethodDescriptorType)


class Unidentifiable(TypeError):
    """There is no telling whether a value is the same in another process."""


def fingerprint(*values: Any) -> str:
    """Identifies data: arrays, sparse matrices, frames, and lists, tuples and dicts of them."""
    digest = hashlib.blake2b(digest_size=ID_BYTES)
    for value in values:
        _add_data(digest.update, value)
    return digest.hexdigest()


def _add_data(update: Callable[[Any], None], value: Any) -> None:
    if isinstance(value, Mapping):
        update(f"dict {list(value)!r}".encode())
        for part in value.values():
            _add_data(update, part)
    elif isinstance(value, (list, tuple)) and any(hasattr(part, "__len__") and not isinstance(part, (list, tuple, str)) for part in value):
        update(f"list {len(value)}".encode())
        for part in value:
            _add_data(update, part)
    else:
        data = choose_adapter(value)
        if data.feature_names is not None:
            update(f"frame {data.feature_names!r}".encode())
        for part in data.stored_arrays():
            _add_array(update, part)


def _add_array(update: Callable[[Any], None], array: np.ndarray) -> None:
    if array.dtype.hasobject:
        given = f"an array of Python objects, the first of them {array.flat[0]!r:.60}" if array.size > 1 else f"{array.flat[0]!r:.60}"
        raise Unidentifiable(f"the data hold {given}, which can't be compared with those of another sweep; pass arrays of numbers")
    update(f"{array.dtype.str}{array.shape}".encode())
    if array.size:
        update(np.ascontiguousarray(array).view(np.uint8).data)


def fingerprint_of_code(*roots: Any) -> str | None:
    """Identifies functions and objects of the user's own that are found in these; None if there are none.

    Raises:
        Unidentifiable: One refers to something whose contents can't be seen.
    """
    walk = _Walk()
    for root in roots:
        walk.look(root)
    return walk.digest.hexdigest() if walk.found else None


class _Walk:
    """A way through objects: libraries' objects are searched for what is the user's, and of that everything is added to a digest."""

    def __init__(self) -> None:
        self.digest = hashlib.blake2b(digest_size=ID_BYTES)
        self.found = False
        self._searched: dict[int, Any] = {}
        self._added: dict[int, tuple[int, Any]] = {}
        """What was added, by its id, kept alive meanwhile; its number stands for it where it is met again."""

    def look(self, value: Any) -> None:
        """Add what is the user's in a value."""
        if (
            _is_plain(value)
            or id(value) in self._searched
            or isinstance(value, (Model, Weight, Tensor, Call, np.ndarray, types.ModuleType))
        ):
            return
        self._searched[id(value)] = value
        own = isinstance(value, (types.MethodType, functools.partial)) or not (
            isinstance(value, (Mapping, list, tuple, Set))
            or _library(value if isinstance(value, (type, types.FunctionType)) else type(value))
        )
        if own:
            self.found = True
            self.add(value)
            return
        for part in _parts(value):
            self.look(part)

    def add(self, value: Any) -> None:
        """Add everything about a value."""
        if _is_plain(value):
            self._say(f"{type(value).__name__} {value!r}")
        elif isinstance(value, types.ModuleType):
            self._say(f"module {value.__name__}")
        elif isinstance(value, _DESCRIPTORS):
            self._say(f"descriptor {value.__name__}")
        elif (library := _library(value)) and isinstance(getattr(value, "__name__", None), str):
            self._say(f"{library} {getattr(value, '__qualname__', value.__name__)}")
        elif id(value) in self._added:
            self._say(f"number {self._added[id(value)][0]}")
        else:
            self._added[id(value)] = len(self._added), value
            self._add_new(value)

    def _say(self, text: str) -> None:
        self.digest.update(f"{len(text)} {text}\n".encode())

    def _add_all(self, what: str, values: Iterable[Any]) -> None:
        listed = list(values)
        self._say(f"{what} {len(listed)}")
        for value in listed:
            self.add(value)

    def _add_new(self, value: Any) -> None:
        if isinstance(value, types.CodeType):
            self._say(f"code {value.co_name} {value.co_argcount} {value.co_kwonlyargcount} {value.co_names} {value.co_varnames}")
            self._say(value.co_code.hex())
            self._add_all("constants", value.co_consts)
        elif isinstance(value, types.FunctionType):
            cells = [_content(cell) for cell in value.__closure__ or ()]
            used = {name: value.__globals__[name] for name in _names(value.__code__) if name in value.__globals__}
            self._add_all("function", [value.__code__, value.__defaults__, value.__kwdefaults__, cells, used])
        elif isinstance(value, (np.ndarray, np.generic)):
            _add_array(self.digest.update, np.asarray(value))
        elif isinstance(value, Model):
            self._say(json.dumps(value.get_config(), sort_keys=True, default=repr))
            self._add_all("weights", value.get_weights())
        elif isinstance(value, type):
            self._add_all(
                f"class {value.__qualname__}", [*value.__bases__, {k: v for k, v in vars(value).items() if k not in _OF_EVERY_CLASS}]
            )
        elif isinstance(value, Mapping):
            self._add_all("dict", [part for item in value.items() for part in item])
        elif isinstance(value, Set):
            self._add_all("set", sorted(value, key=repr))
        elif parts := _parts(value):
            self._add_all("object", [type(value), *parts])
        elif _library(type(value)):
            self._add_pickled(value)
        else:
            self._add_all("object", [type(value)])

    def _add_pickled(self, value: Any) -> None:
        try:
            self._say(pickle.dumps(value, protocol=4).hex())
        except Exception as error:
            raise Unidentifiable(
                f"a function of the model refers to {value!r:.60} ({type(value).__name__}), which can't be compared with that of another "
                "sweep; let it have numbers or arrays instead"
            ) from error


def _is_plain(value: Any) -> bool:
    return value is None or value is Ellipsis or isinstance(value, (bool, int, float, complex, str, bytes, range, slice))


def _library(defined: Any) -> str:
    """The module that defines a function or class, if it is a library's, with its version where that matters; "" for the user's own."""
    module = getattr(defined, "__module__", None) or ("builtins" if isinstance(defined, types.BuiltinFunctionType) else "")
    top = str(module).partition(".")[0]
    if top in _KNOWN:
        return str(module)
    found = sys.modules.get(top)
    if isinstance(defined, np.ufunc):
        return "numpy"
    installed = str(getattr(found, "__file__", None) or "").startswith(_INSTALLED)
    return f"{module} {getattr(found, '__version__', '')}" if installed else ""


def _parts(value: Any) -> list[Any]:
    """What a container holds, or an object's attributes with their names."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple, Set)):
        return list(value)
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, types.FunctionType):
        return [_content(cell) for cell in value.__closure__ or ()]
    if isinstance(value, type):
        return []
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget, value.fset, value.fdel]
    slots = {name: getattr(value, name) for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()) if hasattr(value, name)}
    return [part for item in {**slots, **getattr(value, "__dict__", {})}.items() for part in item]


def _names(code: types.CodeType) -> list[str]:
    """Names that a function looks up, those of functions inside it included."""
    inner = [name for constant in code.co_consts if isinstance(constant, types.CodeType) for name in _names(constant)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # still empty
        return None
