"""The examples about sweeps run as a user runs them, learn what they should, and draw the pictures that their pages show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "examples"


class Example(NamedTuple):
    """What the reduced run of a script must give."""

    prints: dict[str, tuple[float, float]]  # words of the output, and the bounds of the number after them
    pictures: tuple[str, ...]


EXAMPLES = {
    "combinations": Example(
        {"best held-out accuracy": (0.97, 1), "          ()": (0.4, 0.65), "    (32, 32)": (0.97, 1)},
        ("combinations.png",),
    ),
    "batch_size": Example({"best held-out accuracy": (0.97, 1), "  32           38": (1, 1e6)}, ("batch_size.png",)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_learns_and_draws_its_pictures(name, tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, ROOT / "examples" / f"{name}.py", "--quick", "--plots", tmp_path]
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words, (low, high) in EXAMPLES[name].prints.items():
        numbers = re.findall(rf"{re.escape(words)}\D*?(-?\d+\.?\d*)", done.stdout)
        assert numbers, f"{words!r} is not in {done.stdout}"
        assert low <= float(numbers[-1]) <= high, done.stdout
    assert {path.name for path in tmp_path.iterdir()} == set(EXAMPLES[name].pictures)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_has_the_script_s_own_code_its_pictures_and_how_to_run_it(name):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    script = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    for piece in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        assert any(textwrap.indent(piece, " " * depth) in script for depth in (0, 4, 8)), piece
    assert set(re.findall(r"!\[[^\]]+\]\(\.\./images/([\w-]+\.png)\)", page)) == set(EXAMPLES[name].pictures)
    assert f"\npython examples/{name}.py" in page
    assert f"\npython examples/{name}.py" in script
    for target in re.findall(r"\]\(([^)#]+)\)", page):
        assert (PAGES / target).exists(), target
