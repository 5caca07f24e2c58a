"""How many threads are used: affinity, control groups, FASTMLP_NUM_THREADS and set_num_threads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fastmlp._engine import threads


@pytest.fixture
def four_cpus(monkeypatch):
    monkeypatch.delenv("FASTMLP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)


@pytest.mark.parametrize(
    ("quota", "count", "reason"),
    [
        (None, 4, "CPUs available to this process"),
        (8.0, 4, "CPUs available to this process"),
        (2.0, 2, "the control group's quota is 2 CPUs"),
        (2.5, 2, "the control group's quota is 2.5 CPUs"),
        (0.2, 1, "the control group's quota is 0.2 CPUs"),
    ],
)
def test_the_default_is_the_smaller_of_affinity_and_quota(four_cpus, monkeypatch, quota, count, reason):
    monkeypatch.setattr(threads, "cgroup_cpus", lambda: quota)
    assert threads.default_count() == (count, reason)


def test_the_environment_decides(four_cpus, monkeypatch):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", " 7 ")
    assert threads.default_count() == (7, "FASTMLP_NUM_THREADS")


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²"])
def test_a_bad_environment_is_told(monkeypatch, value):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", value)
    with pytest.raises(ValueError, match="FASTMLP_NUM_THREADS must be an integer ≥ 1, got"):
        threads.default_count()


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("groups", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000", "cpu.max": "300000 100000"}, 2.0),
        ("0::/not/visible\n", {"cpu.max": "300000 100000"}, 3.0),
        ("4:cpu,cpuacct:/job\n", {"cpu,cpuacct/job/cpu.cfs_quota_us": "50000", "cpu,cpuacct/job/cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpu,cpuacct:/job\n", {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4.0),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("3:memory:/\n", {"memory/cpu.cfs_quota_us": "1", "memory/cpu.cfs_period_us": "1"}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
    ],
)
def test_quotas_of_both_control_group_versions_are_read(tmp_path, groups, files, cpus):
    proc = tmp_path / "cgroup"
    proc.write_text(groups)
    root = tmp_path / "fs"
    root.mkdir()
    write(root, files)
    assert threads.cgroup_cpus(proc, root) == cpus


def test_no_control_groups_mean_no_quota(tmp_path):
    assert threads.cgroup_cpus(tmp_path / "missing", tmp_path) is None


def run(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment})


def test_the_number_can_be_set_and_read():
    code = (
        "import fastmlp; print(fastmlp.get_num_threads()); fastmlp.set_num_threads(2); print(fastmlp.get_num_threads()); "
        "info = fastmlp.build_info(); print(info['threads'], info['threads_because'])"
    )
    assert run(code, FASTMLP_NUM_THREADS="3").stdout.splitlines() == ["3", "2", "2 set_num_threads was called"]
    assert "FASTMLP_NUM_THREADS must be an integer" in run("import fastmlp; fastmlp.get_num_threads()", FASTMLP_NUM_THREADS="many").stderr


@pytest.mark.parametrize(
    ("count", "message"), [(0, "the number of threads must be an integer ≥ 1, got 0"), (1.5, "must be an integer"), ("2", "got '2'")]
)
def test_bad_numbers_are_told(count, message):
    with pytest.raises((TypeError, ValueError), match=message):
        threads.set_num_threads(count)
