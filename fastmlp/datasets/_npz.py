"""Safe reader for .npz files whose arrays may contain Python lists.

NumPy stores lists of different lengths as pickles, which could call any function. This reader allows only the functions and classes that
are needed to restore arrays.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

__all__ = ["read_npz"]

_PARTS = {"ndarray": np.ndarray, "dtype": np.dtype, "_reconstruct": np.empty(0).__reduce__()[0]}
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")


def read_npz(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Read arrays from an .npz file.

    Args:
        path: The file.
        names: Names of the arrays.

    Returns:
        The arrays, in the order of ``names``.

    Raises:
        ValueError: If an array is missing, the file is damaged, or a pickle in it contains anything but arrays, lists and numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            missing = {f"{name}.npy" for name in names} - set(archive.namelist())
            if missing:
                raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
            return [_read(archive, f"{name}.npy", path) for name in names]
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{path} is not an .npz file, or is damaged: {error}") from error


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    with archive.open(name) as stream:
        version = npy.read_magic(stream)
        _, _, dtype = (npy.read_array_header_1_0 if version[0] == 1 else npy.read_array_header_2_0)(stream)
        if dtype.hasobject:
            return np.asarray(_ArraysOnly(stream, path).load())
    with archive.open(name) as stream:
        return np.asarray(npy.read_array(stream, allow_pickle=False))


class _ArraysOnly(pickle.Unpickler):
    """Rejects all functions and classes except those that restore arrays."""

    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__(stream)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _PARTS:
            return _PARTS[name]
        raise ValueError(f"{self._path} contains a reference to {module}.{name}, which no data set needs; it was not loaded")
