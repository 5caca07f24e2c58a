"""Reads and writes untrusted HDF5 files, through h5py: only the features of HDF5 that Keras uses are accepted.

A group or dataset must be in the file itself, not behind a link to another place. An array must be contiguous and without filters, so that
all its bytes are known to be in the file before memory is allocated. h5py is imported on first use.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import ModelFileError

__all__ = ["Group", "library", "reading", "write_texts", "writing"]

_ATTRIBUTE_BYTES = 64512
"""The limit of HDF5 for one attribute of a group; Keras splits longer lists of names into several."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError, SystemError)
"""Exceptions that h5py raises for damaged files."""


def library() -> Any:
    """The module h5py.

    Raises:
        ImportError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError('Keras files need h5py: pip install "fastmlp[keras]"') from None
    return h5py


# Writing


@contextmanager
def writing(memory: io.BytesIO) -> Iterator[Any]:
    """Yields h5py's root group of a new file in ``memory``."""
    with library().File(memory, "w") as root:
        yield root


def write_texts(group: Any, name: str, texts: Sequence[str]) -> None:
    """Write a list of names as an attribute, split as in Keras if it is too long."""
    array = np.asarray([text.encode() for text in texts])
    parts = [array]
    while any(part.nbytes > _ATTRIBUTE_BYTES for part in parts):
        parts = np.array_split(array, len(parts) + 1)
    for number, part in enumerate(parts):
        group.attrs[name if len(parts) == 1 else f"{name}{number}"] = part


# Reading


@contextmanager
def reading(data: bytes, path: str | os.PathLike[str]) -> Iterator[Group]:
    """Yields the root group of the HDF5 file with the bytes ``data``; ``path`` is for messages."""
    h5py = library()
    if not data.startswith(_SIGNATURE):
        raise ModelFileError(path, "it is not an HDF5 file")
    _check_heaps(data, path)
    with _guarded(path, "it is damaged or truncated"):
        root = h5py.File(io.BytesIO(data), "r")
    with root:
        yield Group(root, "/", path, len(data))


def _check_heaps(data: bytes, path: str | os.PathLike[str]) -> None:
    """Reject heaps of strings with free space of size 0, on which the HDF5 library loops forever.

    A heap is ``GCOL``, a version, its size, and objects: an index, 0 for free space, a count, a size, and the bytes, padded to 8.
    """
    start, steps = data.find(_HEAP), len(data) // 16
    while start >= 0:
        at, end = start + 16, min(len(data), start + int.from_bytes(data[start + 8 : start + 16], "little"))
        while at + 16 <= end:
            steps -= 1
            index, size = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 8 : at + 16], "little")
            if steps < 0 or (index == 0 and size < 16):
                raise ModelFileError(path, "it is damaged: the heaps of its strings overlap, or have free space of size 0")
            at += 16 + (size + 7) // 8 * 8 if index else size
        start = data.find(_HEAP, start + 1)


@contextmanager
def _guarded(path: str | os.PathLike[str], reason: str) -> Iterator[None]:
    try:
        yield
    except ModelFileError:
        raise
    except _ERRORS as error:
        raise ModelFileError(path, f"{reason} ({str(error).splitlines()[0] if str(error) else type(error).__name__:.120})") from error


class Group:
    """A group of an HDF5 file, opened for reading.

    Args:
        group: The group of h5py.
        place: Its path in the file, for messages.
        path: The path of the file, for messages.
        size: The size of the file in bytes.
    """

    def __init__(self, group: Any, place: str, path: str | os.PathLike[str], size: int) -> None:
        self._group = group
        self._place = place
        self.path = path
        self._size = size

    def fail(self, reason: str) -> ModelFileError:
        """The error for this file, with ``reason``."""
        return ModelFileError(self.path, reason)

    def names(self) -> list[str]:
        """The names of the members of the group."""
        with _guarded(self.path, f"it is damaged at {self._place}"):
            return list(self._group)

    def group(self, name: str) -> Group:
        """The group ``name``, which may be a path such as ``layers/dense``."""
        found = self.find(name)
        if found is None:
            raise self.fail(f"it has no group {self._join(name)!r:.200}")
        return found

    def find(self, name: str) -> Group | None:
        """The group ``name``, or None if there is none."""
        found = self
        for part in name.split("/"):
            member = found._member(part)
            if member is None:
                return None
            if not isinstance(member, library().Group):
                raise self.fail(f"{found._join(part)!r:.200} should be a group, but is an array")
            found = Group(member, found._join(part), self.path, self._size)
        return found

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the array ``name``."""
        return tuple(self._array(name).shape)

    def floats(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The float32 array ``name``, which must have this shape."""
        array = self._array(name)
        if array.dtype.kind != "f" or array.dtype.itemsize != 4:
            raise self.fail(f"the array {self._join(name)!r:.200} is of type {array.dtype}; it should be float32")
        return np.ascontiguousarray(self._values(array, name, shape), np.float32).reshape(shape)

    def integer(self, name: str) -> int:
        """The integer ``name``, which must be ≥ 0."""
        array = self._array(name)
        if array.dtype.kind not in "iu" or array.dtype.itemsize > 8:
            raise self.fail(f"the array {self._join(name)!r:.200} is of type {array.dtype}; it should be an integer")
        value = int(self._values(array, name, ()))
        if value < 0:
            raise self.fail(f"{self._join(name)!r:.200} is {value}; it should be an integer ≥ 0")
        return value

    def text(self, name: str) -> str | None:
        """The string attribute ``name``, or None if there is none."""
        with _guarded(self.path, f"the attribute {name!r} of {self._place} is damaged"):
            if name not in self._group.attrs:
                return None
            attribute = self._group.attrs.get_id(name)
            if attribute.shape != () or not self._is_text(attribute):
                raise self.fail(f"the attribute {name!r} of {self._place} should be a string")
            return _decoded(self._group.attrs[name])

    def texts(self, name: str, limit: int) -> list[str]:
        """The list of at most ``limit`` strings in the attribute ``name``, or in several, numbered from 0."""
        result: list[str] = []
        with _guarded(self.path, f"the attribute {name!r} of {self._place} is damaged"):
            attributes = self._group.attrs
            for part in [name] if name in attributes else (f"{name}{number}" for number in range(limit)):
                if part not in attributes:
                    break
                attribute = attributes.get_id(part)
                if len(attribute.shape) != 1 or len(result) + attribute.shape[0] > limit:
                    raise self.fail(f"the attribute {name!r} of {self._place} should list at most {limit} names, but has another shape")
                if attribute.shape[0]:
                    if not self._is_text(attribute):
                        raise self.fail(f"the attribute {name!r} of {self._place} should list names")
                    result += [_decoded(item) for item in attributes[part]]
        return result

    def _is_text(self, attribute: Any) -> bool:
        string: bool = attribute.get_type().get_class() == library().h5t.STRING
        return string and math.prod(attribute.shape) * attribute.dtype.itemsize <= self._size

    def _join(self, name: str) -> str:
        return f"{self._place.rstrip('/')}/{name}"

    def _member(self, name: str) -> Any:
        """h5py's object ``name``, or None if there is none; links to other places are rejected."""
        h5py = library()
        with _guarded(self.path, f"it is damaged at {self._join(name):.200}"):
            link = self._group.get(name, getlink=True) if name not in ("", ".", "..") else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise self.fail(f"{self._join(name)!r:.200} is a link to another place; such files are not loaded")
            return self._group[name]

    def _array(self, name: str) -> Any:
        """The dataset ``name``, which must be contiguous in the file."""
        h5py = library()
        group, _, last = name.rpartition("/")
        member = (self.group(group) if group else self)._member(last)
        if member is None:
            raise self.fail(f"it has no array {self._join(name)!r:.200}")
        if not isinstance(member, h5py.Dataset):
            raise self.fail(f"{self._join(name)!r:.200} should be an array, but is not")
        with _guarded(self.path, f"the array {self._join(name)!r:.200} is damaged"):
            storage = member.id.get_create_plist()
            plain = storage.get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
            if not plain or storage.get_nfilters() or storage.get_external_count():
                raise self.fail(
                    f"the array {self._join(name)!r:.200} is compressed, chunked, virtual or external; Keras stores arrays contiguously"
                )
            if member.shape is None or member.dtype.kind not in "fiu":
                raise self.fail(f"the array {self._join(name)!r:.200} does not contain numbers")
        return member

    def _values(self, array: Any, name: str, shape: tuple[int, ...]) -> Any:
        with _guarded(self.path, f"the array {self._join(name)!r:.200} is damaged"):
            if array.shape != shape:
                raise self.fail(f"the array {self._join(name)!r:.200} should have the shape {shape}, but has {array.shape}")
            wanted = math.prod(shape) * array.dtype.itemsize
            stored = array.id.get_storage_size()
            if stored != wanted or (array.id.get_offset() or 0) + wanted > self._size:
                raise self.fail(
                    f"it is truncated: the array {self._join(name)!r:.200} has {wanted} bytes, not all of which are in the file"
                )
            return array[()]


def _decoded(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
