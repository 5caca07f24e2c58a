"""The number of threads of the native engine: ``set_num_threads``, else ``FASTMLP_NUM_THREADS``, else the CPUs available to the process.

The latter is the minimum of the CPU affinity and the CPU quota of the control group (a container's limit), read once, when the first native
network is created. A worker of joblib (loky) has as many threads as joblib leaves to each: its ``OMP_NUM_THREADS``, if that is less.
A network too small to benefit runs on one thread regardless.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from fastmlp._base import checks, forks

MAX_THREADS = 2**16
"""Keeps the number within a C int; the engine has a lower limit of its own."""

_lock = forks.Lock()
_applied = False
_reason = ""


def set_num_threads(count: int) -> None:
    """Sets the number of threads of the native engine, for all networks of this process.

    Results are bit-identical for any number of threads.

    Args:
        count: The number of threads, ≥ 1.

    Raises:
        ValueError: ``count`` is less than 1.
        TypeError: ``count`` is not an integer.

    Example:

    >>> import fastmlp
    >>> fastmlp.set_num_threads(1)
    """
    global _applied, _reason
    from fastmlp import _core

    count = checks.check_int("the number of threads", count)
    with _lock.lock:
        _core.set_threads(min(count, MAX_THREADS))
        _applied, _reason = True, "set_num_threads was called"


def get_num_threads() -> int:
    """Returns the maximum number of threads the native engine uses."""
    from fastmlp import _core

    apply_default()
    return int(_core.get_threads())


def apply_default() -> None:
    """Passes the default to the native engine, once, unless ``set_num_threads`` was called."""
    global _applied, _reason
    if _applied:
        return
    from fastmlp import _core

    with _lock.lock:
        if not _applied:
            count, _reason = default_count()
            _core.set_threads(min(count, MAX_THREADS))
            _applied = True


def reason() -> str:
    """Where the number of threads comes from, for ``build_info``."""
    apply_default()
    return _reason


def default_count() -> tuple[int, str]:
    """The default number of threads, and where it comes from."""
    wanted = os.environ.get("FASTMLP_NUM_THREADS", "").strip()
    if wanted:
        if not wanted.isdecimal() or int(wanted) < 1:
            raise ValueError(f"FASTMLP_NUM_THREADS must be an integer ≥ 1, got {wanted!r}")
        return int(wanted), "FASTMLP_NUM_THREADS"
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    reason = "CPUs available to this process"
    quota = cgroup_cpus()
    if quota is not None and quota < cpus:
        # Whole CPUs only: a thread beyond the quota is paused while the others wait for it at every barrier.
        cpus, reason = max(1, math.floor(quota)), f"the control group's quota is {quota:g} CPUs"
    share = _share_of_worker()
    return (share, "this worker process's share of the CPUs, OMP_NUM_THREADS") if share is not None and share < cpus else (cpus, reason)


def _share_of_worker() -> int | None:
    """The number of threads that joblib leaves to a worker process; None in other processes."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None or not processes.current_process().name.startswith("LokyProcess"):
        return None
    share = os.environ.get("OMP_NUM_THREADS", "").strip()
    return int(share) if share.isdecimal() and int(share) else None


def cgroup_cpus(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """The CPU quota of this process's control groups (versions 1 and 2), in CPUs; None if there is none."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            quotas += [_quota_v2(folder / "cpu.max") for folder in _folders(root, path)]
        elif "cpu" in controllers.split(","):
            for top in (root / controllers, root / "cpu"):
                quotas += [_quota_v1(folder) for folder in _folders(top, path)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _folders(top: Path, path: str) -> list[Path]:
    """The group's folder and its parents up to ``top``: the limit of every level applies. In a container only ``top`` may be visible."""
    folder = top / path.strip("/")
    return [folder, *(parent for parent in folder.parents if parent == top or top in parent.parents), top]


def _quota_v2(file: Path) -> float | None:
    try:
        quota, period = file.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return None if quota <= 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError, ZeroDivisionError):
        return None
