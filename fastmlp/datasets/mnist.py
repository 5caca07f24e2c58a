"""MNIST: 70,000 handwritten digits of 28 × 28 pixels (LeCun, Bottou, Bengio and Haffner, 1998).

The four IDX files, plain or compressed with gzip, are searched for in

1. the folder ``$FASTMLP_DATA/mnist``, then ``$FASTMLP_DATA``;
2. the cache, ``$FASTMLP_CACHE/mnist``, or if that variable is not set, ``$XDG_CACHE_HOME/fastmlp/mnist`` or ``~/.cache/fastmlp/mnist``.

If they are not found, they are downloaded to the cache (about 11 MB). Their SHA-256 hashes are always verified. Of compressed files, the
unpacked content (55 MB) is kept in the cache, in ``mnist-unpacked``, because reading it is faster.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets._files import cache_folder, data_folders
from fastmlp.datasets._idx import read_idx, write_idx
from fastmlp.errors import DownloadError

__all__ = ["load_data", "local_folder"]

_Pair: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]

_FILES: dict[str, tuple[tuple[int, ...], str]] = {
    "train-images-idx3-ubyte": ((60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
"""Shape and SHA-256 of each unpacked file: mirrors compress differently, but the content is the same."""

_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_LIMIT = 16 << 20
"""Maximum bytes of a download, more than the largest compressed file."""


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[_Pair, _Pair]:
    """Load the digits; they are downloaded on first use if they are not found on this machine.

    Args:
        path: A folder with the four IDX files. Their hashes are then not verified, so other data in the same format can be read too. By
            default, ``FASTMLP_DATA`` and the cache are searched before downloading. ``"mnist.npz"``, the default of Keras, means None.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8 arrays ``(60000, 28, 28)``, ``(60000,)``, ``(10000, 28, 28)`` and ``(10000,)``.
        Pixels range from 0 (background) to 255 (stroke).

    Raises:
        FileNotFoundError: If ``path`` lacks some of the files.
        ValueError: If a file is damaged or has another hash.
        DownloadError: If the digits are not found and can't be downloaded; the message explains how to install the files by hand.

    Example:
        >>> from fastmlp.datasets import mnist
        >>> (x_train, y_train), (x_test, y_test) = mnist.load_data()  # doctest: +SKIP
        >>> x_train.shape, x_train.dtype  # doctest: +SKIP
        ((60000, 28, 28), dtype('uint8'))
    """
    if path is not None and os.fspath(path) != "mnist.npz":
        return _read_other(Path(path))
    for folder in data_folders("mnist"):
        if _has_all(folder):
            return _pairs([_read(_existing(folder, name), name) for name in _FILES])
    return _pairs([_read_cached(name) for name in _FILES])


def local_folder() -> Path | None:
    """The local folder that ``load_data()`` reads the digits from; None if it would download them."""
    return next((folder for folder in (*data_folders("mnist"), cache_folder("mnist")) if _has_all(folder)), None)


def _read_other(folder: Path) -> tuple[_Pair, _Pair]:
    """Read the files of a folder that the caller passed, with any consistent sizes."""
    missing = [name for name in _FILES if _find(folder, name) is None]
    if missing:
        raise FileNotFoundError(f"{folder} must be a folder with the four IDX files of MNIST, plain or .gz; it lacks {', '.join(missing)}")
    arrays = {name: read_idx(_existing(folder, name)) for name in _FILES}
    for name, array in arrays.items():
        if array.dtype != np.uint8 or array.ndim != len(_FILES[name][0]):
            raise ValueError(f"{_find(folder, name)} has {array.ndim} axes of {array.dtype}; expected {len(_FILES[name][0])} of uint8")
    (x_train, y_train), (x_test, y_test) = pairs = _pairs(list(arrays.values()))
    for x, y, part in ((x_train, y_train, "training"), (x_test, y_test, "test")):
        if len(x) != len(y):
            raise ValueError(f"{folder} has {len(x)} {part} images and {len(y)} {part} labels; the files do not belong together")
    return pairs


def _read(file: Path, name: str) -> NDArray[Any]:
    """Read and verify a file. A compressed one is unpacked to the cache, and read from there the next time."""
    digest = _FILES[name][1]
    if file.suffix != ".gz":
        return read_idx(file, sha256=digest)
    copy = cache_folder("mnist-unpacked") / name
    with suppress(OSError, ValueError):  # missing or damaged
        return read_idx(copy, sha256=digest)
    array = read_idx(file, sha256=digest)
    with suppress(OSError):  # there may be no room for it, or no permission
        _keep(array, copy)
    return array


def _keep(array: NDArray[np.uint8], copy: Path) -> None:
    from fastmlp._base.files import replacing

    copy.parent.mkdir(parents=True, exist_ok=True)
    with replacing(copy) as temporary:
        write_idx(temporary, array)


def _read_cached(name: str) -> NDArray[Any]:
    """Read one file from the cache; it is downloaded if it is missing or damaged."""
    folder = cache_folder("mnist")
    file = _find(folder, name)
    if file is not None:
        try:
            return _read(file, name)
        except ValueError:
            file.unlink(missing_ok=True)  # files in the cache can be downloaded again
    from fastmlp.datasets._download import download

    target = folder / f"{name}.gz"
    try:
        download([mirror + target.name for mirror in _MIRRORS], target, lambda part: _read(part, name), _LIMIT)
    except DownloadError as error:
        names = ", ".join(f"{name}.gz" for name in _FILES)
        raise DownloadError(
            f"MNIST is not on this machine and could not be downloaded ({error}). To install it by hand, put {names} (from {_MIRRORS[0]}) "
            f"into {folder}, or set FASTMLP_DATA to a folder that has them"
        ) from None
    return _read(target, name)


def _pairs(arrays: list[NDArray[Any]]) -> tuple[_Pair, _Pair]:
    x_train, y_train, x_test, y_test = arrays
    return (x_train, y_train), (x_test, y_test)


def _has_all(folder: Path) -> bool:
    return all(_find(folder, name) for name in _FILES)


def _find(folder: Path, name: str) -> Path | None:
    """The file with this name, plain or .gz; some archives use a dot, ``-images.idx3-``."""
    for stem in (name, name.replace("-idx", ".idx")):
        for candidate in (folder / stem, folder / f"{stem}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _existing(folder: Path, name: str) -> Path:
    file = _find(folder, name)
    if file is None:
        raise FileNotFoundError(f"{name} has disappeared from {folder}")
    return file
