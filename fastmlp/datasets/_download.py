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
            reason = _attempt(url, part, file, check, limit)
            if reason is None:
                part.replace(target)
                return
            reasons.append(f"{url}: {reason}")
        if file.tell() == 0:
            part.unlink(missing_ok=True)
    raise DownloadError("; ".join(reasons))


def _attempt(url: str, part: Path, file: IO[bytes], check: Callable[[Path], object], limit: int | None) -> str | None:
    """Tries one address, from the beginning if what was there before does not fit; gives the reason it failed, or None."""
    while True:
        resumed = file.tell() > 0
        try:
            _transfer(url, part.stem, file, limit)
            check(part)
        except (OSError, http.client.HTTPException) as error:
            return _explain(error)
        except ValueError as error:
            _restart(file)
            if resumed:  # two versions joined, or too much; once more, from the beginning
                continue
            return str(error)
        return None


def _transfer(url: str, name: str, file: IO[bytes], limit: int | None) -> None:
    """Appends to ``file`` what the server has beyond it."""
    have = file.tell()
    request = urllib.request.Request(url, headers={"User-Agent": "fastmlp"} | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing lies beyond what is here; whether that is the file, the check will tell
        raise
    with response:
        if have and (response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-")):
            _restart(file)  # the server sends everything, not the rest
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdecimal() else None
        with ProgressLine(total or 0, name=f"Downloading {name}", unit=BYTES, done=have, stream=sys.stderr) as line:
            while block := response.read(_BLOCK):
                have += len(block)
                if limit is not None and have > limit:
                    raise ValueError(f"the server sends more than the {limit} bytes this file can have")
                file.write(block)
                line.update(have)
            if total is None or have >= total:
                line.finish()
    file.flush()
    os.fsync(file.fileno())
    if total is not None and have < total:
        raise ConnectionError(f"the connection ended after {have} of {total} bytes; the next try continues there")


def _restart(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def _explain(error: Exception) -> str:
    """An error of the network in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    if isinstance(error, TimeoutError):
        return f"the server was silent for {_TIMEOUT:.0f} seconds"
    return str(error) or type(error).__name__
