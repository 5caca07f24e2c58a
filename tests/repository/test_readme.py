"""Every snippet of the README and the documentation runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest
from folders import ROOT

import fastmlp

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEST_COMMAND = 'pip install -e ".[test]" && pytest -n auto'


def blocks(document: Path, *languages: str) -> list[str]:
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


PROGRAMS = [
    pytest.param(program, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, program in enumerate(blocks(document, "python"), start=1)
]

COMMANDS = [
    (document, line.split("#")[0].strip())
    for document in DOCUMENTS
    for block in blocks(document, "sh", "bash")
    for line in block.splitlines()
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program, tmp_path, monkeypatch):
    if "mnist" in program and not os.environ.get("FASTMLP_DATA"):
        pytest.skip("reads MNIST: set FASTMLP_DATA to the folder that has it")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    exec(compile(program, "snippet", "exec"), namespace)
    if "accuracy" in namespace:
        assert namespace["accuracy"] > 0.95
    if "test_accuracy" in namespace:
        assert namespace["test_accuracy"] > 0.97
    if "action" in namespace:
        assert namespace["action"].shape == (1, 6)


def write_tables(folder: Path) -> None:
    """The files of the commands that are about a reader's own table."""
    rows = [(40 + 7 * k % 110, ("north", "south", "harbour")[k % 3], k % 5 or "") for k in range(200)]
    lines = [f"{size},{district},{rooms}" for size, district, rooms in rows]
    prices = [2000 * size + 30_000 * (district == "harbour") for size, district, _ in rows]
    priced = [f"{line},{price}" for line, price in zip(lines, prices, strict=True)]
    (folder / "houses.csv").write_text("\n".join(["size,district,rooms,price", *priced]))
    (folder / "new.csv").write_text("\n".join(["size,district,rooms", *lines[:20]]))


def test_commands_run_in_the_order_they_are_shown(tmp_path):
    write_tables(tmp_path)
    commands = [part.strip() for _, line in COMMANDS for part in line.split("&&") if part.strip().startswith("fastmlp")]
    assert len(commands) >= 4
    for command in dict.fromkeys(commands):
        if "mnist" in command and not os.environ.get("FASTMLP_DATA"):
            continue
        program, *arguments = shlex.split(command)
        result = subprocess.run([Path(sysconfig.get_path("scripts")) / program, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"


def test_every_other_command_is_one_that_ci_or_another_test_runs():
    known = {"pip install .", 'pip install -e ".[test]"', "pytest -n auto"}
    shown = {part.strip() for _, line in COMMANDS for part in line.split("&&") if part.strip() and not part.strip().startswith("fastmlp")}
    assert {command for command in shown if not command.startswith("pytest benchmarks")} <= known


def test_the_test_command_is_the_one_that_ci_runs():
    ci = ROOT / ".ci" / "run"
    assert TEST_COMMAND in README
    if not ci.exists():
        pytest.skip("the source distribution has no .ci folder")
    assert f"test_command='{TEST_COMMAND}'" in ci.read_text(encoding="utf-8")


def test_links_lead_to_files_of_the_repository():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_speaks_of_the_classes_that_exist():
    for name in re.findall(r"\b(?:layers|models|utils)\.(?!md\b)(\w+)", README):
        assert any(hasattr(getattr(fastmlp, module), name) for module in ("layers", "models", "utils")), name


def test_the_readme_shows_the_results_of_the_performance_page():
    results = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    rows = [line for line in README.splitlines() if re.match(r"\| (training|inference|[\w-]+ \| [\d.,]+ \|)", line)]
    assert len(rows) >= 10
    assert [row for row in rows if row not in results] == []
