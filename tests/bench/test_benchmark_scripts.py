"""The scripts of benchmarks/ run, print their tables and draw their pictures; what they measure is not a test's business."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from folders import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if not path.name.startswith(("bench_", "common", "conftest")))


def run(script, *arguments, cwd):
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, env=environment)


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_says_how_it_is_used(name, tmp_path):
    done = run(name, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"    python benchmarks/{name}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cost_of_growth.py", "batch", "--quick", "--plot", "p.png"], "rows in a batch"),
        (["cost_of_growth.py", "width", "--quick"], "units in each of two hidden layers"),
        (["cost_of_growth.py", "depth", "--quick"], "hidden layers"),
        (["rows_from_disk.py", "--quick", "--plot", "p.png"], "ns a row"),
        (["latency.py", "--quick"], "policy, model(x)"),
        (["threads.py", "speedup", "--quick"], "speed-up"),
        (["estimators.py", "--quick"], "grid search"),
        (["threads.py", "crowd", "--quick"], "of one alone"),
        (["roofline.py", "--quick", "--plot", "p.png"], "of the roof"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_script_prints_its_table_and_draws_its_picture(arguments, words, tmp_path):
    pytest.importorskip("matplotlib")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
    pictures = list(tmp_path.iterdir())
    assert len(pictures) == ("--plot" in arguments)
    assert all(1000 < picture.stat().st_size < 80_000 for picture in pictures)


def test_the_pictures_of_the_documentation_are_those_the_pages_show():
    folder = FOLDER.parent / "docs"
    pages = [page.read_text(encoding="utf-8") for page in folder.rglob("*.md")]
    shown = {picture for page in pages for picture in re.findall(r"\]\((?:\.\./)?(images/[\w-]+\.png)\)", page)}
    assert shown == {path.relative_to(folder).as_posix() for path in folder.glob("images/*.png")}
    assert all(path.stat().st_size < 80_000 for path in folder.glob("images/*"))


# What the scripts work out


def test_a_size_that_takes_far_longer_than_its_neighbours_is_a_cliff(script):
    growth = script("cost_of_growth")
    cases = {size: growth.case((8, 8, 2), size) for size in (1, 2, 4, 8)}
    smooth = {size: [size * 1e-6, size * 2e-6] for size in cases}
    assert growth.Line(cases, smooth, {}).cliffs() == []
    ((size, excess),) = growth.Line(cases, {**smooth, 4: [6e-6, 12e-6]}, {}).cliffs()
    assert size == 4
    assert excess == pytest.approx(1.5)


def test_a_step_up_that_stays_is_a_cliff_too(script):
    growth = script("cost_of_growth")
    cases = {size: growth.case((8, 8, 2), size) for size in (15, 16, 17, 24)}
    stairs = {size: [size * (1e-6 if size < 17 else 1.5e-6)] for size in cases}
    assert [size for size, _ in growth.Line(cases, stairs, {}).cliffs()] == [17]


def test_the_rows_of_a_file_are_all_written(script, tmp_path):
    script("rows_from_disk").write_rows(tmp_path, 100_010)
    x, y = np.load(tmp_path / "x.npy"), np.load(tmp_path / "y.npy")
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((100_010, 32), np.float32, (100_010,), np.int32)
    assert x[-10:].std() > 0.5
    assert set(np.unique(y)) == {0, 1, 2, 3}


def test_the_bytes_of_a_training_step_are_counted_as_the_page_says(script):
    point = script("roofline").Point(script("roofline").CASES["spiral"], 1.0)
    first, rest, widths = 2 * 64, 64 * 64 + 64 * 3, 2 + 64 + 64 + 3
    assert point.bytes == 4 * (first * 7 + rest * 8 + 8 * 32 * widths)
    assert point.working_set == 4 * (3 * (first + rest) + 3 * 32 * widths)


# Instruction counts


def test_more_instructions_are_told_where_the_record_is_of_this_compiler(script, capsys):
    counts = script("instruction_counts")
    record = {"gcc 1": {"versions": "Python 1", "avx2": {"spiral, a step": 1000, "policy, model(x) of a row": 1000}}}
    same, more = {"avx2": {"spiral, a step": 1029.0}}, {"avx2": {"spiral, a step": 1031.0, "policy, model(x) of a row": 2000.0}}
    assert counts.show(same, record, "gcc 1", "Python 1") == []
    assert counts.show(more, record, "gcc 1", "Python 1") == ["avx2: spiral, a step", "avx2: policy, model(x) of a row"]
    assert counts.show(more, record, "gcc 1", "Python 2") == ["avx2: spiral, a step"]
    assert counts.show(more, record, "gcc 2", "Python 1") == []
    out = capsys.readouterr().out
    assert "+3.10%" in out
    assert "Not judged" in out


def test_the_record_holds_every_job_of_the_fast_instruction_set(script):
    record = json.loads((FOLDER / "instruction_counts.json").read_text(encoding="utf-8"))
    assert all(set(counts["avx2"]) == set(script("instruction_counts").JOBS) for counts in record.values())
