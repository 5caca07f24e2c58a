"""Fingerprints of data and of user code: digests of everything that determines the results of a run.

The fingerprint covers the contents, dtypes and shapes of arrays, and the compiled code of user functions and classes with everything it
refers to. Objects that can't be compared reliably are refused, since a file of results must not be continued with another model.
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
from typing import TypeAlias

import numpy as np

from fastmlp._data.adapters import choose_adapter
from fastmlp._graph.symbolic import Call, Tensor
from fastmlp._graph.weights import Weight
from fastmlp._models.model import Model

__all__ = ["ID_BYTES", "Unidentifiable", "fingerprint", "fingerprint_of_code"]

ID_BYTES = 8
_KNOWN = {"fastmlp", "numpy", *sys.stdlib_module_names} - {"__main__"}
"""Objects of these modules are identified by name; objects of other installed modules, by name and version."""
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


Update: TypeAlias = Callable[[bytes | memoryview], None]
"""The method of a digest that takes more bytes."""


class Unidentifiable(TypeError):
    """A value can't be compared with that of another process."""


def fingerprint(*values: object) -> str:
    """The fingerprint of data: arrays, sparse matrices, frames, and lists, tuples and dicts of them."""
    digest = hashlib.blake2b(digest_size=ID_BYTES)
    for value in values:
        _add_data(digest.update, value)
    return digest.hexdigest()


def _add_data(update: Update, value: object) -> None:
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


def _add_array(update: Update, array: np.ndarray) -> None:
    if array.dtype.hasobject:
        given = f"an array of Python objects, such as {array.flat[0]!r:.60}" if array.size > 1 else f"{array.flat[0]!r:.60}"
        raise Unidentifiable(f"the data contain {given}, which can't be compared with those of another sweep; pass arrays of numbers")
    update(f"{array.dtype.str}{array.shape}".encode())
    if array.size:
        update(np.ascontiguousarray(array).view(np.uint8).data)


def fingerprint_of_code(*roots: object) -> str | None:
    """The fingerprint of all user functions and objects reachable from these objects; None if there are none.

    Raises:
        Unidentifiable: One refers to an object whose contents can't be inspected.
    """
    walk = _Walk()
    for root in roots:
        walk.look(root)
    return walk.digest.hexdigest() if walk.found else None


class _Walk:
    """A traversal of objects that searches libraries' objects for user objects and adds all contents of those to a digest."""

    def __init__(self) -> None:
        self.digest = hashlib.blake2b(digest_size=ID_BYTES)
        self.found = False
        self._searched: dict[int, object] = {}
        self._added: dict[int, tuple[int, object]] = {}
        """A number for each object added, and the object, kept alive; further occurrences are represented by the number."""

    def look(self, value: object) -> None:
        """Adds the user objects in a value."""
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

    def add(self, value: object) -> None:
        """Adds all contents of a value."""
        if _is_plain(value):
            self._say(f"{type(value).__name__} {value!r}")
        elif isinstance(value, types.ModuleType):
            self._say(f"module {value.__name__}")
        elif isinstance(value, _DESCRIPTORS):
            self._say(f"descriptor {value.__name__}")
        elif (library := _library(value)) and isinstance(name := getattr(value, "__name__", None), str):
            self._say(f"{library} {getattr(value, '__qualname__', name)}")
        elif id(value) in self._added:
            self._say(f"number {self._added[id(value)][0]}")
        else:
            self._added[id(value)] = len(self._added), value
            self._add_new(value)

    def _say(self, text: str) -> None:
        self.digest.update(f"{len(text)} {text}\n".encode())

    def _add_all(self, what: str, values: Iterable[object]) -> None:
        listed = list(values)
        self._say(f"{what} {len(listed)}")
        for value in listed:
            self.add(value)

    def _add_new(self, value: object) -> None:
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

    def _add_pickled(self, value: object) -> None:
        try:
            self._say(pickle.dumps(value, protocol=4).hex())
        except Exception as error:
            raise Unidentifiable(
                f"a function of the model refers to {value!r:.60} ({type(value).__name__}), which can't be compared with that of another "
                "sweep; use numbers or arrays instead"
            ) from error


def _is_plain(value: object) -> bool:
    return value is None or value is Ellipsis or isinstance(value, (bool, int, float, complex, str, bytes, range, slice))


def _library(defined: object) -> str:
    """The module that defines a function or class, if it is a library, with its version where relevant; "" for user code."""
    module = getattr(defined, "__module__", None) or ("builtins" if isinstance(defined, types.BuiltinFunctionType) else "")
    top = str(module).partition(".")[0]
    if top in _KNOWN:
        return str(module)
    found = sys.modules.get(top)
    if isinstance(defined, np.ufunc):
        return "numpy"
    installed = str(getattr(found, "__file__", None) or "").startswith(_INSTALLED)
    return f"{module} {getattr(found, '__version__', '')}" if installed else ""


def _parts(value: object) -> list[object]:
    """The items of a container, or the names and values of an object's attributes."""
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
    """The names that a function and its inner functions look up."""
    inner = [name for constant in code.co_consts if isinstance(constant, types.CodeType) for name in _names(constant)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # still empty
        return None
