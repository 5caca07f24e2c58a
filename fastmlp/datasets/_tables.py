"""Helpers of the data sets in .npz files: locating, shuffling and splitting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fastmlp._base import checks
from fastmlp.datasets._files import RemoteFile
from fastmlp.datasets._npz import read_npz

__all__ = ["Pair", "existing", "split_table"]

Pair: TypeAlias = tuple[np.ndarray, np.ndarray]


def existing(path: str | os.PathLike[str], file: RemoteFile) -> Path:
    """The user's file, or that of the data set if ``path`` is its name."""
    if os.fspath(path) == file.name:
        return file.obtain()
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}; omit path to use the data set, which is downloaded if needed")
    return Path(path)


def split_table(file: Path, test_split: float, seed: int, samples: int | None = None) -> tuple[Pair, Pair]:
    """The first ``samples`` of the arrays x and y of a file, in Keras' order for this seed, split in two."""
    checks.check_float("test_split", test_split, 0, below=1)
    x, y = (array[:samples] for array in read_npz(file, ("x", "y")))
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    split = int(len(x) * (1 - test_split))
    return (x[:split], y[:split]), (x[split:], y[split:])
