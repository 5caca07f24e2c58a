"""``utils.get_file``: downloads a file to the cache, and optionally extracts it."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

from fastmlp._base import keywords
from fastmlp.datasets._files import cache_folder, check_digest
from fastmlp.errors import UnsupportedError

__all__ = ["get_file"]


@keywords.answering
def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Download a file if it is not in the cache, and return its path.

    The next call resumes an interrupted download. Pass the hash of the file if you know it: files that are damaged or have been replaced
    are then rejected.

    Args:
        fname: File name in the cache; by default the last part of ``origin``. With ``extract``, the name of the folder or the archive.
        origin: URL of the file.
        untar: Older name of ``extract``.
        md5_hash: Older name of ``file_hash``.
        file_hash: SHA-256 or MD5 of the content, in hexadecimal.
        cache_subdir: Folder in the cache, or an absolute path.
        hash_algorithm: ``"sha256"``, ``"md5"``, or ``"auto"``, which follows from the length of the hash.
        extract: Whether to extract a tar or zip archive; the returned path is then that of the folder.
        archive_format: ``"tar"``, ``"zip"``, a list of both, or ``"auto"``.
        cache_dir: The cache; by default ``$FASTMLP_CACHE``, ``$XDG_CACHE_HOME/fastmlp`` or ``~/.cache/fastmlp``.
        force_download: Whether to download the file even if it is in the cache.

    Returns:
        The path of the file or, with ``extract``, of the folder.

    Raises:
        DownloadError: If the file can't be downloaded.
        ValueError: If the file has another hash, or is not an archive of these formats.

    Example:

    >>> from fastmlp.utils import get_file
    >>> path = get_file(origin="https://example.org/table.csv", file_hash="9f86d081...")  # doctest: +SKIP
    """
    from fastmlp.datasets._download import download

    if not origin:
        raise ValueError("origin is missing: pass the URL of the file to download")
    name = os.fspath(fname) if fname else Path(urllib.parse.urlsplit(origin).path).name
    if not name or name in (".", "..") or Path(name).name != name:
        problem = f"fname={name!r} is a path" if name else f"origin {origin!r} ends without a file name"
        raise ValueError(f"{problem}; pass a file name as fname, and its folder as cache_dir or cache_subdir")
    folder = (Path(cache_dir).expanduser() if cache_dir is not None else cache_folder("")) / cache_subdir
    extract = extract or untar
    target, unpacked = _places(folder, name, bool(fname)) if extract else (folder / name, folder)
    digest, algorithm = (md5_hash, "md5") if md5_hash and not file_hash else (file_hash, hash_algorithm)

    def check(file: Path) -> None:
        if digest:
            check_digest(file, digest, algorithm)

    if force_download:
        target.unlink(missing_ok=True)
    elif target.exists():
        try:
            check(target)
        except ValueError:
            target.unlink()  # damaged, or another version: downloaded again
    fresh = not target.exists()
    if fresh:
        download([origin], target, check, None)
    if not extract:
        return str(target)
    if fresh or not unpacked.exists():
        _unpack(target, unpacked, ["tar"] if untar else archive_format)
    return str(unpacked)


def _places(folder: Path, name: str, named: bool) -> tuple[Path, Path]:
    """The paths of an archive and its extracted content, as in Keras."""
    if named and "." in name:
        return folder / name, folder / f"{name.partition('.')[0]}_extracted"
    return folder / f"{name}_archive", folder / name


def _unpack(archive: Path, folder: Path, formats: Any) -> None:
    """Extract an archive completely or not at all; members outside the folder are rejected."""
    allowed = ("tar", "zip") if formats == "auto" else (formats,) if isinstance(formats, str) else tuple(formats or ())
    if unknown := set(allowed) - {"tar", "zip"}:
        raise ValueError(f"archive_format must be 'tar', 'zip' or 'auto', got {sorted(unknown)[0]!r}")
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        inside = Path(scratch) / "content"
        if "tar" in allowed and tarfile.is_tarfile(archive):
            if not hasattr(tarfile, "data_filter"):
                raise UnsupportedError("Python before 3.11.4 can't extract tar archives safely; omit extract, and extract it yourself")
            with tarfile.open(archive) as tar:
                tar.extractall(inside, filter="data")
        elif "zip" in allowed and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(inside)
        else:
            raise ValueError(f"{archive} is not an archive of the format {' or '.join(allowed) or 'None'}; omit extract")
        if folder.exists():
            shutil.rmtree(folder)
        inside.rename(folder)
