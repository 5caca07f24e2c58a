"""Reader and writer for IDX files, the format of MNIST: a magic number, the shape, and the elements, all big-endian.

The magic number consists of two zero bytes, the code of the element type and the number of axes; the length of each axis is a 32-bit
integer. Files may be compressed with gzip. Every length is checked against the size of the file before memory is allocated.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_idx", "write_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_RATIO = 1032
"""Maximum expansion of a deflate stream: a gzip file of n bytes contains at most 1032·n."""
_BLOCK = 1 << 20


def read_idx(path: Path, sha256: str | None = None) -> NDArray[Any]:
    """Read one IDX file, plain or compressed with gzip.

    Args:
        path: The file.
        sha256: Expected hash of the unpacked content, in hexadecimal; None accepts any content.

    Returns:
        An array with the shape and element type that the file declares, in native byte order.

    Raises:
        ValueError: If the file is not IDX, is damaged, or has another hash. The message names the file.
    """
    with path.open("rb") as packed:
        compressed = packed.read(2) == _GZIP_MAGIC
        packed.seek(0)
        room = path.stat().st_size * (_DEFLATE_RATIO if compressed else 1)
        if not compressed:
            return _read(packed, path, room, sha256)
        try:
            with gzip.GzipFile(fileobj=packed) as unpacked:
                return _read(unpacked, path, room, sha256)
        except EOFError:
            raise ValueError(f"{path} is truncated: the compressed data ends too early") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from None


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of bytes as an IDX file that is not compressed."""
    header = struct.pack(f">2xBB{array.ndim}I", 0x08, array.ndim, *array.shape)
    with path.open("wb") as file:
        file.write(header)
        file.write(np.ascontiguousarray(array).data)


def _read(stream: BufferedIOBase, path: Path, room: int, sha256: str | None) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise ValueError(f"{path} is not an IDX file: it begins with the bytes {magic.hex(' ') or '(none)'}")
    dtype, axes = np.dtype(_DTYPES[magic[2]]), magic[3]
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise ValueError(f"{path} is truncated: its header declares {axes} axes and ends before their lengths")
    shape = struct.unpack(f">{axes}I", lengths)
    size = math.prod(shape) * dtype.itemsize
    if size > room:
        raise ValueError(f"{path} is truncated or damaged: it declares the shape {shape}, {size} bytes, more than the file can hold")

    data = np.empty(shape, dtype)
    digest = hashlib.sha256(magic + lengths)
    view = data.reshape(-1).view(np.uint8).data
    for start in range(0, size, _BLOCK):
        block = view[start : start + _BLOCK]
        length = stream.readinto(block)
        if length < len(block):
            raise ValueError(f"{path} is truncated: it declares the shape {shape}, {size} bytes, but has only {start + length}")
        digest.update(block)
    if stream.read(1):
        raise ValueError(f"{path} is damaged: it has more than the {size} bytes that its shape {shape} declares")
    if sha256 is not None and digest.hexdigest() != sha256:
        raise ValueError(f"{path} is not the file expected here: its content has sha256 {digest.hexdigest()}, not {sha256}")
    return data.astype(dtype.newbyteorder("="), copy=False)
