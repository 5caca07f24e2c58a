"""Time and memory of an epoch on memory-mapped files of increasing size, and on a file larger than the available memory.

    python benchmarks/rows_from_disk.py
    python benchmarks/rows_from_disk.py --largest 1000000 --plot rows.png

Each epoch runs in its own process, which opens x (32 float32 features) and y (int32 labels) with numpy.load(mmap_mode="r"). Memory is the
maximum increase of anonymous resident memory during the epoch: if samples are streamed, it does not depend on their number, except for
4 bytes per sample for the shuffle order. The last file is read again in a control group limited to a quarter of its size, page cache
included, which needs Linux and permission to create control groups.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np

COLUMNS, CLASSES, BATCH = 32, 4, 256
BLOCK = 100_000
SHUFFLED_STEPS_BEYOND_MEMORY = 5


@dataclass(frozen=True)
class Epoch:
    """One epoch over the files of a folder."""

    folder: Path
    shuffle: bool
    steps: int | None = None
    group: Path | None = None
    """The control group to run in, or None."""


@dataclass(frozen=True)
class Result:
    """Time and memory of an epoch."""

    rows: int
    seconds: float
    held: int
    """The maximum increase of memory, in bytes."""


def write_rows(folder: Path, rows: int) -> None:
    """Writes x.npy and y.npy, and flushes them to disk."""
    random = np.random.default_rng(0)
    block = random.standard_normal((min(rows, BLOCK), COLUMNS), dtype=np.float32)
    labels = random.integers(CLASSES, size=len(block), dtype=np.int32)
    for name, values in (("x", block), ("y", labels)):
        file = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", values.dtype, (rows, *values.shape[1:]))
        for first in range(0, rows, BLOCK):
            file[first : first + BLOCK] = values[: rows - first]
        file.flush()


def forget_pages(folder: Path) -> None:
    """Asks the system to drop cached pages of the files, so that the next process to read them is charged for them."""
    for path in folder.glob("*.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def memory_group(limit: int) -> Iterator[Path | None]:
    """A control group limited to `limit` bytes of memory, page cache included; None if it can't be created."""
    name = f"fastmlp-{os.getpid()}"
    for parent, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(parent) / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / file).write_text(str(limit), encoding="ascii")
        except OSError:
            group.rmdir()
            continue
        try:
            yield group
        finally:
            group.rmdir()
        return
    yield None


def train(epoch: Epoch) -> Result:
    """Trains for one epoch; called in a separate process."""
    if epoch.group:
        (epoch.group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    x, y = (np.load(epoch.folder / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    model = common.classifier((COLUMNS, 64, 64, CLASSES))
    model.fit(np.array(x[:BATCH]), np.array(y[:BATCH]), batch_size=BATCH, verbose=0)  # one-time allocations of the first call
    before, most, done = common.private_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, common.private_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    model.fit(x, y, batch_size=BATCH, shuffle=epoch.shuffle, steps_per_epoch=epoch.steps, verbose=0)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    rows = len(x) if epoch.steps is None else epoch.steps * BATCH
    return Result(rows, seconds, max(0, most - before))


def run(epoch: Epoch, times: int = 1) -> Result:
    """The result with the median time of several runs."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        results = pool.map(train, [epoch] * times, chunksize=1)
    return sorted(results, key=lambda result: result.seconds)[times // 2]


def measure(folder: Path, counts: list[int], times: int) -> dict[str, list[Result]]:
    """Measures epochs in order and shuffled; leaves the largest file in the folder."""
    found: dict[str, list[Result]] = {"in order": [], "shuffled": []}
    for rows in counts:
        write_rows(folder, rows)
        for name, results in found.items():
            results.append(run(Epoch(folder, shuffle=name == "shuffled"), times))
    return found


def measure_beyond_memory(folder: Path, limit: int) -> dict[str, Result]:
    with memory_group(limit) as group:
        if group is None:
            return {}
        forget_pages(folder)
        found = {"in order, beyond memory": run(Epoch(folder, shuffle=False, group=group))}
        found["shuffled, beyond memory"] = run(Epoch(folder, shuffle=True, steps=SHUFFLED_STEPS_BEYOND_MEMORY, group=group))
        return found


def show(found: dict[str, list[Result]], beyond: dict[str, Result], size: int, limit: int) -> None:
    rows = [
        [name, f"{result.rows:,}", f"{result.seconds / result.rows * 1e9:,.0f}", common.bytes_text(result.held)]
        for name, results in [*found.items(), *((name, [result]) for name, result in beyond.items())]
        for result in results
    ]
    if beyond:
        notes = f"Beyond memory: files of {common.bytes_text(size)}; the process and pages it reads may hold {common.bytes_text(limit)}."
    else:
        notes = "Nothing was measured with less memory than the files have: they are small, or no control group could be made."
    common.show("An epoch over rows of a memory-mapped file", ["epoch", "rows", "ns a row", "memory held"], rows, notes)


def draw(found: dict[str, list[Result]], beyond: dict[str, Result], size: int, limit: int, file: Path) -> None:
    about = f"Network 32-64-64-4. Beyond memory: {common.bytes_text(size)} read by a process that may hold {common.bytes_text(limit)}."
    drawing, (time_axis, memory) = common.figure(2, "An epoch as the rows of a memory-mapped file grow", about)
    for (name, results), colour in zip(found.items(), (common.BLUE, common.ORANGE), strict=True):
        rows = [result.rows for result in results]
        time_axis.plot(rows, [result.seconds / result.rows * 1e9 for result in results], "o-", color=colour, label=name)
        memory.plot(rows, [result.held / 1e6 for result in results], "o-", color=colour, label=name)
    marks = {name: result for name, result in beyond.items() if name.startswith("in order")}  # shuffled would be off the scale
    for result in marks.values():
        for axis, value in ((time_axis, result.seconds / result.rows * 1e9), (memory, result.held / 1e6)):
            axis.plot(result.rows, value, "s", color=common.GREEN, markersize=8, fillstyle="none", label="in order, beyond memory")
    memory.plot(rows, [4 * n / 1e6 for n in rows], ":", color=common.GREY, label="4 bytes a row, the order")
    time_axis.set(title="ns a row", ylim=(0, None))
    memory.set(title="MB held, pages of the files left out", yscale="symlog")
    for axis in (time_axis, memory):
        axis.set(xscale="log", xlabel="rows")
        common.plain_log_axis(axis.xaxis, rows)
        axis.legend(loc="upper left" if axis is memory else "lower left")
    common.plain_log_axis(memory.yaxis, [0, 1, 10, 100])
    common.save(drawing, file)


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("--largest", type=common.count, default=10_000_000, metavar="ROWS", help="132 bytes of disk each (default: 10⁷)")
    parser.add_argument("--folder", type=Path, help="folder for temporary files (default: the system's temporary folder)")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="save a plot")
    parser.add_argument("--quick", action="store_true", help="a quick check with few samples")
    options = parser.parse_args()
    largest = 20_000 if options.quick else options.largest
    counts = [10**power for power in range(3, 12) if 10**power < largest] + [largest]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        found = measure(folder, counts, 1 if options.quick else 3)
        size = sum(path.stat().st_size for path in folder.iterdir())
        limit = max(size // 4, 150_000_000)
        beyond = measure_beyond_memory(folder, limit) if size > limit else {}
    show(found, beyond, size, limit)
    if options.plot:
        draw(found, beyond, size, limit, options.plot)


if __name__ == "__main__":
    main()
