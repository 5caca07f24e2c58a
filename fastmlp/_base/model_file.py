"""fastmlp's model files: safetensors files with one JSON document in their metadata.

A safetensors file is eight bytes with the length of its header, the header, which is JSON, and the bytes of the tensors. fastmlp's header
holds in ``__metadata__``

- ``fastmlp``: the document, see :mod:`fastmlp.saving`;
- ``data_sha256``: the hash of everything after the header;
- ``header_sha256``: the hash of everything before that, length included, taken while these 64 characters were zeros.

So a change of any bit is detected. Files are written by the safetensors library. They are not read by it: a file may be hostile, so every
length is checked against the size of the file before memory is allocated, nothing is mapped that another process could truncate, and the
bytes that are checked are the bytes that are used.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import open_regular, parse_json, replacing
from fastmlp.errors import ModelFileError

__all__ = ["ModelFile", "write"]

_LENGTH_BYTES = 8
_HEADER_LIMIT = 4 << 20
"""Bytes, enough for thousands of layers. Parsed, JSON takes up to 25 times as much memory."""
_BLOCK = 1 << 20
_ZEROS = "0" * 64
_TO_COME = "." * 64
_ITEM_BYTES = 4

_MAGIC = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF file"),
    (b"\x80\x02", "a pickle, which fastmlp does not read, because it could run code"),
    (b"\x80\x03", "a pickle, which fastmlp does not read, because it could run code"),
    (b"\x80\x04", "a pickle, which fastmlp does not read, because it could run code"),
    (b"\x80\x05", "a pickle, which fastmlp does not read, because it could run code"),
)


# Writing


def write(target: Path, document: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Write a model file atomically.

    Args:
        target: A path that passed :func:`fastmlp._base.files.check_target`. An existing file's permissions are kept.
        document: JSON values.
        tensors: C-contiguous arrays.

    Raises:
        OSError: The disk is full, the folder is not writable, …; an existing file is unchanged, and no other file is left behind.
        ValueError: The document has values that JSON does not support, or the header is too large to be loaded again.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    metadata = {"fastmlp": text, "data_sha256": _TO_COME, "header_sha256": _ZEROS}
    with replacing(target) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=metadata)
        except SafetensorError as error:
            raise OSError(f"cannot save to {target}: {error}") from error
        with temporary.open("r+b") as file:
            _seal(file, target)


def _seal(file: BufferedRandom, target: Path) -> None:
    """Write the hashes into the header."""
    length = file.read(_LENGTH_BYTES)
    header = file.read(int.from_bytes(length, "little"))
    if len(header) > _HEADER_LIMIT:
        raise ValueError(f"cannot save to {target}: the description of the model takes {len(header)} bytes, more than {_HEADER_LIMIT}")
    header = _replaced(header, _TO_COME, hashlib.file_digest(file, "sha256").hexdigest())
    header = _replaced(header, _ZEROS, hashlib.sha256(length + header).hexdigest())
    file.seek(_LENGTH_BYTES)
    file.write(header)


def _replaced(header: bytes, old: str, new: str) -> bytes:
    """The header with one string of its metadata replaced; strings inside the document have escaped quotes, so they never match."""
    return header.replace(f'"{old}"'.encode(), f'"{new}"'.encode())


# Reading


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tensor and its offsets, in bytes from the end of the header."""

    name: str
    shape: tuple[int, ...]
    begin: int
    end: int


class ModelFile:
    """A file opened for reading, its header checked.

    Args:
        path: The file.

    Attributes:
        document: The JSON document.
        shapes: The shape of every tensor by name, in the order of the file.

    Raises:
        FileNotFoundError: The file does not exist.
        ModelFileError: It is not a complete and unchanged file written by fastmlp.
    """

    document: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._file = open_regular(path)
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> ModelFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def fail(self, reason: str) -> ModelFileError:
        """The error that names this file and ``reason``."""
        return ModelFileError(self.path, reason)

    def read(self, wanted: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """The tensors of these names; all bytes of the file are checked."""
        digest = hashlib.sha256()
        result: dict[str, NDArray[np.float32]] = {}
        spare = bytearray(_BLOCK)
        self._file.seek(self._data_start)
        for entry in self._entries:
            kept = entry.name in wanted
            if kept:
                result[entry.name] = np.empty(entry.shape, np.float32)
                target = result[entry.name].reshape(-1).view(np.uint8).data
            for start in range(0, entry.end - entry.begin, _BLOCK):
                size = min(_BLOCK, entry.end - entry.begin - start)
                block = target[start : start + size] if kept else memoryview(spare)[:size]
                if self._file.readinto(block) != size:
                    raise self.fail("it is being modified by another program")
                digest.update(block)
        if digest.hexdigest() != self._data_sha256:
            raise self.fail("it is damaged: the tensors do not have the checksum they were saved with")
        return result

    def _read_header(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        if size == 0:
            raise self.fail("it is empty")
        begin = self._file.read(_LENGTH_BYTES)
        has_header = self._file.read(1) == b"{"  # so bytes that could be those of a pickle are the length
        self._file.seek(_LENGTH_BYTES)
        for magic, kind in _MAGIC:
            if begin.startswith(magic) and not has_header:
                raise self.fail(f"it is {kind}")
        length = int.from_bytes(begin, "little")
        room = size - _LENGTH_BYTES
        if size < _LENGTH_BYTES + 2 or length > max(room, _HEADER_LIMIT):
            raise self.fail("it is not a safetensors file, or its beginning is damaged")
        if length > room:
            raise self.fail(f"it is truncated: it declares a header of {length} bytes, and {room} are left")
        if length > _HEADER_LIMIT:
            raise self.fail(f"its header of {length} bytes is larger than the {_HEADER_LIMIT} a model can have")
        header = self._file.read(length)
        parsed = parse_json(self.path, header, "header")
        metadata = parsed.pop("__metadata__", {})
        if not isinstance(metadata, dict) or "fastmlp" not in metadata:
            raise self.fail("it is a safetensors file, but not of a model saved by fastmlp")
        self._check_header_hash(begin + header, metadata)
        self.document = parse_json(self.path, metadata["fastmlp"], "document")
        self._data_start = _LENGTH_BYTES + length
        self._data_sha256 = metadata.get("data_sha256")
        self._entries = sorted((self._entry(*item) for item in parsed.items()), key=lambda entry: (entry.begin, entry.end))
        self._check_tiling(room - length)
        self.shapes = {entry.name: entry.shape for entry in self._entries}

    def _check_header_hash(self, header: bytes, metadata: Mapping[str, object]) -> None:
        stored = metadata.get("header_sha256")
        if not isinstance(stored, str) or not stored.isascii():
            stored = ""
        if hashlib.sha256(_replaced(header, stored, _ZEROS)).hexdigest() != stored:
            raise self.fail("it is damaged: its header does not have the checksum it was saved with")

    def _entry(self, name: str, value: object) -> _Entry:
        if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
            raise self.fail(f"the entry of tensor {name!r:.80} in its header is not valid")
        shape, offsets = value["shape"], value["data_offsets"]
        if not _all_sizes(shape) or not _all_sizes(offsets) or len(offsets) != 2 or len(shape) > 2:
            raise self.fail(f"tensor {name!r:.80} has the shape {shape!r:.80} and the place {offsets!r:.80}, which are not valid")
        if value["dtype"] != "F32":
            raise self.fail(f"tensor {name!r:.80} is of type {value['dtype']!r:.20}; fastmlp's are F32")
        begin, end = offsets
        if end - begin != math.prod(shape) * _ITEM_BYTES:
            raise self.fail(
                f"tensor {name!r:.80} of shape {shape!r:.80} takes {math.prod(shape) * _ITEM_BYTES} bytes, but has {end - begin}"
            )
        return _Entry(name, tuple(shape), begin, end)

    def _check_tiling(self, room: int) -> None:
        """Check that tensors are contiguous and fill the file."""
        at = 0
        for entry in self._entries:
            if entry.begin != at:
                raise self.fail(f"tensor {entry.name!r:.80} overlaps another one, or there is a gap before it")
            at = entry.end
        if at > room:
            raise self.fail(f"it is truncated: it declares {at} bytes of tensors, and {room} are left")
        if at < room:
            raise self.fail(f"it is damaged: {room - at} bytes follow the last tensor")


def _all_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 63 for item in value)
