"""Downloads one file over HTTP: resumable, checked before it gets its name, with a progress bar.

The bytes go to ``NAME.part`` beside the target; a later call asks the server for the rest only. When all is there the caller's check
decides, and only then is the file renamed. Two processes that want the same file take turns, and the second finds it done.
"""

from __future__ import annotations

import fcntl
import http
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from fastmlp._base.progress import BYTES, ProgressLine
from fastmlp.errors import DownloadError

__all__ = ["download"]

_BLOCK = 1 << 16
_TIMEOUT = 30.0
"""Seconds a server may stay silent."""


def download(urls: Sequence[str], target: Path, check: Callable[[Path], object], limit: int | None) -> None:
    """Fetches ``target`` from the first of ``urls`` that delivers content which passes ``check``.

    Args:
        urls: Addresses of the same content, tried in order.
        target: Where the file goes; its folder is made if needed.
        check: Called with the finished temporary file; raises ValueError to refuse it.
        limit: The most bytes to accept; None for any number.

    Raises:
        DownloadError: No address delivered; the message gives each one's reason.
        OSError: The folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    reasons = []
    with part.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if target.exists():  # another process finished it while this one waited for the lock
            part.unlink(missing_ok=True)
            return
        for url in urls:
            try:
                _fetch(url, part, file, check, limit)
            except urllib.error.HTTPError as error:
                reasons.append(f"{url}: the server answers {error.code} {error.reason}")
            except urllib.error.URLError as error:
                reasons.append(f"{url}: no connection ({error.reason})")
            except (OSError, http.client.HTTPException, ValueError) as error:
                reasons.append(f"{url}: {str(error) or type(error).__name__}")
            else:
                part.replace(target)
                return
        if not file.tell():
            part.unlink(missing_ok=True)
    raise DownloadError("; ".join(reasons))


def _fetch(url: str, part: Path, file: IO[bytes], check: Callable[[Path], object], limit: int | None) -> None:
    """Downloads what is missing of the file and checks it; from the beginning if what was there before does not fit."""
    have = file.tell()
    try:
        _transfer(url, part.stem, file, limit)
        check(part)
    except ValueError:
        file.truncate(file.seek(0))
        if not have:
            raise
        _fetch(url, part, file, check, limit)


def _transfer(url: str, name: str, file: IO[bytes], limit: int | None) -> None:
    """Appends to ``file`` what the server has beyond it."""
    have = file.tell()
    request = urllib.request.Request(url, headers={"User-Agent": "fastmlp"} | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing lies beyond what is here; the check decides whether that is the file
        raise
    with response:
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = file.truncate(file.seek(0))  # the server sends everything, not the rest
        total = have + int(response.headers.get("Content-Length") or 0)
        with ProgressLine(total, name=f"Downloading {name}", unit=BYTES, done=have, stream=sys.stderr) as line:
            while block := response.read(_BLOCK):
                have += file.write(block)
                if limit is not None and have > limit:
                    raise ValueError(f"the server sends more than the {limit} bytes this file can have")
                line.update(have)
            if have < total:
                raise ConnectionError(f"the connection ended after {have} of {total} bytes; the next try continues there")
            line.finish()
    file.flush()
    os.fsync(file.fileno())
