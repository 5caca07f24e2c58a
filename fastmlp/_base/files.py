"""Model files, whatever their format: checks of names, atomic writing, and opening and reading of untrusted files."""

from __future__ import annotations

import math
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeAlias

from fastmlp._base import checks
from fastmlp.errors import ModelFileError, UnsupportedError

__all__ = [
    "MODEL_SUFFIXES",
    "InMemory",
    "ModelSource",
    "ModelTarget",
    "blaming",
    "check_target",
    "open_regular",
    "parse_json",
    "reading_from",
    "replacing",
    "writing_to",
]

ModelTarget: TypeAlias = str | os.PathLike[str] | BinaryIO
"""Where to save: a path, or a binary file that is open for writing."""

ModelSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What to load: a path, the content of a file, or a binary file that is open for reading."""

MODEL_SUFFIXES = (".safetensors", ".keras", ".h5", ".hdf5")
WEIGHTS_SUFFIX = ".weights.h5"


# Writing


def check_target(path: str | os.PathLike[str], overwrite: bool, suffixes: tuple[str, ...] = MODEL_SUFFIXES) -> Path:
    """The path to write to, with links resolved; an error if a file can't be written there.

    Raises:
        ValueError: The name ends in none of ``suffixes``.
        FileExistsError: The file exists, and ``overwrite`` is false.
        FileNotFoundError: The folder does not exist.
        IsADirectoryError: The path is a folder.
        ImportError: The format needs h5py, which is not installed.
    """
    target = Path(checks.path("the name of a file", path))
    suffix = ending(target, suffixes)
    if suffix != ".safetensors":
        from fastmlp._base import h5

        h5.library()
    target = target.resolve()
    if target.is_dir():
        raise IsADirectoryError(f"cannot save to {target}: it is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {target}: the folder {target.parent} does not exist; make it first")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already; choose another name, or save with overwrite=True")
    return target


def ending(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> str:
    """The one of ``suffixes`` that ``path`` ends in, ignoring case."""
    name = Path(checks.path("the name of a file", path)).name.lower()
    if name.endswith(WEIGHTS_SUFFIX) and WEIGHTS_SUFFIX not in suffixes:
        raise ValueError(f"{os.fspath(path)!r} is a name for weights only: use save_weights and load_weights, or another name")
    for suffix in suffixes:
        if name.endswith(suffix):
            return suffix
    what = "weights" if WEIGHTS_SUFFIX in suffixes else "models"
    raise ValueError(f"{what} are saved as {suffixes[0]} files: use {os.fspath(path) + suffixes[0]!r} instead of {os.fspath(path)!r}")


_FORMATS = {"safetensors": ".safetensors", "keras": ".keras", "h5": ".h5", "hdf5": ".h5"}


@contextmanager
def writing_to(given: ModelTarget, overwrite: bool, suffixes: tuple[str, ...], save_format: str | None = None) -> Iterator[Path]:
    """A path to write to in the block; if ``given`` is an open binary file, the bytes are written to it at the end of the block.

    Args:
        given: A path whose name ends in one of ``suffixes``, or a file, whose name may; by default it has the first format.
        overwrite: Whether an existing file may be replaced.
        suffixes: Suffixes of the available formats.
        save_format: Name of the format, which must match the suffix.
    """
    wanted = None if save_format is None else _FORMATS.get(str(save_format).lower().removeprefix("."))
    if save_format is not None and wanted not in suffixes:
        raise ValueError(
            f"save_format must be one of {', '.join(map(repr, _FORMATS))}, got {save_format!r}; the suffix of the name chooses it too"
        )
    if isinstance(given, (str, os.PathLike)) or not hasattr(given, "write"):
        name = checks.path("the name of a file", given)
        if wanted is not None and not name.lower().endswith((wanted, ".hdf5") if wanted == ".h5" else wanted):
            raise ValueError(f"save_format is {save_format!r}, so the name must end in {wanted}: use {name + wanted!r}")
        yield check_target(name, overwrite, suffixes)
        return
    called = getattr(given, "name", "")
    known = [suffix for suffix in suffixes if isinstance(called, str) and called.lower().endswith(suffix)]
    with TemporaryDirectory() as folder:
        target = check_target(Path(folder) / f"model{wanted or (known or suffixes)[0]}", overwrite, suffixes)
        yield target
        given.write(target.read_bytes())


class InMemory(os.PathLike[str]):
    """The content of a file that is in memory; as a path it is the name for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name

    def __fspath__(self) -> str:
        return self.name


def reading_from(given: ModelSource) -> str | os.PathLike[str]:
    """The file for a path, its content as bytes, or an open binary file."""
    if isinstance(given, (bytes, bytearray, memoryview)):
        return InMemory(bytes(given), "<bytes>")
    if isinstance(given, InMemory):
        return given
    if isinstance(given, (str, os.PathLike)) or not hasattr(given, "read"):
        return checks.path("the name of a file", given)
    content = given.read()
    if not isinstance(content, bytes):
        raise TypeError(f"{given!r:.80} must return bytes, got {type(content).__name__}; open the file in binary mode, open(..., 'rb')")
    name = getattr(given, "name", None)
    return InMemory(content, name if isinstance(name, str) else "<file>")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary file, which is flushed to the disk and renamed to ``target`` at the end of the block, or deleted after an exception.

    An existing file's permissions are kept.
    """
    temporary = target.parent / f".fastmlp-{secrets.token_hex(8)}.tmp"
    try:
        # Created here, to get the permissions of a new file in this folder; a library may set others.
        temporary.touch(exist_ok=False)
        mode = stat.S_IMODE((target if target.exists() else temporary).stat().st_mode)
        yield temporary
        with temporary.open("r+b") as file:
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the new name to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Reading


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """The file, opened for reading.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: It is a folder or a device, or can't be read.
    """
    if isinstance(path, InMemory):
        return BufferedReader(BytesIO(path.data))
    place = Path(path)
    if place.is_dir():
        raise ModelFileError(path, "it is a folder, not a file")
    if not place.exists():
        raise FileNotFoundError(f"there is no file {place}" + f"; the folder {place.parent} does not exist" * (not place.parent.exists()))
    if not place.is_file():
        raise ModelFileError(path, "it is not a regular file")
    try:
        return place.open("rb")
    except PermissionError:
        raise ModelFileError(path, "you have no permission to read it") from None


@contextmanager
def blaming(path: str | os.PathLike[str], part: str) -> Iterator[None]:
    """Turn errors about malformed or unknown values into a ModelFileError that names the file."""
    try:
        yield
    except ModelFileError:
        raise
    except UnsupportedError as error:
        raise ModelFileError(path, str(error)) from error
    except RecursionError:
        raise ModelFileError(path, f"{part} is nested too deeply") from None
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise ModelFileError(path, f"{part} is not valid: {error}") from error


def parse_json(path: str | os.PathLike[str], text: str | bytes, what: str) -> dict[str, Any]:
    """The JSON object in ``text``, without duplicate keys, NaN or excessive nesting."""
    import json  # only files need it

    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ModelFileError(path, f"its {what} is nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise ModelFileError(path, f"it is damaged or foreign: its {what} is not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise ModelFileError(path, f"its {what} is not a JSON object")
    return value


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r:.80} occurs twice")
        result[key] = value
    return result


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.40} is too large")
    return value
