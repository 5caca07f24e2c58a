"""Where the files of data sets are: folders of this machine first, then the network.

A file is looked for in ``$FASTMLP_DATA/<data set>``, in ``$FASTMLP_DATA`` itself and in the cache, and downloaded to the cache if it is in
none of them. The cache is ``$FASTMLP_CACHE``; without that variable ``$XDG_CACHE_HOME/fastmlp`` or ``~/.cache/fastmlp``.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from fastmlp.errors import DownloadError

__all__ = ["RemoteFile", "cache_folder", "check_digest", "data_folders"]

_BLOCK = 1 << 20

KERAS_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
"""Where Keras downloads its data sets from."""


def data_folders(dataset: str) -> list[Path]:
    """The folders of the user's own that may hold the files of a data set."""
    root = os.environ.get("FASTMLP_DATA")
    return [Path(root).expanduser() / dataset, Path(root).expanduser()] if root else []


def cache_folder(dataset: str) -> Path:
    """The folder that downloads of a data set go to."""
    if root := os.environ.get("FASTMLP_CACHE"):
        return Path(root).expanduser() / dataset
    # The XDG base directory specification: relative paths are to be ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "fastmlp" / dataset


def check_digest(file: Path, digest: str, algorithm: str = "auto") -> None:
    """Compare a file's content with its known digest.

    Args:
        file: The file.
        digest: In hexadecimal.
        algorithm: ``"sha256"``, ``"md5"``, or ``"auto"``, which tells them apart by their length.

    Raises:
        ValueError: If the digest is another.
    """
    if algorithm not in ("auto", "sha256", "md5"):
        raise ValueError(f"the hash algorithm must be 'sha256', 'md5' or 'auto', got {algorithm!r}")
    is_md5 = algorithm == "md5" or (algorithm == "auto" and len(digest) == 32)
    hasher = hashlib.md5(usedforsecurity=False) if is_md5 else hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            hasher.update(block)
    if hasher.hexdigest() != digest.lower():
        raise ValueError(f"{file} is not the file expected here: its {hasher.name} is {hasher.hexdigest()}, not {digest}")


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set, known by its digest.

    Args:
        dataset: The data set's folder.
        name: The file's name, there and on the servers.
        digest: The sha256 or md5 of its content.
        mirrors: Addresses of folders that have it, tried in order.
        limit: The most bytes to accept.
    """

    dataset: str
    name: str
    digest: str
    mirrors: tuple[str, ...] = (KERAS_ORIGIN,)
    limit: int = 64 << 20

    def local(self) -> Path | None:
        """The file on this machine, or None. Files of this name with another content are passed over."""
        for folder in (*data_folders(self.dataset), cache_folder(self.dataset)):
            file = folder / self.name
            if file.is_file() and self._is_right(file):
                return file
        return None

    def obtain(self) -> Path:
        """The file on this machine, downloaded if needed.

        Raises:
            DownloadError: It is not here and cannot be downloaded; the message says where to put it by hand.
        """
        if (file := self.local()) is not None:
            return file
        from fastmlp.datasets._download import download

        target = cache_folder(self.dataset) / self.name
        target.unlink(missing_ok=True)  # damaged, or local() had found it
        try:
            download([mirror + self.name for mirror in self.mirrors], target, lambda part: check_digest(part, self.digest), self.limit)
        except DownloadError as error:
            raise DownloadError(
                f"{self.name} is not on this machine and could not be downloaded ({error}). To install it by hand, put {self.name} (from "
                f"{self.mirrors[0]}) into {target.parent}, or set FASTMLP_DATA to a folder that has it"
            ) from None
        return target

    def _is_right(self, file: Path) -> bool:
        try:
            check_digest(file, self.digest)
        except ValueError:
            return False
        return True
