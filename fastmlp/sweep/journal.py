"""The CSV file of a sweep, with one row per completed run, from which a sweep is resumed.

Each row is appended in one write and synced to disk, so a kill at any moment loses only the runs in progress. After a power cut the last
line may be incomplete; it is dropped when the file is opened again.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from fastmlp._base import checks
from fastmlp.sweep.grid import Combination, describe, text
from fastmlp.sweep.identity import ID_BYTES

__all__ = ["Journal", "run_id"]

_TAIL = ("data", "run", "fastmlp")
"""The last columns: the ids of the data and of the run, and the version of fastmlp."""


def run_id(data: str, model: str, seed: int) -> str:
    """The id of a run: a digest of everything that determines its results."""
    return hashlib.blake2b(f"{data}\n{seed}\n{model}".encode(), digest_size=ID_BYTES).hexdigest()


class Journal:
    """The open file, locked against other sweeps.

    Args:
        path: The path of the file; an existing file is continued.
        axes: The hyperparameters of the grid.
        data: The fingerprint of the data.

    Raises:
        OSError: The file can't be opened, or its folder does not exist.
        ValueError: The file belongs to another sweep or other data, is damaged before its last line, is not a file of a sweep, or is open
            in another sweep.
    """

    def __init__(self, path: str | os.PathLike[str], axes: Sequence[str], data: str) -> None:
        self.path = Path(path)
        self._axes, self._data = list(axes), data
        self._numbers: list[str] | None = None
        """The names of the result columns; None until the header is written."""
        self._done: dict[str, tuple[dict[str, str], dict[str, float]]] = {}
        """The hyperparameters and seed of each run, as text, and its results."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            self._lock()
            self.read()
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        try:
            # A lock of this process only: forked workers that outlive it for a moment do not hold it.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise ValueError(f"another sweep is writing {self.path}; wait for it to end, or choose another file") from None

    def read(self) -> None:
        """Reads the file, and drops an incomplete last line."""
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            content = file.read()
        whole, newline, rest = content.rpartition(b"\n")
        lines = (whole + newline).decode("utf-8-sig", "replace").split("\n")[:-1]
        keep = len(whole + newline)
        if lines:
            self._read_header(lines[0])
        elif not (rest.startswith(beginning := ",".join([*self._axes, "seed"]).encode()) or beginning.startswith(rest)):
            raise self._foreign()
        for number, line in enumerate(lines[1:], start=2):
            if not self._read_row(line):
                if number < len(lines) or rest:
                    raise ValueError(f"{self.path}, line {number}, is damaged; delete that line to repeat its run")
                rest = line.encode()
                keep = (whole + newline)[:-1].rfind(b"\n") + 1
        if rest:
            checks.warn(f"the last line of {self.path} is incomplete, perhaps after a crash; its run is repeated")
            os.ftruncate(self._file, keep)

    def _read_header(self, line: str) -> None:
        columns = _fields(line)
        if columns is None or "seed" not in columns or tuple(columns[-len(_TAIL) :]) != _TAIL:
            raise self._foreign()
        axes = columns[: columns.index("seed")]
        if sorted(axes) != sorted(self._axes):
            theirs, ours = ", ".join(axes), ", ".join(self._axes)
            raise ValueError(f"{self.path} holds a sweep over {theirs}, but this sweep is over {ours}; choose another file")
        numbers = columns[len(axes) + 1 : -len(_TAIL)]
        if "test_loss" in numbers and "validation_loss" not in numbers:
            raise ValueError(
                f"{self.path} was written by an older fastmlp, which called the validation data test; choose another file, or delete it to "
                "start over"
            )
        self._axes, self._numbers = axes, numbers

    def _foreign(self) -> ValueError:
        return ValueError(f"{self.path} is not the file of a sweep; choose another name")

    def _read_row(self, line: str) -> bool:
        """Reads a run; returns False if the line is damaged."""
        assert self._numbers is not None
        fields = _fields(line)
        keys = [*self._axes, "seed"]
        if fields is None or len(fields) != len(keys) + len(self._numbers) + len(_TAIL):
            return False
        try:
            numbers = dict(zip(self._numbers, map(float, fields[len(keys) : -len(_TAIL)]), strict=True))
        except ValueError:
            return False
        data, run, _ = fields[-len(_TAIL) :]
        if len(data) != 2 * ID_BYTES or len(run) != 2 * ID_BYTES:
            return False
        if data != self._data:
            raise ValueError(f"{self.path} holds results for other data; choose another file, or delete it to start over")
        self._done[run] = dict(zip(keys, fields, strict=False)), numbers
        return True

    def find(self, run: str) -> dict[str, float] | None:
        """The results of a run, None if it is not done."""
        return self._done[run][1] if run in self._done else None

    def check_conflicts(self, requested: Mapping[str, tuple[Combination, int]]) -> None:
        """Raises ValueError if a requested combination was trained with another model, that is, by an older version of the program.

        Args:
            requested: The combination and seed of every run.
        """
        rows = {self._key(*about): describe(about[0]) for about in requested.values()}
        for run, (words, _) in self._done.items():
            key = tuple(words.values())
            if run not in requested and key in rows:
                raise ValueError(
                    f"{self.path} has {rows[key]}, seed {words['seed']}, trained with another model or other settings; choose another "
                    "file, or delete it to start over"
                )

    def add(self, combination: Combination, seed: int, run: str, numbers: Mapping[str, float]) -> None:
        """Writes a completed run."""
        from fastmlp import __version__

        lines = []
        if self._numbers is None:
            self._numbers = list(numbers)
            lines.append([*self._axes, "seed", *self._numbers, *_TAIL])
        if list(numbers) != self._numbers:
            raise ValueError(f"{self.path} has the columns {', '.join(self._numbers)}, but a run has {', '.join(numbers)}")
        key = self._key(combination, seed)
        lines.append([*key, *map(text, numbers.values()), self._data, run, __version__])
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(lines)
        block = buffer.getvalue().encode()
        while block:
            block = block[os.write(self._file, block) :]
        os.fsync(self._file)
        self._done[run] = dict(zip([*self._axes, "seed"], key, strict=True)), dict(numbers)

    def _key(self, combination: Combination, seed: int) -> tuple[str, ...]:
        return (*(text(combination[name]) for name in self._axes), str(seed))

    def close(self) -> None:
        """Closes and unlocks the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fields(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None
